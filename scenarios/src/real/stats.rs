//! Counters of real servers, as they tell them themselves: memcached's `stats`, a proxy's
//! `stats proxy`, a database's `INFO`, a job server's `counters`.
//!
//! One connection for each server, kept through the run. It is not counted among the server's
//! connections; its few requests are among its bytes. A server that does not answer at once is
//! taken to have counted nothing since the last time; what it did count is told the next time.

use crate::sample::Reading;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to connect or to answer, so that the rest is not late.
const ANSWER_MAX: Duration = Duration::from_millis(200);
/// The same at the end of the run, when nothing else waits.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(2);
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Asks servers for their counters.
#[derive(Debug, Default)]
pub(super) struct Asker {
    connections: BTreeMap<SocketAddr, TcpStream>,
    /// How often each server was connected to, of which its totals know.
    connects: BTreeMap<SocketAddr, u64>,
    /// What each server said when it last said anything.
    said: BTreeMap<SocketAddr, Reading>,
}

impl Asker {
    /// Asks the server at an address for its counters. All servers are asked before any answer is
    /// read, so that all tell of the same moment.
    pub(super) fn ask(&mut self, at: SocketAddr, request: &str) {
        if let Err(why) = self.send(at, request) {
            self.lost(at, &why);
        }
    }

    /// The counters that the server at an address was asked for; those of the last time if it is
    /// silent, none if it is gone. `last`: the run is over.
    pub(super) fn read(&mut self, at: SocketAddr, last: bool) -> Reading {
        let patience = if last { LAST_ANSWER_MAX } else { ANSWER_MAX };
        let answer = self.connections.get_mut(&at).map(|stream| receive(stream, patience));
        match answer {
            Some(Ok(answer)) => {
                let reading = self.without_asker(at, counters(&answer));
                self.said.insert(at, reading);
            }
            Some(Err(why)) => self.lost(at, &why),
            None => {}
        }
        self.said.get(&at).cloned().unwrap_or_default()
    }

    /// Leaves this asker's own connections out.
    fn without_asker(&self, at: SocketAddr, mut reading: Reading) -> Reading {
        let connects = self.connects.get(&at).copied().unwrap_or(0);
        let owns = [
            ("curr_connections", 1),
            ("total_connections", connects),
            ("connections", 1),
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

    /// An answer that comes later would be taken for that to the next question, so the connection
    /// is left. Only of a server that is gone there is nothing to tell any more.
    fn lost(&mut self, at: SocketAddr, why: &Error) {
        self.connections.remove(&at);
        if !matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            self.said.remove(&at);
        }
    }

    fn send(&mut self, at: SocketAddr, request: &str) -> Result<(), Error> {
        let stream = match self.connections.entry(at) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let stream = TcpStream::connect_timeout(&at, ANSWER_MAX)?;
                stream.set_write_timeout(Some(ANSWER_MAX))?;
                *self.connects.entry(at).or_default() += 1;
                place.insert(stream)
            }
        };
        stream.write_all(request.as_bytes())
    }
}

fn receive(stream: &mut TcpStream, patience: Duration) -> Result<String, Error> {
    stream.set_read_timeout(Some(patience))?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while !is_whole(&answer) {
        match stream.read(&mut part)? {
            n if n > 0 && answer.len() < ANSWER_BYTES_MAX => answer.extend_from_slice(&part[..n]),
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
    String::from_utf8(answer).map_err(|_| ErrorKind::InvalidData.into())
}

/// Whether an answer is at its end: a line that says so, or the length that it begins with.
fn is_whole(answer: &[u8]) -> bool {
    let Some(rest) = answer.strip_prefix(b"$") else {
        return answer.ends_with(b"END\r\n") || answer.ends_with(b"\n.\n");
    };
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return false };
    let length = std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok());
    length.is_some_and(|length: usize| rest.len() >= end + length + 4)
}

/// Lines of `STAT name number`, `name:number`, or with a tab; others have no number.
fn counters(answer: &str) -> Reading {
    let counter = |line: &str| {
        if let Some((name, value)) = line.split_once([':', '\t']) {
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
    use std::net::TcpListener;

    #[test]
    fn numbers_are_read_and_words_left_out() {
        let reading = counters("STAT version 1.6\r\nSTAT get_hits 7\r\nSTAT bytes 81\r\nEND\r\n");
        assert_eq!(reading.get("get_hits"), Some(&7));
        assert_eq!(reading.get("bytes"), Some(&81));
        assert_eq!(reading.len(), 2);
    }

    #[test]
    fn a_silent_server_keeps_its_counters_and_one_that_is_gone_has_none() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
        let at = listener.local_addr().expect("it listens");
        let mut asker = Asker::default();
        asker.ask(at, "stats\r\n");
        let (mut server, _) = listener.accept().expect("the asker connected");
        server.write_all(b"STAT get_hits 7\r\nEND\r\n").expect("it reads");
        let told = asker.read(at, false);
        assert_eq!(told.get("get_hits"), Some(&7));
        asker.ask(at, "stats\r\n");
        assert_eq!(asker.read(at, false), told, "it says nothing");
        drop((server, listener));
        asker.ask(at, "stats\r\n");
        assert_eq!(asker.read(at, false), Reading::new(), "nobody is there");
    }

    #[test]
    fn a_job_servers_answer_ends_with_a_line_of_a_dot() {
        let answer = "packets\t17\njobs\t3\n.\n";
        let ends = (0..answer.len()).find(|&n| is_whole(&answer.as_bytes()[..n]));
        assert_eq!((ends, is_whole(answer.as_bytes())), (None, true));
        let reading = counters(answer);
        assert_eq!((reading.get("packets"), reading.get("jobs")), (Some(&17), Some(&3)));
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
