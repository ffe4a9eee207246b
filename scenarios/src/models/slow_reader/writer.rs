//! Who overwrites the value.

use super::{DIGITS, Figures, SlowReader, TIMEOUT, versions};
use crate::models::Results;
use crate::models::app::lock;
use crate::models::kinds::{Measures, Shared};
use crate::models::results::record;
use storytime_machine::{Boot, Close, Conn, Cx, Machine, Time, Token, nanos};
use storytime_memcached::client::pool::PoolOptions;
use storytime_memcached::client::{Client, ClientOptions, Event, Outcome, ServerSpec};

/// The timer of the next overwrite.
const TURN: Token = Token(1);
/// The cache client's tokens begin here.
const CLIENT: Token = Token(1 << 32);

#[derive(Debug)]
pub(super) struct Writer {
    numbers: SlowReader,
    server: ServerSpec,
    key: String,
    shared: Shared,
    figures: Figures,
    cache: Client,
    value: Vec<u8>,
    /// The overwrite under way: its version, and when it began.
    under_way: Option<(u64, Time)>,
}

impl Writer {
    pub(super) fn new(
        numbers: SlowReader,
        server: ServerSpec,
        key: String,
        shared: Shared,
        figures: Figures,
    ) -> Self {
        let bytes = numbers.value_bytes as usize;
        let pool = PoolOptions {
            request_timeout: TIMEOUT,
            value_bytes_max: bytes,
            unsent_bytes_max: bytes + (1 << 10),
            ..PoolOptions::default()
        };
        let options = ClientOptions { pool, ..ClientOptions::default() };
        let (cache, value) = (Client::new(options, CLIENT), vec![b'0'; bytes]);
        Self { numbers, server, key, shared, figures, cache, value, under_way: None }
    }

    fn turn(&mut self, cx: &mut Cx) {
        cx.after(TURN, self.numbers.every);
        // One at a time: a writer that is slower than its turns leaves some out.
        if self.under_way.is_some() {
            return;
        }
        let version = {
            let mut versions = lock(versions(&self.shared));
            versions.sent += 1;
            versions.sent
        };
        let digits = format!("{version:0DIGITS$}");
        for block in self.value.chunks_mut(DIGITS) {
            block.copy_from_slice(&digits.as_bytes()[..block.len()]);
        }
        match self.cache.set(cx, self.key.as_bytes(), &self.value, 0, version) {
            Ok(()) => self.under_way = Some((version, cx.now())),
            Err(_) => self.figures.writes_failed += 1,
        }
    }

    fn drain(&mut self, cx: &mut Cx) {
        while let Some(Event { tag, outcome }) = self.cache.next_event() {
            let Some((version, began)) = self.under_way.take_if(|(version, _)| *version == tag)
            else {
                continue;
            };
            if outcome == Outcome::Stored {
                let mut versions = lock(versions(&self.shared));
                versions.stored = versions.stored.max(version);
                self.figures.writes.add(cx.now(), 1);
                record(&mut self.figures.write_times, nanos(cx.now().since(began)));
            } else {
                self.figures.writes_failed += 1;
            }
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.cache, cx);
        self.drain(cx);
    }
}

impl Measures for Writer {
    fn results(&self) -> Results {
        self.figures.results()
    }
}

impl Machine for Writer {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.figures.begin(cx.now());
        let server = self.server.clone();
        self.cache.set_servers(cx, &[server]).expect("one server is few enough");
        self.turn(cx);
    }

    storytime_machine::pass_to_part!(open data gone failed);

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.cache.on_eof(cx, conn) {
            cx.close(conn, Close::Flush);
        }
        self.drain(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == TURN {
            self.turn(cx);
        } else {
            self.cache.on_timer(cx, timer);
        }
        self.drain(cx);
    }

    fn invariants(&self) {
        self.cache.invariants();
    }
}
