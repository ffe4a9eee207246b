//! The client against a toy server: each request ends once and truly, whatever happens.

mod app;
mod faults;
mod toy;

use app::{App, Ask, ask};
use bytes::Bytes;
use core::time::Duration;
use storytime_database::Reply;
use storytime_database::client::{
    Client, ClientOptions, Failure, Keep, REQUEST_BYTES_MAX, VALUE_BYTES_MAX,
};
use storytime_machine::{Endpoint, Process, Time};
use storytime_sim::{Config, HostConfig, ProcessId, ProgramConfig, Ran, World};
use toy::{Happened, Toy};

/// A world with one server and one application.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) app: ProcessId,
    pub(crate) server: ProcessId,
}

pub(crate) fn bench(
    config: Config,
    client: impl Fn() -> Client + 'static,
    toy: impl Fn() -> Toy + 'static,
    databases: &[u32],
    script: Vec<Ask>,
) -> Bench {
    let mut world = World::new(config);
    let host = world.add_host(HostConfig::new("server"));
    let program = ProgramConfig::new("toy", move |setup| Box::new(Process::new(toy(), setup)));
    let server = world.add_program(host, program)[0];
    let at = Endpoint::tcp(world.ip(host), toy::PORT);
    world.power_on(host);
    let host = world.add_host(HostConfig::new("app"));
    let servers: Vec<_> = databases.iter().map(|number| (at.clone(), *number)).collect();
    let program = ProgramConfig::new("app", move |setup| {
        let app = App::new(client(), servers.clone(), script.clone());
        Box::new(Process::new(app, setup))
    });
    let app = world.add_program(host, program)[0];
    world.power_on(host);
    Bench { world, app, server }
}

impl Bench {
    /// A healthy world and a well-behaved server.
    fn calm(keep: Keep, script: Vec<Ask>) -> Self {
        Self::with(keep, || Toy::new(Happened::default()), script)
    }

    fn with(keep: Keep, toy: impl Fn() -> Toy + 'static, script: Vec<Ask>) -> Self {
        let client = move || App::client(ClientOptions { keep, ..ClientOptions::default() });
        bench(Config::new(1), client, toy, &[0], script)
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        let ran = self.world.run_until(Time::ZERO + Duration::from_secs(seconds));
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    }

    fn app(&mut self) -> &mut App {
        self.world.machine(self.app).expect("the application runs")
    }

    fn toy(&mut self) -> &mut Toy {
        self.world.machine(self.server).expect("the server runs")
    }

    fn outcomes(&mut self) -> Vec<Result<Reply, Failure>> {
        self.app().ended.values().map(|(outcome, _)| outcome.clone()).collect()
    }
}

fn number(number: i64) -> Result<Reply, Failure> {
    Ok(Reply::Integer(number))
}

const AWAKE: Bytes = Bytes::from_static(b"AWAKE");
const REFUSED: Bytes = Bytes::from_static(b"ERR max number of clients reached");

#[test]
fn requests_are_pipelined_over_one_connection_in_their_order() {
    let script = (0..1000).map(|n| ask(10, &format!("MARK {n}"))).collect();
    let mut bench = Bench::calm(Keep::Pooled(1), script);
    bench.run(1);
    assert_eq!(bench.outcomes(), (0..1000).map(number).collect::<Vec<_>>());
    assert_eq!(bench.toy().accepted, 1);
    let ends: Vec<Duration> = bench.app().ended.values().map(|(_, at)| *at).collect();
    assert!(ends.is_sorted(), "one connection keeps the order");
}

#[test]
fn exclusive_connections_carry_one_request_each_and_more_wait() {
    let script = (0..5).map(|_| ask(0, "SLEEP 100")).collect();
    let mut bench = Bench::calm(Keep::Exclusive(2), script);
    bench.run(2);
    assert_eq!(bench.outcomes(), vec![Ok(Reply::Simple(AWAKE)); 5]);
    assert_eq!(bench.toy().accepted, 2);
    let rounds: Vec<u128> =
        bench.app().ended.values().map(|(_, at)| at.as_millis() / 100).collect();
    assert_eq!(rounds, [1, 1, 2, 2, 3], "two at a time");
}

#[test]
fn per_request_connections_are_closed_behind_the_reply() {
    let script = (0..50).map(|n| ask(n, &format!("MARK {n}"))).collect();
    let mut bench = Bench::calm(Keep::PerRequest, script);
    bench.run(1);
    assert_eq!(bench.outcomes(), (0..50).map(number).collect::<Vec<_>>());
    assert_eq!(bench.toy().accepted, 50);
    let server = bench.app().client.database(&Endpoint::any(1), 0);
    assert_eq!(bench.app().client.connections(server), 0);
}

#[test]
fn a_slow_request_on_a_pooled_connection_harms_no_other() {
    let mut script = vec![ask(1, "ECHO a"), ask(500, "SLEEP 1900"), ask(600, "SLEEP 1900")];
    script.push(ask(2500, "MARK 9"));
    let mut bench = Bench::calm(Keep::Pooled(1), script);
    bench.run(6);
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[1], Ok(Reply::Simple(AWAKE)));
    assert_eq!(outcomes[2], Err(Failure::Unknown), "it began when the other was over");
    assert_eq!(outcomes[3], number(9), "its reply is told from the late one");
    assert_eq!(bench.app().client.counters().late_replies, 1);
    assert_eq!(bench.toy().accepted, 1);
}

#[test]
fn a_connection_that_is_silent_for_all_of_a_time_out_is_broken() {
    let mut script = vec![ask(0, "ECHO a"), ask(10, "SLEEP 6000"), ask(1000, "MARK 7")];
    script.push(ask(3000, "MARK 8"));
    let mut bench = Bench::calm(Keep::Pooled(1), script);
    bench.run(5);
    let (lost, last) = (Err(Failure::Unknown), number(8));
    assert_eq!(bench.outcomes()[1..], [lost.clone(), lost, last]);
    assert_eq!(bench.toy().accepted, 2);
}

#[test]
fn each_database_of_a_server_has_its_own_connections() {
    let client = || App::client(ClientOptions::default()).with_password(Bytes::from_static(b"pw"));
    let toy = || Toy::new(Happened::default()).with_password(b"pw");
    let asks = |n: usize| Ask { server: n % 3, ..ask(n as u64, "WHICH") };
    let mut bench = bench(Config::new(1), client, toy, &[0, 3, 15], (0..9).map(asks).collect());
    bench.run(1);
    let expected: Vec<_> = [0, 3, 15].into_iter().cycle().take(9).map(number).collect();
    assert_eq!(bench.outcomes(), expected);
    assert_eq!(bench.toy().accepted, 3);
}

#[test]
fn a_server_that_knows_us_not_is_told_to_who_asked() {
    let toy = || Toy::new(Happened::default()).with_password(b"pw");
    let client = || App::client(ClientOptions::default()).with_password(Bytes::from_static(b"x"));
    let mut bench = bench(Config::new(1), client, toy, &[3], vec![ask(0, "WHICH")]);
    bench.run(1);
    let refused = Bytes::from_static(b"NOAUTH Authentication required.");
    assert_eq!(bench.outcomes(), [Ok(Reply::Error(refused))]);
}

#[test]
fn too_many_clients_is_a_reply_to_each_request_that_it_refuses() {
    let mut script: Vec<Ask> = (0..2).map(|_| ask(0, "SLEEP 500")).collect();
    script.extend((0..10).map(|n| ask(100 + n, &format!("MARK {n}"))));
    script.push(ask(700, "MARK 99"));
    let toy = || Toy::new(Happened::default()).with_conns_max(2);
    let mut bench = Bench::with(Keep::PerRequest, toy, script);
    bench.run(2);
    let outcomes = bench.outcomes();
    assert_eq!(outcomes[2..12], vec![Ok(Reply::Error(REFUSED)); 10]);
    assert_eq!(outcomes[12], number(99));
}

#[test]
fn more_connections_than_the_server_takes_are_done_without() {
    let script = (0..200).map(|n| ask(n, &format!("MARK {n}"))).collect();
    let toy = || Toy::new(Happened::default()).with_conns_max(1);
    let mut bench = Bench::with(Keep::Pooled(4), toy, script);
    bench.run(2);
    assert_eq!(bench.outcomes(), (0..200).map(number).collect::<Vec<_>>());
    assert!(bench.toy().accepted < 10, "{} connections", bench.toy().accepted);
}

#[test]
fn nonsense_breaks_the_connection_and_fails_what_was_behind_it() {
    let script = vec![ask(1, "GARBLE"), ask(1, "MARK 1"), ask(900, "MARK 2"), ask(901, "TWICE")];
    let mut bench = Bench::calm(Keep::Pooled(1), script);
    bench.run(3);
    let expected = [Err(Failure::Garbled), Err(Failure::Unknown), number(2), number(1)];
    assert_eq!(bench.outcomes(), expected);
}

#[test]
fn a_reply_that_is_too_long_fails_its_request_alone() {
    let script = ["MARK 1", "LONG 900", "LONG 2000", "MARK 2", "LONG 300000", "MARK 3"];
    let script: Vec<Ask> = script.iter().map(|words| ask(1, words)).collect();
    for keep in [Keep::Pooled(1), Keep::Exclusive(1), Keep::PerRequest] {
        let options = ClientOptions { keep, reply_bytes_max: 1000, ..ClientOptions::default() };
        let client = move || App::client(options.clone());
        let toy = || Toy::new(Happened::default());
        let mut bench = bench(Config::new(1), client, toy, &[0], script.clone());
        bench.run(3);
        let (ended, long) = (bench.outcomes(), Err(Failure::TooLong));
        assert!(matches!(ended[1], Ok(Reply::Array(_))), "{:?}", ended[1]);
        assert_eq!((&ended[0], &ended[2]), (&number(1), &long), "{keep:?}");
        assert_eq!(ended[3..], [number(2), long, number(3)], "{keep:?}");
        let counters = *bench.app().client.counters();
        assert_eq!((counters.too_long, counters.connections_lost), (2, 0), "{keep:?}");
    }
}

#[test]
fn a_request_that_the_server_would_hang_up_on_is_not_taken() {
    let word = |bytes: usize| "x".repeat(bytes);
    let long = format!("MARK {0} {0} {0} {0}", word(VALUE_BYTES_MAX));
    assert!(long.len() > REQUEST_BYTES_MAX);
    let long_word = format!("MARK {}", word(VALUE_BYTES_MAX + 1));
    let script = ["MARK 1", &long, &long_word, "MARK 2"].map(|words| ask(1, words));
    let mut bench = Bench::calm(Keep::Pooled(1), script.to_vec());
    bench.run(1);
    assert_eq!(bench.app().taken, 2);
    assert_eq!(bench.outcomes(), [number(1), number(2)]);
}

#[test]
fn what_is_cut_off_is_unknown_and_what_cannot_be_sent_is_not_sent() {
    let script = vec![ask(1, "HANGUP"), ask(1, "MARK 1"), ask(2, "MARK 2"), ask(900, "MARK 3")];
    let mut bench = Bench::calm(Keep::Pooled(1), script);
    bench.run(3);
    let expected = [
        Err(Failure::Unknown),
        Err(Failure::Unknown),
        // The server is left alone for half a second.
        Err(Failure::NotSent),
        number(3),
    ];
    assert_eq!(bench.outcomes(), expected);
}

#[test]
fn a_server_that_is_away_is_tried_less_and_less_often() {
    let script = (0..10_000).map(|n| ask(n, &format!("MARK {n}"))).collect();
    let mut bench = Bench::calm(Keep::Pooled(2), script);
    let server = bench.server;
    bench.world.kill(server);
    bench.run(11);
    assert_eq!(bench.outcomes(), vec![Err(Failure::NotSent); 10_000]);
    let connects = bench.app().client.counters().connects;
    assert!((3..=6).contains(&connects), "{connects} connects in ten seconds");
}

#[test]
fn requests_beyond_the_limit_are_not_taken() {
    let script = (0..30).map(|_| ask(0, "SILENCE")).collect();
    let options = ClientOptions { requests_max: 20, ..ClientOptions::default() };
    let client = move || App::client(options.clone());
    let toy = || Toy::new(Happened::default());
    let mut bench = bench(Config::new(1), client, toy, &[0], script);
    bench.run(5);
    assert_eq!((bench.app().taken, bench.app().ended.len()), (20, 20));
    assert_eq!(bench.outcomes(), vec![Err(Failure::Unknown); 20]);
}
