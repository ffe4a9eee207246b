//! A toy server that speaks just enough RESP, and misbehaves on request.

use bytes::BytesMut;
use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use storytime_machine::{Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Token};

pub(crate) const PORT: u16 = 6379;

/// What happened on the servers, whatever became of their lives.
pub(crate) type Happened = Arc<Mutex<BTreeSet<u64>>>;

#[derive(Default)]
struct Peer {
    conn: Option<Conn>,
    database: u32,
    known: bool,
    sleeps: bool,
}

pub(crate) struct Toy {
    happened: Happened,
    conns_max: usize,
    password: Option<&'static [u8]>,
    peers: Vec<Peer>,
    open: usize,
    pub(crate) accepted: usize,
}

impl Toy {
    pub(crate) fn new(happened: Happened) -> Self {
        Self {
            happened,
            conns_max: usize::MAX,
            password: None,
            peers: Vec::new(),
            open: 0,
            accepted: 0,
        }
    }

    pub(crate) const fn with_conns_max(mut self, conns_max: usize) -> Self {
        self.conns_max = conns_max;
        self
    }

    pub(crate) const fn with_password(mut self, password: &'static [u8]) -> Self {
        self.password = Some(password);
        self
    }

    fn serve(&mut self, cx: &mut Cx, conn: Conn, words: &[&[u8]]) {
        let peer = &mut self.peers[conn.index()];
        let number = |at: usize| -> u64 {
            let text = core::str::from_utf8(words[at]).expect("the client writes text");
            text.parse().expect("the client writes numbers")
        };
        let known = peer.known || self.password.is_none();
        let mut reply = String::new();
        let reply = &mut reply;
        match words[0] {
            b"AUTH" if self.password == Some(words[1]) => {
                peer.known = true;
                reply.push_str("+OK\r\n");
            }
            _ if !known => reply.push_str("-NOAUTH Authentication required.\r\n"),
            b"SELECT" => {
                peer.database = number(1) as u32;
                reply.push_str("+OK\r\n");
            }
            b"WHICH" => write!(reply, ":{}\r\n", peer.database).expect("strings grow"),
            // Happens once, whenever.
            b"MARK" => {
                let fresh = self.happened.lock().expect("one thread").insert(number(1));
                assert!(fresh, "the client sent {} twice", number(1));
                write!(reply, ":{}\r\n", number(1)).expect("strings grow");
            }
            b"ECHO" => {
                let text = String::from_utf8_lossy(words[1]);
                write!(reply, "${}\r\n{text}\r\n", text.len()).expect("strings grow");
            }
            // Says so many bytes.
            b"LONG" => {
                let text = "x".repeat(number(1) as usize);
                write!(reply, "*2\r\n:1\r\n${}\r\n{text}\r\n", text.len()).expect("strings grow");
            }
            // Reads nothing further for so many milliseconds, then answers.
            b"SLEEP" => {
                peer.sleeps = true;
                cx.pause(conn, true);
                cx.after(Token(u64::from(conn.slot)), Duration::from_millis(number(1)));
            }
            b"GARBLE" => reply.push_str("what?\r\n"),
            b"TWICE" => reply.push_str(":1\r\n:2\r\n"),
            b"HANGUP" => cx.close(conn, Close::Abort),
            b"SILENCE" => {}
            other => panic!("the client asked for {}", other.escape_ascii()),
        }
        if let Some(tx) = cx.tx(conn) {
            tx.put(reply.as_bytes());
        }
    }
}

impl Machine for Toy {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(0), Listen::at(Endpoint::any(PORT)));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        if self.peers.len() <= conn.index() {
            self.peers.resize_with(conn.index() + 1, Peer::default);
        }
        self.accepted += 1;
        self.open += 1;
        self.peers[conn.index()] = Peer { conn: Some(conn), ..Peer::default() };
        if self.open > self.conns_max {
            if let Some(tx) = cx.tx(conn) {
                tx.put(b"-ERR max number of clients reached\r\n");
            }
            cx.close(conn, Close::Flush);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while !self.peers[conn.index()].sleeps
            && let Some((words, eaten)) = request(rx)
        {
            let whole = rx.split_to(eaten);
            let words: Vec<&[u8]> = words.iter().map(|word| &whole[word.clone()]).collect();
            self.serve(cx, conn, &words);
        }
    }

    fn gone(&mut self, _: &mut Cx, conn: Conn, _: Gone) {
        self.peers[conn.index()] = Peer::default();
        self.open -= 1;
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let peer = &mut self.peers[timer.0 as usize];
        peer.sleeps = false;
        if let Some(conn) = peer.conn
            && let Some(tx) = cx.tx(conn)
        {
            tx.put(b"+AWAKE\r\n");
            cx.pause(conn, false);
        }
    }
}

/// Where the words of the request at the front are, once it is whole, and where it ends.
fn request(rx: &BytesMut) -> Option<(Vec<core::ops::Range<usize>>, usize)> {
    let line = |at: usize| -> Option<(usize, usize)> {
        let end = at + rx.get(at..)?.iter().position(|&byte| byte == b'\n')?;
        let text = core::str::from_utf8(&rx[at + 1..end - 1]).expect("lengths are text");
        Some((text.parse().expect("lengths are numbers"), end + 1))
    };
    let (count, mut at) = line(0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, begin) = line(at)?;
        words.push(begin..begin + length);
        at = begin + length + 2;
    }
    (rx.len() >= at).then_some((words, at))
}
