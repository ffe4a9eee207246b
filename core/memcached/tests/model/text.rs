//! The classic text commands: how they are written, and what the model answers.

use crate::command::{Classic, KEYS, Version};
use crate::map::{Counted, Map, Outcome, Verb, Write};

fn line(words: &[String], noreply: bool) -> Vec<u8> {
    let end = if noreply { " noreply\r\n" } else { "\r\n" };
    (words.join(" ") + end).into_bytes()
}

fn name(key: usize) -> String {
    String::from_utf8(KEYS[key].to_vec()).expect("text has keys of text")
}

fn number(version: Version) -> u64 {
    let Version::Number(number) = version else { unreachable!("resolved before it is written") };
    number
}

pub(crate) fn request(command: &Classic) -> Vec<u8> {
    match command {
        Classic::Store { verb, key, value, flags, exptime, compare, quiet } => {
            let word = match verb {
                Verb::Set if compare.is_some() => "cas",
                Verb::Set => "set",
                Verb::Add => "add",
                Verb::Replace => "replace",
                Verb::Append => "append",
                Verb::Prepend => "prepend",
            };
            let value = value.bytes();
            let (flags, exptime) = (flags.to_string(), exptime.to_string());
            let mut words = vec![word.into(), name(*key), flags, exptime, value.len().to_string()];
            words.extend(compare.map(|version| number(version).to_string()));
            [&line(&words, *quiet)[..], &value, b"\r\n"].concat()
        }
        Classic::Get { keys, touch, more, .. } => {
            let word = match (touch, more) {
                (None, false) => "get",
                (None, true) => "gets",
                (Some(_), false) => "gat",
                (Some(_), true) => "gats",
            };
            let mut words = vec![word.to_owned()];
            words.extend(touch.map(|exptime| exptime.to_string()));
            words.extend(keys.iter().map(|&key| name(key)));
            line(&words, false)
        }
        Classic::Touch { key, exptime, quiet } => {
            line(&["touch".into(), name(*key), exptime.to_string()], *quiet)
        }
        Classic::Delete { key, quiet, .. } => line(&["delete".into(), name(*key)], *quiet),
        Classic::Count { up, key, by, quiet, .. } => {
            let word = if *up { "incr" } else { "decr" };
            line(&[word.into(), name(*key), by.to_string()], *quiet)
        }
        Classic::Flush { exptime, quiet } => {
            let mut words = vec!["flush_all".to_owned()];
            words.extend(exptime.map(|exptime| exptime.to_string()));
            line(&words, *quiet)
        }
    }
}

pub(crate) fn reply(map: &mut Map, command: &Classic) -> Vec<u8> {
    let (quiet, text) = match command {
        Classic::Store { verb, key, value, flags, exptime, compare, quiet } => {
            let (key, dies) = (KEYS[*key], map.dies((*exptime).into()));
            let (compare, value) = (compare.map(number), value.bytes());
            let (verb, flags, value) = (*verb, *flags, &value[..]);
            let (version, invalidate, vivify) = (None, false, None);
            let stored = map.store(&Write {
                verb,
                key,
                value,
                flags,
                dies,
                compare,
                version,
                invalidate,
                vivify,
            });
            // Who replaces a value must not read the old one after a refusal.
            if stored == Outcome::TooLarge && verb == Verb::Set && compare.is_none() {
                map.remove(key);
            }
            (*quiet, word(stored).to_owned())
        }
        Classic::Get { keys, touch, more, .. } => return hits(map, keys, *touch, *more),
        Classic::Touch { key, exptime, quiet } => (
            *quiet,
            if touched(map, KEYS[*key], *exptime) { "TOUCHED" } else { "NOT_FOUND" }.into(),
        ),
        Classic::Delete { key, quiet, .. } => {
            let found = map.live(KEYS[*key]).is_some();
            map.remove(KEYS[*key]);
            (*quiet, if found { "DELETED" } else { "NOT_FOUND" }.into())
        }
        Classic::Count { up, key, by, quiet, .. } => {
            let text = match map.count(KEYS[*key], *up, *by, None, None) {
                Counted::Number(number) => number.to_string(),
                Counted::NotFound => "NOT_FOUND".into(),
                Counted::NotNumeric => {
                    "CLIENT_ERROR cannot increment or decrement non-numeric value".into()
                }
                Counted::Exists => unreachable!("text compares no versions here"),
            };
            (*quiet, text)
        }
        Classic::Flush { exptime, quiet } => {
            map.flush(exptime.unwrap_or(0).into());
            (*quiet, "OK".into())
        }
    };
    if quiet { Vec::new() } else { (text + "\r\n").into_bytes() }
}

pub(crate) fn touched(map: &mut Map, key: &[u8], exptime: impl Into<i64>) -> bool {
    let dies = map.dies(exptime.into());
    let item = map.live(key);
    item.map(|item| (item.dies, item.fetched) = (dies, true)).is_some()
}

fn hits(map: &mut Map, keys: &[usize], touch: Option<i32>, versions: bool) -> Vec<u8> {
    let mut all = Vec::new();
    for &key in keys {
        if touch.is_some_and(|exptime| !touched(map, KEYS[key], exptime)) {
            continue;
        }
        // Dead by its own touch, it is shown once more.
        let Some(item) = map.seen(KEYS[key], touch.is_some()) else { continue };
        item.fetched = true;
        let mut words = vec![name(key), item.flags.to_string(), item.value.len().to_string()];
        words.extend(versions.then(|| item.version.to_string()));
        all.extend_from_slice(format!("VALUE {}\r\n", words.join(" ")).as_bytes());
        all.extend_from_slice(&item.value);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(b"END\r\n");
    all
}

const fn word(stored: Outcome) -> &'static str {
    match stored {
        Outcome::Done { .. } => "STORED",
        Outcome::NotStored => "NOT_STORED",
        Outcome::Exists => "EXISTS",
        Outcome::NotFound => "NOT_FOUND",
        Outcome::TooLarge => "SERVER_ERROR object too large for cache",
    }
}
