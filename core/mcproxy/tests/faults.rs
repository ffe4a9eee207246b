//! The proxy in the simulator: hosts that lose power, freeze and are cut off, while clients ask.
//!
//! Whatever happens, every request is answered within the time-outs of its route, in order, and
//! with the value of its own key or none.

use core::time::Duration;
use storytime_machine::{
    Boot, BytesMut, Conn, Cx, Endpoint, Gone, Machine, Open, Process, Time, Token,
};
use storytime_mcproxy::Proxy;
use storytime_mcproxy::config::{Config, OnFailure, Pool, Route, RouteKind};
use storytime_memcached::client::Node;
use storytime_memcached::{Config as ServerConfig, Server};
use storytime_sim::{
    Config as SimConfig, Fault, HostConfig, HostId, ProcessId, ProgramConfig, Ran, Span, World,
};

const PORT: u16 = 11211;
/// Connect and request time-outs of both targets, and the world's own slowness.
const ANSWER_MAX: Duration = Duration::from_millis(2_500);
const KEYS: u64 = 40;

/// Sets and gets keys of its own, some requests at a time, and judges the answers.
struct Caller {
    to: Endpoint,
    number: u64,
    conn: Option<Conn>,
    /// What was asked and when, oldest first.
    asked: std::collections::VecDeque<(Ask, Time)>,
    next: u64,
    answered: u64,
    hits: u64,
    errors: u64,
    slowest: Duration,
    lost: u64,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Set,
    Get(u64),
}

impl Caller {
    const fn new(to: Endpoint, number: u64) -> Self {
        Self {
            to,
            number,
            conn: None,
            asked: std::collections::VecDeque::new(),
            next: 0,
            answered: 0,
            hits: 0,
            errors: 0,
            slowest: Duration::ZERO,
            lost: 0,
        }
    }

    fn key(&self, n: u64) -> String {
        format!("c{}k{n}", self.number)
    }

    fn ask(&mut self, cx: &mut Cx) {
        let Some(conn) = self.conn else { return };
        let mut text = String::new();
        for _ in 0..3 {
            let n = self.next % KEYS;
            self.next += 1;
            let key = self.key(n);
            text += &format!("set {key} 0 0 {}\r\n{key}\r\nget {key}\r\n", key.len());
            self.asked.push_back((Ask::Set, cx.now()));
            self.asked.push_back((Ask::Get(n), cx.now()));
        }
        if let Some(tx) = cx.tx(conn) {
            tx.put(text.as_bytes());
        }
    }

    /// One reply off the front: how many bytes, and whether it was a hit or an error.
    fn judge(&self, ask: Ask, input: &str) -> Option<(usize, bool, bool)> {
        let line = &input[..input.find("\r\n")?];
        if line.starts_with("SERVER_ERROR proxy: ") {
            return Some((line.len() + 2, false, true));
        }
        match ask {
            Ask::Set => {
                assert_eq!(line, "STORED");
                Some((8, false, false))
            }
            Ask::Get(_) if line == "END" => Some((5, false, false)),
            Ask::Get(n) => {
                let key = self.key(n);
                let whole = format!("VALUE {key} 0 {}\r\n{key}\r\nEND\r\n", key.len());
                if input.len() < whole.len() {
                    return None;
                }
                assert!(input.starts_with(&whole), "{key}: {input}");
                Some((whole.len(), true, false))
            }
        }
    }
}

impl Machine for Caller {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.connect(Token(1), self.to.clone(), Duration::from_secs(5));
        cx.after(Token(1), Duration::from_millis(10));
    }

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        self.conn = Some(conn);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        while let Some(&(ask, at)) = self.asked.front() {
            let input = String::from_utf8_lossy(rx).into_owned();
            let Some((bytes, hit, error)) = self.judge(ask, &input) else { return };
            let _ = rx.split_to(bytes);
            self.asked.pop_front();
            self.answered += 1;
            self.hits += u64::from(hit);
            self.errors += u64::from(error);
            self.slowest = self.slowest.max(cx.now().since(at));
        }
        assert!(rx.is_empty(), "nothing comes that was not asked for");
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        if self.asked.len() < 60 {
            self.ask(cx);
        }
        cx.after(Token(1), Duration::from_millis(10));
    }

    fn gone(&mut self, _: &mut Cx, _: Conn, _: Gone) {
        self.conn = None;
        self.lost += 1;
    }

    fn failed(&mut self, _: &mut Cx, _: Token, _: Gone) {
        self.lost += 1;
    }
}

/// A proxy, two pools of two servers, four clients.
struct Site {
    world: World,
    proxy: ProcessId,
    proxy_host: HostId,
    caches: Vec<(HostId, ProcessId)>,
    callers: Vec<ProcessId>,
}

fn config(on_failure: OnFailure) -> Config {
    let node = |n: u32| Node::new(format!("cache{n}"), PORT);
    let pools = vec![
        Pool::new("first", vec![node(0), node(1)]),
        Pool::new("second", vec![node(2), node(3)]),
    ];
    let kind = RouteKind::Failover { on_miss: false, writes: true };
    let route = Route { on_failure, ..Route::new("all", kind, &["first", "second"]) };
    Config { pools, routes: vec![route], ..Config::default() }
}

fn site(seed: u64, config: &Config) -> Site {
    let mut world = World::new(SimConfig::new(seed));
    let mut caches = Vec::new();
    for n in 0..4 {
        let host = world.add_host(HostConfig::new(format!("cache{n}")));
        let server = ProgramConfig::new("memcached", |setup| {
            let config = ServerConfig::from_words(&["-t", "1"]).expect("a good command line");
            Box::new(Process::new(Server::alone(config), setup))
        });
        caches.push((host, world.add_program(host, server)[0]));
        world.power_on(host);
    }
    let proxy_host = world.add_host(HostConfig::new("proxy"));
    let (limits, config) = (config.limits(), config.clone());
    let program = ProgramConfig {
        limits,
        ..ProgramConfig::new("mcproxy", move |setup| {
            let proxy = Proxy::new(config.clone()).expect("a good config");
            Box::new(Process::new(proxy, setup))
        })
    };
    let proxy = world.add_program(proxy_host, program)[0];
    world.power_on(proxy_host);
    world.run_until(Time(1_000_000_000));
    let to = Endpoint::tcp(world.ip(proxy_host), PORT);
    let mut callers = Vec::new();
    for n in 0..4 {
        let host = world.add_host(HostConfig::new(format!("web{n}")));
        let to = to.clone();
        let program = ProgramConfig::new("caller", move |setup| {
            Box::new(Process::new(Caller::new(to.clone(), n), setup))
        });
        callers.extend(world.add_program(host, program));
        world.power_on(host);
    }
    Site { world, proxy, proxy_host, caches, callers }
}

impl Site {
    fn run(&mut self, seconds: u64) {
        let until = self.world.now() + Duration::from_secs(seconds);
        let ran = self.world.run_until(until);
        assert!(matches!(ran, Ran::Reached), "{ran:?}");
    }

    fn counter(&self, name: &str) -> u64 {
        let mut found = 0;
        self.world.counters(self.proxy, &mut |each, value| {
            if each == name {
                found = value;
            }
        });
        found
    }

    /// Every caller was answered in time and lost nothing; returns hits and errors.
    fn check(&mut self) -> (u64, u64) {
        let (mut hits, mut errors) = (0, 0);
        for &caller in &self.callers.clone() {
            let now = self.world.now();
            let caller = self.world.machine::<Caller>(caller).expect("it runs");
            assert_eq!(caller.lost, 0, "no client is hung up on");
            assert!(caller.answered > 100, "{} answers", caller.answered);
            assert!(caller.slowest <= ANSWER_MAX, "one waited {:?}", caller.slowest);
            if let Some((ask, at)) = caller.asked.front() {
                assert!(now.since(*at) <= ANSWER_MAX, "{ask:?} waits since {at:?}");
            }
            hits += caller.hits;
            errors += caller.errors;
            (caller.hits, caller.errors) = (0, 0);
        }
        (hits, errors)
    }
}

#[test]
fn a_server_that_loses_its_power_costs_its_timeout_and_then_nothing() {
    let mut site = site(1, &config(OnFailure::Error));
    site.run(3);
    let (hits, errors) = site.check();
    assert!(hits > 1000 && errors == 0, "{hits} hits, {errors} errors");
    site.world.power_cut(site.caches[0].0);
    site.run(3);
    site.check();
    assert!(site.counter("failovers") > 0);
    site.run(3);
    let (hits, errors) = site.check();
    assert!(hits > 1000 && errors == 0, "the other pool serves: {hits} hits, {errors} errors");
    site.world.power_on(site.caches[0].0);
    site.run(20);
    site.check();
    let before = site.counter("failovers");
    site.run(3);
    assert_eq!(site.counter("failovers"), before, "it is asked again");
}

#[test]
fn with_everything_away_clients_get_errors_in_time() {
    let mut site = site(2, &config(OnFailure::Error));
    site.run(2);
    for (host, _) in site.caches.clone() {
        site.world.apply(&Fault::Cut { from: site.proxy_host, to: host });
        site.world.apply(&Fault::Cut { from: host, to: site.proxy_host });
    }
    site.check();
    site.run(5);
    let (hits, errors) = site.check();
    assert!(errors > 500 && hits < 200, "{hits} hits, {errors} errors");
    site.world.apply(&Fault::HealAll);
    site.run(20);
    site.check();
    site.run(3);
    let (hits, errors) = site.check();
    assert!(hits > 1000 && errors == 0, "{hits} hits, {errors} errors after the healing");
}

#[test]
fn many_faults_misroute_nothing_and_keep_nobody_waiting() {
    for seed in 1..=4u64 {
        let mut site = site(seed, &config(OnFailure::Miss));
        site.run(1);
        for round in 0..6u64 {
            let (host, process) = site.caches[((seed + round) % 4) as usize];
            let proxy = site.proxy_host;
            let span = Span::from(Duration::from_millis(700));
            match (seed * 7 + round) % 6 {
                0 => site.world.kill(process),
                1 => site.world.power_cut(host),
                2 => site.world.freeze(process),
                3 => site.world.apply(&Fault::Cut { from: proxy, to: host }),
                4 => site.world.apply(&Fault::Cut { from: host, to: proxy }),
                _ => site.world.apply(&Fault::Clog { from: host, to: proxy, span }),
            }
            site.run(2);
            site.world.apply(&Fault::HealAll);
            site.run(1);
            site.check();
        }
        site.run(5);
        site.check();
        assert!(site.counter("requests_under_way") < 400, "jobs end");
    }
}

#[test]
fn a_change_of_servers_under_load_fails_no_request() {
    let mut site = site(3, &config(OnFailure::Error));
    site.run(2);
    for n in 0..10 {
        let mut next = config(OnFailure::Error);
        if n % 2 == 0 {
            next.pools.swap(0, 1);
            next.routes[0].to.reverse();
            next.pools[0].servers.remove(n % 4 / 2);
        }
        let proxy = site.world.machine::<Proxy>(site.proxy).expect("it runs");
        proxy.reconfigure(next).expect("a good config");
        site.run(1);
        let (_, errors) = site.check();
        assert_eq!(errors, 0, "after change {n}");
    }
    assert_eq!((site.counter("failures"), site.counter("config_generation")), (0, 11));
}
