//! Servers and a reader, and the same in the simulator.

use storytime_machine::{
    Boot, Cx, Duration, Endpoint, Exit, IpAddr, Machine, Process, Time, Token,
};
use storytime_memcached::client::{ClientOptions, Node, Outcome, PoolOptions, Scheme, ServerSpec};
use storytime_memcached::config::Port;
use storytime_memcached::{Client, Config, Server};
use storytime_sim::{HostConfig, ProgramConfig, World};

/// Servers in the end; one fewer at first.
pub(crate) const SERVERS: u8 = 5;
/// Keys of the site.
pub(crate) const KEYS: u64 = 200;
const PAUSE: Token = Token(u64::MAX);

pub(crate) fn server(port: u16) -> Server {
    let config = Config { port: Port::At(port), threads: 1, ..Config::default() };
    Server::alone(config)
}

/// Reads every key twice from four servers, then once from five, and stores what it misses.
pub(crate) struct Reader {
    servers: Vec<ServerSpec>,
    client: Client,
    next: u64,
    stage: Stage,
    /// Each key asked for, and whether it was there.
    pub(crate) history: Vec<(u64, bool)>,
}

enum Stage {
    AwaitValue,
    AwaitStored,
}

impl Reader {
    pub(crate) fn new(ips: Vec<IpAddr>, port: u16) -> Self {
        let spec = |(n, ip): (usize, IpAddr)| {
            // Placement goes by the names, so addresses may differ from driver to driver.
            let node = Node { host: format!("cache{n}"), port, weight: 1 };
            ServerSpec { node, at: Endpoint::tcp(ip, port) }
        };
        let pool = PoolOptions {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            ..PoolOptions::default()
        };
        let options = ClientOptions { scheme: Scheme::Classic, pool, ..ClientOptions::default() };
        Self {
            servers: ips.into_iter().enumerate().map(spec).collect(),
            client: Client::new(options, Token(0)),
            next: 0,
            stage: Stage::AwaitValue,
            history: Vec::new(),
        }
    }

    fn key(&self) -> Vec<u8> {
        format!("photo:{}", self.next % KEYS).into_bytes()
    }

    fn ask(&mut self, cx: &mut Cx) {
        if self.next == 3 * KEYS {
            return cx.exit(Exit::Stopped);
        }
        if self.next == 2 * KEYS {
            self.client.set_servers(cx, &self.servers).expect("five servers are not too many");
        }
        self.stage = Stage::AwaitValue;
        self.client.get(cx, &self.key(), self.next).expect("one request at a time is accepted");
    }

    fn go_on(&mut self, cx: &mut Cx) {
        while let Some(event) = self.client.next_event() {
            match (&self.stage, event.outcome) {
                (Stage::AwaitValue, Outcome::Hit(value)) => {
                    assert_eq!(value.data[..], self.key()[..], "another key's value");
                    self.history.push((self.next % KEYS, true));
                    self.next += 1;
                    self.ask(cx);
                }
                (Stage::AwaitValue, Outcome::Miss) => {
                    self.history.push((self.next % KEYS, false));
                    self.stage = Stage::AwaitStored;
                    let key = self.key();
                    let accepted = self.client.set(cx, &key, &key, 0, self.next);
                    accepted.expect("one request at a time is accepted");
                }
                (Stage::AwaitStored, Outcome::Stored) => {
                    self.next += 1;
                    self.ask(cx);
                }
                (_, other) => panic!("key {}: {other:?}", self.next),
            }
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.client, cx);
        self.go_on(cx);
    }
}

impl Machine for Reader {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        // In the simulator all start in the same instant; a moment later all servers listen.
        cx.after(PAUSE, Duration::from_millis(200));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == PAUSE {
            let at_first = &self.servers[..self.servers.len() - 1];
            self.client.set_servers(cx, at_first).expect("four servers are not too many");
            return self.ask(cx);
        }
        self.pass(cx, |client, cx| client.on_timer(cx, timer));
    }

    storytime_machine::pass_to_part!(open data gone failed);
}

/// The same machines in the simulator's kernel.
pub(crate) fn history_in_simulator(seed: u64) -> Vec<(u64, bool)> {
    const PORT: u16 = 11211;
    let mut world = World::new(storytime_sim::Config::new(seed));
    let mut ips = Vec::new();
    for n in 0..SERVERS {
        let host = world.add_host(HostConfig::new(format!("cache{n}")));
        let program = |setup| Box::new(Process::new(server(PORT), setup)) as _;
        world.add_program(host, ProgramConfig::new("memcached", program));
        world.power_on(host);
        ips.push(world.ip(host));
    }
    let host = world.add_host(HostConfig::new("reader"));
    let program = move |setup| Box::new(Process::new(Reader::new(ips.clone(), PORT), setup)) as _;
    let reader = world.add_program(host, ProgramConfig::new("reader", program))[0];
    world.power_on(host);
    world.run_until(Time::ZERO + Duration::from_secs(600));
    assert_eq!(world.exit(reader), Some(Exit::Stopped), "the reader came to its end");
    world.machine::<Reader>(reader).expect("it runs a reader").history.clone()
}
