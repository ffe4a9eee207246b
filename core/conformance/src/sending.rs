//! Files on their way to a connection without passing through the machine.

use crate::kit::{Dial, LISTENER, actor, done, fail, matches, piece, play, put, require};
use crate::roles::content_if_closed;
use crate::{Ability, Arm, Body};
use storytime_machine::{
    Boot, Bytes, Close, Conn, Cx, DiskOk, DiskOp, DiskResult, Endpoint, FileId, Gone, Listen,
    Machine, Open, Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_file_is_sent_between_other_output",
        needs: &[Ability::Disk],
        run: a_file_is_sent_between_other_output,
    },
    Body {
        name: "a_file_shorter_than_promised_resets_the_connection",
        needs: &[Ability::Disk],
        run: a_file_shorter_than_promised_resets_the_connection,
    },
];

const PORT: u16 = 4009;
const HEAD: u64 = 700;
const FILE: u64 = 300_000;
/// Where in the file sending begins.
const FROM: u64 = 1_234;
const TAIL: u64 = 50;
const SALT: u8 = 9;

/// Writes a file, listens, sends it to whoever comes.
struct Sender {
    /// How much of the file is promised.
    promises: u64,
    ends: Gone,
    file: FileId,
}

impl Sender {
    const OPEN: Token = Token(1);
    const WRITE: Token = Token(2);
}

impl Machine for Sender {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        let path = Bytes::from_static(b"movie");
        cx.disk(Self::OPEN, DiskOp::Open { path, create: true });
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        match (op, result) {
            (Self::OPEN, Ok(DiskOk::File { file, .. })) => {
                self.file = file;
                // The stream is: head, file from FROM, tail; all of one pattern.
                let data = piece(SALT, HEAD, FILE as usize);
                cx.disk(Self::WRITE, DiskOp::Write { file, at: FROM, data });
            }
            (Self::WRITE, Ok(DiskOk::Done)) => {
                cx.listen(LISTENER, Listen::at(Endpoint::any(PORT)));
            }
            _ => fail(cx, "the file could not be written"),
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        let Some(tx) = cx.tx(conn) else { return };
        tx.put(&piece(SALT, 0, HEAD as usize));
        // In two ranges, the second right behind the first.
        tx.push_file(self.file, FROM, 100_000);
        tx.push_file(self.file, FROM + 100_000, self.promises - 100_000);
        tx.put(&piece(SALT, HEAD + self.promises, TAIL as usize));
        let pending = tx.pending() as u64;
        require(cx, pending == HEAD + self.promises + TAIL, "pending counts what was promised");
        cx.close(conn, Close::Flush);
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, why: Gone) {
        require(cx, why == self.ends, "the connection ended otherwise");
        done(cx);
    }
}

/// Checks the stream and how it ends.
struct Receiver {
    dial: Dial,
    got: u64,
    wants: Option<u64>,
}

impl Machine for Receiver {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.dial.start(cx);
    }

    fn failed(&mut self, cx: &mut Cx, _connect: Token, why: Gone) {
        self.dial.failed(cx, why);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.dial.timer(cx, timer);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        put(cx, conn, b"");
    }

    fn data(&mut self, cx: &mut Cx, _conn: Conn, rx: &mut bytes::BytesMut) {
        require(cx, matches(SALT, self.got, rx), "the stream differs");
        self.got += rx.len() as u64;
        rx.clear();
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        require(cx, self.wants == Some(self.got), "a stream cut short looks complete");
        cx.close(conn, Close::Flush);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if self.wants.is_some() {
            return content_if_closed(self, cx, conn, why);
        }
        require(cx, self.got <= HEAD + FILE, "output behind the missing bytes arrived");
        done(cx);
    }
}

fn send(arm: &mut dyn Arm, promises: u64, ends: Gone, wants: Option<u64>) {
    let sender = Sender { promises, ends, file: FileId(0) };
    let receiver = Receiver { dial: Dial::to(Endpoint::tcp(arm.ip(0), PORT)), got: 0, wants };
    let cast = vec![actor("sender", arm.ip(0), sender), actor("receiver", arm.ip(1), receiver)];
    play(cast, arm);
}

fn a_file_is_sent_between_other_output(arm: &mut dyn Arm) {
    send(arm, FILE, Gone::Closed, Some(HEAD + FILE + TAIL));
}

fn a_file_shorter_than_promised_resets_the_connection(arm: &mut dyn Arm) {
    send(arm, FILE + 10, Gone::FileFailed, None);
}
