//! Disk operations: outcome, order per file, names.

use crate::kit::{actor, done, fail, piece, play, require};
use crate::{Ability, Arm, Body};
use storytime_machine::{
    Boot, Bytes, Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId, IO_BYTES_MAX, Machine, Token,
};

pub(crate) const BODIES: &[Body] = &[
    Body {
        name: "a_file_reads_back_as_written",
        needs: &[Ability::Disk],
        run: a_file_reads_back_as_written,
    },
    Body {
        name: "a_file_may_be_cut_lengthened_and_written_with_gaps",
        needs: &[Ability::Disk],
        run: a_file_may_be_cut_lengthened_and_written_with_gaps,
    },
    Body {
        name: "impossible_operations_are_refused_and_harm_nothing",
        needs: &[Ability::Disk],
        run: impossible_operations_are_refused_and_harm_nothing,
    },
    Body {
        name: "names_are_made_changed_removed_and_listed_in_order",
        needs: &[Ability::Disk],
        run: names_are_made_changed_removed_and_listed_in_order,
    },
    Body {
        name: "an_unlinked_file_stays_usable_while_open",
        needs: &[Ability::Disk],
        run: an_unlinked_file_stays_usable_while_open,
    },
    Body {
        name: "operations_on_one_file_complete_in_order",
        needs: &[Ability::Disk],
        run: operations_on_one_file_complete_in_order,
    },
    Body {
        name: "a_large_file_is_written_and_read_in_large_pieces",
        needs: &[Ability::Disk],
        run: a_large_file_is_written_and_read_in_large_pieces,
    },
];

/// What a step wants to come of its operation.
enum Wants {
    /// An open file of this length, kept under this number.
    File(usize, u64),
    Data(Bytes),
    Names(&'static [&'static str]),
    Done,
    Error(DiskError),
}

type MakeOp = Box<dyn Fn(&[FileId]) -> DiskOp + Send>;

/// Runs operations one after the other.
struct Script {
    steps: Vec<(&'static str, MakeOp, Wants)>,
    at: usize,
    files: Vec<FileId>,
}

impl Script {
    const fn new() -> Self {
        Self { steps: Vec::new(), at: 0, files: Vec::new() }
    }

    fn then(
        mut self,
        says: &'static str,
        op: impl Fn(&[FileId]) -> DiskOp + Send + 'static,
        wants: Wants,
    ) -> Self {
        self.steps.push((says, Box::new(op), wants));
        self
    }

    /// Opens, creating; the file is number `file` from here on.
    fn create(self, path: &'static str, file: usize) -> Self {
        self.then("a file was not created empty", open(path, true), Wants::File(file, 0))
    }

    fn reads(self, says: &'static str, file: usize, at: u64, len: u32, wanted: Bytes) -> Self {
        let op = move |files: &[FileId]| DiskOp::Read { file: files[file], at, len };
        self.then(says, op, Wants::Data(wanted))
    }

    fn writes(self, file: usize, at: u64, data: Bytes) -> Self {
        let op =
            move |files: &[FileId]| DiskOp::Write { file: files[file], at, data: data.clone() };
        self.then("a write failed", op, Wants::Done)
    }

    fn next(&self, cx: &mut Cx) {
        match self.steps.get(self.at) {
            Some((_, op, _)) => cx.disk(Token(self.at as u64), op(&self.files)),
            None => done(cx),
        }
    }
}

impl Machine for Script {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.next(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        if op != Token(self.at as u64) {
            return fail(cx, "an operation completed twice, or never asked for");
        }
        let (says, _, wants) = &self.steps[self.at];
        let as_wanted = match (wants, result) {
            (Wants::File(number, wanted), Ok(DiskOk::File { file, len })) => {
                self.files.resize(self.files.len().max(number + 1), file);
                self.files[*number] = file;
                *wanted == len
            }
            (Wants::Data(wanted), Ok(DiskOk::Data(data))) => *wanted == data,
            (Wants::Names(wanted), Ok(DiskOk::Names(names))) => {
                names.iter().map(|n| &n[..]).eq(wanted.iter().map(|n| n.as_bytes()))
            }
            (Wants::Done, Ok(DiskOk::Done)) => true,
            (Wants::Error(wanted), Err(error)) => *wanted == error,
            _ => false,
        };
        require(cx, as_wanted, says);
        self.at += 1;
        self.next(cx);
    }
}

fn open(path: &'static str, create: bool) -> impl Fn(&[FileId]) -> DiskOp + Send + 'static {
    move |_| DiskOp::Open { path: Bytes::from_static(path.as_bytes()), create }
}

fn path(path: &'static str) -> Bytes {
    Bytes::from_static(path.as_bytes())
}

fn sync(files: &[FileId]) -> DiskOp {
    DiskOp::Sync { file: files[0] }
}

fn play_script(arm: &mut dyn Arm, script: Script) {
    play(vec![actor("script", arm.ip(0), script)], arm);
}

fn a_file_reads_back_as_written(arm: &mut dyn Arm) {
    let script = Script::new()
        .create("f", 0)
        .writes(0, 0, piece(1, 0, 1000))
        .reads("a fresh write is not seen", 0, 0, 1000, piece(1, 0, 1000))
        .then("a sync failed", sync, Wants::Done)
        .reads("a synced write is not seen", 0, 10, 20, piece(1, 10, 20))
        .reads("a read does not stop at the end", 0, 990, 100, piece(1, 990, 10))
        .reads("a read behind the end finds something", 0, 5000, 10, Bytes::new())
        .reads("a read of nothing finds something", 0, 0, 0, Bytes::new())
        .writes(0, 500, piece(2, 0, 1000))
        .reads("an overwrite is not seen", 0, 500, 1000, piece(2, 0, 1000))
        .reads("an overwrite went too far", 0, 0, 500, piece(1, 0, 500))
        .writes(0, 600, piece(2, 100, 10))
        .reads("an overwrite cut the file", 0, 500, 2000, piece(2, 0, 1000))
        .then("closing failed", |f| DiskOp::Close { file: f[0] }, Wants::Done)
        .then("a file lost its length", open("f", false), Wants::File(0, 1500))
        .then("creating emptied a file", open("f", true), Wants::File(1, 1500))
        .reads("a file lost its content", 1, 500, 1000, piece(2, 0, 1000));
    play_script(arm, script);
}

fn a_file_may_be_cut_lengthened_and_written_with_gaps(arm: &mut dyn Arm) {
    let set_len = |len| move |files: &[FileId]| DiskOp::SetLen { file: files[0], len };
    let zeros = |len| Bytes::from(vec![0; len]);
    let script = Script::new()
        .create("f", 0)
        .writes(0, 10_000, piece(1, 0, 10))
        .reads("a gap holds something", 0, 9_000, 1000, zeros(1000))
        .then("cutting failed", set_len(10_005), Wants::Done)
        .reads("a cut file is too long", 0, 10_000, 100, piece(1, 0, 5))
        .then("cutting failed", set_len(4), Wants::Done)
        .then("lengthening failed", set_len(20_000), Wants::Done)
        .reads("what was cut off came back", 0, 10_000, 10, zeros(10))
        .reads("a lengthened file is too short", 0, 19_999, 10, zeros(1))
        .then("a sync failed", sync, Wants::Done)
        .then("the length is not seen", open("f", false), Wants::File(1, 20_000))
        .then("emptying failed", set_len(0), Wants::Done)
        .reads("an empty file holds something", 1, 0, 10, Bytes::new());
    play_script(arm, script);
}

fn impossible_operations_are_refused_and_harm_nothing(arm: &mut dyn Arm) {
    let unknown = FileId(u32::MAX);
    let long = "a".repeat(2000);
    let huge = Bytes::from(vec![0; IO_BYTES_MAX + 1]);
    let invalid = || Wants::Error(DiskError::Invalid);
    let missing = || Wants::Error(DiskError::NotFound);
    let script = Script::new()
        .then("a missing file was opened", open("nothing", false), missing())
        .then("a file in a missing directory", open("no/thing", true), missing())
        .then("a path out of the directory", open("../f", true), invalid())
        .then("an absolute path", open("/f", true), invalid())
        .then("an empty path", open("", true), invalid())
        .then(
            "a path too long",
            move |_| DiskOp::Open { path: long.clone().into(), create: true },
            invalid(),
        )
        .then("an unknown file", move |_| DiskOp::Read { file: unknown, at: 0, len: 1 }, invalid())
        .then("an unknown file", move |_| DiskOp::Sync { file: unknown }, invalid())
        .create("f", 0)
        .writes(0, 0, piece(1, 0, 100))
        .then(
            "a read too long",
            |f| DiskOp::Read { file: f[0], at: 0, len: IO_BYTES_MAX as u32 + 1 },
            invalid(),
        )
        .then(
            "a write too long",
            move |f| DiskOp::Write { file: f[0], at: 0, data: huge.clone() },
            invalid(),
        )
        .then("a place too far", |f| DiskOp::Read { file: f[0], at: u64::MAX, len: 1 }, invalid())
        .reads("a refused write changed the file", 0, 0, 200, piece(1, 0, 100))
        .then("closing failed", |f| DiskOp::Close { file: f[0] }, Wants::Done)
        .then("a closed file", |f| DiskOp::Read { file: f[0], at: 0, len: 1 }, invalid())
        .then("unlinking a missing file", |_| DiskOp::Unlink { path: path("nothing") }, missing())
        .then(
            "renaming a missing file",
            |_| DiskOp::Rename { from: path("nothing"), to: path("f") },
            missing(),
        )
        .then("listing a missing directory", |_| DiskOp::List { path: path("no") }, missing())
        .then("syncing a missing directory", |_| DiskOp::SyncDir { path: path("no") }, missing())
        .then("a refused rename removed a file", open("f", false), Wants::File(0, 100));
    play_script(arm, script);
}

fn names_are_made_changed_removed_and_listed_in_order(arm: &mut dyn Arm) {
    let list = |dir| move |_: &[FileId]| DiskOp::List { path: path(dir) };
    let sync_dir = |dir| move |_: &[FileId]| DiskOp::SyncDir { path: path(dir) };
    let make_dir = |dir| move |_: &[FileId]| DiskOp::MakeDir { path: path(dir) };
    let script = Script::new()
        .then("a fresh directory is not empty", list(""), Wants::Names(&[]))
        .then("making a directory failed", make_dir("d"), Wants::Done)
        .then("making a directory twice failed", make_dir("d"), Wants::Done)
        .then("making a directory in one failed", make_dir("d/e"), Wants::Done)
        .create("d/b", 0)
        .create("d/a", 1)
        .create("d/B", 2)
        .create("d/a-long-name.with.dots", 3)
        .writes(1, 0, piece(1, 0, 77))
        .then("syncing a directory failed", sync_dir("d"), Wants::Done)
        .then("syncing the data directory failed", sync_dir(""), Wants::Done)
        .then(
            "names are not all there, or not sorted",
            list("d"),
            Wants::Names(&["B", "a", "a-long-name.with.dots", "b", "e"]),
        )
        .then(
            "renaming failed",
            |_| DiskOp::Rename { from: path("d/a"), to: path("d/b") },
            Wants::Done,
        )
        .then("a renamed file has the wrong content", open("d/b", false), Wants::File(4, 77))
        .then("a renamed file kept its name", open("d/a", false), Wants::Error(DiskError::NotFound))
        .then("unlinking failed", |_| DiskOp::Unlink { path: path("d/B") }, Wants::Done)
        .then(
            "renaming into another directory failed",
            |_| DiskOp::Rename { from: path("d/b"), to: path("top") },
            Wants::Done,
        )
        .then("names differ", list("d"), Wants::Names(&["a-long-name.with.dots", "e"]))
        .then("names differ", list(""), Wants::Names(&["d", "top"]))
        .then("names differ", list("d/e"), Wants::Names(&[]));
    play_script(arm, script);
}

fn an_unlinked_file_stays_usable_while_open(arm: &mut dyn Arm) {
    let script = Script::new()
        .create("f", 0)
        .writes(0, 0, piece(1, 0, 100))
        .then("unlinking failed", |_| DiskOp::Unlink { path: path("f") }, Wants::Done)
        .reads("an unlinked file lost its content", 0, 0, 100, piece(1, 0, 100))
        .writes(0, 100, piece(1, 100, 50))
        .then("a sync failed", sync, Wants::Done)
        .reads("an unlinked file cannot be written", 0, 100, 50, piece(1, 100, 50))
        .then("the name is still there", |_| DiskOp::List { path: path("") }, Wants::Names(&[]))
        .create("f", 1)
        .reads("the old file is not the new one", 0, 0, 150, piece(1, 0, 150));
    play_script(arm, script);
}

/// Issues operations on two files without waiting.
struct Pipelined {
    files: Vec<FileId>,
    /// By file: the next operation that is to complete.
    next: [u64; 2],
}

impl Pipelined {
    const OPS: u64 = 120;
    const OPENING: u64 = 1 << 32;

    /// Writes and reads in turn; each read must see the write before it.
    fn issue(&self, cx: &mut Cx) {
        for number in 0..Self::OPS {
            for (index, &file) in self.files.iter().enumerate() {
                let at = number / 3 * 100;
                let op = match number % 3 {
                    0 => DiskOp::Write { file, at, data: piece(index as u8, at, 100) },
                    1 => DiskOp::Read { file, at, len: 1000 },
                    _ => DiskOp::Sync { file },
                };
                cx.disk(Token(number * 2 + index as u64), op);
            }
        }
    }
}

impl Machine for Pipelined {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        for (token, name) in [(0, "one"), (1, "two")] {
            let op = DiskOp::Open { path: path(name), create: true };
            cx.disk(Token(Self::OPENING + token), op);
        }
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        if op.0 >= Self::OPENING {
            let Ok(DiskOk::File { file, .. }) = result else {
                return fail(cx, "a file could not be created");
            };
            self.files.push(file);
            if self.files.len() == 2 {
                self.issue(cx);
            }
            return;
        }
        let (number, index) = (op.0 / 2, (op.0 % 2) as usize);
        require(cx, number == self.next[index], "operations on one file completed out of order");
        self.next[index] += 1;
        let wanted = match number % 3 {
            1 => DiskOk::Data(piece(index as u8, number / 3 * 100, 100)),
            _ => DiskOk::Done,
        };
        require(cx, result == Ok(wanted), "a read did not see the write before it");
        if self.next == [Self::OPS; 2] {
            done(cx);
        }
    }
}

fn operations_on_one_file_complete_in_order(arm: &mut dyn Arm) {
    let machine = Pipelined { files: Vec::new(), next: [0; 2] };
    play(vec![actor("pipelined", arm.ip(0), machine)], arm);
}

fn a_large_file_is_written_and_read_in_large_pieces(arm: &mut dyn Arm) {
    const PIECE: usize = 3_000_001;
    let mut script = Script::new().create("f", 0);
    for at in [0, PIECE as u64] {
        script = script.writes(0, at, piece(1, at, PIECE));
    }
    let all = 2 * PIECE;
    let script = script.then("a sync failed", sync, Wants::Done).reads(
        "a large read differs",
        0,
        0,
        all as u32,
        piece(1, 0, all),
    );
    play_script(arm, script);
}
