//! Connecting: handshakes, SYN and accept queues, refusals.
//!
//! The modelled kernel completes a handshake and takes data before the process accepts. With the
//! accept queue full a SYN is dropped and the connecting side tries again after 1, 2, 4 … seconds,
//! until its own time-out; a handshake that was under way when the queue filled up is complete for
//! the connecting side alone, and is reset when room does not come.
//!
//! Not modelled: SYN cookies, simultaneous open, TIME_WAIT.

use super::tcp::{Owner, Phase};
use super::{Net, Notice, Route};
use crate::queue::{Event, Queue};
use bytes::Bytes;
use std::collections::VecDeque;
use storytime_machine::{Conn, Duration, Endpoint, Gone, IpAddr, Time, Token};

/// First wait of a SYN for its answer.
const SYN_RTO: Duration = Duration::from_secs(1);
/// SYNs of one connect, the first included, as Linux's default.
const SYN_ATTEMPTS_MAX: u32 = 7;
/// How often the handshake's answer is sent again, as Linux's default.
const SYN_ACK_RETRIES_MAX: u32 = 5;
/// How long a half-open connection waits: 1, 2, 4 … seconds for each answer.
const HALF_OPEN_MAX: Duration = Duration::from_secs((1 << (SYN_ACK_RETRIES_MAX + 1)) - 1);

/// What a listener listens on, within one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Tcp { host: u32, port: u16 },
    Unix { host: u32, path: Bytes },
}

/// A process that takes connections from a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acceptor {
    pub(crate) process: u32,
    pub(crate) token: Token,
    pub(crate) accepting: bool,
}

/// A listening socket, shared by the workers of one program.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) key: Key,
    /// The program whose workers may share it.
    pub(crate) program: u32,
    pub(crate) acceptors: Vec<Acceptor>,
    /// Which acceptor is asked first, in turn.
    turn: usize,
    backlog: u32,
    /// Listens on the loopback address: no other host gets in.
    near: bool,
    half_open: u32,
    queue: VecDeque<u32>,
    pub(crate) open: bool,
}

#[cfg(test)]
impl Listener {
    /// Nothing waits in its queues.
    pub(crate) fn is_idle(&self) -> bool {
        self.half_open == 0 && self.queue.is_empty()
    }
}

impl Net {
    /// Opens a listener, or joins the one that another worker of the same program has there.
    /// Returns its number.
    pub(crate) fn listen(
        &mut self,
        key: Key,
        program: u32,
        backlog: u32,
        near: bool,
        acceptor: Acceptor,
    ) -> Result<u32, ()> {
        if let Some(&index) = self.listening.get(&key) {
            let listener = &mut self.listeners[index as usize];
            let twice = listener.acceptors.iter().any(|a| a.process == acceptor.process);
            if listener.program != program || twice {
                return Err(());
            }
            listener.acceptors.push(acceptor);
            return Ok(index);
        }
        // A closed listener's place is used again, so that reopening for ever costs nothing.
        let place = self.listeners.iter().position(|l| !l.open && l.half_open == 0);
        let index = place.unwrap_or(self.listeners.len());
        let listener = Listener {
            key: key.clone(),
            program,
            acceptors: vec![acceptor],
            turn: 0,
            backlog,
            near,
            half_open: 0,
            queue: VecDeque::new(),
            open: true,
        };
        match place {
            Some(place) => self.listeners[place] = listener,
            None => self.listeners.push(listener),
        }
        self.listening.insert(key, index as u32);
        Ok(index as u32)
    }

    /// Whether something of another program listens at the key.
    pub(crate) fn is_free(&self, key: &Key) -> bool {
        !self.listening.contains_key(key)
    }

    /// Takes a process's hands off a listener. The last one closes it and resets its queue.
    pub(crate) fn unlisten(&mut self, queue: &mut Queue, now: Time, process: u32, index: u32) {
        let listener = &mut self.listeners[index as usize];
        listener.acceptors.retain(|a| a.process != process);
        if listener.open && listener.acceptors.is_empty() {
            self.close_listener(queue, now, index, true);
        }
    }

    /// Closes a listener; its waiting connections are reset, or vanish with the power.
    pub(crate) fn close_listener(&mut self, queue: &mut Queue, now: Time, index: u32, reset: bool) {
        let listener = &mut self.listeners[index as usize];
        listener.open = false;
        self.listening.remove(&listener.key);
        for end in core::mem::take(&mut listener.queue) {
            if reset {
                self.send_rst(queue, now, end);
            }
            self.release(end, if reset { Phase::Free } else { Phase::Vanished });
        }
    }

    /// Starts a connect from `from` host to `host` (`None`: no host has the address).
    pub(crate) fn connect(
        &mut self,
        queue: &mut Queue,
        now: Time,
        from: u32,
        target: Option<(u32, Key)>,
        owner: Owner,
        timeout: Duration,
    ) -> u32 {
        let client = self.new_pair();
        let to = target.as_ref().map_or(from, |(host, _)| *host);
        let path = self.path(from, to);
        let back = self.paths[path as usize].back;
        self.ends[(client ^ 1) as usize].path = back;
        let end = &mut self.ends[client as usize];
        (end.path, end.owner, end.phase) = (path, owner, Phase::AwaitSynAck);
        let age = end.age;
        queue.push(now + timeout, Event::ConnectTimeout { end: client, age });
        let floats = |to: &Endpoint| matches!(to, Endpoint::Tcp(to) if self.floats(to.ip()));
        if floats(&self.ends[client as usize].owner.peer) {
            for end in [client, client ^ 1] {
                self.ends[end as usize].route = Route::Floating;
            }
        }
        let Some((_, key)) = target else {
            let at = self.paths[path as usize].packet(now);
            queue.push(at, Event::Refuse { end: client, age, unreachable: true });
            return client;
        };
        // The accepting side's owner holds the key until somebody accepts.
        self.ends[(client ^ 1) as usize].owner.peer = match &key {
            Key::Tcp { port, .. } => Endpoint::any(*port),
            Key::Unix { path, .. } => Endpoint::Unix(path.clone()),
        };
        self.syn_retry(queue, now, client, 0);
        client
    }

    /// Sends the SYN, and plans the next.
    pub(super) fn syn_retry(&mut self, queue: &mut Queue, now: Time, end: u32, attempt: u32) {
        if self.ends[end as usize].phase != Phase::AwaitSynAck || attempt == SYN_ATTEMPTS_MAX {
            return;
        }
        let (age, path) = (self.ends[end as usize].age, self.ends[end as usize].path);
        let at = self.paths[path as usize].stream(now, 0);
        queue.push(at, Event::Syn { end, age });
        let next = now + SYN_RTO * (1 << attempt);
        queue.push(next, Event::SynRetry { end, age, attempt: attempt + 1 });
    }

    pub(super) fn syn_arrives(&mut self, queue: &mut Queue, now: Time, client: u32) {
        let server = client ^ 1;
        if !self.arrives(client) || self.ends[client as usize].phase != Phase::AwaitSynAck {
            return;
        }
        let age = self.ends[client as usize].age;
        match self.ends[server as usize].phase {
            Phase::AwaitAck(_) | Phase::AwaitAccept(_) | Phase::Open => {} // Answered again below.
            Phase::AwaitSynAck => unreachable!("the accepting side never connects"),
            Phase::Free | Phase::Vanished => match self.admit(server) {
                Admission::Refused => {
                    let back = self.ends[server as usize].path;
                    let at = self.paths[back as usize].packet(now);
                    queue.push(at, Event::Refuse { end: client, age, unreachable: false });
                    return;
                }
                Admission::Dropped => return,
                Admission::Begun => {}
            },
        }
        let back = self.ends[server as usize].path;
        let at = self.paths[back as usize].packet(now);
        queue.push(at, Event::SynAck { end: client, age });
    }

    /// Puts a SYN into a listener's SYN queue.
    fn admit(&mut self, server: u32) -> Admission {
        let host = self.paths[self.ends[server as usize].path as usize].from;
        let key = match &self.ends[server as usize].owner.peer {
            Endpoint::Tcp(addr) => Key::Tcp { host, port: addr.port() },
            Endpoint::Unix(path) => Key::Unix { host, path: path.clone() },
        };
        let Some(&index) = self.listening.get(&key) else { return Admission::Refused };
        let syn_backlog = self.tcp.syn_backlog;
        let listener = &mut self.listeners[index as usize];
        if listener.near && self.paths[self.ends[server as usize].path as usize].to != host {
            return Admission::Refused;
        }
        if listener.queue.len() >= listener.backlog as usize || listener.half_open >= syn_backlog {
            return Admission::Dropped;
        }
        listener.half_open += 1;
        self.ends[server as usize].phase = Phase::AwaitAck(index);
        Admission::Begun
    }

    pub(super) fn syn_ack(&mut self, queue: &mut Queue, now: Time, client: u32) -> Notice {
        let server = client ^ 1;
        let through = self.gets_through(self.ends[server as usize].path);
        let (asks, answers) = (self.ends[client as usize].phase, self.ends[server as usize].phase);
        if !through || asks != Phase::AwaitSynAck {
            if matches!(answers, Phase::AwaitAck(_)) && asks != Phase::Open {
                // The accepting side waits in vain, for a time at the longest.
                let age = self.ends[server as usize].age;
                queue.push(now + HALF_OPEN_MAX, Event::HalfOpenOver { end: server, age });
                if through {
                    self.send_rst(queue, now, client);
                }
            }
            return Notice::Nothing;
        }
        if matches!(answers, Phase::Free | Phase::Vanished) {
            return Notice::Nothing;
        }
        self.ends[client as usize].phase = Phase::Open;
        let path = self.ends[client as usize].path;
        let at = self.paths[path as usize].packet(now);
        let age = self.ends[server as usize].age;
        queue.push(at, Event::Ack { end: server, age, attempt: 0 });
        Notice::Connected(client)
    }

    /// The handshake's last packet. If the accept queue is full it counts for nothing, and the
    /// answer is sent again for a while; meanwhile the connecting side believes in its connection.
    pub(super) fn ack(
        &mut self,
        queue: &mut Queue,
        now: Time,
        server: u32,
        attempt: u32,
    ) -> Notice {
        let Phase::AwaitAck(index) = self.ends[server as usize].phase else {
            return Notice::Nothing;
        };
        let astray = self.ends[server as usize].route == Route::Astray;
        let through = !astray && self.arrives(server ^ 1);
        let notice = if through { self.promote(server) } else { Notice::Nothing };
        if notice != Notice::Nothing {
            return notice;
        }
        if attempt == SYN_ACK_RETRIES_MAX || !self.listeners[index as usize].open {
            // A real kernel forgets in silence and resets at the peer's next packet.
            self.listeners[index as usize].half_open -= 1;
            self.answer_with_rst(queue, now, server);
            self.release(server, Phase::Free);
            return Notice::Nothing;
        }
        let age = self.ends[server as usize].age;
        let next = now + SYN_RTO * (1 << attempt);
        queue.push(next, Event::Ack { end: server, age, attempt: attempt + 1 });
        Notice::Nothing
    }

    /// No last packet came in all the time that the answer was sent again.
    pub(super) fn half_open_over(&mut self, server: u32) {
        if matches!(self.ends[server as usize].phase, Phase::AwaitAck(_)) {
            self.leave_listener(server);
            self.release(server, Phase::Free);
        }
    }

    /// Moves a half-open connection into the accept queue, if that has room.
    pub(super) fn promote(&mut self, server: u32) -> Notice {
        let Phase::AwaitAck(index) = self.ends[server as usize].phase else {
            return Notice::Nothing;
        };
        let listener = &mut self.listeners[index as usize];
        if !listener.open || listener.queue.len() >= listener.backlog as usize {
            return Notice::Nothing;
        }
        listener.half_open -= 1;
        listener.queue.push_back(server);
        self.ends[server as usize].phase = Phase::AwaitAccept(index);
        Notice::Acceptable(index)
    }

    /// The acceptor that wants a connection waiting here: the least reluctant, and of these the
    /// next in turn.
    pub(crate) fn next_acceptor(
        &mut self,
        index: u32,
        reluctance: impl Fn(u32) -> u32,
    ) -> Option<Acceptor> {
        let listener = &mut self.listeners[index as usize];
        if listener.queue.is_empty() {
            return None;
        }
        let count = listener.acceptors.len();
        let in_turn = (0..count).map(|step| (listener.turn + step) % count);
        let wanting = in_turn.filter(|&at| listener.acceptors[at].accepting);
        let at = wanting.min_by_key(|&at| reluctance(listener.acceptors[at].process))?;
        listener.turn = (at + 1) % count;
        Some(listener.acceptors[at])
    }

    /// Takes the first waiting connection.
    pub(crate) fn accept(&mut self, index: u32) -> Option<u32> {
        let end = self.listeners[index as usize].queue.pop_front()?;
        self.ends[end as usize].phase = Phase::Open;
        Some(end)
    }

    /// Whether a process takes connections from a listener of its own.
    pub(crate) fn set_accepting(&mut self, index: u32, process: u32, on: bool) {
        let acceptors = &mut self.listeners[index as usize].acceptors;
        if let Some(acceptor) = acceptors.iter_mut().find(|a| a.process == process) {
            acceptor.accepting = on;
        }
    }

    /// An end that waits in a listener's queues leaves them.
    pub(super) fn leave_listener(&mut self, end: u32) {
        match self.ends[end as usize].phase {
            Phase::AwaitAck(index) => self.listeners[index as usize].half_open -= 1,
            Phase::AwaitAccept(index) => {
                self.listeners[index as usize].queue.retain(|&waiting| waiting != end);
            }
            _ => {}
        }
    }

    /// A connect ends without coming up.
    pub(super) fn connect_over(&mut self, end: u32, why: Gone) -> Notice {
        if self.ends[end as usize].phase == Phase::AwaitSynAck {
            Notice::Failed(end, why)
        } else {
            Notice::Nothing
        }
    }

    /// The address a peer sees, for the accepting side.
    pub(crate) fn set_peer(&mut self, end: u32, process: u32, conn: Conn, ip: IpAddr) -> Endpoint {
        let peer = match self.ends[end as usize].owner.peer {
            Endpoint::Tcp(_) => {
                // Ephemeral ports: one for each pair, which is as unique as an address needs to be.
                let port = 32_768 + (end / 2 % 28_000) as u16;
                Endpoint::tcp(ip, port)
            }
            Endpoint::Unix(_) => Endpoint::Unix(Bytes::new()),
        };
        let owner = &mut self.ends[end as usize].owner;
        (owner.process, owner.conn) = (process, conn);
        owner.peer = peer.clone();
        peer
    }
}

enum Admission {
    Refused,
    Dropped,
    Begun,
}
