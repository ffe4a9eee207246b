//! Requests and replies in the text protocols: classic and meta.

use super::key::Prefix;
use super::op::{Count, Op, Store, Verb};
use super::outcome::{Outcome, Value};
use super::pool::frame::{is_error, number};
use super::pool::{Piece, Shape, Words};
use super::request::{Encoded, Kind};
use bytes::{Bytes, BytesMut};
use core::fmt::{Arguments, Write as _};

fn put(into: &mut BytesMut, text: Arguments<'_>) {
    into.write_fmt(text).expect("buffers of requests grow as needed");
}

/// Writes a request's command line, and says what surrounds its value and what comes back.
pub(super) fn encode(
    prefix: &Prefix,
    key: &[u8],
    op: &Op<'_>,
    quiet: bool,
    into: &mut BytesMut,
) -> Encoded {
    let noreply = if quiet { " noreply" } else { "" };
    let (shape, kind) = match op {
        Op::Get | Op::Gets => {
            into.extend_from_slice(if matches!(op, Op::Get) { b"get " } else { b"gets " });
            prefix.put(key, into);
            (Shape::Values, Kind::Value)
        }
        Op::GetAndTouch { exptime } => {
            put(into, format_args!("gat {exptime} "));
            prefix.put(key, into);
            (Shape::Values, Kind::Value)
        }
        Op::GetsAndTouch { exptime } => {
            put(into, format_args!("gats {exptime} "));
            prefix.put(key, into);
            (Shape::Values, Kind::Value)
        }
        Op::Store(store) => {
            put_store(prefix, key, store, noreply, into);
            (Shape::Line(Words::Stored), Kind::Stored)
        }
        Op::Delete => {
            into.extend_from_slice(b"delete ");
            prefix.put(key, into);
            into.extend_from_slice(noreply.as_bytes());
            (Shape::Line(Words::Deleted), Kind::Line)
        }
        Op::Touch { exptime } => {
            into.extend_from_slice(b"touch ");
            prefix.put(key, into);
            put(into, format_args!(" {exptime}{noreply}"));
            (Shape::Line(Words::Touched), Kind::Line)
        }
        Op::Count(Count { by, down, initial: None }) => {
            into.extend_from_slice(if *down { b"decr " } else { b"incr " });
            prefix.put(key, into);
            put(into, format_args!(" {by}{noreply}"));
            (Shape::Line(Words::Number), Kind::Line)
        }
        meta => (Shape::Meta { replies: 1 }, put_meta(prefix, key, meta, quiet, into)),
    };
    into.extend_from_slice(b"\r\n");
    let tail: &[u8] = if op.value().is_some() { b"\r\n" } else { b"" };
    Encoded { shape: if quiet { Shape::Quiet } else { shape }, kind, tail }
}

fn put_store(prefix: &Prefix, key: &[u8], store: &Store<'_>, noreply: &str, into: &mut BytesMut) {
    into.extend_from_slice(match store.verb {
        Verb::Set => b"set ",
        Verb::Add => b"add ",
        Verb::Replace => b"replace ",
        Verb::Append => b"append ",
        Verb::Prepend => b"prepend ",
        Verb::Cas(_) => b"cas ",
    });
    prefix.put(key, into);
    put(into, format_args!(" {} {} {}", store.flags, store.exptime, store.value.len()));
    if let Verb::Cas(version) = store.verb {
        put(into, format_args!(" {version}"));
    }
    into.extend_from_slice(noreply.as_bytes());
}

fn put_meta(prefix: &Prefix, key: &[u8], op: &Op<'_>, quiet: bool, into: &mut BytesMut) -> Kind {
    let name = |name: &[u8], into: &mut BytesMut| {
        into.extend_from_slice(name);
        prefix.put(key, into);
    };
    let kind = match op {
        Op::MetaGet(get) => {
            name(b"mg ", into);
            get.put_flags(into);
            Kind::Meta
        }
        Op::MetaSet(set, value) => {
            name(b"ms ", into);
            put(into, format_args!(" {}", value.len()));
            set.put_flags(into);
            Kind::Meta
        }
        Op::MetaDelete(delete) => {
            name(b"md ", into);
            delete.put_flags(into);
            Kind::Meta
        }
        Op::MetaArithmetic(count) => {
            name(b"ma ", into);
            count.put_flags(into);
            Kind::Meta
        }
        Op::Count(Count { by, down, initial }) => {
            let initial = initial.as_ref().expect("without one the classic command serves");
            name(b"ma ", into);
            let mode = if *down { " MD" } else { "" };
            put(into, format_args!(" D{by}{mode} N{} J{} v", initial.exptime, initial.number));
            Kind::MetaNumber
        }
        _ => unreachable!("the classic commands were dealt with before"),
    };
    if quiet {
        into.extend_from_slice(b" q");
    }
    kind
}

/// The start of a retrieval of several keys; they follow, each behind a space.
pub(super) const fn many(versions: bool) -> &'static [u8] {
    if versions { b"gets" } else { b"get" }
}

/// What a reply of one line says.
pub(super) fn line(reply: &Bytes) -> Outcome {
    let line = reply.trim_ascii_end();
    match line {
        b"STORED" => Outcome::Stored,
        b"NOT_STORED" => Outcome::NotStored,
        b"EXISTS" => Outcome::Exists,
        b"DELETED" => Outcome::Deleted,
        b"NOT_FOUND" => Outcome::NotFound,
        b"TOUCHED" => Outcome::Touched,
        b"OK" | b"RESET" => Outcome::Done,
        _ if is_error(line) => Outcome::Refused(reply.slice(..line.len())),
        _ => match number(line) {
            Some(number) => Outcome::Number(number),
            None => Outcome::Text(reply.slice(..line.len())),
        },
    }
}

/// What a meta reply says.
pub(super) fn meta(reply: &Bytes) -> Outcome {
    super::meta::MetaReply::parse(reply).map_or_else(|| line(reply), Outcome::Meta)
}

/// What a meta reply to a count says.
pub(super) fn meta_number(reply: &Bytes) -> Outcome {
    use super::meta::MetaCode;
    match meta(reply) {
        Outcome::Meta(found) => {
            match (found.code, found.value.as_deref().map(<[u8]>::trim_ascii_end).and_then(number))
            {
                (MetaCode::Done, Some(number)) => Outcome::Number(number),
                (MetaCode::NotStored, _) => Outcome::NotStored,
                (MetaCode::Exists, _) => Outcome::Exists,
                _ => Outcome::NotFound,
            }
        }
        other => other,
    }
}

/// A frame of a retrieval.
#[derive(Debug)]
pub(super) enum Found {
    /// A value and the CRC-32 of its key.
    Value(u32, Value),
    /// No more.
    End,
    /// An error in place of the end.
    Error(Bytes),
}

/// Takes the next frame off the front of a retrieval's reply, whose frames are whole.
pub(super) fn next_found(reply: &mut Bytes) -> Option<Found> {
    let end = memchr::memchr(b'\n', reply)?;
    let line = reply.split_to(end + 1);
    let words = line.trim_ascii_end();
    let Some(rest) = words.strip_prefix(b"VALUE ") else {
        let error = is_error(words).then(|| line.slice(..words.len()));
        return Some(error.map_or(Found::End, Found::Error));
    };
    let mut words = rest.split(|&b| b == b' ');
    let crc = crc32fast::hash(words.next()?);
    let flags = number(words.next()?)? as u32;
    let length = usize::try_from(number(words.next()?)?).ok()?;
    let cas = words.next().and_then(number).unwrap_or(0);
    if reply.len() < length + 2 {
        return None;
    }
    let data = reply.split_to(length);
    let _line_end = reply.split_to(2);
    Some(Found::Value(crc, Value { data, flags, cas }))
}

/// The pieces of a request whose command line is `head`.
pub(super) fn pieces<'a>(head: &'a [u8], op: &'a Op<'_>, tail: &'static [u8]) -> [Piece<'a>; 3] {
    let value = match op.value() {
        Some(Piece::Copy(bytes)) => Piece::Copy(bytes),
        Some(Piece::Share(bytes)) => Piece::Share(bytes.clone()),
        None => Piece::Copy(b""),
    };
    [Piece::Copy(head), value, Piece::Copy(tail)]
}
