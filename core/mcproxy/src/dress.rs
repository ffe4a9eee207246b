//! From a server's reply to what one client awaits.

use crate::front::binary::{self, HEADER_BYTES, NOT_FOUND, TEMPORARY_FAILURE};
use crate::front::{Dress, Miss, Request, Tongue, meta};
use crate::jobs::Reply;
use bytes::Bytes;

const END: &[u8] = b"END\r\n";
/// Longest text of an error that the proxy itself makes, bytes.
const ERROR_BYTES_MAX: usize = 200;

/// What a reply says about its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// It is there, or it was done.
    Hit,
    /// It is not there.
    Miss,
    /// The server refuses.
    Error,
}

/// What goes to a client in one place of its queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The header of a packet, made anew.
    pub(crate) head: Option<[u8; HEADER_BYTES]>,
    pub(crate) reply: Reply,
    /// Whether it stands in place of a retrieval's `END`.
    pub(crate) spoils_end: bool,
}

impl Answer {
    pub(crate) const fn of(reply: Bytes) -> Self {
        Self { head: None, reply: Reply::of(reply), spoils_end: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.head.map_or(0, |head| head.len()) + self.reply.len()
    }
}

/// What a reply says about its key.
pub(crate) fn class(tongue: Tongue, reply: &Reply) -> Class {
    let first = &reply.first;
    if tongue == Tongue::Binary {
        return match binary::status_of(first) {
            binary::OK => Class::Hit,
            NOT_FOUND => Class::Miss,
            status if status >= 0x80 => Class::Error,
            _ => Class::Hit,
        };
    }
    if is_error(first) {
        return Class::Error;
    }
    let misses = [END, b"EN\r\n", b"EN ", b"NOT_FOUND", b"NF"];
    if misses.iter().any(|miss| first.starts_with(miss)) { Class::Miss } else { Class::Hit }
}

fn is_error(line: &[u8]) -> bool {
    [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR"].iter().any(|word| line.starts_with(word))
}

/// The reply in the form that this client awaits.
pub(crate) fn dress(reply: &Reply, dress: &Dress) -> Answer {
    match dress {
        Dress::Plain => Answer { reply: reply.clone(), ..Answer::default() },
        Dress::Silent => Answer::default(),
        Dress::Value if is_error(&reply.first) => {
            Answer { reply: reply.clone(), spoils_end: true, ..Answer::default() }
        }
        Dress::Value => Answer { reply: without_end(reply.clone()), ..Answer::default() },
        Dress::Instead(bytes) => Answer::of(Bytes::from_static(bytes)),
        Dress::Quiet { get } => {
            let code = reply.first.get(..2).unwrap_or_default();
            let hidden = if *get { code == b"EN" } else { matches!(code, b"HD" | b"VA") };
            if hidden { Answer::default() } else { dress_plain(reply) }
        }
        Dress::Packet { opcode, opaque, hides } => packet(reply, *opcode, *opaque, *hides),
        Dress::PacketInstead { opcode, opaque, status } => {
            Answer::of(binary::status_packet(*opcode, *opaque, *status))
        }
    }
}

fn dress_plain(reply: &Reply) -> Answer {
    Answer { reply: reply.clone(), ..Answer::default() }
}

fn packet(reply: &Reply, opcode: u8, opaque: [u8; 4], hides: Option<u16>) -> Answer {
    let Some(header) = reply.first.first_chunk::<HEADER_BYTES>() else {
        return Answer::default();
    };
    if hides == Some(binary::status_of(header)) {
        return Answer::default();
    }
    let mut head = *header;
    head[1] = opcode;
    head[12..16].copy_from_slice(&opaque);
    let body = Reply::of(reply.first.slice(HEADER_BYTES..));
    Answer { head: Some(head), reply: body, spoils_end: false }
}

/// The values of a retrieval without its end.
fn without_end(mut reply: Reply) -> Reply {
    let last = reply.rest.last_mut().unwrap_or(&mut reply.first);
    if last.ends_with(END) {
        last.truncate(last.len() - END.len());
    }
    reply
}

/// What a server would say if it did not have the key; nothing if that would be a lie.
pub(crate) fn miss(request: &Request) -> Option<Reply> {
    Some(Reply::of(match request.miss {
        Miss::Never => return None,
        Miss::End => Bytes::from_static(END),
        Miss::Meta => meta::miss_line(&request.wire),
        Miss::Packet { keyed: true } => binary::packet(0, [0; 4], NOT_FOUND, &request.key, b""),
        Miss::Packet { keyed: false } => binary::status_packet(0, [0; 4], NOT_FOUND),
    }))
}

/// An error of the proxy's own.
pub(crate) fn error(tongue: Tongue, what: &str) -> Reply {
    let end = what.char_indices().map(|(at, _)| at).take_while(|&at| at <= ERROR_BYTES_MAX).last();
    let what = if what.len() > ERROR_BYTES_MAX { &what[..end.unwrap_or(0)] } else { what };
    Reply::of(match tongue {
        Tongue::Text => Bytes::from(format!("SERVER_ERROR proxy: {what}\r\n")),
        Tongue::Binary => binary::packet(0, [0; 4], TEMPORARY_FAILURE, b"", what.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reply: &'static [u8], form: &Dress) -> Vec<u8> {
        let answer = dress(&Reply::of(Bytes::from_static(reply)), form);
        let mut bytes = answer.head.map_or(Vec::new(), |head| head.to_vec());
        bytes.extend_from_slice(&answer.reply.first);
        bytes
    }

    #[test]
    fn a_value_loses_its_end_and_an_error_takes_the_place_of_the_retrievals() {
        assert_eq!(shown(b"VALUE k 0 1\r\nx\r\nEND\r\n", &Dress::Value), b"VALUE k 0 1\r\nx\r\n");
        assert_eq!(shown(b"END\r\n", &Dress::Value), b"");
        let error = Reply::of(Bytes::from_static(b"SERVER_ERROR x\r\n"));
        assert!(dress(&error, &Dress::Value).spoils_end);
    }

    #[test]
    fn quiet_hides_what_is_nominal() {
        let (get, set) = (Dress::Quiet { get: true }, Dress::Quiet { get: false });
        assert_eq!(shown(b"EN\r\n", &get), b"");
        assert_eq!(shown(b"HD\r\n", &get), b"HD\r\n");
        assert_eq!(shown(b"HD\r\n", &set), b"");
        assert_eq!(shown(b"NS\r\n", &set), b"NS\r\n");
    }

    #[test]
    fn packets_get_the_clients_opcode_and_opaque() {
        let form = Dress::Packet { opcode: 0x11, opaque: *b"abcd", hides: Some(binary::OK) };
        let stored = Reply::of(binary::status_packet(1, [0; 4], binary::OK));
        assert_eq!(dress(&stored, &form).len(), 0);
        let missing = Reply::of(binary::status_packet(1, [0; 4], NOT_FOUND));
        let head = dress(&missing, &form).head.expect("a header");
        assert_eq!((head[1], &head[12..16]), (0x11, &b"abcd"[..]));
    }
}
