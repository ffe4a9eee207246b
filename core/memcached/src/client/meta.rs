//! Meta commands: their flags as structs, and what they are answered.
//!
//! # A lease
//!
//! `MetaGet { value: true, vivify: Some(30), .. }` on a missing key makes an empty item for 30
//! seconds and answers one asker with [`won`](MetaReply::won): that one computes the value and
//! stores it. The others hear [`lost`](MetaReply::lost) and wait or do without. With
//! [`recache`](MetaGet::recache) the same happens before an item expires, while all others still
//! get the old value; with [`MetaDelete::invalidate`] after it became wrong, when they hear
//! [`stale`](MetaReply::stale) with it.
//!
//! # Not modelled
//!
//! Keys in base64, the hints `P` and `L` to proxies, quiet meta commands whose misses are awaited.

use super::pool::frame::number;
use bytes::{Bytes, BytesMut};
use core::fmt::Write as _;

/// Longest opaque token, bytes.
pub const OPAQUE_BYTES_MAX: usize = 31;

/// `mg`: what to do and what to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaGet {
    /// Tell the value (`v`).
    pub value: bool,
    /// Tell the client's flags (`f`).
    pub flags: bool,
    /// Tell the version (`c`).
    pub cas: bool,
    /// Tell the seconds until expiry (`t`).
    pub ttl: bool,
    /// Tell the length (`s`).
    pub size: bool,
    /// Tell whether it was asked for before (`h`).
    pub hit_before: bool,
    /// Tell the seconds since it was asked for (`l`).
    pub last_access: bool,
    /// Leave its place among the recently used as it is (`u`).
    pub no_bump: bool,
    /// Set the expiry (`T`).
    pub touch: Option<i32>,
    /// Where nothing is, make an empty item with this expiry; its first asker wins (`N`).
    pub vivify: Option<i32>,
    /// One asker wins once less than this is left, seconds (`R`).
    pub recache: Option<i32>,
    /// Comes back with the reply (`O`).
    pub opaque: Option<u32>,
}

/// `ms`: how to store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaSet {
    /// Under which condition (`M`); `Cas` compares the version (`C`).
    pub mode: MetaMode,
    /// The client's flags (`F`).
    pub flags: u32,
    /// The expiry, 0 for never (`T`).
    pub exptime: i32,
    /// Only over this version (`C`).
    pub cas: Option<u64>,
    /// Give it this version (`E`).
    pub new_cas: Option<u64>,
    /// With `cas`: an older version is stored too, as stale (`I`).
    pub invalidate: bool,
    /// Where nothing is, append and prepend store with this expiry (`N`).
    pub vivify: Option<i32>,
    /// Tell the new version (`c`).
    pub tell_cas: bool,
    /// Comes back with the reply (`O`).
    pub opaque: Option<u32>,
}

/// Under which condition `ms` stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetaMode {
    /// Whatever is there.
    #[default]
    Set,
    /// Only where nothing is.
    Add,
    /// Only over something.
    Replace,
    /// Behind what is there.
    Append,
    /// Before what is there.
    Prepend,
}

/// `md`: how to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaDelete {
    /// Only this version (`C`).
    pub cas: Option<u64>,
    /// Do not delete but mark as stale, so that one asker wins (`I`).
    pub invalidate: bool,
    /// With `invalidate`: the new expiry (`T`).
    pub exptime: Option<i32>,
    /// Give it this version (`E`).
    pub new_cas: Option<u64>,
    /// Keep the item, drop its value and flags (`x`).
    pub drop_value: bool,
    /// Comes back with the reply (`O`).
    pub opaque: Option<u32>,
}

/// `ma`: how to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetaArithmetic {
    /// Down instead of up (`MD`).
    pub down: bool,
    /// How far; 1 if left out (`D`).
    pub delta: Option<u64>,
    /// Where nothing is, store `initial` with this expiry (`N`).
    pub vivify: Option<u32>,
    /// The number to begin with (`J`).
    pub initial: u64,
    /// Set the expiry (`T`).
    pub touch: Option<i32>,
    /// Only over this version (`C`).
    pub cas: Option<u64>,
    /// Tell the number (`v`).
    pub value: bool,
    /// Tell the seconds until expiry (`t`).
    pub ttl: bool,
    /// Tell the version (`c`).
    pub tell_cas: bool,
    /// Comes back with the reply (`O`).
    pub opaque: Option<u32>,
}

/// What a meta command did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetaCode {
    /// Done, or found (`HD`, `VA`).
    Done,
    /// A get found nothing (`EN`).
    #[default]
    Miss,
    /// Nothing to act on (`NF`).
    NotFound,
    /// Not stored (`NS`).
    NotStored,
    /// Another version is there (`EX`).
    Exists,
}

/// What a meta command was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaReply {
    /// What it did.
    pub code: MetaCode,
    /// The value, if one was told.
    pub value: Option<Bytes>,
    /// The client's flags.
    pub flags: Option<u32>,
    /// The version.
    pub cas: Option<u64>,
    /// Seconds until expiry, -1 for never.
    pub ttl: Option<i64>,
    /// The value's length, bytes.
    pub size: Option<u64>,
    /// Whether it was asked for before.
    pub hit_before: Option<bool>,
    /// Seconds since it was asked for.
    pub last_access: Option<u64>,
    /// The asker is to compute the value anew (`W`).
    pub won: bool,
    /// The value is known to be old (`X`).
    pub stale: bool,
    /// Another asker has won already (`Z`).
    pub lost: bool,
    /// As given with the request.
    pub opaque: Option<u32>,
}

fn flag(into: &mut BytesMut, on: bool, letter: char) {
    if on {
        put(into, format_args!(" {letter}"));
    }
}

fn number_flag<N: core::fmt::Display>(into: &mut BytesMut, number: Option<N>, letter: char) {
    if let Some(number) = number {
        put(into, format_args!(" {letter}{number}"));
    }
}

fn put(into: &mut BytesMut, text: core::fmt::Arguments<'_>) {
    into.write_fmt(text).expect("buffers of requests grow as needed");
}

impl MetaGet {
    pub(super) fn put_flags(&self, into: &mut BytesMut) {
        let told = [
            (self.value, 'v'),
            (self.flags, 'f'),
            (self.cas, 'c'),
            (self.ttl, 't'),
            (self.size, 's'),
            (self.hit_before, 'h'),
            (self.last_access, 'l'),
            (self.no_bump, 'u'),
        ];
        told.into_iter().for_each(|(on, letter)| flag(into, on, letter));
        number_flag(into, self.touch, 'T');
        number_flag(into, self.vivify, 'N');
        number_flag(into, self.recache, 'R');
        number_flag(into, self.opaque, 'O');
    }
}

impl MetaSet {
    pub(super) fn put_flags(&self, into: &mut BytesMut) {
        let mode = match self.mode {
            MetaMode::Set => None,
            MetaMode::Add => Some('E'),
            MetaMode::Replace => Some('R'),
            MetaMode::Append => Some('A'),
            MetaMode::Prepend => Some('P'),
        };
        number_flag(into, mode, 'M');
        number_flag(into, Some(self.flags).filter(|&flags| flags > 0), 'F');
        number_flag(into, Some(self.exptime).filter(|&exptime| exptime != 0), 'T');
        number_flag(into, self.cas, 'C');
        number_flag(into, self.new_cas, 'E');
        number_flag(into, self.vivify, 'N');
        flag(into, self.invalidate, 'I');
        flag(into, self.tell_cas, 'c');
        number_flag(into, self.opaque, 'O');
    }
}

impl MetaDelete {
    pub(super) fn put_flags(&self, into: &mut BytesMut) {
        number_flag(into, self.cas, 'C');
        number_flag(into, self.new_cas, 'E');
        flag(into, self.invalidate, 'I');
        number_flag(into, self.exptime, 'T');
        flag(into, self.drop_value, 'x');
        number_flag(into, self.opaque, 'O');
    }
}

impl MetaArithmetic {
    pub(super) fn put_flags(&self, into: &mut BytesMut) {
        flag(into, self.value, 'v');
        flag(into, self.ttl, 't');
        flag(into, self.tell_cas, 'c');
        number_flag(into, self.down.then_some('D'), 'M');
        number_flag(into, self.delta, 'D');
        number_flag(into, self.vivify, 'N');
        number_flag(into, self.vivify.map(|_| self.initial), 'J');
        number_flag(into, self.touch, 'T');
        number_flag(into, self.cas, 'C');
        number_flag(into, self.opaque, 'O');
    }
}

impl MetaReply {
    /// Reads a whole reply: `<code> [<bytes>] <flag>*`, and the value behind it. `None` if it is
    /// none.
    pub fn parse(reply: &Bytes) -> Option<Self> {
        let end = memchr::memchr(b'\n', reply)?;
        let mut words = reply[..end].trim_ascii_end().split(|&b| b == b' ');
        let code = words.next()?;
        let answer = match code {
            b"HD" | b"VA" => MetaCode::Done,
            b"EN" => MetaCode::Miss,
            b"NF" => MetaCode::NotFound,
            b"NS" => MetaCode::NotStored,
            b"EX" => MetaCode::Exists,
            _ => return None,
        };
        let mut found = Self { code: answer, ..Self::default() };
        if code == b"VA" {
            let length = usize::try_from(number(words.next()?)?).ok()?;
            let data = end + 1..(end + 1).checked_add(length)?;
            reply.get(data.clone())?;
            found.value = Some(reply.slice(data));
        }
        words.filter(|word| !word.is_empty()).for_each(|word| found.take(word[0], &word[1..]));
        Some(found)
    }

    /// Takes one flag; unknown ones are passed over, as newer servers may send more.
    fn take(&mut self, letter: u8, token: &[u8]) {
        let number = || number(token);
        match letter {
            b'f' => self.flags = number().and_then(|n| u32::try_from(n).ok()),
            b'c' => self.cas = number(),
            b't' if token == b"-1" => self.ttl = Some(-1),
            b't' => self.ttl = number().and_then(|n| i64::try_from(n).ok()),
            b's' => self.size = number(),
            b'h' => self.hit_before = number().map(|n| n > 0),
            b'l' => self.last_access = number(),
            b'O' => self.opaque = number().and_then(|n| u32::try_from(n).ok()),
            b'W' => self.won = true,
            b'X' => self.stale = true,
            b'Z' => self.lost = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_in_full() {
        let text = |put: &dyn Fn(&mut BytesMut)| {
            let mut into = BytesMut::new();
            put(&mut into);
            String::from_utf8(into.to_vec()).expect("flags are text")
        };
        let get = MetaGet { value: true, vivify: Some(30), recache: Some(5), ..MetaGet::default() };
        assert_eq!(text(&|into| get.put_flags(into)), " v N30 R5");
        let set = MetaSet {
            mode: MetaMode::Append,
            flags: 7,
            exptime: -1,
            cas: Some(u64::MAX),
            invalidate: true,
            opaque: Some(3),
            ..MetaSet::default()
        };
        assert_eq!(text(&|into| set.put_flags(into)), " MA F7 T-1 C18446744073709551615 I O3");
        let delete = MetaDelete { invalidate: true, exptime: Some(30), ..MetaDelete::default() };
        assert_eq!(text(&|into| delete.put_flags(into)), " I T30");
        let count = MetaArithmetic {
            down: true,
            delta: Some(2),
            vivify: Some(0),
            initial: 9,
            value: true,
            ..MetaArithmetic::default()
        };
        assert_eq!(text(&|into| count.put_flags(into)), " v MD D2 N0 J9");
    }

    #[test]
    fn replies_are_read_in_full() {
        let parse = |text: &'static str| MetaReply::parse(&Bytes::from_static(text.as_bytes()));
        let found = parse("VA 3 f9 c5 t-1 s3 h1 l7 W X Z O77\r\na\r\n\r\n").expect("a reply");
        let expected = MetaReply {
            code: MetaCode::Done,
            value: Some(Bytes::from_static(b"a\r\n")),
            flags: Some(9),
            cas: Some(5),
            ttl: Some(-1),
            size: Some(3),
            hit_before: Some(true),
            last_access: Some(7),
            won: true,
            stale: true,
            lost: true,
            opaque: Some(77),
        };
        assert_eq!(found, expected);
        let code = |text| parse(text).map(|reply| reply.code);
        assert_eq!(code("EN\r\n"), Some(MetaCode::Miss));
        assert_eq!(code("NF O1\r\n"), Some(MetaCode::NotFound));
        assert_eq!(code("NS\r\n"), Some(MetaCode::NotStored));
        assert_eq!(code("EX c5\r\n"), Some(MetaCode::Exists));
        for junk in ["", "HD", "MN\r\n", "VA\r\n", "VA 9\r\nx\r\n", "VA x\r\n"] {
            assert_eq!(code(junk), None, "{junk:?}");
        }
    }
}
