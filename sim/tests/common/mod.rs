//! An echo server, and clients that check what comes back.

mod server;

pub(crate) use server::{EchoServer, PORT};

use storytime_machine::{
    Boot, BytesMut, Close, Conn, Cx, Duration, Endpoint, Gone, Machine, Open, Process, Token,
};
use storytime_sim::{Config, HostConfig, ProcessId, ProgramConfig, World};

/// Sends one message at a time and checks the answer.
pub(crate) struct Client {
    server: Endpoint,
    rounds: u64,
    pub(crate) answered: u64,
    pub(crate) gone: bool,
}

impl Client {
    fn say(&self, cx: &mut Cx, conn: Conn) {
        if let Some(tx) = cx.tx(conn) {
            tx.put(&self.answered.to_be_bytes());
        }
    }
}

impl Machine for Client {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.connect(Token(0), self.server.clone(), Duration::from_secs(30));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.say(cx, conn);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        assert!(rx.len() <= 8, "only one message is under way");
        if rx.len() < 8 {
            return;
        }
        assert_eq!(rx[..], self.answered.to_be_bytes());
        rx.clear();
        self.answered += 1;
        if self.answered < self.rounds {
            self.say(cx, conn);
        } else {
            cx.close(conn, Close::Flush);
        }
    }

    fn gone(&mut self, _: &mut Cx, _: Conn, _: Gone) {
        self.gone = true;
    }
}

/// One server, `clients` hosts with a client each that asks `rounds` times.
pub(crate) fn echo_world(config: Config, clients: u32, rounds: u64) -> (World, Vec<ProcessId>) {
    let mut world = World::new(config);
    let server = world.add_host(HostConfig::new("server"));
    let echo = ProgramConfig::new("echo", |setup| Box::new(Process::new(EchoServer, setup)));
    world.add_program(server, echo);
    world.power_on(server);
    let to = Endpoint::tcp(world.ip(server), PORT);
    let mut all = Vec::new();
    for n in 0..clients {
        let host = world.add_host(HostConfig::new(format!("client{n}")));
        let to = to.clone();
        let program = ProgramConfig::new("client", move |setup| {
            let client = Client { server: to.clone(), rounds, answered: 0, gone: false };
            Box::new(Process::new(client, setup))
        });
        all.extend(world.add_program(host, program));
        world.power_on(host);
    }
    (world, all)
}
