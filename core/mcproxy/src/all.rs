//! Requests for all servers: their answers become one.
//!
//! Counters of `stats` are added up where they are amounts; what is the same everywhere or makes no
//! sum (versions, clocks, settings) is the first server's. A server that is away is left out of
//! `stats`, and fails `flush_all` and `verbosity`: whoever flushes must know that it was done.

use crate::dress::{Answer, dress, error};
use crate::front::binary::{self, HEADER_BYTES};
use crate::front::{Dress, Effect, ForAll, Miss, Request, Tongue, What};
use crate::jobs::{End, JobId, Leg, Reply, Task, Waiter, Why};
use crate::proxy::Proxy;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;
use storytime_machine::Cx;

/// Counters that are no amounts: the first server's stand for all.
const NO_SUMS: &[&[u8]] = &[
    b"pid",
    b"uptime",
    b"time",
    b"pointer_size",
    b"threads",
    b"hash_power_level",
    b"accepting_conns",
    b"chunk_size",
    b"chunks_per_page",
    b"age",
    b"age_hot",
    b"age_warm",
];
const STAT: u8 = 0x10;

/// A line of `stats`.
pub(crate) type Line = (Bytes, Bytes);

impl Proxy {
    /// A client asks all servers.
    pub(crate) fn ask_all(&mut self, cx: &mut Cx, all: ForAll, waiter: Waiter) {
        self.counters.for_all += 1;
        let request = Request {
            tongue: all.tongue,
            effect: Effect::Repeatable,
            miss: Miss::Never,
            key: Bytes::new(),
            wire: all.wire.clone(),
            shape: all.shape,
            value_bytes: 0,
        };
        if all.what == What::Flush {
            self.close_flights();
        }
        let id = self.jobs.add(Task::All(all), None);
        self.jobs.of(id).waiters.push(waiter);
        for server in self.backends.everyone(request.tongue) {
            self.send_leg(cx, id, server, &request);
        }
        // Without a server there would be no end to wait for.
        self.look_later(id);
    }

    /// What was read before a flush must not answer who asks after it.
    fn close_flights(&mut self) {
        let mut copies = Vec::new();
        self.flights.close_all(|copy| copies.push(copy));
        copies.into_iter().for_each(|copy| self.give_up_copy(copy, Tongue::Binary));
    }

    /// All have answered, or will not.
    pub(crate) fn answer_all(&mut self, id: JobId) {
        let job = self.jobs.of(id);
        job.answered = true;
        let Task::All(all) = &job.task else { unreachable!("it was asked of all") };
        let (what, tongue) = (all.what, all.tongue);
        let failed = job.legs.iter().find_map(|leg| match leg.end {
            End::Failed(why) => Some((leg.set, leg.node, why)),
            _ => None,
        });
        let merged = match what {
            What::Stats => merge(tongue, &job.legs, &all.dress),
            What::Flush | What::Verbosity if failed.is_none() => first_refusal(tongue, &job.legs),
            What::Flush | What::Verbosity => None,
        };
        let waiters: Vec<Waiter> = job.waiters.drain(..).collect();
        let reply = merged.unwrap_or_else(|| self.all_failed(tongue, failed));
        if what == What::Flush {
            self.close_flights();
        }
        for waiter in waiters {
            // What was merged is packets for this client already.
            let done = what == What::Stats && tongue == Tongue::Binary;
            let answer = if done && is_own(&reply, &waiter.dress) {
                Answer { reply: reply.clone(), ..Answer::default() }
            } else {
                dress(&reply, &waiter.dress)
            };
            self.done.push_back((waiter, answer));
        }
    }

    fn all_failed(&mut self, tongue: Tongue, failed: Option<(usize, usize, Why)>) -> Reply {
        let Some((set, node, why)) = failed else { return error(tongue, "there is no server") };
        let server = self.backends.server(set, node);
        let server = server.map_or("a server", |server| server.name.as_str());
        let text = match why {
            Why::Refused(refusal) => format!("{server}: {refusal}"),
            Why::Failed(failure) => format!("{server}: {failure}"),
        };
        error(tongue, &text)
    }
}

/// Whether packets carry the opaque of this client.
fn is_own(reply: &Reply, dress: &Dress) -> bool {
    match dress {
        Dress::Packet { opaque, .. } => reply.first.get(12..16) == Some(&opaque[..]),
        _ => false,
    }
}

/// The first reply that is no success, or else the first.
fn first_refusal(tongue: Tongue, legs: &[Leg]) -> Option<Reply> {
    let refused = |leg: &&Leg| match tongue {
        Tongue::Text => !leg.reply.first.starts_with(b"OK"),
        Tongue::Binary => binary::status_of(&leg.reply.first) != binary::OK,
    };
    legs.iter().find(refused).or_else(|| legs.first()).map(|leg| leg.reply.clone())
}

/// The replies to `stats` as one; nothing if nobody has replied.
fn merge(tongue: Tongue, legs: &[Leg], dress: &Dress) -> Option<Reply> {
    let mut replies = legs.iter().filter(|leg| leg.end == End::Replied).map(|leg| &leg.reply);
    let first = replies.clone().next()?;
    let lines_of = |reply: &Reply| match tongue {
        Tongue::Text => text_lines(reply),
        Tongue::Binary => packets(reply),
    };
    // A word such as RESET, an error, or lines that are not about counters.
    let Some(mut lines) = lines_of(first) else { return Some(first.clone()) };
    if legs.len() == 1 && tongue == Tongue::Text {
        return Some(first.clone());
    }
    let mut places: BTreeMap<Bytes, usize> =
        lines.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
    replies.next();
    for (name, value) in replies.filter_map(lines_of).flatten() {
        match places.get(&name) {
            Some(&at) => lines[at].1 = sum(&name, &lines[at].1, &value),
            None => {
                places.insert(name.clone(), lines.len());
                lines.push((name, value));
            }
        }
    }
    Some(stats_reply(&lines, dress))
}

fn sum(name: &[u8], a: &Bytes, b: &Bytes) -> Bytes {
    let last = name.rsplit(|&c| c == b':').next().unwrap_or(name);
    let number = |text: &[u8]| core::str::from_utf8(text).ok()?.parse::<u64>().ok();
    match (number(a), number(b)) {
        (Some(a), Some(b)) if !NO_SUMS.contains(&last) => {
            Bytes::from(a.saturating_add(b).to_string())
        }
        _ => a.clone(),
    }
}

/// `STAT <name> <value>` lines, if the reply is made of them.
fn text_lines(reply: &Reply) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    let chunks = core::iter::once(&reply.first).chain(&reply.rest);
    for chunk in chunks {
        for line in chunk.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line == b"END" {
                continue;
            }
            let rest = line.strip_prefix(b"STAT ")?;
            let space = memchr::memchr(b' ', rest)?;
            lines.push((chunk.slice_ref(&rest[..space]), chunk.slice_ref(&rest[space + 1..])));
        }
    }
    Some(lines)
}

/// The packets of a binary `stat` but the last, which is empty.
fn packets(reply: &Reply) -> Option<Vec<Line>> {
    let mut all = BytesMut::new();
    core::iter::once(&reply.first).chain(&reply.rest).for_each(|c| all.extend_from_slice(c));
    let mut all = all.freeze();
    let mut lines = Vec::new();
    while all.len() >= HEADER_BYTES {
        if binary::status_of(&all) != binary::OK {
            return None;
        }
        let body = u32::from_be_bytes([all[8], all[9], all[10], all[11]]) as usize;
        let whole = (HEADER_BYTES + body).min(all.len());
        let packet = all.slice(..whole);
        let (key, value) = binary::key_and_value(&packet);
        if !key.is_empty() {
            lines.push((key, value));
        }
        all.advance(whole);
    }
    Some(lines)
}

/// Lines of `stats` as a client awaits them.
pub(crate) fn stats_reply(lines: &[Line], dress: &Dress) -> Reply {
    let mut all = BytesMut::new();
    for (name, value) in lines {
        if let Dress::Packet { opaque, .. } = dress {
            all.extend_from_slice(&binary::packet(STAT, *opaque, binary::OK, name, value));
        } else {
            [&b"STAT "[..], name, b" ", value, b"\r\n"]
                .iter()
                .for_each(|p| all.extend_from_slice(p));
        }
    }
    match dress {
        Dress::Packet { opaque, .. } => {
            all.extend_from_slice(&binary::packet(STAT, *opaque, binary::OK, b"", b""));
        }
        _ => all.extend_from_slice(b"END\r\n"),
    }
    Reply::of(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(reply: &'static [u8]) -> Leg {
        let reply = Reply::of(Bytes::from_static(reply));
        Leg { set: 0, node: 0, reply, end: End::Replied }
    }

    #[test]
    fn amounts_are_added_and_the_rest_is_the_firsts() {
        let legs = [
            leg(b"STAT pid 7\r\nSTAT get_hits 2\r\nSTAT version x\r\nEND\r\n"),
            leg(b"STAT pid 8\r\nSTAT get_hits 40\r\nSTAT version y\r\nSTAT more 1\r\nEND\r\n"),
        ];
        let merged = merge(Tongue::Text, &legs, &Dress::Plain).expect("merged");
        let expected: &[u8] =
            b"STAT pid 7\r\nSTAT get_hits 42\r\nSTAT version x\r\nSTAT more 1\r\nEND\r\n";
        assert_eq!(merged.first, expected);
    }

    #[test]
    fn a_word_is_passed_on() {
        let merged = merge(Tongue::Text, &[leg(b"RESET\r\n"), leg(b"RESET\r\n")], &Dress::Plain);
        assert_eq!(merged.expect("merged").first, &b"RESET\r\n"[..]);
        assert_eq!(merge(Tongue::Text, &[], &Dress::Plain), None);
    }

    #[test]
    fn packets_are_taken_apart_and_put_together() {
        let dress = Dress::Packet { opcode: STAT, opaque: *b"wxyz", hides: None };
        let lines = [(Bytes::from_static(b"curr_items"), Bytes::from_static(b"5"))];
        let reply = stats_reply(&lines, &dress);
        assert_eq!(packets(&reply).as_deref(), Some(&lines[..]));
        assert!(is_own(&reply, &dress));
    }
}
