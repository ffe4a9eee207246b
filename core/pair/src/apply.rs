//! The standby's side of the mirror: carries out what the active half sends.
//!
//! Changes of one file follow each other in the disk's own order; a change of names waits for
//! everything before it and holds up everything behind it, so that the standby goes through states
//! that the active half has been in. What is done is acknowledged in order. A change that fails
//! here has succeeded on the other disk: this half can no longer follow, and its process ends.

use crate::wire::{FRAME_BYTES_MAX, Op};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storytime_machine::hash::digest_bytes;
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId, Token};

/// Most bytes that wait to be carried out: what the other half may have unacknowledged, and a
/// frame.
pub(crate) const QUEUE_BYTES_MAX: usize = (4 << 20) + FRAME_BYTES_MAX;
/// Disk tokens used in turn; far more than operations under way.
pub(crate) const APPLY_TOKENS: u64 = 1 << 18;

/// What the owner has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApplyEvent {
    /// Make it durable that the disk is neither old nor new, then call [`Apply::marked`].
    Begin,
    /// A block was compared.
    Checked { seq: u64, same: bool },
    /// The resync is durable. Make the generation durable, then call [`Apply::marked`].
    Finished,
    /// This half cannot follow.
    Failed(&'static str),
}

/// What everything behind it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Barrier {
    /// The owner writes its mark.
    Mark,
    /// The names of a directory, before those not in `keep` are removed.
    List {
        dir: Bytes,
        keep: BTreeSet<Bytes>,
    },
    /// A name is being removed; more may follow, then names are made.
    Unlink {
        gone: Vec<Bytes>,
        missing: Vec<Bytes>,
    },
    /// A file is being made.
    Make {
        missing: Vec<Bytes>,
    },
    Made {
        missing: Vec<Bytes>,
    },
    Open {
        file: u32,
        len: Option<u64>,
    },
    Length,
    Name,
    /// The directories are being flushed: how many are left.
    Flush {
        left: usize,
    },
}

/// An operation on a file under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    seq: u64,
    /// Length and digest to compare with.
    check: Option<(u32, u64)>,
}

/// The standby's side.
#[derive(Debug)]
pub(crate) struct Apply {
    base: u64,
    dirs: Vec<Bytes>,
    next_token: u64,
    queue: VecDeque<(u64, Op)>,
    queue_bytes: usize,
    /// Open files, by the active half's number.
    files: BTreeMap<u32, FileId>,
    running: BTreeMap<Token, Running>,
    barrier: Option<(u64, Barrier)>,
    /// All changes up to this one are carried out.
    applied: u64,
    /// Those beyond it that are, too.
    ahead: BTreeSet<u64>,
    /// The connection is gone: nothing more begins, and what ends is forgotten.
    abandoned: bool,
    events: VecDeque<ApplyEvent>,
}

impl Apply {
    /// Uses [`APPLY_TOKENS`] disk tokens from `base` on.
    pub(crate) fn new(dirs: Vec<Bytes>, base: u64) -> Self {
        Self {
            base,
            dirs,
            next_token: 0,
            queue: VecDeque::new(),
            queue_bytes: 0,
            files: BTreeMap::new(),
            running: BTreeMap::new(),
            barrier: None,
            applied: 0,
            ahead: BTreeSet::new(),
            abandoned: false,
            events: VecDeque::new(),
        }
    }

    /// Whether nothing is under way or open.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.running.is_empty() && self.barrier.is_none()
    }

    /// Bytes that wait to be carried out.
    pub(crate) const fn queued_bytes(&self) -> usize {
        self.queue_bytes
    }

    /// Up to which change everything is carried out.
    pub(crate) const fn applied(&self) -> u64 {
        self.applied
    }

    /// The connection is gone: forgets what has not begun. Idle once what has begun has ended.
    pub(crate) fn abandon(&mut self, cx: &mut Cx) {
        self.abandoned = true;
        self.queue.clear();
        self.queue_bytes = 0;
        if matches!(self.barrier, Some((_, Barrier::Mark))) {
            self.barrier = None;
        }
        self.close_all(cx);
    }

    fn close_all(&mut self, cx: &mut Cx) {
        for file in core::mem::take(&mut self.files).into_values() {
            let token = self.token();
            self.running.insert(token, Running { seq: 0, check: None });
            cx.disk(token, DiskOp::Close { file });
        }
    }

    /// A connection begins.
    pub(crate) fn begin(&mut self) {
        assert!(self.is_idle() && self.files.is_empty(), "the last connection's work has ended");
        self.abandoned = false;
        (self.applied, self.next_token) = (0, 0);
        self.ahead.clear();
        self.events.clear();
    }

    pub(crate) fn next_event(&mut self) -> Option<ApplyEvent> {
        self.events.pop_front()
    }

    fn token(&mut self) -> Token {
        // The first one is the barrier's.
        self.next_token = self.next_token % (APPLY_TOKENS - 1) + 1;
        Token(self.base + self.next_token)
    }

    /// Takes a change. False if the peer sends more than it may.
    pub(crate) fn push(&mut self, cx: &mut Cx, seq: u64, op: Op) -> bool {
        self.queue_bytes += op.bytes();
        self.queue.push_back((seq, op));
        self.run(cx);
        self.queue_bytes <= QUEUE_BYTES_MAX
    }

    /// The owner's mark is durable.
    pub(crate) fn marked(&mut self, cx: &mut Cx) {
        if matches!(self.barrier, Some((_, Barrier::Mark))) {
            self.pass(cx);
        }
    }

    /// Begins what may begin.
    fn run(&mut self, cx: &mut Cx) {
        while self.barrier.is_none()
            && let Some((_, op)) = self.queue.front()
        {
            let on_file = matches!(
                op,
                Op::Write { .. }
                    | Op::SetLen { .. }
                    | Op::Sync { .. }
                    | Op::Close { .. }
                    | Op::Check { .. }
            );
            if !on_file && !self.running.is_empty() {
                return;
            }
            let (seq, op) = self.queue.pop_front().expect("it is at the front");
            self.queue_bytes -= op.bytes();
            if on_file { self.run_on_file(cx, seq, op) } else { self.run_alone(cx, seq, op) }
        }
    }

    fn run_on_file(&mut self, cx: &mut Cx, seq: u64, op: Op) {
        let (number, mut check) = match &op {
            Op::Check { file, len, digest, .. } => (*file, Some((*len, *digest))),
            Op::Write { file, .. }
            | Op::SetLen { file, .. }
            | Op::Sync { file }
            | Op::Close { file } => (*file, None),
            _ => unreachable!("only operations on files come here"),
        };
        // A file that was never named here: it has no name on the other disk either, or its turn in
        // the resync has yet to come.
        let Some(&file) = self.files.get(&number) else {
            check.take();
            return self.done(seq);
        };
        let op = match op {
            Op::Check { at, .. } => {
                DiskOp::Read { file, at, len: crate::blocks::BLOCK_BYTES as u32 }
            }
            Op::Write { at, data, .. } => DiskOp::Write { file, at, data },
            Op::SetLen { len, .. } => DiskOp::SetLen { file, len },
            Op::Sync { .. } => DiskOp::Sync { file },
            _ => {
                self.files.remove(&number);
                DiskOp::Close { file }
            }
        };
        let token = self.token();
        self.running.insert(token, Running { seq, check });
        cx.disk(token, op);
    }

    fn run_alone(&mut self, cx: &mut Cx, seq: u64, op: Op) {
        let (barrier, op) = match op {
            Op::Begin => {
                self.barrier = Some((seq, Barrier::Mark));
                return self.events.push_back(ApplyEvent::Begin);
            }
            Op::Finish => {
                self.barrier = Some((seq, Barrier::Flush { left: self.dirs.len() }));
                return self.flush_next(cx);
            }
            Op::Names { dir, names } => {
                let keep = names.into_iter().collect();
                (Barrier::List { dir: dir.clone(), keep }, DiskOp::List { path: dir })
            }
            Op::File { file, path, len } => {
                let open = Barrier::Open { file, len: Some(len) };
                if self.files.contains_key(&file) {
                    self.barrier = Some((seq, open));
                    return self.set_length(cx, file, len, None);
                }
                (open, DiskOp::Open { path, create: true })
            }
            Op::Open { file, path, create } => {
                (Barrier::Open { file, len: None }, DiskOp::Open { path, create })
            }
            Op::Rename { from, to } => (Barrier::Name, DiskOp::Rename { from, to }),
            Op::Unlink { path } => (Barrier::Name, DiskOp::Unlink { path }),
            Op::MakeDir { path } => (Barrier::Name, DiskOp::MakeDir { path }),
            Op::SyncDir { path } => (Barrier::Name, DiskOp::SyncDir { path }),
            Op::Write { .. }
            | Op::SetLen { .. }
            | Op::Sync { .. }
            | Op::Close { .. }
            | Op::Check { .. } => unreachable!("operations on files do not come here"),
        };
        self.barrier = Some((seq, barrier));
        self.submit_barrier(cx, op);
    }

    fn submit_barrier(&mut self, cx: &mut Cx, op: DiskOp) {
        cx.disk(Token(self.base), op);
    }

    /// What everything waited for is done.
    fn pass(&mut self, cx: &mut Cx) {
        if let Some((seq, _)) = self.barrier.take() {
            self.done(seq);
        }
        if self.abandoned { self.close_all(cx) } else { self.run(cx) }
    }

    fn done(&mut self, seq: u64) {
        self.ahead.insert(seq);
        while self.ahead.remove(&(self.applied + 1)) {
            self.applied += 1;
        }
    }

    fn fail(&mut self, error: DiskError) {
        let why = match error {
            DiskError::NoSpace => "no space for what the active half writes",
            _ => "the disk failed under the mirror",
        };
        self.events.push_back(ApplyEvent::Failed(why));
    }

    pub(crate) const fn owns(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < APPLY_TOKENS
    }

    /// An operation completed.
    pub(crate) fn on_disk(&mut self, cx: &mut Cx, token: Token, result: DiskResult) {
        if token.0 == self.base {
            return self.on_barrier(cx, result);
        }
        let Some(Running { seq, check }) = self.running.remove(&token) else { return };
        if self.abandoned {
            return;
        }
        match (check, result) {
            (Some((len, digest)), Ok(DiskOk::Data(data))) => {
                let same = data.len() == len as usize && digest == digest_bytes(0, &data);
                self.events.push_back(ApplyEvent::Checked { seq, same });
            }
            // What cannot be read is written anew.
            (Some(_), _) => self.events.push_back(ApplyEvent::Checked { seq, same: false }),
            (None, Ok(_)) => {}
            (None, Err(error)) => return self.fail(error),
        }
        self.done(seq);
        self.run(cx);
    }

    fn on_barrier(&mut self, cx: &mut Cx, result: DiskResult) {
        let Some((_, barrier)) = self.barrier.clone() else { return };
        let ok = match result {
            Ok(ok) => ok,
            Err(error) => {
                self.barrier = None;
                if !self.abandoned {
                    self.fail(error);
                }
                return;
            }
        };
        match (barrier, ok) {
            (Barrier::Open { file, len }, DiskOk::File { file: id, len: now }) => {
                self.files.insert(file, id);
                match len {
                    Some(len) if !self.abandoned => self.set_length(cx, file, len, Some(now)),
                    _ => self.pass(cx),
                }
            }
            _ if self.abandoned => self.pass(cx),
            (Barrier::List { dir, keep }, DiskOk::Names(names)) => {
                self.settle_names(cx, &dir, &keep, &names);
            }
            (Barrier::Unlink { gone, missing }, _) => self.next_name(cx, gone, missing),
            (Barrier::Make { missing }, DiskOk::File { file, .. }) => {
                self.await_next(Barrier::Made { missing });
                self.submit_barrier(cx, DiskOp::Close { file });
            }
            (Barrier::Made { missing }, _) => self.next_name(cx, Vec::new(), missing),
            (Barrier::Flush { .. }, _) => self.flush_next(cx),
            _ => self.pass(cx),
        }
    }

    fn await_next(&mut self, next: Barrier) {
        if let Some((_, barrier)) = &mut self.barrier {
            *barrier = next;
        }
    }

    /// Gives an open file the length that it has on the other disk.
    fn set_length(&mut self, cx: &mut Cx, number: u32, len: u64, now: Option<u64>) {
        if now == Some(len) {
            return self.pass(cx);
        }
        self.await_next(Barrier::Length);
        let file = self.files[&number];
        self.submit_barrier(cx, DiskOp::SetLen { file, len });
    }

    fn settle_names(&mut self, cx: &mut Cx, dir: &Bytes, keep: &BTreeSet<Bytes>, has: &[Bytes]) {
        let path = |name: &Bytes| Bytes::from([&dir[..], b"/", &name[..]].concat());
        let gone = has.iter().filter(|name| !keep.contains(*name)).map(path).collect();
        let has: BTreeSet<&Bytes> = has.iter().collect();
        let missing = keep.iter().filter(|name| !has.contains(name)).map(path).collect();
        self.next_name(cx, gone, missing);
    }

    fn next_name(&mut self, cx: &mut Cx, mut gone: Vec<Bytes>, mut missing: Vec<Bytes>) {
        if let Some(path) = gone.pop() {
            self.await_next(Barrier::Unlink { gone, missing });
            self.submit_barrier(cx, DiskOp::Unlink { path });
        } else if let Some(path) = missing.pop() {
            self.await_next(Barrier::Make { missing });
            self.submit_barrier(cx, DiskOp::Open { path, create: true });
        } else {
            self.pass(cx);
        }
    }

    fn flush_next(&mut self, cx: &mut Cx) {
        let Some((_, Barrier::Flush { left })) = &mut self.barrier else { return };
        if *left == 0 {
            self.await_next(Barrier::Mark);
            return self.events.push_back(ApplyEvent::Finished);
        }
        *left -= 1;
        let path = self.dirs[*left].clone();
        self.submit_barrier(cx, DiskOp::SyncDir { path });
    }

    pub(crate) fn invariants(&self) {
        assert!(self.queue_bytes <= QUEUE_BYTES_MAX, "what waits is bounded");
        assert!(self.queue.is_empty() || !self.is_idle(), "what waits will be run");
    }
}
