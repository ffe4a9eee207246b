//! An application server for tests: it asks what it is given, and writes down what it heard.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use storytime_machine::{Boot, Cx, Duration, Machine, Time, Token};
use storytime_memcached::client::ServerSpec;
use storytime_sharding::{Error, Options, Outcome, Request, ShardMap, Sharding, ShardingCounters};

/// How often an application looks at its desk.
const LOOK: Duration = Duration::from_millis(1);
const LOOK_TIMER: Token = Token(u64::MAX);

/// When a request ended, and how.
pub(crate) type End = (Time, Result<Outcome, Error>);

/// What an application is to do, and what it heard.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) inbox: VecDeque<Request>,
    /// When each was asked, and how it ended.
    pub(crate) answers: Vec<(Time, Option<End>)>,
    pub(crate) new_map: Option<ShardMap>,
    pub(crate) counters: ShardingCounters,
    pub(crate) lag: Duration,
}

pub(crate) type Shared = Arc<Mutex<Desk>>;

pub(crate) struct App {
    sharding: Sharding,
    caches: Vec<ServerSpec>,
    desk: Shared,
}

impl App {
    pub(crate) fn new(
        options: Options,
        map: ShardMap,
        caches: Vec<ServerSpec>,
        desk: Shared,
    ) -> Self {
        Self { sharding: Sharding::new(options, map, Token(0)), caches, desk }
    }

    fn go_on(&mut self, cx: &Cx) {
        let mut desk = self.desk.lock().expect("no machine panics");
        while let Some(event) = self.sharding.next_event() {
            let answer = &mut desk.answers[event.tag as usize].1;
            assert!(answer.is_none(), "a request ends once");
            *answer = Some((cx.now(), event.outcome));
        }
        desk.counters = *self.sharding.counters();
        desk.lag = self.sharding.index_lag(cx.now());
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Sharding, &mut Cx) -> bool) {
        what(&mut self.sharding, cx);
        self.go_on(cx);
    }
}

impl Machine for App {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.sharding.set_caches(cx, &self.caches).expect("few servers");
        cx.after(LOOK_TIMER, LOOK);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer != LOOK_TIMER {
            assert!(self.sharding.on_timer(cx, timer), "no other timers are set");
            return self.go_on(cx);
        }
        loop {
            let mut desk = self.desk.lock().expect("no machine panics");
            if let Some(map) = desk.new_map.take() {
                self.sharding.set_map(map);
            }
            let Some(request) = desk.inbox.pop_front() else { break };
            let tag = desk.answers.len() as u64;
            desk.answers.push((cx.now(), None));
            drop(desk);
            self.sharding.ask(cx, request, tag).expect("tests ask what is taken");
        }
        self.go_on(cx);
        cx.after(LOOK_TIMER, LOOK);
    }

    storytime_machine::pass_to_part!(open data eof gone failed);

    fn invariants(&self) {
        self.sharding.invariants();
    }
}
