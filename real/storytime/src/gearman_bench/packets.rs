//! The packets that the load sends, made once and patched.

use storytime_gearman::packet::{HEADER_BYTES, Kind};

/// Length of a job's own unique key, bytes.
const KEY_BYTES: usize = 18;
/// Length of the number at the beginning of a job's data, bytes.
pub(super) const TAG_BYTES: usize = 8;

/// Appends a packet to the server.
pub(super) fn put(out: &mut Vec<u8>, kind: Kind, parts: &[&[u8]]) {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(b"\0REQ");
    out.extend_from_slice(&(kind as u32).to_be_bytes());
    out.extend_from_slice(&u32::try_from(len).expect("options bound it").to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A job's packet, to be patched with its key and the number at the beginning of its data.
#[derive(Clone, Debug)]
pub(super) struct Template {
    packet: Vec<u8>,
    key_at: Option<usize>,
    tag_at: usize,
    /// Keys of different runs differ.
    salt: u64,
    /// Keys come again after so many; 0 for never.
    keys: u64,
}

impl Template {
    /// Of a job with data of at least [`TAG_BYTES`]; with `keys`, each has a unique key.
    pub(super) fn new(
        kind: Kind,
        function: &str,
        data_bytes: usize,
        keys: Option<u64>,
        salt: u64,
    ) -> Self {
        assert!(data_bytes >= TAG_BYTES, "a job's data begins with its number");
        let key = vec![b'k'; if keys.is_some() { KEY_BYTES } else { 0 }];
        let data = vec![b'd'; data_bytes];
        let mut packet = Vec::new();
        put(&mut packet, kind, &[function.as_bytes(), b"\0", &key, b"\0", &data]);
        let key_at = keys.is_some().then_some(HEADER_BYTES + function.len() + 1);
        let tag_at = packet.len() - data_bytes;
        Self { packet, key_at, tag_at, salt, keys: keys.unwrap_or(0) }
    }

    /// Appends the packet of the job with this number.
    pub(super) fn put(&self, out: &mut Vec<u8>, number: u64, tag: u64) {
        let from = out.len();
        out.extend_from_slice(&self.packet);
        let packet = &mut out[from..];
        packet[self.tag_at..self.tag_at + TAG_BYTES].copy_from_slice(&tag.to_be_bytes());
        if let Some(at) = self.key_at {
            let number = number.checked_rem(self.keys).unwrap_or(number);
            hex(&mut packet[at + 2..at + KEY_BYTES], self.salt.wrapping_add(number));
        }
    }
}

fn hex(into: &mut [u8], mut number: u64) {
    for byte in into.iter_mut().rev() {
        *byte = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// The number at the beginning of a job's data.
pub(super) fn tag(data: &[u8]) -> Option<u64> {
    data.first_chunk().map(|tag| u64::from_be_bytes(*tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_patched_with_its_number() {
        let template = Template::new(Kind::SubmitJobBg, "f", 10, Some(3), 0x100);
        let mut out = Vec::new();
        template.put(&mut out, 5, 0x4142_4344_4546_4748);
        let body = &out[HEADER_BYTES..];
        assert_eq!(body, b"f\0kk0000000000000102\0ABCDEFGHdd", "5 is the third of three keys");
        assert_eq!(out[..HEADER_BYTES], *b"\0REQ\0\0\0\x12\0\0\0\x1f");
        let plain = Template::new(Kind::SubmitJob, "f", 8, None, 0);
        out.clear();
        plain.put(&mut out, 5, 7);
        assert_eq!(&out[HEADER_BYTES..], b"f\0\0\0\0\0\0\0\0\0\x07");
        assert_eq!(tag(&out[HEADER_BYTES + 3..]), Some(7));
    }
}
