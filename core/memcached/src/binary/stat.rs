//! `stat`: a packet per figure, then one without a key.

use super::wire::{Header, Reply, Status};
use super::{Request, Session};
use crate::admin::stats::{Given, stats};
use bytes::BytesMut;
use core::fmt::Write as _;

/// Answers `stat`; the key holds the words that text has behind `stats`.
pub(super) fn stat(session: &mut Session<'_>, request: &Request<'_>) {
    let header = &request.header;
    let words: Vec<&[u8]> =
        request.key.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect();
    let (mut packets, mut value) = (BytesMut::new(), String::new());
    let given = stats(session, &words, &mut |name, figure| {
        value.clear();
        value.write_fmt(figure).expect("a string takes everything");
        put(header, name, value.as_bytes(), &mut packets);
    });
    match given {
        Given::Figures | Given::Reset | Given::Line("OK") => {}
        Given::Lines(mut lines) if words.first() == Some(&&b"detail"[..]) => {
            lines.extend_from_slice(b"END\r\n");
            put(header, "detailed", &lines, &mut packets);
        }
        Given::Lines(_) | Given::Line(_) | Given::Unknown => {
            return session.fail(header, Status::NotFound);
        }
    }
    header.put_reply(Reply::default(), &mut packets);
    session.tx.push(packets.freeze());
}

fn put(header: &Header, name: &str, value: &[u8], packets: &mut BytesMut) {
    let key_bytes = u16::try_from(name.len()).expect("names of figures are short");
    let value_bytes = u32::try_from(value.len()).expect("figures are shorter than 4 GiB");
    header.put_reply(Reply { key_bytes, value_bytes, ..Reply::default() }, packets);
    packets.extend_from_slice(name.as_bytes());
    packets.extend_from_slice(value);
}
