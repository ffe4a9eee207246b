//! An application with a client in it, that asks what a script says.

use core::time::Duration;
use std::collections::BTreeMap;
use storytime_database::Reply;
use storytime_database::client::{Client, ClientOptions, Failure, ServerId};
use storytime_machine::{Boot, Conn, Cx, Endpoint, Gone, Machine, Token};

/// First token of the client; the application's own lie below.
const BASE: Token = Token(1 << 20);

/// A request, and when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) at: Duration,
    pub(crate) server: usize,
    pub(crate) words: String,
}

/// Asks for something at a time.
pub(crate) fn ask(at_ms: u64, words: &str) -> Ask {
    Ask { at: Duration::from_millis(at_ms), server: 0, words: words.to_owned() }
}

pub(crate) struct App {
    pub(crate) client: Client,
    servers: Vec<(Endpoint, u32)>,
    ids: Vec<ServerId>,
    script: Vec<Ask>,
    pub(crate) taken: u64,
    /// Outcomes by place in the script, and when they came.
    pub(crate) ended: BTreeMap<u64, (Result<Reply, Failure>, Duration)>,
}

impl App {
    pub(crate) fn new(client: Client, servers: Vec<(Endpoint, u32)>, script: Vec<Ask>) -> Self {
        Self { client, servers, ids: Vec::new(), script, taken: 0, ended: BTreeMap::new() }
    }

    pub(crate) fn client(options: ClientOptions) -> Client {
        Client::new(options, BASE)
    }

    fn collect(&mut self, cx: &Cx) {
        while let Some(event) = self.client.next_event() {
            let at = Duration::from_nanos(cx.now().0);
            let before = self.ended.insert(event.tag, (event.outcome, at));
            assert_eq!(before, None, "request {} ended twice", event.tag);
        }
    }

    fn ask(&mut self, cx: &mut Cx, place: usize) {
        let ask = &self.script[place];
        let words: Vec<&[u8]> = ask.words.split(' ').map(str::as_bytes).collect();
        let server = self.ids[ask.server];
        if self.client.ask(cx, server, &words, place as u64).is_ok() {
            self.taken += 1;
        }
        self.collect(cx);
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        assert!(what(&mut self.client, cx), "there is no other part");
        self.collect(cx);
    }
}

impl Machine for App {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let servers = self.servers.iter();
        self.ids = servers.map(|(at, number)| self.client.database(at, *number)).collect();
        for (place, ask) in self.script.iter().enumerate() {
            cx.after(Token(place as u64), ask.at);
        }
    }

    storytime_machine::pass_to_part!(open data eof failed);

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.client.owns(conn) && self.client.on_gone(cx, conn, why));
        self.collect(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer < BASE {
            return self.ask(cx, timer.0 as usize);
        }
        self.pass(cx, |client, cx| client.on_timer(cx, timer));
    }

    fn invariants(&self) {
        self.client.invariants();
    }
}
