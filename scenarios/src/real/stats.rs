//! Counters of real servers, as they tell them themselves: memcached's `stats`.
//!
//! One connection for each server, kept through the run. It is not counted among the server's
//! connections; its few requests are among its bytes. A server that does not answer at once has no
//! counters this time.

use crate::sample::Reading;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to connect or to answer.
const ANSWER_MAX: Duration = Duration::from_millis(200);
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Asks servers for their counters.
#[derive(Debug, Default)]
pub(super) struct Asker {
    connections: BTreeMap<SocketAddr, TcpStream>,
    /// How often each server was connected to, of which its totals know.
    connects: BTreeMap<SocketAddr, u64>,
}

impl Asker {
    /// The counters of the memcached at an address; empty if it does not answer.
    pub(super) fn read(&mut self, at: SocketAddr) -> Reading {
        let answer = self.ask(at);
        let Some(answer) = answer else {
            self.connections.remove(&at);
            return Reading::new();
        };
        let mut reading = counters(&answer);
        let connects = self.connects.get(&at).copied().unwrap_or(0);
        for (name, own) in [("curr_connections", 1), ("total_connections", connects)] {
            if let Some(count) = reading.get_mut(name) {
                *count = count.saturating_sub(own);
            }
        }
        reading
    }

    fn ask(&mut self, at: SocketAddr) -> Option<String> {
        let stream = match self.connections.entry(at) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let stream = TcpStream::connect_timeout(&at, ANSWER_MAX).ok()?;
                stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
                stream.set_write_timeout(Some(ANSWER_MAX)).ok()?;
                *self.connects.entry(at).or_default() += 1;
                place.insert(stream)
            }
        };
        stream.write_all(b"stats\r\n").ok()?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(b"END\r\n") {
            match stream.read(&mut part) {
                Ok(n) if n > 0 && answer.len() < ANSWER_BYTES_MAX => {
                    answer.extend_from_slice(&part[..n]);
                }
                _ => return None,
            }
        }
        String::from_utf8(answer).ok()
    }
}

/// Lines of `STAT name number`; others have no number.
fn counters(answer: &str) -> Reading {
    let counter = |line: &str| {
        let mut words = line.split_whitespace();
        let (Some("STAT"), Some(name), Some(value)) = (words.next(), words.next(), words.next())
        else {
            return None;
        };
        Some((name.to_owned(), value.parse().ok()?))
    };
    answer.lines().filter_map(counter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_words_left_out() {
        let reading = counters("STAT version 1.6\r\nSTAT get_hits 7\r\nSTAT bytes 81\r\nEND\r\n");
        assert_eq!(reading.get("get_hits"), Some(&7));
        assert_eq!(reading.get("bytes"), Some(&81));
        assert_eq!(reading.len(), 2);
    }
}
