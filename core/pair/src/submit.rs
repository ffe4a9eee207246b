//! The tenant's operations on their way to both disks.

use crate::active::{Active, Peer};
use crate::ops::{Kind, Op};
use crate::pair::{Pair, State};
use crate::resync::Resync;
use crate::stream::{Body, Mark};
use crate::wire::{self, PIECE_BYTES_MAX};
use bytes::Bytes;
use storytime_journal::Storage;
use storytime_machine::disk::parent;
use storytime_machine::{Cx, DiskOk, DiskOp, Token};

impl Active {
    /// Takes an operation of the tenant.
    pub(crate) fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match &op {
            DiskOp::Open { path, .. } | DiskOp::Unlink { path } if self.in_dirs(path) => {
                self.submit_name(cx, token, op);
            }
            DiskOp::Rename { from, to } => {
                let (from, to) = (self.in_dirs(from), self.in_dirs(to));
                assert_eq!(from, to, "a file does not leave the mirrored directories");
                if from { self.submit_name(cx, token, op) } else { self.plain(cx, token, op) }
            }
            DiskOp::MakeDir { path } | DiskOp::SyncDir { path } if self.dirs.contains(path) => {
                self.submit_name(cx, token, op);
            }
            _ => match op.file().and_then(|id| self.files.number(id)) {
                Some(number) => self.submit_on_file(cx, token, number, op),
                None => self.plain(cx, token, op),
            },
        }
        self.pump(cx);
    }

    fn in_dirs(&self, path: &[u8]) -> bool {
        self.dirs.iter().any(|dir| dir[..] == *parent(path))
    }

    fn plain(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        self.start(cx, Op::new(token, Kind::Plain, None), op);
    }

    /// Sends an operation to the own disk.
    pub(crate) fn start(&mut self, cx: &mut Cx, op: Op, what: DiskOp) -> u32 {
        self.names_running += u32::from(op.kind.on_names());
        let index = self.ops.insert(op);
        cx.disk(Token(self.base + u64::from(index)), what);
        index
    }

    /// Whether changes go to the other half.
    const fn streams(&self) -> bool {
        matches!(self.peer, Peer::Follows { .. })
    }

    /// Gives a change its place in the stream, or marks what it touches.
    fn mirror(&mut self, index: u32, changes: impl IntoIterator<Item = wire::Op>, mark: Mark) {
        if !self.streams() {
            if self.bitmap_life.is_some() {
                match mark {
                    Mark::Nothing => {}
                    Mark::Range { path, from, to } => self.bitmap.mark(&path, from, to),
                    Mark::All(path) => self.bitmap.mark_all(&path),
                }
            }
            return;
        }
        let mut places: Option<(u64, u64)> = None;
        for change in changes {
            let place = self.stream.push(Body::Await(change), mark.clone(), None);
            places = Some(places.map_or((place, 1), |(first, count)| (first, count + 1)));
        }
        if let Some(op) = self.ops.get_mut(index) {
            op.places = places;
        }
    }

    /// Gives a flush its place: both disks work on it at the same time.
    fn mirror_flush(&mut self, index: u32, flush: wire::Op) {
        self.counts.flushes += 1;
        if self.streams() {
            self.stream.push(Body::Ready(flush), Mark::Nothing, Some(index));
            if let Some(op) = self.ops.get_mut(index) {
                op.streamed = true;
            }
        }
    }

    pub(crate) fn submit_name(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        if let DiskOp::Open { path, .. } = &op
            && let Some(number) = self.files.at_path(path)
        {
            let file = self.files.get_mut(number).expect("names and files agree");
            file.refs += 1;
            let ok = DiskOk::File { file: file.id, len: file.len_asked };
            return self.done.push_back((token, Ok(ok)));
        }
        let being_opened = |path: &Bytes| self.opening.contains(path);
        let clashes = match &op {
            DiskOp::Open { path, .. } | DiskOp::Unlink { path } => being_opened(path),
            DiskOp::Rename { from, to } => being_opened(from) || being_opened(to),
            _ => false,
        };
        let flush = matches!(op, DiskOp::SyncDir { .. });
        if clashes || (!flush && self.resync.as_ref().is_some_and(Resync::holds_names)) {
            return self.held.push_back((token, op));
        }
        let what = op.clone();
        match op {
            DiskOp::Open { path, create } => {
                let number = self.files.next_number();
                self.opening.insert(path.clone());
                let kind = Kind::Open { number, path: path.clone(), create };
                let index = self.start(cx, Op::new(token, kind, None), what);
                let mark = if create { Mark::All(path.clone()) } else { Mark::Nothing };
                self.mirror(index, [wire::Op::Open { file: number, path, create }], mark);
            }
            DiskOp::Rename { from, to } => {
                let kind = Kind::Rename { from: from.clone(), to: to.clone() };
                let index = self.start(cx, Op::new(token, kind, None), what);
                let mark = Mark::All(to.clone());
                self.mirror(index, [wire::Op::Rename { from, to }], mark);
            }
            DiskOp::Unlink { path } => {
                let kind = Kind::Unlink { path: path.clone() };
                let index = self.start(cx, Op::new(token, kind, None), what);
                self.mirror(index, [wire::Op::Unlink { path }], Mark::Nothing);
            }
            DiskOp::MakeDir { path } => {
                let index = self.start(cx, Op::new(token, Kind::MakeDir, None), what);
                self.mirror(index, [wire::Op::MakeDir { path }], Mark::Nothing);
            }
            DiskOp::SyncDir { path } => {
                let index = self.start(cx, Op::new(token, Kind::Flush, None), what);
                self.mirror_flush(index, wire::Op::SyncDir { path });
            }
            _ => unreachable!("only operations on names come here"),
        }
    }

    fn submit_on_file(&mut self, cx: &mut Cx, token: Token, number: u32, op: DiskOp) {
        let file = self.files.get_mut(number).expect("a known handle has a file");
        let (path, len) = (file.path.clone(), file.len_asked);
        let range = |from: u64, to: u64| match path {
            Some(path) => Mark::Range { path, from, to },
            None => Mark::Nothing,
        };
        let what = op.clone();
        let new = |kind| Op::new(token, kind, Some(number));
        let index = match op {
            DiskOp::Write { at, data, .. } => {
                let end = at + data.len() as u64;
                file.len_asked = len.max(end);
                let index = self.start(cx, new(Kind::Write { end }), what);
                let pieces = (0..data.len()).step_by(PIECE_BYTES_MAX).map(|from| {
                    let data = data.slice(from..data.len().min(from + PIECE_BYTES_MAX));
                    wire::Op::Write { file: number, at: at + from as u64, data }
                });
                self.mirror(index, pieces, range(at.min(len), end));
                index
            }
            DiskOp::SetLen { len: to, .. } => {
                file.len_asked = to;
                let index = self.start(cx, new(Kind::SetLen { len: to }), what);
                let change = wire::Op::SetLen { file: number, len: to };
                self.mirror(index, [change], range(len.min(to), len.max(to)));
                index
            }
            DiskOp::Sync { .. } => {
                let index = self.start(cx, new(Kind::Flush), what);
                self.mirror_flush(index, wire::Op::Sync { file: number });
                index
            }
            DiskOp::Close { .. } if file.refs > 1 => {
                file.refs -= 1;
                let mut op = new(Kind::Close { last: false });
                op.result = Some(Ok(DiskOk::Done));
                self.ops.insert(op)
            }
            DiskOp::Close { .. } => {
                self.files.closing(number);
                let index = self.start(cx, new(Kind::Close { last: true }), what);
                self.mirror(index, [wire::Op::Close { file: number }], Mark::Nothing);
                index
            }
            _ => self.start(cx, new(Kind::Read), what),
        };
        if let Some(file) = self.files.get_mut(number) {
            file.told.push_back(index);
        }
        self.tell(number);
    }
}

impl Storage for Pair {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        self.check_lease(cx);
        if self.state == State::Active {
            self.active.submit(cx, token, op);
            self.collect(cx);
        }
    }
}
