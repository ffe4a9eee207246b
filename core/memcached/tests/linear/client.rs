//! A machine that asks one server random things through one connection, and writes down what it
//! asked and heard.

use crate::model::{Answer, Ask, What};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use storytime_machine::{Boot, Cx, Endpoint, IpAddr, Machine, Ratio, Time, Token};
use storytime_memcached::Client;
use storytime_memcached::client::{
    ClientOptions, Count, DeadServer, Failure, HealthOptions, Node, Op, Outcome, PoolOptions,
    ServerSpec, Store, Verb,
};
use storytime_sim::check::linear::Operation;

/// Keys that hold numbers; the others hold text.
const COUNTERS: usize = 2;
/// Keys in all.
const KEYS: usize = 4;
/// Requests of one client.
const ASKS: u32 = 60;
/// Most requests of one client under way.
const PIPELINE: usize = 3;
/// Longest pause before the next request.
const PAUSE_MAX: Duration = Duration::from_millis(120);
const NEXT: Token = Token(u64::MAX);

pub(crate) type History = Arc<Mutex<Vec<Operation<Ask, Answer>>>>;

/// See the [module](self).
pub(crate) struct Asker {
    client: Client,
    server: ServerSpec,
    history: History,
    asked: u32,
    /// The version last seen of each key.
    seen: [u64; KEYS],
}

impl Asker {
    pub(crate) fn new(ip: IpAddr, port: u16, history: History) -> Self {
        let health = HealthOptions {
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_millis(400),
            ..HealthOptions::default()
        };
        let pool = PoolOptions {
            conns_per_server: 1,
            connect_timeout: Duration::from_millis(300),
            request_timeout: Duration::from_millis(400),
            health,
            ..PoolOptions::default()
        };
        let dead_server = DeadServer::Fail;
        let options = ClientOptions { dead_server, pool, ..ClientOptions::default() };
        let at = Endpoint::tcp(ip, port);
        let server = ServerSpec { node: Node::new("cache", port), at };
        let client = Client::new(options, Token(0));
        Self { client, server, history, asked: 0, seen: [0; KEYS] }
    }

    /// Something to ask; texts are told apart by their number.
    fn draw(&self, cx: &mut Cx, number: usize) -> Ask {
        let key = cx.rng().index(KEYS);
        let counts = key < COUNTERS;
        let value = if counts {
            (number as u64 * 1000).to_string().into_bytes()
        } else {
            format!("<{number}>").into_bytes()
        };
        let what = match cx.rng().below(14) {
            0..4 => What::Gets,
            4..7 => What::Cas(self.seen[key], value),
            7 => What::Set(value),
            8 => What::Add(value),
            9 => What::Delete,
            _ if counts => What::Incr(1),
            _ => What::Append(value),
        };
        Ask { key, what }
    }

    fn ask(&mut self, cx: &mut Cx) {
        let mut history = self.history.lock().expect("no machine panics");
        let tag = history.len() as u64;
        let ask = self.draw(cx, history.len());
        let count = |by| Op::Count(Count { by, down: false, initial: None });
        let store = |verb, value| Op::Store(Store::new(verb, value));
        let op = match &ask.what {
            What::Gets => Op::Gets,
            What::Set(value) => store(Verb::Set, value),
            What::Add(value) => store(Verb::Add, value),
            What::Append(value) => store(Verb::Append, value),
            What::Cas(version, value) => store(Verb::Cas(*version), value),
            What::Incr(by) => count(*by),
            What::Delete => Op::Delete,
        };
        let key = [b'a' + ask.key as u8];
        self.client.ask(cx, &key, &op, tag).expect("few requests are under way");
        self.asked += 1;
        let (call, input) = (cx.now(), ask.clone());
        history.push(Operation { call, input, done: None });
        drop(history);
        self.go_on(cx);
    }

    fn go_on(&mut self, cx: &mut Cx) {
        while let Some(event) = self.client.next_event() {
            let mut history = self.history.lock().expect("no machine panics");
            let operation = &mut history[event.tag as usize];
            assert!(operation.done.is_none(), "a request ends once");
            // Never sent: as good as a `gets` that nobody heard of.
            if event.outcome == Outcome::Failed(Failure::Down) {
                operation.input.what = What::Gets;
                continue;
            }
            let Some(answer) = answer(event.outcome) else {
                continue;
            };
            if let Answer::Value(_, version) = answer {
                self.seen[operation.input.key] = version;
            }
            operation.done = Some((cx.now(), answer));
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.client, cx);
        self.go_on(cx);
    }
}

/// What a reply says. Nothing if nobody knows what became of the request.
fn answer(outcome: Outcome) -> Option<Answer> {
    Some(match outcome {
        Outcome::Hit(value) => Answer::Value(value.data.to_vec(), value.cas),
        Outcome::Miss | Outcome::NotFound => Answer::Nothing,
        Outcome::Stored | Outcome::Deleted => Answer::Done,
        Outcome::NotStored => Answer::NotStored,
        Outcome::Exists => Answer::Exists,
        Outcome::Number(number) => Answer::Number(number),
        Outcome::Failed(Failure::TimedOut | Failure::Lost(_)) => return None,
        other => panic!("no such end was looked for: {other:?}"),
    })
}

impl Machine for Asker {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.client
            .set_servers(cx, core::slice::from_ref(&self.server))
            .expect("one is not too many");
        cx.after(NEXT, Duration::from_millis(50));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer != NEXT {
            return self.pass(cx, |client, cx| client.on_timer(cx, timer));
        }
        if self.client.pending() < PIPELINE {
            self.ask(cx);
            // Sometimes two in one packet.
            if cx.rng().chance(Ratio::new(1, 4)) {
                self.ask(cx);
            }
        }
        if self.asked < ASKS {
            let pause = cx.rng().duration(Duration::from_micros(100), PAUSE_MAX);
            cx.after(NEXT, pause);
        }
    }

    storytime_machine::pass_to_part!(open data eof gone failed);
}

/// When the last answer came.
pub(crate) fn last_answer(history: &[Operation<Ask, Answer>]) -> Option<Time> {
    history.iter().filter_map(|operation| operation.done.as_ref()).map(|done| done.0).max()
}
