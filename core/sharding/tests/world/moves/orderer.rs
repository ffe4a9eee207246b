//! Orders moves, one after the other, of users and shards drawn by chance.

use storytime_machine::{Boot, BytesMut, Conn, Cx, Duration, Endpoint, Gone, Machine, Open, Token};
use storytime_sharding::mover::wire::{Line, take_line};
use storytime_sharding::{ShardId, UserId};

const CONNECT: Token = Token(1);
const TICK: Token = Token(2);

pub(crate) struct Orderer {
    coordinator: Endpoint,
    users: Vec<UserId>,
    shards: u32,
    conn: Option<Conn>,
    every: Duration,
    /// How many orders are still to come.
    pub(crate) left: u32,
    pub(crate) queued: u32,
    /// Moves that wait, are under way, and were ended, as last told.
    pub(crate) moves: Option<(u64, u64, u64)>,
}

impl Orderer {
    pub(crate) fn new(
        coordinator: Endpoint,
        users: Vec<UserId>,
        shards: u32,
        every: Duration,
        left: u32,
    ) -> Self {
        Self { coordinator, users, shards, conn: None, every, left, queued: 0, moves: None }
    }

    fn say(&self, cx: &mut Cx, line: Line) {
        if let Some(tx) = self.conn.and_then(|conn| cx.tx(conn)) {
            tx.put(line.to_string().as_bytes());
        }
    }
}

impl Machine for Orderer {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.connect(CONNECT, self.coordinator.clone(), Duration::from_secs(1));
        cx.after(TICK, self.every);
    }

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        self.conn = Some(conn);
    }

    fn data(&mut self, _: &mut Cx, _: Conn, rx: &mut BytesMut) {
        while let Some(line) = take_line(rx).expect("a coordinator speaks in lines") {
            match line {
                Line::Queued(_) => self.queued += 1,
                Line::Moves(waiting, working, ended) => {
                    self.moves = Some((waiting, working, ended));
                }
                Line::Refused(_) | Line::Unknown(_) | Line::Cancelled(_) => {}
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == CONNECT {
            return cx.connect(CONNECT, self.coordinator.clone(), Duration::from_secs(1));
        }
        if self.conn.is_some() && self.left > 0 {
            self.left -= 1;
            let user = self.users[cx.rng().index(self.users.len())];
            let shard = ShardId(1 + cx.rng().below(u64::from(self.shards)) as u32);
            if cx.rng().below(12) == 0 {
                self.say(cx, Line::Cancel(user));
            } else {
                self.say(cx, Line::Add(user, shard, 0));
            }
        }
        self.say(cx, Line::Status);
        cx.after(TICK, self.every);
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, _: Gone) {
        self.conn = None;
        cx.after(CONNECT, Duration::from_millis(200));
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, _: Gone) {
        cx.after(CONNECT, Duration::from_millis(200));
    }
}
