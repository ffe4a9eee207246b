//! Headers, opcodes and statuses as they are on the wire.

use bytes::BytesMut;

/// Length of a header, bytes.
pub(super) const HEADER_BYTES: usize = 24;
/// First byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;
/// First byte of a reply.
const REPLY_MAGIC: u8 = 0x81;

/// What a request asks for, quiet or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Get(Retrieval),
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Delete,
    Increment,
    Decrement,
    Quit,
    Flush,
    NoOp,
    Version,
    Stat,
    SaslList,
    SaslAuth,
    SaslStep,
    Unknown,
}

/// The forms of get, touch and get-and-touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retrieval {
    /// Gives the item a new expiry time.
    pub(super) touches: bool,
    /// Shows the key, also that of a miss.
    pub(super) shows_key: bool,
    /// Shows the value; `touch` alone does not.
    pub(super) shows_value: bool,
}

const GET: Retrieval = Retrieval { touches: false, shows_key: false, shows_value: true };
const GET_KEY: Retrieval = Retrieval { shows_key: true, ..GET };
const TOUCH: Retrieval = Retrieval { touches: true, shows_key: false, shows_value: false };
const GET_TOUCH: Retrieval = Retrieval { shows_value: true, ..TOUCH };
const GET_TOUCH_KEY: Retrieval = Retrieval { shows_key: true, ..GET_TOUCH };

/// What an opcode means, and whether it is the quiet form.
#[inline]
const fn meaning(opcode: u8) -> (Command, bool) {
    match opcode {
        0x00 => (Command::Get(GET), false),
        0x01 => (Command::Set, false),
        0x02 => (Command::Add, false),
        0x03 => (Command::Replace, false),
        0x04 => (Command::Delete, false),
        0x05 => (Command::Increment, false),
        0x06 => (Command::Decrement, false),
        0x07 => (Command::Quit, false),
        0x08 => (Command::Flush, false),
        0x09 => (Command::Get(GET), true),
        0x0a => (Command::NoOp, false),
        0x0b => (Command::Version, false),
        0x0c => (Command::Get(GET_KEY), false),
        0x0d => (Command::Get(GET_KEY), true),
        0x0e => (Command::Append, false),
        0x0f => (Command::Prepend, false),
        0x10 => (Command::Stat, false),
        0x11 => (Command::Set, true),
        0x12 => (Command::Add, true),
        0x13 => (Command::Replace, true),
        0x14 => (Command::Delete, true),
        0x15 => (Command::Increment, true),
        0x16 => (Command::Decrement, true),
        0x17 => (Command::Quit, true),
        0x18 => (Command::Flush, true),
        0x19 => (Command::Append, true),
        0x1a => (Command::Prepend, true),
        0x1c => (Command::Get(TOUCH), false),
        0x1d => (Command::Get(GET_TOUCH), false),
        0x1e => (Command::Get(GET_TOUCH), true),
        0x20 => (Command::SaslList, false),
        0x21 => (Command::SaslAuth, false),
        0x22 => (Command::SaslStep, false),
        0x23 => (Command::Get(GET_TOUCH_KEY), false),
        0x24 => (Command::Get(GET_TOUCH_KEY), true),
        _ => (Command::Unknown, false),
    }
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) command: Command,
    /// Success is not told, nor is the miss of a get.
    pub(super) quiet: bool,
    opcode: u8,
    pub(super) key_bytes: usize,
    pub(super) extras_bytes: usize,
    /// Extras, key and value, bytes.
    pub(super) body_bytes: u32,
    /// Handed back as it came.
    opaque: [u8; 4],
    /// The version to compare with, 0 for none.
    pub(super) version: u64,
}

impl Header {
    /// Reads the header at the front of `input`, all of which is there.
    #[inline]
    pub(super) const fn read(input: &[u8; HEADER_BYTES]) -> Self {
        let [_magic, opcode, k0, k1, extras, _type, _r0, _r1, rest @ ..] = *input;
        let [b0, b1, b2, b3, o0, o1, o2, o3, version @ ..] = rest;
        let (command, quiet) = meaning(opcode);
        Self {
            command,
            quiet,
            opcode,
            key_bytes: u16::from_be_bytes([k0, k1]) as usize,
            extras_bytes: extras as usize,
            body_bytes: u32::from_be_bytes([b0, b1, b2, b3]),
            opaque: [o0, o1, o2, o3],
            version: u64::from_be_bytes(version),
        }
    }

    /// Bytes in front of the value: header, extras, key.
    pub(super) const fn head_bytes(&self) -> usize {
        HEADER_BYTES + self.extras_bytes + self.key_bytes
    }

    /// Bytes of the value. Meaningful once the lengths are known to agree.
    #[inline]
    pub(super) const fn value_bytes(&self) -> u32 {
        self.body_bytes - (self.extras_bytes + self.key_bytes) as u32
    }

    /// Whether the lengths agree with each other.
    pub(super) const fn adds_up(&self) -> bool {
        self.extras_bytes + self.key_bytes <= self.body_bytes as usize
    }

    /// Writes the header of the reply to this request.
    #[inline]
    pub(super) fn put_reply(&self, reply: Reply, into: &mut BytesMut) {
        let mut header = [0; HEADER_BYTES];
        let body_bytes = u32::from(reply.extras_bytes) + u32::from(reply.key_bytes);
        let body_bytes = body_bytes + reply.value_bytes;
        header[0] = REPLY_MAGIC;
        header[1] = self.opcode;
        header[2..4].copy_from_slice(&reply.key_bytes.to_be_bytes());
        header[4] = reply.extras_bytes;
        header[6..8].copy_from_slice(&(reply.status as u16).to_be_bytes());
        header[8..12].copy_from_slice(&body_bytes.to_be_bytes());
        header[12..16].copy_from_slice(&self.opaque);
        header[16..].copy_from_slice(&reply.version.to_be_bytes());
        into.extend_from_slice(&header);
    }
}

/// What the header of a reply says, but for what it repeats of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) extras_bytes: u8,
    pub(super) key_bytes: u16,
    pub(super) value_bytes: u32,
    pub(super) version: u64,
}

/// How a request went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Ok = 0,
    NotFound = 1,
    Exists = 2,
    TooLarge = 3,
    Invalid = 4,
    NotStored = 5,
    NotNumeric = 6,
    AuthFailed = 0x20,
    AuthContinue = 0x21,
    UnknownCommand = 0x81,
    NoMemory = 0x82,
}

impl Status {
    /// The text that goes with it where nothing more exact does.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Ok | Self::AuthContinue => "",
            Self::NotFound => "Not found",
            Self::Exists => "Data exists for key.",
            Self::TooLarge => "Too large.",
            Self::Invalid => "Invalid arguments",
            Self::NotStored => "Not stored.",
            Self::NotNumeric => "Non-numeric server-side value for incr or decr",
            Self::AuthFailed => "Auth failure.",
            Self::UnknownCommand => "Unknown command",
            Self::NoMemory => "Out of memory",
        }
    }
}

/// Big-endian numbers in extras.
pub(super) fn u32_at(extras: &[u8], at: usize) -> u32 {
    let bytes = extras[at..at + 4].try_into().expect("a range of four bytes");
    u32::from_be_bytes(bytes)
}

/// See [`u32_at`].
pub(super) fn u64_at(extras: &[u8], at: usize) -> u64 {
    let bytes = extras[at..at + 8].try_into().expect("a range of eight bytes");
    u64::from_be_bytes(bytes)
}
