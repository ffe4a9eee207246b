//! Requests and replies of the binary protocol.

/// Length of a header, bytes.
pub(crate) const HEADER_BYTES: usize = 24;

/// Opcodes.
pub(crate) mod op {
    pub(crate) const GET: u8 = 0x00;
    pub(crate) const SET: u8 = 0x01;
    pub(crate) const ADD: u8 = 0x02;
    pub(crate) const REPLACE: u8 = 0x03;
    pub(crate) const DELETE: u8 = 0x04;
    pub(crate) const INCR: u8 = 0x05;
    pub(crate) const DECR: u8 = 0x06;
    pub(crate) const QUIT: u8 = 0x07;
    pub(crate) const FLUSH: u8 = 0x08;
    pub(crate) const GETQ: u8 = 0x09;
    pub(crate) const NOOP: u8 = 0x0a;
    pub(crate) const VERSION: u8 = 0x0b;
    pub(crate) const GETK: u8 = 0x0c;
    pub(crate) const GETKQ: u8 = 0x0d;
    pub(crate) const APPEND: u8 = 0x0e;
    pub(crate) const PREPEND: u8 = 0x0f;
    pub(crate) const STAT: u8 = 0x10;
    pub(crate) const SETQ: u8 = 0x11;
    pub(crate) const ADDQ: u8 = 0x12;
    pub(crate) const REPLACEQ: u8 = 0x13;
    pub(crate) const DELETEQ: u8 = 0x14;
    pub(crate) const INCRQ: u8 = 0x15;
    pub(crate) const DECRQ: u8 = 0x16;
    pub(crate) const QUITQ: u8 = 0x17;
    pub(crate) const FLUSHQ: u8 = 0x18;
    pub(crate) const APPENDQ: u8 = 0x19;
    pub(crate) const PREPENDQ: u8 = 0x1a;
    pub(crate) const TOUCH: u8 = 0x1c;
    pub(crate) const GAT: u8 = 0x1d;
    pub(crate) const GATQ: u8 = 0x1e;
    pub(crate) const SASL_LIST: u8 = 0x20;
    pub(crate) const SASL_AUTH: u8 = 0x21;
    pub(crate) const SASL_STEP: u8 = 0x22;
    pub(crate) const GATK: u8 = 0x23;
    pub(crate) const GATKQ: u8 = 0x24;
}

/// A request being put together.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) opcode: u8,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) opaque: u32,
    pub(crate) version: u64,
}

/// A request of some opcode, with nothing in it.
pub(crate) fn request(opcode: u8) -> Request {
    Request { opcode, ..Request::default() }
}

/// A request of some opcode for a key.
pub(crate) fn key(opcode: u8, key: impl AsRef<[u8]>) -> Request {
    Request { key: key.as_ref().to_vec(), ..request(opcode) }
}

/// A `set` or its kin: flags 0xdeadbeef, no expiry.
pub(crate) fn store(opcode: u8, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Request {
    self::key(opcode, key).extras(&[0xdead_beef, 0]).value(value)
}

/// An `incr` or `decr`.
pub(crate) fn count(opcode: u8, key: &str, delta: u64, initial: u64, exptime: u32) -> Request {
    let mut request = self::key(opcode, key);
    request.extras.extend(delta.to_be_bytes());
    request.extras.extend(initial.to_be_bytes());
    request.extras.extend(exptime.to_be_bytes());
    request
}

/// Short, whatever it holds.
impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { opcode, extras, key, value, .. } = self;
        let (key, value) = (key.escape_ascii(), value.len());
        write!(f, "{opcode:#x} {extras:x?} {key:.32} and {value} bytes")
    }
}

impl Request {
    /// Big-endian numbers as extras.
    pub(crate) fn extras(mut self, numbers: &[u32]) -> Self {
        self.extras = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        self
    }

    pub(crate) fn value(mut self, value: impl AsRef<[u8]>) -> Self {
        self.value = value.as_ref().to_vec();
        self
    }

    pub(crate) fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn opaque(mut self, opaque: u32) -> Self {
        self.opaque = opaque;
        self
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let body = self.extras.len() + self.key.len() + self.value.len();
        let mut bytes = header(self, self.extras.len(), self.key.len(), body);
        bytes.extend(&self.extras);
        bytes.extend(&self.key);
        bytes.extend(&self.value);
        bytes
    }

    /// Its header alone, with lengths of the caller's choice.
    pub(crate) fn header(&self, extras: u8, key: u16, body: u32) -> Vec<u8> {
        header(self, extras.into(), key.into(), body as usize)
    }
}

fn header(request: &Request, extras: usize, key: usize, body: usize) -> Vec<u8> {
    let mut bytes = vec![0x80, request.opcode];
    bytes.extend(u16::try_from(key).expect("a key's length").to_be_bytes());
    bytes.push(u8::try_from(extras).expect("the extras' length"));
    bytes.extend([0; 3]);
    bytes.extend(u32::try_from(body).expect("a body's length").to_be_bytes());
    bytes.extend(request.opaque.to_be_bytes());
    bytes.extend(request.version.to_be_bytes());
    bytes
}

/// The requests one after the other.
pub(crate) fn stream(requests: &[Request]) -> Vec<u8> {
    requests.iter().flat_map(Request::bytes).collect()
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) opcode: u8,
    pub(crate) status: u16,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) opaque: u32,
    pub(crate) version: u64,
}

impl Reply {
    /// `status text` of a failure; `extras|key|value` of a success, as far as there is something.
    pub(crate) fn show(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if self.status != 0 {
            assert!(self.extras.is_empty(), "failures have no extras");
            return format!("{:#x} {}{}", self.status, text(&self.key), text(&self.value));
        }
        let extras: String = self.extras.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{extras}|{}|{}", text(&self.key), text(&self.value))
    }
}

/// Reads replies until there are no more.
pub(crate) fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at(HEADER_BYTES);
        assert_eq!((header[0], header[5]), (0x81, 0), "magic and data type of a reply");
        let u16_at = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let (body, rest) = rest.split_at(u32_at(8) as usize);
        let (extras, body) = body.split_at(header[4].into());
        let (key, value) = body.split_at(u16_at(2).into());
        all.push(Reply {
            opcode: header[1],
            status: u16_at(6),
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
            opaque: u32_at(12),
            version: u64::from_be_bytes(header[16..].try_into().unwrap()),
        });
        bytes = rest;
    }
    all
}
