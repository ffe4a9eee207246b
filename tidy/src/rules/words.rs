//! Leftovers anywhere, and in core and the simulator whatever reaches past the contract.
//!
//! Strings may hold any word. Not modelled: names behind `use … as`; clippy's bans see those.

use crate::repo::Source;
use crate::syntax::{Path, paths, test_code};
use crate::violation::Violation;

/// Macros that stand for code not written, or for a look at it while it was.
const MACROS: [(&str, &str); 3] = [
    ("todo", "write the code, or open an issue"),
    ("unimplemented", "write the code, or return an error"),
    ("dbg", "remove it; the trace and `tracing` are for looking"),
];

/// Marks of unfinished work, in code and comments.
const NOTES: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Paths that break determinism, and what takes their place. A `*` ends a part by any letters.
const PAST_THE_CONTRACT: [(&[&str], &str); 15] = [
    (&["Instant", "now"], "read `cx.now()`"),
    (&["std", "time", "Instant"], "read `cx.now()`"),
    (&["SystemTime"], "read `cx.wall_clock()`"),
    (&["std", "thread"], "a machine is one process without threads"),
    (&["std", "env"], "take options as arguments"),
    (&["std", "fs"], "ask `cx.disk()`"),
    (&["std", "process"], "call `cx.exit()`"),
    (&["std", "net", "Tcp*"], "act through `Cx`"),
    (&["std", "net", "Udp*"], "act through `Cx`"),
    (&["HashMap", "new"], "use `BTreeMap`, or hashbrown with the fixed hasher"),
    (&["HashSet", "new"], "use `BTreeSet`, or hashbrown with the fixed hasher"),
    (&["std", "collections", "HashMap"], "use `BTreeMap`, or hashbrown with the fixed hasher"),
    (&["std", "collections", "HashSet"], "use `BTreeSet`, or hashbrown with the fixed hasher"),
    (&["RandomState"], "use the fixed hasher"),
    (&["tokio", "*"], "drivers own the runtime; act through `Cx`"),
];

/// Checks for unfinished work and forgotten probes.
pub fn check_leftovers(source: &Source<'_>, found: &mut Vec<Violation>) {
    for three in source.code.windows(3) {
        let [name, bang, open] = three else { continue };
        for (word, cure) in MACROS {
            if name.is_word(word) && bang.is_mark("!") && open.is_mark("(") {
                let message = format!("`{word}!` was left behind");
                found.push(Violation::new(source.path, name.line, message, cure));
            }
        }
        if name.is_mark("#") && bang.is_mark("[") && open.is_word("ignore") {
            let (message, cure) = ("an ignored test", "make it pass, or delete it");
            found.push(Violation::new(source.path, name.line, message, cure));
        }
    }
    for token in source.comments.iter().chain(&source.code) {
        if token.content().is_some() {
            continue;
        }
        for (at, line) in token.text.lines().enumerate() {
            let is_part = |c: char| c == '_' || c.is_alphanumeric();
            let note = line.split(|c| !is_part(c)).find(|word| NOTES.contains(word));
            if let Some(note) = note {
                let message = format!("{note} was left behind");
                let cure = "do it now, or open an issue";
                found.push(Violation::new(source.path, token.line + at, message, cure));
            }
        }
    }
}

/// Checks that library code of core and the simulator stays inside the contract.
pub fn check_determinism(source: &Source<'_>, found: &mut Vec<Violation>) {
    let tests = test_code(&source.code);
    for path in paths(&source.code) {
        if tests.iter().any(|range| range.contains(&path.at)) {
            continue;
        }
        for (banned, cure) in PAST_THE_CONTRACT {
            if holds(&path, banned) {
                let message = format!("`{}` reaches past the contract", path.parts.join("::"));
                found.push(Violation::new(source.path, path.line, message, cure));
                break;
            }
        }
    }
}

/// Whether the banned parts stand in the path, one after the other.
fn holds(path: &Path<'_>, banned: &[&str]) -> bool {
    let fits = |(part, wanted): (&&str, &&str)| match wanted.strip_suffix('*') {
        Some(start) => part.starts_with(start),
        None => part == wanted,
    };
    let whole = path.imported && path.parts.len() == 1 && banned == ["tokio", "*"];
    whole && path.parts == ["tokio"]
        || path.parts.windows(banned.len()).any(|parts| parts.iter().zip(banned).all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn found_by(check: fn(&Source<'_>, &mut Vec<Violation>), text: &str) -> Vec<(usize, String)> {
        let repo = repo(&[("x.rs", text)]);
        let mut found = Vec::new();
        check(&repo.sources()[0], &mut found);
        found.into_iter().map(|v| (v.line, v.message)).collect()
    }

    #[test]
    fn leftovers_are_found_in_code_and_comments() {
        let probes = "fn f() { todo!();\nunimplemented!(\"x\");\ndbg!(1);\n}";
        let lines: Vec<usize> = found_by(check_leftovers, probes).iter().map(|v| v.0).collect();
        assert_eq!(lines, [1, 2, 3]);
        let notes = format!("// {}: later\n/* a\n {} */\n// {}\n", NOTES[0], NOTES[1], NOTES[2]);
        let lines: Vec<usize> = found_by(check_leftovers, &notes).iter().map(|v| v.0).collect();
        assert_eq!(lines, [1, 3, 4]);
        let ignored = "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n";
        assert_eq!(found_by(check_leftovers, ignored), [(2, "an ignored test".to_owned())]);
    }

    #[test]
    fn strings_and_longer_words_are_no_leftovers() {
        let text = format!("let todo = \"{}\"; // {}L sizes\nlet dbg = [1];", NOTES[1], NOTES[2]);
        assert_eq!(found_by(check_leftovers, &text), []);
    }

    #[test]
    fn every_way_past_the_contract_is_found() {
        let text = "use std::{fs, net::{TcpStream, IpAddr}};\nuse std::collections::HashMap;\n\
                    use tokio;\nfn f() {\nInstant::now();\nstd::thread::sleep(x);\nSystemTime::now();\n\
                    std::env::var(y);\nstd::net::UdpSocket::bind(z);\nHashSet::new();\n\
                    tokio::spawn(a);\nRandomState::new();\nstd::process::exit(1);\n}";
        let lines: Vec<usize> = found_by(check_determinism, text).iter().map(|v| v.0).collect();
        assert_eq!(lines, [1, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    }

    #[test]
    fn comments_strings_tests_and_the_fixed_hasher_are_fine() {
        let text = "//! Unlike tokio::spawn.\nuse hashbrown::HashMap;\nuse std::net::IpAddr;\n\
                    fn f(tokio: u8) { HashMap::with_hasher(FixedState); g(\"std::env\"); }\n\
                    #[cfg(test)]\nmod tests { use std::env; fn g() { std::thread::yield_now(); } }";
        assert_eq!(found_by(check_determinism, text), []);
    }
}
