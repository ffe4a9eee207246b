//! Applications that write and read, and remember what they were told.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use storytime_database::Reply;
use storytime_database::client::{Client, ClientOptions, Failure, Keep, ServerId};
use storytime_machine::{Boot, Cx, Endpoint, Machine, Time, Token};
use storytime_sim::check::linear::Operation;

const BASE: Token = Token(1 << 20);
/// Registers that are written again and again.
pub(crate) const REGISTERS: u64 = 4;

/// What was asked of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Set(u64, u64),
    Get(u64),
    /// A new row: item, which no other request has.
    Put(u64),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) ask: Ask,
    pub(crate) call: Time,
    pub(crate) back: Time,
    pub(crate) outcome: Result<Reply, Failure>,
}

/// What all applications together know.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) told: Arc<Mutex<Vec<Told>>>,
    /// Which server they write to.
    pub(crate) master: Arc<AtomicUsize>,
    /// Whether they go on.
    pub(crate) stop: Arc<AtomicUsize>,
}

pub(crate) struct Load {
    number: u64,
    client: Client,
    servers: Vec<Endpoint>,
    ids: Vec<ServerId>,
    memory: Memory,
    every: Duration,
    asked: Vec<(Ask, Time)>,
}

impl Load {
    pub(crate) fn new(
        number: u64,
        servers: Vec<Endpoint>,
        memory: Memory,
        every: Duration,
    ) -> Self {
        let timeout = Duration::from_millis(1500);
        let keep = Keep::Exclusive(2);
        let retry_after = Duration::from_millis(50);
        let options = ClientOptions { keep, timeout, retry_after, ..ClientOptions::default() };
        let client = Client::new(options, BASE);
        Self { number, client, servers, ids: Vec::new(), memory, every, asked: Vec::new() }
    }

    fn collect(&mut self, cx: &Cx) {
        while let Some(event) = self.client.next_event() {
            let (ask, call) = self.asked[event.tag as usize];
            let told = Told { ask, call, back: cx.now(), outcome: event.outcome };
            self.memory.told.lock().expect("one thread").push(told);
        }
    }

    fn ask(&mut self, cx: &mut Cx) {
        let tag = self.asked.len() as u64;
        let unique = (self.number << 32) | tag;
        let ask = match cx.rng().below(4) {
            0 => Ask::Get(cx.rng().below(REGISTERS)),
            1 => Ask::Set(cx.rng().below(REGISTERS), unique),
            _ => Ask::Put(unique),
        };
        let words = match ask {
            Ask::Get(key) => format!("GET {key}"),
            Ask::Set(key, value) => format!("SET {key} {value}"),
            Ask::Put(item) => format!("ROW.PUT t 1 {item} {:0>400}", 5),
        };
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let server = self.ids[self.memory.master.load(Ordering::Relaxed)];
        self.asked.push((ask, cx.now()));
        self.client.ask(cx, server, &words, tag).expect("few are under way");
        self.collect(cx);
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.client, cx);
        self.collect(cx);
    }
}

impl Machine for Load {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let servers = self.servers.iter();
        self.ids = servers.map(|at| self.client.server(at)).collect();
        cx.after(Token(0), self.every);
    }

    storytime_machine::pass_to_part!(open data eof gone failed);

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer != Token(0) {
            return self.pass(cx, |client, cx| client.on_timer(cx, timer));
        }
        if self.memory.stop.load(Ordering::Relaxed) == 0 {
            // Two at a time: more make the search for an order long.
            if self.client.pending() < 2 {
                self.ask(cx);
            }
            let pause = cx.rng().exponential(self.every);
            cx.after(timer, pause);
        }
    }

    fn invariants(&self) {
        self.client.invariants();
    }
}

/// The history of the registers, for the checker.
pub(crate) fn history(told: &[Told]) -> Vec<Operation<Ask, Option<u64>>> {
    let value = |reply: &Reply| match reply {
        Reply::Bulk(text) => core::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    };
    // When each value was seen first: a write that nobody answered happened before that.
    let mut seen: BTreeMap<u64, Time> = BTreeMap::new();
    for told in told.iter().filter(|told| matches!(told.ask, Ask::Get(_))) {
        if let Some(value) = told.outcome.as_ref().ok().and_then(value) {
            let first = seen.entry(value).or_insert(told.back);
            *first = told.back.min(*first);
        }
    }
    let mut history = Vec::new();
    for Told { ask, call, back, outcome } in told {
        let done = match (ask, outcome) {
            (Ask::Put(_), _) | (_, Err(Failure::NotSent)) => continue,
            (Ask::Get(_), Ok(reply @ (Reply::Bulk(_) | Reply::Nil))) => Some((*back, value(reply))),
            (Ask::Set(..), Ok(Reply::Simple(_))) => Some((*back, None)),
            // Nobody knows whether it was done. If nobody saw its value either, there is an order
            // with it if there is one without.
            (Ask::Set(_, value), outcome) if is_unknown(outcome) => {
                let Some(first) = seen.get(value) else { continue };
                Some((*first, None))
            }
            // Refused, or a read that nobody saw the end of.
            _ => continue,
        };
        history.push(Operation { call: *call, input: *ask, done });
    }
    history
}

fn is_unknown(outcome: &Result<Reply, Failure>) -> bool {
    match outcome {
        Ok(Reply::Error(text)) => text.starts_with(b"NOTDURABLE"),
        Ok(_) => false,
        Err(_) => true,
    }
}
