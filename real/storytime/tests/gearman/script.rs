//! Streams of steps: who sends what, as one would type it; and what comes back, to whom.
//!
//! A step is a peer's letter and a packet's name with its arguments; or `line` and a line, `raw`
//! and bytes in Rust's escapes, or `leave`. In it `_` is an empty argument, `@` makes a name one of
//! this run's own, `#2` is the second handle that was given to anybody, and `!` the handle of the
//! job that this peer has had for the longest; a step whose handle there is not is left out.
//! `AS f@` before a step is `CAN_DO f@`, unless the peer has said that before.

use crate::peer::{Said, Server, Wire};
use std::collections::{BTreeMap, BTreeSet};
use storytime_gearman::packet::{Kind, Magic, Packet};

/// What a run knows of its server.
struct Run<'a> {
    server: &'a Server,
    /// Behind names of this run; nothing in the first run of a server.
    suffix: String,
    peers: BTreeMap<char, Wire>,
    /// Handles in the order in which they were first seen.
    handles: Vec<String>,
    /// Who has said what it can do.
    able: BTreeSet<(char, String)>,
    /// What each peer runs.
    runs: BTreeMap<char, Vec<String>>,
}

/// Carries steps out; what is said to each, in order. Names and handles are those of the script.
pub(crate) fn run(server: &Server, steps: &[String], number: u64) -> Vec<String> {
    let mut run = Run {
        server,
        suffix: if number == 0 { String::new() } else { format!("~{number}") },
        peers: BTreeMap::new(),
        handles: Vec::new(),
        able: BTreeSet::new(),
        runs: BTreeMap::new(),
    };
    let mut told = Vec::new();
    for step in steps {
        let (peer, what) = step.split_once(' ').expect("a step has a peer");
        let peer = peer.chars().next().expect("a peer has a letter");
        run.step(peer, what);
        run.listen(peer, &mut told);
    }
    drop(run.peers);
    server.wait_for_connections(0);
    told
}

impl Run<'_> {
    fn step(&mut self, peer: char, what: &str) {
        if what == "leave" {
            self.peers.remove(&peer);
            self.runs.remove(&peer);
            return self.server.wait_for_connections(self.peers.len());
        }
        let Some(bytes) = self.bytes(peer, what) else { return };
        let wire = self.peers.entry(peer).or_insert_with(|| self.server.connect());
        wire.send(&bytes);
    }

    /// What everybody is told, in the order of the alphabet.
    fn listen(&mut self, sender: char, told: &mut Vec<String>) {
        // What the sender is answered has been carried out, and then what that means to others has
        // been said.
        let letters: Vec<char> = self.peers.keys().copied().collect();
        let mut heard: BTreeMap<char, Vec<String>> = BTreeMap::new();
        for letter in [sender].into_iter().chain(letters) {
            let Some(wire) = self.peers.get_mut(&letter) else { continue };
            let said = wire.until_mark();
            let lines = said.into_iter().filter_map(|said| self.show(letter, said));
            let lines: Vec<String> = lines.collect();
            heard.entry(letter).or_default().extend(lines);
        }
        for (letter, mut lines) in heard {
            if lines.iter().any(|line| line.ends_with(".\\n")) {
                // A list: no order is promised.
                lines.sort();
            }
            told.extend(lines.into_iter().map(|line| format!("{letter}< {line}")));
        }
    }

    fn bytes(&mut self, peer: char, what: &str) -> Option<Vec<u8>> {
        let (name, rest) = what.split_once(' ').unwrap_or((what, ""));
        let name = match name {
            "line" => return Some([&unescape(&self.own(rest))[..], b"\n"].concat()),
            "raw" => return Some(unescape(rest)),
            "AS" => {
                let (function, rest) = rest.split_once(' ').expect("a function and a step");
                let bytes = self.bytes(peer, rest)?;
                let is_new = self.able.insert((peer, function.to_owned()));
                let can_do = is_new.then(|| self.bytes(peer, &format!("CAN_DO {function}")));
                return Some([can_do.flatten().unwrap_or_default(), bytes].concat());
            }
            name => name,
        };
        let kind = Kind::ALL.iter().find(|kind| kind.name() == name).expect(name);
        let most = kind.arguments() + usize::from(kind.has_data());
        let mut words = Vec::new();
        for word in rest.splitn(most.max(1), ' ').filter(|_| most > 0) {
            words.push(match word {
                "_" => String::new(),
                "!" => self.runs.get(&peer)?.first()?.clone(),
                _ if word.starts_with('#') => {
                    let nth: usize = word[1..].parse().expect("a number of a handle");
                    self.handles.get(nth - 1)?.clone()
                }
                _ => self.own(word),
            });
        }
        if matches!(kind, Kind::WorkComplete | Kind::WorkFail | Kind::WorkException)
            && rest.starts_with('!')
        {
            self.runs.get_mut(&peer)?.remove(0);
        }
        let body = words.join("\0");
        let len = u32::try_from(body.len()).expect("scripts are short");
        let header = [&Magic::Request.bytes()[..], &(*kind as u32).to_be_bytes()].concat();
        Some([&header[..], &len.to_be_bytes(), body.as_bytes()].concat())
    }

    fn own(&self, word: &str) -> String {
        word.replace('@', &self.suffix)
    }

    /// What was said, as it would be typed. Lines of other runs are left out.
    fn show(&mut self, peer: char, said: Said) -> Option<String> {
        match said {
            Said::Closed => Some("closed".to_owned()),
            Said::Packet(packet) => Some(self.packet(peer, &packet)),
            Said::Line(line) => self.line(&line),
        }
    }

    fn packet(&mut self, peer: char, packet: &Packet) -> String {
        let mut shown = packet.kind.name().to_owned();
        let count = packet.kind.arguments() + usize::from(packet.kind.has_data());
        for nth in 0..count {
            let mut word = packet.argument(nth).escape_ascii().to_string();
            if word.starts_with("H:") {
                if !self.handles.contains(&word) && packet.kind == Kind::JobCreated {
                    self.handles.push(word.clone());
                }
                let assigned = [Kind::JobAssign, Kind::JobAssignUniq, Kind::JobAssignAll];
                if nth == 0 && assigned.contains(&packet.kind) {
                    self.runs.entry(peer).or_default().push(word.clone());
                }
                word = self.handle(&word);
            }
            shown.push(' ');
            shown.push_str(if word.is_empty() { "_" } else { &word });
        }
        if packet.kind == Kind::WorkFail && !self.suffix.is_empty() {
            // The table has it.
            shown.truncate(shown.trim_end_matches("\\x00").len());
        }
        self.hide(&shown)
    }

    fn handle(&self, word: &str) -> String {
        let (handle, rest) = word.split_once("\\x00").map_or((word, ""), |(h, _)| (h, "\\x00"));
        match self.handles.iter().position(|known| known == handle) {
            Some(nth) => format!("#{}{rest}", nth + 1),
            None => word.to_owned(),
        }
    }

    fn line(&self, line: &str) -> Option<String> {
        let fields: Vec<&str> = line.split("\\t").collect();
        if fields.len() > 1 && fields[0].starts_with("H:") {
            let handle = self.handle(fields[0]);
            let own = handle.starts_with('#');
            return own.then(|| [&[&*handle], &fields[1..]].concat().join("\\t"));
        }
        if fields.len() > 3 {
            // A function.
            return line.contains(&format!("{}\\t", self.suffix)).then(|| self.hide(line));
        }
        if line.contains(" : ") || line.ends_with(" :\\n") {
            // A connection: its first column is a number of the server's choice.
            return line.split_once(' ').map(|(_, rest)| self.hide(rest));
        }
        let pid = line.strip_prefix("OK ").and_then(|rest| rest.strip_suffix("\\n"));
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok()) {
            return Some("OK PID\\n".to_owned());
        }
        Some(self.hide(&line.replace("1.1.20+ds", "1.1.20")))
    }

    fn hide(&self, text: &str) -> String {
        if self.suffix.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.suffix, "@")
    }
}

/// `\0`, `\n`, `\\` and `\x1f`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let byte = match c {
            '\\' => match rest.next() {
                Some('0') => 0,
                Some('n') => b'\n',
                Some('r') => b'\r',
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).expect("two digits")
                }
                other => other.map_or(b'\\', |c| c as u8),
            },
            c => c as u8,
        };
        bytes.push(byte);
    }
    bytes
}
