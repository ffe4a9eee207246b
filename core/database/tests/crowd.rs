//! Clients that each wait for their write and then write again: a sync carries nearly all of them,
//! and one that is alone waits for nobody.

use core::time::Duration;
use storytime_database::{Config, Database, PORT};
use storytime_machine::{
    Boot, BytesMut, Conn, Cx, Endpoint, Gone, Machine, Open, Process, Time, Token,
};
use storytime_sim::{DiskConfig, HostConfig, ProgramConfig, Ran, World};

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
const REPLY: &[u8] = b"+OK\r\n";
/// When the first connects: the server listens.
const FIRST: Duration = Duration::from_secs(1);
/// Between connects: they do not begin as the crowd that they become.
const APART: Duration = Duration::from_micros(700);
/// How long they write.
const LENGTH: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// So many connections with one write under way on each.
struct Crowd {
    server: Endpoint,
    conns: u64,
    written: u64,
}

impl Crowd {
    fn write(cx: &mut Cx, conn: Conn) {
        if let Some(tx) = cx.tx(conn) {
            tx.put(SET);
        }
    }
}

impl Machine for Crowd {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        for number in 0..self.conns {
            cx.after(Token(number), FIRST + APART * number as u32);
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        cx.connect(timer, self.server.clone(), TIMEOUT);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        Self::write(cx, conn);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if rx.len() < REPLY.len() {
            return;
        }
        assert_eq!(&rx[..], REPLY, "one reply to one request");
        rx.clear();
        self.written += 1;
        Self::write(cx, conn);
    }

    fn failed(&mut self, _: &mut Cx, _: Token, why: Gone) {
        panic!("the server listens: {why}");
    }
}

/// Writes that so many clients get done.
fn written_by(conns: u64) -> u64 {
    let mut world = World::new(storytime_sim::Config::new(1));
    let disk = Some(DiskConfig::default());
    let host = world.add_host(HostConfig { disk, ..HostConfig::new("db") });
    let program = ProgramConfig::new("db", |setup| {
        Box::new(Process::new(Database::new(Config::default()), setup))
    });
    world.add_program(host, program);
    let server = Endpoint::tcp(world.ip(host), PORT);
    world.power_on(host);
    let host = world.add_host(HostConfig::new("clients"));
    let program = ProgramConfig::new("clients", move |setup| {
        let crowd = Crowd { server: server.clone(), conns, written: 0 };
        Box::new(Process::new(crowd, setup))
    });
    let clients = world.add_program(host, program)[0];
    world.power_on(host);
    let ran = world.run_until(Time::ZERO + FIRST + LENGTH);
    assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    world.machine::<Crowd>(clients).expect("the clients run").written
}

#[test]
fn a_sync_carries_nearly_the_whole_crowd() {
    let (one, all) = (written_by(1), written_by(64));
    assert!(one > 100, "{one} writes alone");
    assert!(all > 56 * one, "{all} writes of 64, {one} of one: half of them wait for two syncs");
}
