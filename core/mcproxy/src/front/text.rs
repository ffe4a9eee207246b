//! Classic text requests.
//!
//! Not served, because they are about one server and not about keys: `slabs`, `lru`, `lru_crawler`,
//! `watch`, `cache_memlimit`, `shutdown` and their like.

use super::{
    Action, Bounds, Dress, Effect, ForAll, KEY_BYTES_MAX, Miss, Request, Tongue, What, meta,
};
use bytes::{Buf, Bytes, BytesMut};
use core::ops::Range;
use storytime_memcached::client::pool::{Shape, Words as Reply};
use storytime_memcached::text::number::{exptime_of, flags_of, i32_of, u32_of, u64_of};
use storytime_memcached::text::{LINE_BYTES_MAX, Refusal, TOKENS_MAX};

/// Shortest line that may be a command, bytes, with its line end.
const WHOLE_BYTES_MIN: usize = 4;
/// The largest length that may stand in a line, bytes.
const STATED_BYTES_MAX: i32 = i32::MAX - 2;
/// Bytes of the line end behind a value.
pub(super) const LINE_END_BYTES: usize = 2;
/// Command and expiry time in front of the keys of a retrieval, bytes.
const VERB_BYTES_MAX: usize = 24;
const NOT_FORWARDED: &[u8] = b"CLIENT_ERROR this command is about one server: ask that server\r\n";

/// What a connection awaits.
#[derive(Clone, Debug, Default)]
pub(crate) enum Text {
    /// A command line.
    #[default]
    AwaitCommand,
    /// A request of so many bytes, of which the line was read and found good.
    AwaitBlock { line: usize, whole: usize },
    /// The next key of a retrieval, or its end.
    AwaitKeys(Retrieval),
    /// The rest of a data block that nobody wants.
    Swallow { left: u64 },
    /// The end of a line that nobody wants.
    SkipLine,
}

/// A retrieval whose keys are being taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retrieval {
    verb: [u8; VERB_BYTES_MAX],
    verb_len: u8,
    effect: Effect,
    any_key: bool,
}

/// The words of a line, the command first; as many as the server looks at.
pub(super) struct Tokens<'a> {
    line: &'a [u8],
    ranges: [(u16, u16); TOKENS_MAX],
    count: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        let mut tokens = Self { line, ranges: [(0, 0); TOKENS_MAX], count: 0 };
        let mut at = 0;
        while tokens.count < TOKENS_MAX {
            at += line[at..].iter().take_while(|&&b| b == b' ').count();
            if at == line.len() {
                break;
            }
            let end = memchr::memchr(b' ', &line[at..]).map_or(line.len(), |n| at + n);
            tokens.ranges[tokens.count] = (at as u16, end as u16);
            tokens.count += 1;
            at = end;
        }
        tokens
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// A word, empty if there is none.
    pub(super) fn get(&self, at: usize) -> &'a [u8] {
        &self.line[self.range(at)]
    }

    /// Where a word stands in the line.
    pub(super) fn range(&self, at: usize) -> Range<usize> {
        if at >= self.count {
            return 0..0;
        }
        let (start, end) = self.ranges[at];
        usize::from(start)..usize::from(end)
    }

    fn last(&self) -> &'a [u8] {
        self.get(self.count.saturating_sub(1))
    }

    /// Where the last word stands, if it asks for no reply.
    fn noreply(&self) -> Option<Range<usize>> {
        (self.count > 0 && self.last() == b"noreply").then(|| self.range(self.count - 1))
    }
}

const _: () = assert!(LINE_BYTES_MAX <= u16::MAX as usize, "places of words fit 16 bits");

/// A line without its end.
pub(super) fn trimmed(whole: &[u8]) -> &[u8] {
    let line = whole.strip_suffix(b"\n").unwrap_or(whole);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A refusal as the server words it.
pub(super) fn refuse(refusal: Refusal, noreply: bool) -> Action {
    if noreply { Action::Ate } else { Action::Reply(line_of(refusal)) }
}

fn line_of(refusal: Refusal) -> Bytes {
    Bytes::from([refusal.wire().as_bytes(), b"\r\n"].concat())
}

/// What the line of a data block leads to.
pub(super) enum Block {
    /// A request of which the block belongs to it.
    Takes(usize),
    /// A block that is thrown away, and what the client is told.
    Throws(u64, Action),
    /// Nobody knows how long the block is: it will run as commands.
    Unknown(Action),
}

impl Text {
    /// Eats one request, or as much of one as there is.
    pub(crate) fn step(
        &mut self,
        rx: &mut BytesMut,
        scratch: &mut BytesMut,
        bounds: &Bounds,
    ) -> Action {
        match self {
            Self::AwaitCommand => self.await_command(rx, bounds),
            Self::AwaitBlock { whole, .. } if rx.len() < *whole => Action::Await,
            Self::AwaitBlock { line, whole } => {
                let (line, whole) = (*line, *whole);
                *self = Self::AwaitCommand;
                take_block(rx, line, whole)
            }
            Self::AwaitKeys(retrieval) => {
                let mut retrieval = *retrieval;
                let action = self.next_key(&mut retrieval, rx, scratch);
                if let Self::AwaitKeys(place) = self {
                    *place = retrieval;
                }
                action
            }
            Self::Swallow { left } => {
                let eaten = usize::try_from(*left).unwrap_or(usize::MAX).min(rx.len());
                rx.advance(eaten);
                *left -= eaten as u64;
                if *left == 0 {
                    *self = Self::AwaitCommand;
                    return Action::Ate;
                }
                Action::Await
            }
            Self::SkipLine => {
                let end = memchr::memchr(b'\n', rx);
                rx.advance(end.map_or(rx.len(), |end| end + 1));
                if end.is_none() {
                    return Action::Await;
                }
                *self = Self::AwaitCommand;
                Action::Ate
            }
        }
    }

    fn await_command(&mut self, rx: &mut BytesMut, bounds: &Bounds) -> Action {
        let window = &rx[..rx.len().min(LINE_BYTES_MAX + 1)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            if rx.len() <= LINE_BYTES_MAX {
                return Action::Await;
            }
            let long = [&b"get "[..], b"gets "].into_iter().find(|verb| rx.starts_with(verb));
            let Some(verb) = long else { return Action::HangUp };
            *self = Self::AwaitKeys(Retrieval::new(&verb[..verb.len() - 1], Effect::Read));
            rx.advance(verb.len());
            return Action::Ate;
        };
        let whole = end + 1;
        if whole < WHOLE_BYTES_MIN {
            rx.advance(whole);
            return refuse(Refusal::BadFormat, false);
        }
        let line = trimmed(&rx[..whole]);
        let command = &line[..memchr::memchr(b' ', line).unwrap_or(line.len())];
        match command {
            b"get" | b"gets" | b"gat" | b"gats" => self.retrieval(rx, whole),
            b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => {
                let block = storage_line(&Tokens::of(line), whole, bounds);
                self.block(rx, whole, block)
            }
            b"ms" => {
                let block = meta::set_line(&Tokens::of(line), whole, bounds);
                self.block(rx, whole, block)
            }
            b"mg" | b"md" | b"ma" | b"me" | b"mn" => meta::take(rx, whole),
            _ => take_line(rx, whole, bounds),
        }
    }

    fn block(&mut self, rx: &mut BytesMut, line: usize, block: Block) -> Action {
        match block {
            Block::Takes(whole) => {
                *self = Self::AwaitBlock { line, whole };
                Action::Ate
            }
            Block::Throws(left, action) => {
                rx.advance(line);
                *self = Self::Swallow { left };
                action
            }
            Block::Unknown(action) => {
                rx.advance(line);
                action
            }
        }
    }

    fn retrieval(&mut self, rx: &mut BytesMut, whole: usize) -> Action {
        let line = trimmed(&rx[..whole]);
        let mut words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let verb = words.next().unwrap_or_default();
        let touches = verb.starts_with(b"gat");
        let effect = if touches { Effect::Repeatable } else { Effect::Read };
        let mut retrieval = Retrieval::new(verb, effect);
        let mut keys_at = verb.len();
        if touches {
            let exptime = words.next().unwrap_or_default();
            let wrong = match i32_of(exptime) {
                _ if words.clone().next().is_none() => Some(Refusal::BadFormat),
                None => Some(Refusal::BadExptime),
                Some(_) => None,
            };
            if let Some(refusal) = wrong {
                rx.advance(whole);
                return refuse(refusal, false);
            }
            retrieval.push(b" ");
            retrieval.push(exptime);
            keys_at = exptime.as_ptr() as usize - line.as_ptr() as usize + exptime.len();
        }
        let (count, too_long) =
            words.fold((0, false), |(n, long), key| (n + 1, long || key.len() > KEY_BYTES_MAX));
        if count == 0 || too_long {
            rx.advance(whole);
            return refuse(Refusal::BadFormat, false);
        }
        if count == 1 {
            let spaces = line[keys_at..].iter().take_while(|&&b| b == b' ').count();
            let key_at = keys_at + spaces;
            let key_len = line[key_at..].split(|&b| b == b' ').next().map_or(0, <[u8]>::len);
            let wire = rx.split_to(whole).freeze();
            let key = wire.slice(key_at..key_at + key_len);
            return Action::Ask(read(effect, key, wire), Dress::Plain);
        }
        rx.advance(keys_at);
        *self = Self::AwaitKeys(retrieval);
        Action::Ate
    }

    fn next_key(
        &mut self,
        retrieval: &mut Retrieval,
        rx: &mut BytesMut,
        scratch: &mut BytesMut,
    ) -> Action {
        rx.advance(rx.iter().take_while(|&&b| b == b' ').count());
        let Some(end) = memchr::memchr2(b' ', b'\n', rx) else {
            // The last byte may be the \r of the line end.
            if rx.len() > KEY_BYTES_MAX + 1 {
                return self.bad_key();
            }
            return Action::Await;
        };
        let last = rx[end] == b'\n';
        let key = if last { trimmed(&rx[..=end]) } else { &rx[..end] };
        if key.len() > KEY_BYTES_MAX {
            return self.bad_key();
        }
        if key.is_empty() {
            rx.advance(end + 1);
            *self = Self::AwaitCommand;
            return if retrieval.any_key { Action::End } else { refuse(Refusal::BadFormat, false) };
        }
        retrieval.any_key = true;
        let verb = &retrieval.verb[..usize::from(retrieval.verb_len)];
        let (key_at, key_len) = (verb.len() + 1, key.len());
        scratch.reserve(key_at + key_len + LINE_END_BYTES);
        scratch.extend_from_slice(verb);
        scratch.extend_from_slice(b" ");
        scratch.extend_from_slice(key);
        scratch.extend_from_slice(b"\r\n");
        let wire = scratch.split().freeze();
        // The line end stays, to end the retrieval in the next step.
        rx.advance(key_len);
        let key = wire.slice(key_at..key_at + key_len);
        Action::Ask(read(retrieval.effect, key, wire), Dress::Value)
    }
}

impl Text {
    /// A key is too long: what was found so far is sent, and the rest of the line is not wanted.
    fn bad_key(&mut self) -> Action {
        *self = Self::SkipLine;
        Action::EndWith(line_of(Refusal::BadFormat))
    }
}

impl Retrieval {
    fn new(verb: &[u8], effect: Effect) -> Self {
        let mut retrieval = Self { verb: [0; VERB_BYTES_MAX], verb_len: 0, effect, any_key: false };
        retrieval.push(verb);
        retrieval
    }

    fn push(&mut self, bytes: &[u8]) {
        let from = usize::from(self.verb_len);
        self.verb[from..from + bytes.len()].copy_from_slice(bytes);
        self.verb_len += bytes.len() as u8;
    }
}

fn read(effect: Effect, key: Bytes, wire: Bytes) -> Request {
    let (tongue, miss, shape) = (Tongue::Text, Miss::End, Shape::Values);
    Request { tongue, effect, miss, key, wire, shape, value_bytes: 0 }
}

/// What a storage line says, by the server's own rules.
fn storage_line(tokens: &Tokens<'_>, line: usize, bounds: &Bounds) -> Block {
    let stated = i32_of(tokens.get(4)).filter(|n| (0..=STATED_BYTES_MAX).contains(n));
    let Some(stated) = stated else {
        return Block::Unknown(refuse(Refusal::BadFormat, false));
    };
    let value_bytes = stated.unsigned_abs() as usize;
    let left = (value_bytes + LINE_END_BYTES) as u64;
    let noreply = tokens.noreply().is_some();
    let key = tokens.get(1);
    let version = tokens.get(0) != b"cas" || u64_of(tokens.get(5)).is_some();
    let good = flags_of(tokens.get(2)).is_some() && exptime_of(tokens.get(3)).is_some();
    if !good || !version || key.len() > KEY_BYTES_MAX {
        return Block::Throws(left, refuse(Refusal::BadFormat, noreply));
    }
    if value_bytes > bounds.value_bytes_max {
        let deletes = tokens.get(0) == b"set";
        return Block::Throws(left, too_large(key, deletes, noreply));
    }
    Block::Takes(line + value_bytes + LINE_END_BYTES)
}

/// The answer to a value that is not taken in. The old value must not be read as if it were the
/// new one.
pub(super) fn too_large(key: &[u8], deletes: bool, noreply: bool) -> Action {
    const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
    if !deletes {
        return refuse(Refusal::TooLarge, noreply);
    }
    let dress = if noreply { Dress::Silent } else { Dress::Instead(TOO_LARGE) };
    Action::Ask(delete(key), dress)
}

/// A request to delete a key. The time behind it, of which every server takes 0, keeps a key named
/// `noreply` from being taken for the word.
pub(crate) fn delete(key: &[u8]) -> Request {
    let wire = Bytes::from([b"delete ", key, b" 0\r\n"].concat());
    let key = wire.slice(b"delete ".len()..b"delete ".len() + key.len());
    one_key(Effect::Repeatable, key, wire, Shape::Line(Reply::Deleted))
}

fn one_key(effect: Effect, key: Bytes, wire: Bytes, shape: Shape) -> Request {
    let (tongue, miss) = (Tongue::Text, Miss::Never);
    Request { tongue, effect, miss, key, wire, shape, value_bytes: 0 }
}

/// Overwrites words that the server is not to see; it takes any number of spaces.
pub(super) fn blank(rx: &mut BytesMut, words: Range<usize>) {
    rx[words].fill(b' ');
}

/// A whole storage request: the line was found good.
fn take_block(rx: &mut BytesMut, line: usize, whole: usize) -> Action {
    if rx.starts_with(b"ms ") {
        return meta::take_set(rx, line, whole);
    }
    let tokens = Tokens::of(trimmed(&rx[..line]));
    let (noreply, key) = (tokens.noreply(), tokens.range(1));
    let effect = if tokens.get(0) == b"set" { Effect::Repeatable } else { Effect::Once };
    if !rx[..whole].ends_with(b"\r\n") {
        rx.advance(whole);
        return refuse(Refusal::BadDataChunk, noreply.is_some());
    }
    let dress = if noreply.is_some() { Dress::Silent } else { Dress::Plain };
    if let Some(words) = noreply {
        blank(rx, words);
    }
    let wire = rx.split_to(whole).freeze();
    let key = wire.slice(key);
    let value_bytes = whole - line - LINE_END_BYTES;
    let request = one_key(effect, key, wire, Shape::Line(Reply::Stored));
    Action::Ask(Request { value_bytes, ..request }, dress)
}

/// A request of one line that is no retrieval.
fn take_line(rx: &mut BytesMut, whole: usize, bounds: &Bounds) -> Action {
    let line = trimmed(&rx[..whole]);
    let tokens = Tokens::of(line);
    let command = &line[..memchr::memchr(b' ', line).unwrap_or(line.len())];
    let noreply = tokens.noreply().filter(|_| command != b"stats");
    let silent = noreply.is_some();
    let dress = if silent { Dress::Silent } else { Dress::Plain };
    let judged = match command {
        b"delete" | b"incr" | b"decr" | b"touch" => judge_key_line(&tokens),
        b"flush_all" => {
            let has_time = tokens.len() != if silent { 2 } else { 1 };
            let good = !has_time || i32_of(tokens.get(1)).is_some();
            if good { Ok(None) } else { Err(refuse(Refusal::BadExptime, silent)) }
        }
        b"verbosity" if u32_of(tokens.get(1)).is_none() => Err(refuse(Refusal::BadFormat, silent)),
        b"verbosity" => Ok(None),
        b"stats" if tokens.noreply().is_some() => Err(refuse(Refusal::UnknownCommand, false)),
        b"stats" if tokens.get(1) == b"proxy" => Err(Action::OwnStats(Dress::Plain)),
        b"stats" => Ok(None),
        b"version" => Err(Action::Reply(Bytes::from(format!("VERSION {}\r\n", bounds.version)))),
        b"quit" => Err(Action::HangUp),
        b"slabs" | b"lru" | b"lru_crawler" | b"watch" | b"cache_memlimit" | b"shutdown"
        | b"extstore" | b"refresh_certs" | b"debugtime" => {
            Err(Action::Reply(Bytes::from_static(NOT_FORWARDED)))
        }
        _ if tokens.len() > 1 && tokens.last().starts_with(b"HTTP/") => Err(Action::HangUp),
        _ => Err(refuse(Refusal::UnknownCommand, silent)),
    };
    let what = match command {
        b"flush_all" => What::Flush,
        b"verbosity" => What::Verbosity,
        _ => What::Stats,
    };
    let ask = match judged {
        Err(action) => {
            rx.advance(whole);
            return action;
        }
        Ok(ask) => ask,
    };
    let key = tokens.range(1);
    match noreply {
        // The one command that is whole without its last word.
        Some(words) if ask.is_some() && words == key => {
            rx.advance(whole);
            return Action::Ask(delete(b"noreply"), dress);
        }
        Some(words) => blank(rx, words),
        None => {}
    }
    let wire = rx.split_to(whole).freeze();
    match ask {
        Some((effect, shape)) => Action::Ask(one_key(effect, wire.slice(key), wire, shape), dress),
        None => {
            let shape = if what == What::Stats { Shape::Lines } else { Shape::Line(Reply::Ok) };
            Action::AskAll(ForAll { what, tongue: Tongue::Text, wire, shape, dress })
        }
    }
}

type Judged = Result<Option<(Effect, Shape)>, Action>;

/// A line with a key and perhaps a number.
fn judge_key_line(tokens: &Tokens<'_>) -> Judged {
    let silent = tokens.noreply().is_some();
    let (least, number): (usize, Option<Refusal>) = match tokens.get(0) {
        b"delete" => (2, None),
        b"touch" => (3, i32_of(tokens.get(2)).is_none().then_some(Refusal::BadExptime)),
        _ => (3, u64_of(tokens.get(2)).is_none().then_some(Refusal::BadDelta)),
    };
    if tokens.len() < least {
        return Err(refuse(Refusal::BadFormat, false));
    }
    if tokens.get(1).len() > KEY_BYTES_MAX {
        return Err(refuse(Refusal::BadFormat, silent));
    }
    if let Some(refusal) = number {
        return Err(refuse(refusal, silent));
    }
    Ok(Some(match tokens.get(0) {
        b"delete" => (Effect::Repeatable, Shape::Line(Reply::Deleted)),
        b"touch" => (Effect::Repeatable, Shape::Line(Reply::Touched)),
        _ => (Effect::Once, Shape::Line(Reply::Number)),
    }))
}
