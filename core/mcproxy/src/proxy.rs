//! The machine: who connects, what comes in, and what is told when.

use crate::backends::{Backends, Names};
use crate::client::{Client, Next};
use crate::config::Config;
use crate::dress::Answer;
use crate::flights::Flights;
use crate::front::{Action, Bounds};
use crate::jobs::{JobId, Jobs, To, Waiter};
use crate::rate::Rate;
use crate::setup::{Loader, Pending};
use crate::split::Split;
use crate::stats::{Counters, RouteStats};
use crate::table::Table;
use bytes::BytesMut;
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{
    BindError, Boot, Close, Conn, Cx, Endpoint, Exit, Gone, IpAddr, Machine, Open, ResolveError,
    Signal, Token, Work,
};

/// Requests taken in; one unit each.
pub const WORK_REQUESTS: Work = Work { index: 0, name: "mcproxy_requests" };
/// Requests sent to servers; one unit each.
pub const WORK_SENT: Work = Work { index: 1, name: "mcproxy_sent" };
/// Bytes taken in from clients and servers; one unit each.
pub const WORK_BYTES: Work = Work { index: 2, name: "mcproxy_bytes" };

/// What a client above the limit is told.
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";
/// How long a polite stop waits for clients to take their last replies.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Timers of the proxy's own; those of its connections to servers lie above.
pub(crate) mod timers {
    use storytime_machine::Token;

    /// Names without an address are looked up again.
    pub(crate) const RESOLVE: Token = Token(0);
    /// A polite stop has waited long enough.
    pub(crate) const STOP: Token = Token(1);
    /// A planned change is due; one timer per change from here on.
    pub(crate) const CHANGES: u64 = 1 << 16;
}

/// A proxy, as a machine.
pub struct Proxy {
    pub(crate) config: Config,
    pub(crate) table: Table,
    /// Counts the configs that came into use.
    pub(crate) generation: u32,
    pub(crate) names: Names,
    /// A config whose names are being looked up.
    pub(crate) pending: Option<Pending>,
    /// A config that is to be used from the next event on.
    pub(crate) next: Option<Config>,
    pub(crate) loader: Option<Loader>,
    pub(crate) changes: Vec<(Duration, Config)>,
    pub(crate) listeners: Vec<(Token, Endpoint)>,
    pub(crate) listeners_opened: u64,
    pub(crate) backends: Backends,
    pub(crate) jobs: Jobs,
    pub(crate) flights: Flights,
    pub(crate) rates: Vec<[Option<Rate>; 2]>,
    pub(crate) route_stats: Vec<RouteStats>,
    pub(crate) counters: Counters,
    /// Large values on their way.
    pub(crate) splits: Vec<Option<Split>>,
    /// Jobs whose legs have changed.
    pub(crate) changed: VecDeque<JobId>,
    /// Answers on their way to clients.
    pub(crate) done: VecDeque<(Waiter, Answer)>,
    /// Clients to look at once everything was done.
    touched: Vec<Conn>,
    peers: Vec<Option<Peer>>,
    clients: u32,
    scratch: BytesMut,
    pub(crate) opaque: u32,
    stopping: bool,
}

/// Who a client's slot is for.
enum Peer {
    Served(Box<Client>),
    /// Told to go, or hung up on.
    Leaving,
}

impl Proxy {
    pub(crate) fn with_table(config: Config, table: Table) -> Self {
        Self {
            config,
            table,
            generation: 0,
            names: Names::new(),
            pending: None,
            next: None,
            loader: None,
            changes: Vec::new(),
            listeners: Vec::new(),
            listeners_opened: 0,
            backends: Backends::default(),
            jobs: Jobs::default(),
            flights: Flights::default(),
            rates: Vec::new(),
            route_stats: Vec::new(),
            counters: Counters::default(),
            splits: Vec::new(),
            changed: VecDeque::new(),
            done: VecDeque::new(),
            touched: Vec::new(),
            peers: Vec::new(),
            clients: 0,
            scratch: BytesMut::new(),
            opaque: 0,
            stopping: false,
        }
    }

    pub(crate) fn client(&mut self, conn: Conn) -> Option<&mut Client> {
        match self.peers.get_mut(conn.index())? {
            Some(Peer::Served(client)) if client.conn == conn => Some(client),
            _ => None,
        }
    }

    /// Clients being served.
    pub(crate) const fn clients(&self) -> u32 {
        self.clients
    }

    fn accept(&mut self, cx: &mut Cx, conn: Conn) -> Peer {
        if self.clients >= self.config.clients_max {
            self.counters.clients_refused += 1;
            if let Some(tx) = cx.tx(conn) {
                tx.put(TOO_MANY);
            }
            cx.close(conn, Close::Flush);
            return Peer::Leaving;
        }
        self.counters.clients_total += 1;
        self.clients += 1;
        Peer::Served(Box::new(Client::new(conn, self.config.value_bytes_max)))
    }

    /// Ends the service of a client. What it asked for runs to its end without it.
    fn leave(&mut self, conn: Conn) {
        let Some(Some(peer)) = self.peers.get_mut(conn.index()) else { return };
        if let Peer::Served(_) = core::mem::replace(peer, Peer::Leaving) {
            self.clients -= 1;
        }
    }

    /// Takes requests off a client's input.
    fn serve(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let bounds =
            Bounds { value_bytes_max: self.config.value_bytes_max, version: crate::VERSION };
        let before = rx.len();
        let mut requests = 0;
        loop {
            let Some(Some(Peer::Served(client))) = self.peers.get_mut(conn.index()) else {
                rx.clear();
                break;
            };
            if client.conn != conn || !client.may_ask(cx) {
                client.pace(cx);
                break;
            }
            let action = client.step(rx, &mut self.scratch, &bounds);
            if let Action::Await = action {
                break;
            }
            requests += u64::from(!matches!(action, Action::Ate | Action::End));
            self.act(cx, conn, action);
        }
        self.counters.requests += requests;
        cx.work(WORK_REQUESTS, requests);
        cx.work(WORK_BYTES, (before - rx.len()) as u64);
        self.touched.push(conn);
    }

    fn act(&mut self, cx: &mut Cx, conn: Conn, action: Action) {
        let Some(client) = self.client(conn) else { return };
        match action {
            Action::Await | Action::Ate => {}
            Action::Reply(bytes) => client.answer(Answer::of(bytes)),
            Action::End => client.end_retrieval(),
            Action::EndWith(error) => {
                client.answer(Answer { spoils_end: true, ..Answer::of(error) });
                client.end_retrieval();
            }
            Action::Ask(request, dress) => {
                let seq = client.await_answer();
                let waiter = Waiter { to: To::Client { conn, seq }, dress };
                if !self.is_split(&request) {
                    return self.ask(cx, request, waiter);
                }
                if let Some(client) = self.client(conn) {
                    client.wait_for(seq);
                }
                self.write_split(cx, &request, waiter);
            }
            Action::AskAll(all) => client.defer(all),
            Action::OwnStats(dress) => {
                let lines = self.own_stats();
                let reply = crate::all::stats_reply(&lines, &dress);
                if let Some(client) = self.client(conn) {
                    client.answer(Answer { reply, ..Answer::default() });
                }
            }
            Action::HangUp => client.leave(),
            Action::Farewell(bytes) => {
                client.answer(Answer::of(bytes));
                client.leave();
            }
        }
    }

    /// Does everything that the last event led to.
    fn settle(&mut self, cx: &mut Cx) {
        self.use_next(cx);
        loop {
            while let Some(event) = self.backends.next_event() {
                self.heard(cx, event);
            }
            if core::mem::take(&mut self.backends.moved) {
                self.place_anew();
            }
            if let Some(job) = self.changed.pop_front() {
                self.look_at(cx, job);
            } else if let Some((waiter, answer)) = self.done.pop_front() {
                self.deliver(cx, &waiter, answer);
            } else if let Some(conn) = self.touched.pop() {
                self.hand_on(cx, conn);
            } else {
                break;
            }
        }
        if self.stopping && self.clients == 0 && self.jobs.len() == 0 {
            cx.exit(Exit::Stopped);
        }
    }

    fn deliver(&mut self, cx: &mut Cx, waiter: &Waiter, answer: Answer) {
        match waiter.to {
            To::Split { slot, piece } => self.piece_done(cx, slot, piece, &answer.reply),
            To::Client { conn, seq } => {
                if let Some(client) = self.client(conn) {
                    client.fill(seq, answer);
                    self.touched.push(conn);
                }
            }
        }
    }

    /// Hands a client what is ready for it, and looks at what it may do next.
    fn hand_on(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(client) = self.client(conn) else { return };
        match client.flush(cx) {
            Next::Nothing => {}
            Next::Close => {
                self.leave(conn);
                cx.close(conn, Close::Flush);
                return;
            }
            Next::Overrun => {
                self.counters.clients_overrun += 1;
                cx.reached("mcproxy: a client was hung up on that read too slowly");
                self.leave(conn);
                cx.close(conn, Close::Abort);
                return;
            }
        }
        if let Some(all) = client.take_deferred() {
            let seq = client.await_answer();
            client.wait_for(seq);
            let waiter = Waiter { to: To::Client { conn, seq }, dress: all.dress.clone() };
            self.ask_all(cx, all, waiter);
        } else {
            client.pace(cx);
        }
    }
}

impl Machine for Proxy {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.begin(cx);
        self.settle(cx);
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.stopping = true;
        for (token, _) in core::mem::take(&mut self.listeners) {
            cx.unlisten(token);
        }
        cx.after(timers::STOP, STOP_GRACE);
        for at in 0..self.peers.len() {
            if let Some(Peer::Served(client)) = &mut self.peers[at] {
                client.end();
                self.touched.push(client.conn);
            }
        }
        self.settle(cx);
    }

    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        if signal == Signal::Reload {
            self.load_again();
        }
        self.settle(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        match how {
            Open::Connected { connect } => self.backends.on_open(cx, conn, connect),
            Open::Accepted { .. } => {
                if self.peers.len() <= conn.index() {
                    self.peers.resize_with(conn.index() + 1, || None);
                }
                let peer = self.accept(cx, conn);
                self.peers[conn.index()] = Some(peer);
            }
        }
        self.settle(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if self.backends.owns(conn) {
            let before = rx.len();
            self.backends.on_data(cx, conn, rx);
            cx.work(WORK_BYTES, before.saturating_sub(rx.len()) as u64);
        } else if self.client(conn).is_some() {
            self.serve(cx, conn, rx);
        } else {
            rx.clear();
        }
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if self.backends.owns(conn) {
            self.backends.on_eof(cx, conn);
        } else if let Some(client) = self.client(conn) {
            client.end();
            self.touched.push(conn);
        }
        self.settle(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        self.touched.push(conn);
        self.settle(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if self.backends.owns(conn) {
            self.backends.on_gone(cx, conn, why);
        } else {
            self.leave(conn);
            if let Some(peer) = self.peers.get_mut(conn.index()) {
                *peer = None;
            }
        }
        self.settle(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        self.backends.on_failed(cx, connect, why);
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            timers::RESOLVE => self.look_up_again(cx),
            timers::STOP => cx.exit(Exit::Stopped),
            _ if self.backends.on_timer(cx, timer) => {}
            Token(n) => self.change_due(n),
        }
        self.settle(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        self.name_found(cx, lookup, result.ok().and_then(|ips| ips.first().copied()));
        self.settle(cx);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if result.is_err() {
            self.listener_failed(cx, socket);
        }
    }

    fn invariants(&self) {
        self.backends.invariants();
        self.flights.invariants();
        let served = self.peers.iter().flatten().filter_map(|peer| match peer {
            Peer::Served(client) => Some(client),
            Peer::Leaving => None,
        });
        let mut count = 0;
        for client in served {
            client.invariants();
            count += 1;
        }
        assert_eq!(count, self.clients, "clients are counted");
        for job in self.jobs.all() {
            assert!(job.awaited > 0 || job.queued, "a job waits for somebody");
        }
        assert!(self.changed.is_empty() && self.done.is_empty(), "everything was done");
    }

    fn memory(&self) -> u64 {
        let clients = self.peers.iter().flatten().map(|peer| match peer {
            Peer::Served(client) => client.memory(),
            Peer::Leaving => 0,
        });
        clients.sum::<u64>() + self.own_memory()
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.tell_counters(each);
    }
}
