//! Readers that stop: the writer feels it, nothing is lost, nothing is told out of turn.

use crate::kit::{A_WHILE, CONNECT_TIMEOUT, actor, fail, matches, piece, play, put, require};
use crate::roles::{Role, content_if_closed};
use crate::{Ability, Arm, Body};
use storytime_machine::{Buf, BytesMut, Close, Conn, Cx, Endpoint, Token};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_reader_that_stops_is_felt_by_the_writer",
        needs: &[Ability::Windows],
        run: a_reader_that_stops_is_felt_by_the_writer,
    },
    Body {
        name: "input_left_behind_a_pause_is_told_again",
        needs: &[],
        run: input_left_behind_a_pause_is_told_again,
    },
    Body {
        name: "an_end_behind_a_pause_is_told_after_the_data",
        needs: &[],
        run: an_end_behind_a_pause_is_told_after_the_data,
    },
    Body {
        name: "pausing_and_resuming_in_one_go_loses_nothing",
        needs: &[],
        run: pausing_and_resuming_in_one_go_loses_nothing,
    },
];

const PORT: u16 = 4002;
const SALT: u8 = 3;

/// Where the writer of the first body is.
#[derive(PartialEq, Eq)]
enum Phase {
    /// Filling whenever drained, until nothing moves any more.
    Fills,
    /// Nothing moved for a while; the reader was told to go on.
    AwaitDrained,
    /// It moved again.
    Drained,
}

struct Writer {
    to: Endpoint,
    phase: Phase,
    bulk: Option<Conn>,
    control: Option<Conn>,
    sent: u64,
}

impl Writer {
    const STUCK: Token = Token(1);
    const CONTROL: Token = Token(2);
    /// Above every high mark and below every cap.
    const PENDING: usize = 1 << 20;
    /// No kernel takes so much for a reader that does not read.
    const BYTES_MAX: u64 = 96 << 20;

    fn open(&mut self, cx: &mut Cx, conn: Conn) {
        if self.bulk.is_none() {
            self.bulk = Some(conn);
            cx.connect(Self::CONTROL, self.to.clone(), CONNECT_TIMEOUT);
        } else {
            self.control = Some(conn);
            self.fill(cx);
        }
    }

    fn fill(&mut self, cx: &mut Cx) {
        let Some(conn) = self.bulk else { return };
        let len = Self::PENDING.saturating_sub(cx.pending(conn));
        if let Some(tx) = cx.tx(conn) {
            tx.push(piece(SALT, self.sent, len));
        }
        self.sent += len as u64;
        require(cx, self.sent <= Self::BYTES_MAX, "a reader that stopped was never felt");
        cx.after(Self::STUCK, A_WHILE);
    }

    /// Nothing was drained for a while.
    fn stuck(&mut self, cx: &mut Cx) {
        let (Some(bulk), Some(control)) = (self.bulk, self.control) else { return };
        require(cx, cx.pending(bulk) > 64 << 10, "stuck, and yet nothing is pending");
        self.phase = Phase::AwaitDrained;
        put(cx, control, b"go on");
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        match self.phase {
            Phase::Fills => self.fill(cx),
            Phase::AwaitDrained => {
                self.phase = Phase::Drained;
                cx.close(conn, Close::Flush);
            }
            Phase::Drained => fail(cx, "drained was told of a connection that we closed"),
        }
    }
}

#[derive(Default)]
struct Reader {
    bulk: Option<Conn>,
    reads: bool,
    got: u64,
}

impl Reader {
    fn open(&mut self, cx: &mut Cx, conn: Conn) {
        if self.bulk.is_none() {
            self.bulk = Some(conn);
            cx.pause(conn, true);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let Some(bulk) = self.bulk else { return };
        if conn == bulk {
            require(cx, self.reads, "data was told of a paused connection");
            require(cx, matches(SALT, self.got, rx), "the stream differs");
            self.got += rx.len() as u64;
        } else if rx.len() == 5 {
            self.reads = true;
            cx.pause(bulk, false);
        } else {
            return;
        }
        rx.clear();
    }
}

fn a_reader_that_stops_is_felt_by_the_writer(arm: &mut dyn Arm) {
    let server = Role::on_port(PORT, Reader::default()).open(Reader::open).data(Reader::data).gone(
        |s, cx, conn, why| {
            if s.bulk == Some(conn) {
                content_if_closed(s, cx, conn, why);
            }
        },
    );
    let to = Endpoint::tcp(arm.ip(0), PORT);
    let writer = Writer { to: to.clone(), phase: Phase::Fills, bulk: None, control: None, sent: 0 };
    let client = Role::client(to, writer)
        .open(Writer::open)
        .timer(|s, cx, _| s.stuck(cx))
        .drained(Writer::drained)
        .gone(|s, cx, conn, why| {
            if s.bulk == Some(conn) {
                content_if_closed(s, cx, conn, why);
            }
        });
    let cast = vec![actor("reader", arm.ip(0), server), actor("writer", arm.ip(1), client)];
    play(cast, arm);
}

/// Takes one byte at a time and pauses in between.
#[derive(Default)]
struct Sipper {
    conn: Option<Conn>,
    paused: bool,
    got: u64,
}

impl Sipper {
    fn resume(&mut self, cx: &mut Cx, _: Token) {
        let Some(conn) = self.conn else { return };
        self.paused = false;
        cx.pause(conn, false);
    }

    fn end(&mut self, cx: &mut Cx, conn: Conn, bytes: u64) {
        require(cx, !self.paused, "eof was told of a paused connection");
        require(cx, self.got == bytes, "eof was told before the data");
        cx.close(conn, Close::Flush);
    }
}

/// Plays a server with a client that sends so many bytes at once, and then the end.
fn play_with_sender<S: Send + 'static>(server: Role<S>, bytes: u64, arm: &mut dyn Arm) {
    let client = Role::client(Endpoint::tcp(arm.ip(0), PORT), bytes)
        .open(|bytes, cx, conn| {
            put(cx, conn, &piece(SALT, 0, *bytes as usize));
            cx.close(conn, Close::Write);
        })
        .gone(content_if_closed);
    let cast = vec![actor("server", arm.ip(0), server), actor("client", arm.ip(1), client)];
    play(cast, arm);
}

fn input_left_behind_a_pause_is_told_again(arm: &mut dyn Arm) {
    const BYTES: u64 = 60;
    let server = Role::on_port(PORT, Sipper::default())
        .data(|s, cx, conn, rx| {
            require(cx, !s.paused, "data was told of a paused connection");
            require(cx, matches(SALT, s.got, rx), "the input left differs");
            rx.advance(1);
            s.got += 1;
            (s.conn, s.paused) = (Some(conn), true);
            cx.pause(conn, true);
            cx.after(Token(1), A_WHILE / 100);
        })
        .timer(Sipper::resume)
        .eof(|s, cx, conn| s.end(cx, conn, BYTES))
        .gone(content_if_closed);
    play_with_sender(server, BYTES, arm);
}

fn an_end_behind_a_pause_is_told_after_the_data(arm: &mut dyn Arm) {
    // Little enough that all of it, and the end, can wait in front of a reader that does not read.
    const BYTES: u64 = 30_000;
    let server = Role::on_port(PORT, Sipper::default())
        .open(|s, cx, conn| {
            (s.conn, s.paused) = (Some(conn), true);
            cx.pause(conn, true);
            cx.after(Token(1), A_WHILE);
        })
        .data(|s, cx, _, rx| {
            require(cx, !s.paused, "data was told of a paused connection");
            require(cx, matches(SALT, s.got, rx), "the stream differs");
            s.got += rx.len() as u64;
            rx.clear();
        })
        .timer(Sipper::resume)
        .eof(|s, cx, conn| s.end(cx, conn, BYTES))
        .gone(content_if_closed);
    play_with_sender(server, BYTES, arm);
}

fn pausing_and_resuming_in_one_go_loses_nothing(arm: &mut dyn Arm) {
    const BYTES: u64 = 30;
    let server = Role::on_port(PORT, 0u64)
        .data(|got, cx, conn, rx| {
            require(cx, matches(SALT, *got, rx), "the input left differs");
            rx.advance(1);
            *got += 1;
            cx.pause(conn, true);
            cx.pause(conn, false);
        })
        .eof(|got, cx, conn| {
            require(cx, *got == BYTES, "eof was told before the data");
            cx.close(conn, Close::Flush);
        })
        .gone(content_if_closed);
    play_with_sender(server, BYTES, arm);
}
