//! The binary protocol: how commands are packed, and what the model answers.

use crate::command::{Classic, KEYS, Version};
use crate::map::{Counted, Map, Outcome, Verb, Write};
use crate::packet::{self, Reply, Request, op};
use crate::text::touched;

/// As an exptime: nothing is made where there was nothing.
const DO_NOT_CREATE: u32 = u32::MAX;

fn number(version: Option<Version>) -> u64 {
    match version {
        None => 0,
        Some(Version::Number(number)) => number,
        Some(_) => unreachable!("resolved before it is packed"),
    }
}

fn opcode(command: &Classic) -> u8 {
    let (plain, quietly, quiet) = match command {
        Classic::Store { verb, quiet, .. } => {
            let (plain, quietly) = match verb {
                Verb::Set => (op::SET, op::SETQ),
                Verb::Add => (op::ADD, op::ADDQ),
                Verb::Replace => (op::REPLACE, op::REPLACEQ),
                Verb::Append => (op::APPEND, op::APPENDQ),
                Verb::Prepend => (op::PREPEND, op::PREPENDQ),
            };
            (plain, quietly, quiet)
        }
        Classic::Get { touch: None, more: false, quiet, .. } => (op::GET, op::GETQ, quiet),
        Classic::Get { touch: None, more: true, quiet, .. } => (op::GETK, op::GETKQ, quiet),
        Classic::Get { more: false, quiet, .. } => (op::GAT, op::GATQ, quiet),
        Classic::Get { more: true, quiet, .. } => (op::GATK, op::GATKQ, quiet),
        Classic::Touch { .. } => return op::TOUCH,
        Classic::Delete { quiet, .. } => (op::DELETE, op::DELETEQ, quiet),
        Classic::Count { up: true, quiet, .. } => (op::INCR, op::INCRQ, quiet),
        Classic::Count { up: false, quiet, .. } => (op::DECR, op::DECRQ, quiet),
        Classic::Flush { quiet, .. } => (op::FLUSH, op::FLUSHQ, quiet),
    };
    if *quiet { quietly } else { plain }
}

/// The packet of a command; `opaque` comes back in its reply.
pub(crate) fn request(command: &Classic, opaque: u32) -> Request {
    let code = opcode(command);
    let request = match command {
        Classic::Store { verb, key, value, flags, exptime, compare, .. } => {
            let request = packet::key(code, KEYS[*key]).value(value.bytes());
            let joins = matches!(verb, Verb::Append | Verb::Prepend);
            let request =
                if joins { request } else { request.extras(&[*flags, exptime.cast_unsigned()]) };
            request.version(number(*compare))
        }
        Classic::Get { keys, touch, .. } => {
            let request = packet::key(code, KEYS[keys[0]]);
            match touch {
                Some(exptime) => request.extras(&[exptime.cast_unsigned()]),
                None => request,
            }
        }
        Classic::Touch { key, exptime, .. } => {
            packet::key(code, KEYS[*key]).extras(&[exptime.cast_unsigned()])
        }
        Classic::Delete { key, compare, .. } => {
            packet::key(code, KEYS[*key]).version(number(*compare))
        }
        Classic::Count { key, by, initial, compare, .. } => {
            let (first, exptime) = initial.unwrap_or((0, DO_NOT_CREATE));
            let mut request = packet::key(code, KEYS[*key]).version(number(*compare));
            request.extras.extend(by.to_be_bytes());
            request.extras.extend(first.to_be_bytes());
            request.extras.extend(exptime.to_be_bytes());
            request
        }
        Classic::Flush { exptime: Some(exptime), .. } => {
            packet::request(code).extras(&[exptime.cast_unsigned()])
        }
        Classic::Flush { exptime: None, .. } => packet::request(code),
    };
    request.opaque(opaque)
}

/// What a command leads to: the reply, and whether it is told to who asked quietly.
struct Answer {
    status: u16,
    version: u64,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    told: bool,
}

impl Answer {
    /// Done, which is told unless it was asked quietly.
    fn done(version: u64) -> Self {
        let (extras, key, value) = (Vec::new(), Vec::new(), Vec::new());
        Self { status: 0, version, extras, key, value, told: false }
    }

    /// Not done, which is told in any case.
    fn failed(status: u16) -> Self {
        let text = match status {
            1 => "Not found",
            2 => "Data exists for key.",
            3 => "Too large.",
            5 => "Not stored.",
            6 => "Non-numeric server-side value for incr or decr",
            _ => unreachable!("no other failure is looked for"),
        };
        Self { status, told: true, value: text.into(), ..Self::done(0) }
    }
}

/// What the server says to a command, if anything.
pub(crate) fn reply(map: &mut Map, command: &Classic, opaque: u32) -> Option<Reply> {
    let (quiet, answer) = match command {
        Classic::Store { quiet, .. } => (*quiet, stored(map, command)),
        Classic::Get { quiet, .. } => {
            let hit = got(map, command);
            let told = hit.status == 0;
            (*quiet, Answer { told, ..hit })
        }
        Classic::Touch { key, exptime, .. } => {
            let found = touched(map, KEYS[*key], exptime.cast_unsigned());
            let item = map.seen(KEYS[*key], true).filter(|_| found);
            let answer = item.map_or_else(
                || Answer::failed(1),
                |item| {
                    let extras = item.flags.to_be_bytes().to_vec();
                    Answer { extras, ..Answer::done(item.version) }
                },
            );
            (false, answer)
        }
        Classic::Delete { key, compare, quiet } => {
            let (key, compare) = (KEYS[*key], number(*compare));
            let answer = match map.live(key) {
                None => Answer::failed(1),
                Some(item) if compare != 0 && compare != item.version => Answer::failed(2),
                Some(_) => {
                    map.remove(key);
                    Answer::done(0)
                }
            };
            (*quiet, answer)
        }
        Classic::Count { quiet, .. } => (*quiet, counted(map, command)),
        Classic::Flush { exptime, quiet } => {
            map.flush(exptime.map_or(0, |exptime| exptime.cast_unsigned().into()));
            (*quiet, Answer::done(0))
        }
    };
    let Answer { status, version, extras, key, value, told } = answer;
    let opcode = opcode(command);
    (told || !quiet).then_some(Reply { opcode, status, extras, key, value, opaque, version })
}

/// A reply as it comes over the wire.
pub(crate) fn packed(reply: &Reply) -> Vec<u8> {
    let Reply { opcode, extras, key, value, opaque, version, .. } = reply.clone();
    let mut bytes = Request { opcode, extras, key, value, opaque, version }.bytes();
    bytes[0] = 0x81;
    bytes[6..8].copy_from_slice(&reply.status.to_be_bytes());
    bytes
}

fn stored(map: &mut Map, command: &Classic) -> Answer {
    let Classic::Store { verb, key, value, flags, exptime, compare, .. } = command else {
        unreachable!("the caller matched it")
    };
    let joins = matches!(verb, Verb::Append | Verb::Prepend);
    let (key, value, compare) = (KEYS[*key], value.bytes(), compare.map(|v| number(Some(v))));
    let write = Write {
        // Whatever compares needs something to compare with.
        verb: if joins || compare.is_none() { *verb } else { Verb::Set },
        key,
        value: &value,
        flags: if joins { 0 } else { *flags },
        dies: map.dies(exptime.cast_unsigned().into()),
        compare,
        version: None,
        invalidate: false,
        vivify: None,
    };
    match map.store(&write) {
        Outcome::Done { version, .. } => Answer::done(version),
        Outcome::Exists => Answer::failed(2),
        Outcome::NotFound => Answer::failed(1),
        Outcome::NotStored if *verb == Verb::Add => Answer::failed(2),
        Outcome::NotStored if *verb == Verb::Replace => Answer::failed(1),
        Outcome::NotStored => Answer::failed(5),
        Outcome::TooLarge => {
            if *verb == Verb::Set {
                map.remove(key);
            }
            Answer::failed(3)
        }
    }
}

fn got(map: &mut Map, command: &Classic) -> Answer {
    let Classic::Get { keys, touch, more, .. } = command else {
        unreachable!("the caller matched it")
    };
    let key = KEYS[keys[0]];
    let found = match touch {
        Some(exptime) => touched(map, key, exptime.cast_unsigned()),
        None => true,
    };
    let shown = if *more { key.to_vec() } else { Vec::new() };
    let Some(item) = map.seen(key, touch.is_some()).filter(|_| found) else {
        let value = if *more { Vec::new() } else { b"Not found".to_vec() };
        return Answer { key: shown, value, ..Answer::failed(1) };
    };
    item.fetched = true;
    let (extras, value) = (item.flags.to_be_bytes().to_vec(), item.value.clone());
    Answer { extras, key: shown, value, ..Answer::done(item.version) }
}

fn counted(map: &mut Map, command: &Classic) -> Answer {
    let Classic::Count { up, key, by, initial, compare, .. } = command else {
        unreachable!("the caller matched it")
    };
    let (key, compare) = (KEYS[*key], compare.map(|v| number(Some(v))));
    let number = match (map.count(key, *up, *by, compare, None), initial) {
        (Counted::Number(number), _) => number,
        (Counted::Exists, _) => return Answer::failed(2),
        (Counted::NotNumeric, _) => return Answer::failed(6),
        (Counted::NotFound, None) => return Answer::failed(1),
        (Counted::NotFound, Some((number, exptime))) => {
            let dies = map.dies((*exptime).into());
            map.put(key, number.to_string().into_bytes(), 0, dies, None);
            *number
        }
    };
    // Behind an expiry time in the past nothing is left, but its version is told.
    let version = map.seen(key, true).expect("it was counted").version;
    Answer { value: number.to_be_bytes().to_vec(), ..Answer::done(version) }
}
