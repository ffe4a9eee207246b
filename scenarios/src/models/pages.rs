//! Asking web servers for pages: a part of browsers, and of proxies between them and the servers.
//!
//! Each request goes to one of several servers, over a connection of its own that is kept for the
//! next one. A server that cannot be reached is left alone for a while, and the request goes to
//! another; one that was sent is never sent again.
//!
//! Not modelled: what stands in the pages, redirects, caches of browsers.

use super::http::{self, Answer};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use storytime_machine::{Buf, BytesMut, Close, Conn, Cx, Endpoint, Open, Time, Token};

/// Tokens that it uses from its base on.
pub const TOKENS: u64 = 1 << 40;
/// How long a server that cannot be reached is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// How the next server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// One after the other.
    InTurn,
    /// The one with the fewest requests under way.
    LeastBusy,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// With a page of so many bytes.
    Came(usize),
    /// The server could not build it.
    Refused,
    /// No server, or none that answered in time.
    Lost,
}

/// A server.
#[derive(Debug)]
struct Server {
    at: Endpoint,
    idle: Vec<Conn>,
    under_way: u32,
    down_until: Time,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Its connection comes up.
    Connecting,
    /// It was sent.
    AwaitHead(Conn),
    /// So much of the page is still to come, of so much.
    AwaitPage(Conn, usize, Answer),
}

/// A request.
#[derive(Debug)]
struct Asked {
    tag: u64,
    path: String,
    server: usize,
    stand: Stand,
    /// Servers that it was tried on.
    tried: u32,
}

/// All requests of one host.
#[derive(Debug)]
pub struct Pages {
    base: u64,
    choose: Choose,
    timeout: Duration,
    servers: Vec<Server>,
    /// Where the search for the next server begins.
    turn: usize,
    next: u64,
    asked: BTreeMap<u64, Asked>,
    /// Which request a connection carries.
    carries: BTreeMap<Conn, u64>,
    /// In the order of asking, so that the first has the first deadline.
    deadlines: VecDeque<(Time, u64)>,
    ended: VecDeque<(u64, Page)>,
}

impl Pages {
    /// Asks these servers, with tokens from `base` on.
    pub fn new(servers: &[Endpoint], choose: Choose, timeout: Duration, base: Token) -> Self {
        let server = |at: &Endpoint| Server {
            at: at.clone(),
            idle: Vec::new(),
            under_way: 0,
            down_until: Time::ZERO,
        };
        Self {
            base: base.0,
            choose,
            timeout,
            servers: servers.iter().map(server).collect(),
            turn: 0,
            next: 1,
            asked: BTreeMap::new(),
            carries: BTreeMap::new(),
            deadlines: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    /// Asks for a page; exactly one end follows under this tag.
    pub fn ask(&mut self, cx: &mut Cx, path: String, tag: u64) {
        let id = self.next;
        self.next += 1;
        let deadline = cx.now() + self.timeout;
        if self.deadlines.is_empty() {
            cx.at(Token(self.base), deadline);
        }
        self.deadlines.push_back((deadline, id));
        let asked = Asked { tag, path, server: 0, stand: Stand::Connecting, tried: 0 };
        self.asked.insert(id, asked);
        self.send(cx, id);
    }

    /// The next end: tag and page.
    pub fn next_end(&mut self) -> Option<(u64, Page)> {
        self.ended.pop_front()
    }

    /// Sends a request to the next server, if there is one that it was not tried on.
    fn send(&mut self, cx: &mut Cx, id: u64) {
        let tried = self.asked.get(&id).map_or(0, |asked| asked.tried);
        let server = self.server(cx.now()).filter(|_| (tried as usize) < self.servers.len());
        let Some(server) = server else { return self.end(id, Page::Lost) };
        let Some(asked) = self.asked.get_mut(&id) else { return };
        (asked.server, asked.tried) = (server, tried + 1);
        let to = &mut self.servers[server];
        to.under_way += 1;
        while let Some(conn) = to.idle.pop() {
            if let Some(tx) = cx.tx(conn) {
                tx.write_with(|into| http::write_request(into, &asked.path));
                asked.stand = Stand::AwaitHead(conn);
                self.carries.insert(conn, id);
                return;
            }
        }
        asked.stand = Stand::Connecting;
        cx.connect(Token(self.base + id), to.at.clone(), self.timeout);
    }

    fn server(&mut self, now: Time) -> Option<usize> {
        let count = self.servers.len();
        let from = self.turn;
        let up = |n: &usize| self.servers[*n].down_until <= now;
        let mut in_turn = (0..count).map(|n| (from + n) % count).filter(up);
        let found = match self.choose {
            Choose::InTurn => in_turn.next(),
            Choose::LeastBusy => in_turn.min_by_key(|&n| self.servers[n].under_way),
        };
        self.turn = found.map_or(from, |n| (n + 1) % count);
        found
    }

    /// Ends a request; its connection, if it is in order, is kept by the caller.
    fn end(&mut self, id: u64, page: Page) {
        let Some(asked) = self.asked.remove(&id) else { return };
        if let Stand::AwaitHead(conn) | Stand::AwaitPage(conn, ..) = asked.stand {
            self.carries.remove(&conn);
        }
        if asked.tried > 0 {
            let server = &mut self.servers[asked.server];
            server.under_way = server.under_way.saturating_sub(1);
        }
        self.ended.push_back((asked.tag, page));
    }

    /// Whether the event was ours.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Open::Connected { connect: Token(token) } = how else { return false };
        let Some(id) = token.checked_sub(self.base).filter(|id| *id < TOKENS) else { return false };
        match (self.asked.get_mut(&id), cx.tx(conn)) {
            (Some(asked), Some(tx)) if asked.stand == Stand::Connecting => {
                tx.write_with(|into| http::write_request(into, &asked.path));
                asked.stand = Stand::AwaitHead(conn);
                self.carries.insert(conn, id);
            }
            // It ran out of time meanwhile.
            _ => cx.close(conn, Close::Abort),
        }
        true
    }

    /// Whether the event was ours.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let Some(&id) = self.carries.get(&conn) else { return false };
        let Some(asked) = self.asked.get_mut(&id) else { return false };
        if let Stand::AwaitHead(_) = asked.stand {
            match http::read_answer(rx) {
                Ok(None) => return true,
                Ok(Some(head)) => asked.stand = Stand::AwaitPage(conn, head.page_bytes, head),
                Err(http::Garbled) => {
                    rx.clear();
                    cx.close(conn, Close::Abort);
                    self.end(id, Page::Lost);
                    return true;
                }
            }
        }
        let Stand::AwaitPage(_, left, head) = asked.stand else { return true };
        let taken = left.min(rx.len());
        rx.advance(taken);
        asked.stand = Stand::AwaitPage(conn, left - taken, head);
        if left == taken {
            let server = asked.server;
            let page = match head.status {
                200 => Page::Came(head.page_bytes),
                _ => Page::Refused,
            };
            self.end(id, page);
            self.servers[server].idle.push(conn);
        }
        true
    }

    /// Whether the event was ours.
    pub fn on_gone(&mut self, conn: Conn) -> bool {
        for server in &mut self.servers {
            if let Some(at) = server.idle.iter().position(|idle| *idle == conn) {
                server.idle.swap_remove(at);
                return true;
            }
        }
        let Some(&id) = self.carries.get(&conn) else { return false };
        self.end(id, Page::Lost);
        true
    }

    /// Whether the event was ours.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token) -> bool {
        let id = connect.0.checked_sub(self.base).filter(|id| *id < TOKENS);
        let Some(id) = id else { return false };
        if let Some(asked) = self.asked.get(&id) {
            let server = &mut self.servers[asked.server];
            server.down_until = cx.now() + PAUSE;
            server.under_way = server.under_way.saturating_sub(1);
            self.send(cx, id);
        }
        true
    }

    /// Whether the event was ours: requests out of time end.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if timer.0 != self.base {
            return false;
        }
        while let Some(&(deadline, id)) = self.deadlines.front() {
            let over = !self.asked.contains_key(&id);
            if !over && deadline > cx.now() {
                cx.at(timer, deadline);
                break;
            }
            self.deadlines.pop_front();
            if let Some(Asked {
                stand: Stand::AwaitHead(conn) | Stand::AwaitPage(conn, ..), ..
            }) = self.asked.get(&id)
            {
                cx.close(*conn, Close::Abort);
            }
            self.end(id, Page::Lost);
        }
        true
    }

    /// Asserts what holds between any two calls.
    pub fn invariants(&self) {
        assert!(self.carries.len() <= self.asked.len(), "a request has one connection");
        assert!(self.asked.len() <= self.deadlines.len(), "every request has a deadline");
    }
}
