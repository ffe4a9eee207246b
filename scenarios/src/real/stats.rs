//! Counters of real servers, as they tell them themselves: memcached's `stats`, a proxy's
//! `stats proxy`, a database's `INFO`.
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
    /// The counters that the server at an address gives for a request; empty if it does not answer.
    pub(super) fn read(&mut self, at: SocketAddr, request: &str) -> Reading {
        let answer = self.ask(at, request);
        let Some(answer) = answer else {
            self.connections.remove(&at);
            return Reading::new();
        };
        let mut reading = counters(&answer);
        let connects = self.connects.get(&at).copied().unwrap_or(0);
        let owns = [
            ("curr_connections", 1),
            ("total_connections", connects),
            ("clients", 1),
            ("clients_total", connects),
            ("connected_clients", 1),
            ("total_connections_received", connects),
        ];
        for (name, own) in owns {
            if let Some(count) = reading.get_mut(name) {
                *count = count.saturating_sub(own);
            }
        }
        reading
    }

    fn ask(&mut self, at: SocketAddr, request: &str) -> Option<String> {
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
        stream.write_all(request.as_bytes()).ok()?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
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

/// Whether an answer is at its end: a line that says so, or the length that it begins with.
fn is_whole(answer: &[u8]) -> bool {
    let Some(rest) = answer.strip_prefix(b"$") else { return answer.ends_with(b"END\r\n") };
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return false };
    let length = std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok());
    length.is_some_and(|length: usize| rest.len() >= end + length + 4)
}

/// Lines of `STAT name number` or `name:number`; others have no number.
fn counters(answer: &str) -> Reading {
    let counter = |line: &str| {
        if let Some((name, value)) = line.split_once(':') {
            return Some((name.to_owned(), value.parse().ok()?));
        }
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

    #[test]
    fn a_databases_answer_ends_where_its_length_says() {
        let answer = "$26\r\n# Stats\r\nrows:7\r\nrole:ma\r\n";
        let ends = (0..answer.len()).find(|&n| is_whole(&answer.as_bytes()[..n]));
        assert_eq!(ends, None, "it lacks two bytes");
        assert!(is_whole(format!("{answer}\r\n").as_bytes()));
        assert_eq!(counters(answer).get("rows"), Some(&7));
    }
}
