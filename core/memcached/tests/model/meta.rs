//! The meta commands: how they are written, and what the model answers.

use crate::command::{Argument, KEYS, Meta, Name, Version};
use crate::map::{Counted, Dies, Item, Map, Outcome, Verb, Write};

impl Meta {
    fn argument(&self, letter: u8) -> Option<Argument> {
        self.flags.iter().find(|flag| flag.letter == letter).map(|flag| flag.argument)
    }

    fn has(&self, letter: u8) -> bool {
        self.argument(letter).is_some()
    }

    fn number(&self, letter: u8) -> Option<u64> {
        self.argument(letter).map(|argument| match argument {
            Argument::Number(number) | Argument::Version(Version::Number(number)) => number,
            other => unreachable!("{} is no number: {other:?}", char::from(letter)),
        })
    }

    fn dies(&self, map: &Map, letter: u8) -> Option<Dies> {
        self.argument(letter).map(|argument| match argument {
            Argument::Seconds(seconds) => map.dies(seconds.into()),
            other => unreachable!("{} is no time: {other:?}", char::from(letter)),
        })
    }

    fn mode(&self) -> Option<char> {
        self.argument(b'M').map(|argument| match argument {
            Argument::Mode(mode) => mode,
            other => unreachable!("M is no mode: {other:?}"),
        })
    }

    fn key(&self) -> &'static [u8] {
        KEYS[self.key]
    }

    /// The key as it is written.
    fn name(&self) -> Vec<u8> {
        if self.has(b'b') { base64(self.key()) } else { self.key().to_vec() }
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - group.len()));
        for letter in 0..4 {
            let value = bits >> (18 - 6 * letter) & 63;
            text.push(if letter <= group.len() { ALPHABET[value as usize] } else { b'=' });
        }
    }
    text
}

pub(crate) fn request(command: &Meta) -> Vec<u8> {
    let mut line = match command.name {
        Name::Noop => return b"mn\r\n".to_vec(),
        Name::Get => b"mg ".to_vec(),
        Name::Set => b"ms ".to_vec(),
        Name::Delete => b"md ".to_vec(),
        Name::Arithmetic => b"ma ".to_vec(),
    };
    line.extend(command.name());
    let value = command.value.bytes();
    if command.name == Name::Set {
        line.extend(format!(" {}", value.len()).as_bytes());
    }
    for flag in &command.flags {
        line.extend([b' ', flag.letter]);
        match flag.argument {
            Argument::None => {}
            Argument::Seconds(seconds) => line.extend(seconds.to_string().as_bytes()),
            Argument::Number(number) | Argument::Version(Version::Number(number)) => {
                line.extend(number.to_string().as_bytes());
            }
            Argument::Version(_) => unreachable!("resolved before it is written"),
            Argument::Mode(mode) => line.extend(mode.to_string().as_bytes()),
        }
    }
    line.extend(b"\r\n");
    if command.name == Name::Set {
        line.extend(value);
        line.extend(b"\r\n");
    }
    line
}

pub(crate) fn reply(map: &mut Map, command: &Meta) -> Vec<u8> {
    match command.name {
        Name::Noop => b"MN\r\n".to_vec(),
        Name::Get => get(map, command),
        Name::Set => set(map, command),
        Name::Delete => delete(map, command),
        Name::Arithmetic => arithmetic(map, command),
    }
}

/// A reply line: its code, then what `show` says of each flag; opaque and key are repeated.
fn line(
    command: &Meta,
    code: &str,
    mut show: impl FnMut(u8) -> Option<String>,
    behind: &str,
) -> Vec<u8> {
    let mut line = code.as_bytes().to_vec();
    for flag in &command.flags {
        match (flag.letter, flag.argument) {
            (b'O', Argument::Number(opaque)) => line.extend(format!(" O{opaque}").as_bytes()),
            (b'k', _) => {
                line.extend(b" k");
                line.extend(command.name());
                line.extend(if command.has(b'b') { &b" b"[..] } else { b"" });
            }
            (letter, _) => {
                if let Some(shown) = show(letter) {
                    line.extend(format!(" {}{shown}", char::from(letter)).as_bytes());
                }
            }
        }
    }
    line.extend(behind.as_bytes());
    line.extend(b"\r\n");
    line
}

fn code(command: &Meta, code: &str) -> Vec<u8> {
    line(command, code, |_| None, "")
}

fn with_value(mut line: Vec<u8>, value: &[u8]) -> Vec<u8> {
    line.extend(value);
    line.extend(b"\r\n");
    line
}

fn get(map: &mut Map, command: &Meta) -> Vec<u8> {
    let key = command.key();
    let (ttl, vivify) = (command.dies(map, b'T'), command.dies(map, b'N'));
    let (touches, made) = (ttl.is_some(), map.live(key).is_none() && vivify.is_some());
    if made {
        map.put(key, Vec::new(), 0, Dies::Never, command.number(b'E'));
    }
    let Some(item) = map.live(key) else {
        return if command.has(b'q') { Vec::new() } else { code(command, "EN") };
    };
    let seen = item.clone();
    let mut dies = seen.dies;
    let mut wins = made || seen.stale;
    let shown = |map: &Map, item: &Item, dies: &mut Dies, wins: &mut bool, letter: u8| {
        match letter {
            b'T' => *dies = ttl.expect("it has the flag"),
            b'N' if made => *dies = vivify.expect("it has the flag"),
            b'R' => *wins |= is_before(*dies, command.dies(map, b'R').expect("it has the flag")),
            b's' => return Some(item.value.len().to_string()),
            b't' => return Some(map.ttl(*dies).to_string()),
            b'c' => return Some(item.version.to_string()),
            b'f' => return Some(item.flags.to_string()),
            b'h' => return Some(u8::from(item.fetched).to_string()),
            _ => {}
        }
        None
    };
    let shows_value = command.has(b'v') && command.number(b'C') != Some(seen.version);
    let head = if shows_value { format!("VA {}", seen.value.len()) } else { "HD".into() };
    let mut reply =
        line(command, &head, |letter| shown(map, &seen, &mut dies, &mut wins, letter), "");
    wins &= !seen.won;
    reply.truncate(reply.len() - b"\r\n".len());
    for (told, letter) in [(seen.won, " Z"), (seen.stale, " X"), (wins, " W")] {
        reply.extend(if told { letter.as_bytes() } else { b"" });
    }
    let item = map.live(key).expect("it was just seen");
    item.dies = dies;
    item.won |= wins;
    item.fetched |= !command.has(b'u');
    assert!(touches || made || dies == seen.dies, "only T and N change when it dies");
    reply.extend(b"\r\n");
    if shows_value { with_value(reply, &seen.value) } else { reply }
}

fn is_before(dies: Dies, limit: Dies) -> bool {
    matches!((dies, limit), (Dies::At(dies), Dies::At(limit)) if dies < limit)
}

fn set(map: &mut Map, command: &Meta) -> Vec<u8> {
    let verb = match command.mode() {
        None | Some('S') => Verb::Set,
        Some('E') => Verb::Add,
        Some('A') => Verb::Append,
        Some('P') => Verb::Prepend,
        Some('R') => Verb::Replace,
        Some(other) => unreachable!("no mode {other}"),
    };
    let joins = matches!(verb, Verb::Append | Verb::Prepend);
    let (key, value) = (command.key(), command.value.bytes());
    let compare = command.number(b'C').filter(|_| verb != Verb::Add);
    let flags = command.number(b'F').unwrap_or(0);
    let stored = map.store(&Write {
        verb,
        key,
        value: &value,
        flags: u32::try_from(flags).expect("flags have 32 bits"),
        dies: command.dies(map, b'T').unwrap_or(Dies::Never),
        compare,
        version: command.number(b'E'),
        invalidate: command.has(b'I'),
        vivify: command.dies(map, b'N').filter(|_| joins),
    });
    let (code, version, bytes) = match stored {
        Outcome::Done { version, bytes } => ("HD", version, bytes),
        Outcome::NotStored => ("NS", 0, value.len()),
        Outcome::Exists => ("EX", 0, value.len()),
        Outcome::NotFound => ("NF", 0, value.len()),
        Outcome::TooLarge => {
            map.remove(key);
            return b"SERVER_ERROR object too large for cache\r\n".to_vec();
        }
    };
    if code == "HD" && command.has(b'q') {
        return Vec::new();
    }
    let show = |letter| match letter {
        b'c' => Some(version.to_string()),
        b's' => Some(bytes.to_string()),
        _ => None,
    };
    line(command, code, show, "")
}

fn delete(map: &mut Map, command: &Meta) -> Vec<u8> {
    let key = command.key();
    let Some(old) = map.live(key).cloned() else { return code(command, "NF") };
    if command.number(b'C').is_some_and(|version| version != old.version) {
        return code(command, "EX");
    }
    let (ttl, stated) = (command.dies(map, b'T'), command.number(b'E'));
    let (empties, marks) = (command.has(b'x'), command.has(b'I'));
    if empties {
        let flags = u32::try_from(command.number(b'F').unwrap_or(0)).expect("flags have 32 bits");
        let version = stated.unwrap_or(old.version);
        map.put(key, Vec::new(), flags, ttl.unwrap_or(Dies::Never), Some(version));
    }
    if marks {
        let version = map.version_or_next(stated);
        let item = map.seen(key, true).expect("it was just found");
        (item.stale, item.won, item.version) = (true, false, version);
        item.dies = ttl.unwrap_or(item.dies);
    }
    if !empties && !marks {
        map.remove(key);
    }
    if command.has(b'q') { Vec::new() } else { code(command, "HD") }
}

fn arithmetic(map: &mut Map, command: &Meta) -> Vec<u8> {
    let key = command.key();
    let up = !matches!(command.mode(), Some('D' | '-'));
    let (ttl, vivify) = (command.dies(map, b'T'), command.dies(map, b'N'));
    let made = map.live(key).is_none() && vivify.is_some();
    let number = if made {
        let first = command.number(b'J').unwrap_or(0);
        let value = first.to_string().into_bytes();
        map.put(key, value, 0, Dies::Never, command.number(b'E'));
        first
    } else {
        let (by, compare) = (command.number(b'D').unwrap_or(1), command.number(b'C'));
        match map.count(key, up, by, compare, command.number(b'E')) {
            Counted::Number(number) => number,
            Counted::NotFound => return code(command, "NF"),
            Counted::Exists => return code(command, "EX"),
            Counted::NotNumeric => {
                return b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
                    .to_vec();
            }
        }
    };
    let item = map.live(key).expect("it was counted").clone();
    let mut dies = item.dies;
    let show = |letter| {
        match letter {
            b'T' => dies = ttl.expect("it has the flag"),
            b'N' if made => dies = vivify.expect("it has the flag"),
            b'c' => return Some(item.version.to_string()),
            b't' => return Some(map.ttl(dies).to_string()),
            _ => {}
        }
        None
    };
    let digits = number.to_string();
    let shows_value = command.has(b'v');
    let head = if shows_value { format!("VA {}", digits.len()) } else { "HD".into() };
    let reply = line(command, &head, show, "");
    map.live(key).expect("it was counted").dies = dies;
    match (command.has(b'q'), shows_value) {
        (true, _) => Vec::new(),
        (false, true) => with_value(reply, digits.as_bytes()),
        (false, false) => reply,
    }
}
