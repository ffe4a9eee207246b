//! Meta requests. Routed by the key itself, decoded if it comes in base64, so that a key lies where
//! every other protocol looks for it.

use super::text::{Block, LINE_END_BYTES, Tokens, blank, refuse, too_large, trimmed};
use super::{Action, Bounds, Dress, Effect, KEY_BYTES_MAX, Miss, Request, Tongue};
use bytes::{Buf, Bytes, BytesMut};
use core::ops::Range;
use storytime_memcached::client::pool::Shape;
use storytime_memcached::text::Refusal;
use storytime_memcached::text::number::{i32_of, u32_of, u64_of};

/// Longest opaque token, bytes, its letter included.
const OPAQUE_BYTES_MAX: usize = 32;
/// Flags that `ms` knows. `P` and `L` are for proxies and ignored everywhere.
const SET_FLAGS: &[u8] = b"bcCEFIkOqsSTMPL";

/// Words of a meta line behind the first so many, and where they stand.
fn flags_from(line: &[u8], skip: usize) -> impl Iterator<Item = (Range<usize>, &[u8])> {
    let start = line.as_ptr() as usize;
    let words = line.split(|&b| b == b' ').filter(|word| !word.is_empty()).skip(skip);
    words.map(move |word| {
        let at = word.as_ptr() as usize - start;
        (at..at + word.len(), word)
    })
}

fn says(text: &'static [u8]) -> Action {
    Action::Reply(Bytes::from_static(text))
}

/// A meta request of one line.
pub(super) fn take(rx: &mut BytesMut, whole: usize) -> Action {
    let line = trimmed(&rx[..whole]);
    let tokens = Tokens::of(line);
    let (verb, key) = (tokens.get(0), tokens.range(1));
    if verb == b"mn" {
        rx.advance(whole);
        return says(b"MN\r\n");
    }
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        rx.advance(whole);
        return refuse(Refusal::BadFormat, false);
    }
    let has = |letters: &[u8]| flags_from(line, 2).any(|(_, flag)| letters.contains(&flag[0]));
    let (effect, miss) = match verb {
        b"mg" if has(b"NR") => (Effect::Once, Miss::Meta),
        b"mg" if has(b"TE") => (Effect::Repeatable, Miss::Meta),
        b"mg" | b"me" => (Effect::Read, Miss::Meta),
        b"md" => (Effect::Repeatable, Miss::Never),
        _ => (Effect::Once, Miss::Never),
    };
    // Servers that know no meta commands would say nothing at all to it.
    if flags_from(line, 2).any(|(_, flag)| flag == b"noreply") {
        rx.advance(whole);
        return says(b"CLIENT_ERROR invalid flag\r\n");
    }
    let (get, encoded) = (verb == b"mg", has(b"b"));
    let quiet = if verb == b"me" { None } else { quiet(line, 2) };
    let request = request(rx, whole, key, encoded, quiet.clone());
    let dress = if quiet.is_some() { Dress::Quiet { get } } else { Dress::Plain };
    Action::Ask(Request { effect, miss, ..request }, dress)
}

/// Where the one `q` stands. Several are an error, which the server tells.
fn quiet(line: &[u8], skip: usize) -> Option<Range<usize>> {
    let mut quiet = flags_from(line, skip).filter(|(_, flag)| flag[0] == b'q');
    let first = quiet.next()?;
    quiet.next().is_none().then_some(first.0)
}

fn request(
    rx: &mut BytesMut,
    whole: usize,
    key: Range<usize>,
    encoded: bool,
    quiet: Option<Range<usize>>,
) -> Request {
    if let Some(words) = quiet {
        blank(rx, words);
    }
    let wire = rx.split_to(whole).freeze();
    let plain = wire.slice(key);
    // A key that cannot be decoded has no place; any server will say so.
    let key = if encoded { decode(&plain).map_or(plain, Bytes::from) } else { plain };
    Request {
        tongue: Tongue::Text,
        effect: Effect::Once,
        miss: Miss::Never,
        key,
        wire,
        shape: Shape::Meta { replies: 1 },
        value_bytes: 0,
    }
}

/// What the line of an `ms` says. A flag that its server might refuse after having taken the block
/// for commands is refused here.
pub(super) fn set_line(tokens: &Tokens<'_>, line: usize, bounds: &Bounds) -> Block {
    let key = tokens.get(1);
    if tokens.len() < 3 {
        return Block::Unknown(refuse(Refusal::BadFormat, false));
    }
    let Some(value_bytes) = i32_of(tokens.get(2)).and_then(|n| usize::try_from(n).ok()) else {
        return Block::Unknown(refuse(Refusal::BadDataChunk, false));
    };
    let left = (value_bytes + LINE_END_BYTES) as u64;
    if key.len() > KEY_BYTES_MAX {
        return Block::Throws(left, refuse(Refusal::BadFormat, false));
    }
    let flags = (3..tokens.len()).map(|at| tokens.get(at));
    if let Err(wrong) = judge_set_flags(key, flags.clone()) {
        return Block::Throws(left, says(wrong));
    }
    if value_bytes > bounds.value_bytes_max {
        let encoded = flags.into_iter().any(|flag| flag[0] == b'b');
        let decoded = encoded.then(|| decode(key)).flatten();
        return Block::Throws(left, meta_too_large(key, decoded));
    }
    Block::Takes(line + value_bytes + LINE_END_BYTES)
}

fn meta_too_large(key: &[u8], decoded: Option<Vec<u8>>) -> Action {
    let Action::Ask(request, dress) = too_large(key, true, false) else {
        unreachable!("a key that is to be deleted is asked for");
    };
    let request = decoded.map_or(request, |decoded| delete(&decoded.into()));
    Action::Ask(request, dress)
}

fn judge_set_flags<'a>(
    key: &[u8],
    flags: impl Iterator<Item = &'a [u8]>,
) -> Result<(), &'static [u8]> {
    let mut seen = 0u128;
    for flag in flags {
        let (letter, rest) = (flag[0], &flag[1..]);
        if !SET_FLAGS.contains(&letter) {
            return Err(b"CLIENT_ERROR invalid flag\r\n");
        }
        if seen & (1 << letter) != 0 {
            return Err(b"CLIENT_ERROR duplicate flag\r\n");
        }
        seen |= 1 << letter;
        let good = match letter {
            b'F' => u32_of(rest).is_some(),
            b'C' | b'E' => u64_of(rest).is_some(),
            b'T' => i32_of(rest).is_some(),
            _ => true,
        };
        if !good {
            return Err(b"CLIENT_ERROR bad token in command line format\r\n");
        }
        if letter == b'O' && flag.len() > OPAQUE_BYTES_MAX {
            return Err(b"CLIENT_ERROR opaque token too long\r\n");
        }
        if letter == b'M' && !rest.first().is_some_and(|m| b"EeAaPpRrSs".contains(m)) {
            return Err(b"CLIENT_ERROR invalid mode for ms M token\r\n");
        }
        if letter == b'b' && decode(key).is_none() {
            return Err(b"CLIENT_ERROR error decoding key\r\n");
        }
    }
    Ok(())
}

/// A whole `ms`: the line was found good.
pub(super) fn take_set(rx: &mut BytesMut, line_bytes: usize, whole: usize) -> Action {
    let line = trimmed(&rx[..line_bytes]);
    let tokens = Tokens::of(line);
    let key = tokens.range(1);
    let has = |letters: &[u8]| flags_from(line, 3).any(|(_, flag)| letters.contains(&flag[0]));
    let (encoded, once) = (has(b"b"), has(b"CIM"));
    let quiet = quiet(line, 3);
    if !rx[..whole].ends_with(b"\r\n") {
        rx.advance(whole);
        return refuse(Refusal::BadDataChunk, false);
    }
    let effect = if once { Effect::Once } else { Effect::Repeatable };
    let dress = if quiet.is_some() { Dress::Quiet { get: false } } else { Dress::Plain };
    let request = request(rx, whole, key, encoded, quiet);
    let value_bytes = whole - line_bytes - LINE_END_BYTES;
    Action::Ask(Request { effect, value_bytes, ..request }, dress)
}

/// The line that says that a meta request found nothing: it repeats what the request wants back.
pub(crate) fn miss_line(wire: &[u8]) -> Bytes {
    let end = memchr::memchr(b'\n', wire).map_or(wire.len(), |end| end + 1);
    let line = trimmed(&wire[..end]);
    let key = Tokens::of(line).get(1);
    let encoded = flags_from(line, 2).any(|(_, flag)| flag[0] == b'b');
    let mut miss = b"EN".to_vec();
    for (_, flag) in flags_from(line, 2) {
        match flag[0] {
            b'O' => miss.extend_from_slice(&[b" ", flag].concat()),
            b'k' => {
                let mark: &[u8] = if encoded { b" b" } else { b"" };
                miss.extend_from_slice(&[b" k", key, mark].concat());
            }
            _ => {}
        }
    }
    miss.extend_from_slice(b"\r\n");
    Bytes::from(miss)
}

/// A request to delete a key of any bytes.
pub(crate) fn delete(key: &Bytes) -> Request {
    let wire = Bytes::from([b"md ", &encode(key)[..], b" b\r\n"].concat());
    let shape = Shape::Meta { replies: 1 };
    let (tongue, effect, miss) = (Tongue::Text, Effect::Repeatable, Miss::Never);
    Request { tongue, effect, miss, key: key.clone(), wire, shape, value_bytes: 0 }
}

/// Base64 with padding.
fn encode(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for sextet in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * sextet) & 63) as usize];
            encoded.push(if sextet > three.len() { b'=' } else { letter });
        }
    }
    encoded
}

/// Base64 with padding, as RFC 4648 has it; nothing if it is none.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|&&b| b == b'=').count();
    if text.is_empty() || !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for &b in &text[..text.len() - padding] {
        let sextet = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(sextet);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_base64_are_decoded_or_found_wanting() {
        assert_eq!(decode(b"Zm9vYmFy").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(decode(b"Zm8=").as_deref(), Some(&b"fo"[..]));
        assert_eq!(decode(b"Zg==").as_deref(), Some(&b"f"[..]));
        for plain in [&b"f"[..], b"fo", b"foo", b"\r\n \0\xff"] {
            assert_eq!(decode(&encode(plain)).as_deref(), Some(plain));
        }
        for wrong in [&b""[..], b"Zg=", b"Z===", b"Zm9*", b"Z=9v"] {
            assert_eq!(decode(wrong), None);
        }
    }

    #[test]
    fn a_miss_repeats_opaque_and_key() {
        assert_eq!(miss_line(b"mg foo v Oabc k\r\n"), &b"EN Oabc kfoo\r\n"[..]);
        assert_eq!(miss_line(b"mg foo v\r\n"), &b"EN\r\n"[..]);
        assert_eq!(miss_line(b"mg Zm9v k b\r\n"), &b"EN kZm9v b\r\n"[..]);
    }
}
