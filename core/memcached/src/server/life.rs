//! A worker's life: what it waits for before it serves, and how it ends.
//!
//! With a memory file the first worker reads it before anybody is served, and writes it when the
//! server ends gracefully and no other worker serves any more. The others wait for it.

use super::{LIFE_TIMER, Server};
use crate::ops::Bound;
use crate::restart::{Load, Loaded, Save};
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;
use storytime_machine::{Boot, Cx, DiskResult, Endpoint, Exit, Now, Token};

/// Time between two looks at how far the other workers are.
const LOOK: Duration = Duration::from_millis(5);

/// Where a worker's life is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The data set is being read.
    AwaitLoad(Box<Load>),
    /// The first worker reads the data set.
    AwaitLoaded,
    /// As it should be.
    Serving,
    /// The other workers are still at their last requests.
    AwaitOthers,
    /// The data set is being written.
    AwaitSave(Box<Save>),
}

impl Server {
    pub(super) fn begin(&mut self, cx: &mut Cx, boot: Boot) {
        self.worker = boot.worker;
        let shared = Arc::clone(&self.shared);
        shared.start(Now { mono: cx.now(), wall: cx.wall_clock() }, cx.rng());
        shared.ops.workers.fetch_add(1, Ordering::Relaxed);
        match &self.config.memory_file {
            Some(file) if self.worker == 0 => {
                self.phase = Phase::AwaitLoad(Box::new(Load::begin(cx, &shared, file)));
            }
            Some(_) => {
                self.phase = Phase::AwaitLoaded;
                cx.after(LIFE_TIMER, LOOK);
            }
            None => self.listen(cx),
        }
    }

    /// Opens the sockets.
    fn listen(&mut self, cx: &mut Cx) {
        self.phase = Phase::Serving;
        for (token, (listener, _)) in (0..).zip(&self.listeners) {
            match &listener.at {
                // A socket has one owner: the first worker has them all.
                Endpoint::Tcp(at) if listener.udp && self.worker == 0 => {
                    cx.bind_datagram(Token(token), *at);
                }
                _ if listener.udp => {}
                at => cx.listen(Token(token), self.config.listener(at.clone())),
            }
        }
        self.share_slots(cx);
        if self.listeners.is_empty() && self.worker == 0 {
            self.tell_sockets();
        }
    }

    /// Tells the program once every socket is ready.
    pub(super) fn tell_sockets(&self) {
        let bound = self.listeners.iter().map(|(listener, at)| {
            at.as_ref().map(|at| Bound { udp: listener.udp, at: at.clone() })
        });
        if let Some(all) = bound.collect::<Option<Vec<_>>>() {
            self.shared.ops.surroundings().listening(&all);
        }
    }

    /// The operator wants an end.
    pub(super) fn end(&mut self, cx: &mut Cx) {
        match self.phase {
            // The data set is to be saved first. A second request ends the process at once.
            Phase::AwaitOthers | Phase::AwaitSave(_) => {}
            Phase::AwaitLoad(_) | Phase::AwaitLoaded | Phase::Serving => cx.exit(Exit::Stopped),
        }
    }

    /// Serves nobody any more, and keeps the data set if there is a file for it.
    pub(super) fn end_gracefully(&mut self, cx: &mut Cx) {
        if !matches!(self.phase, Phase::Serving) {
            return self.end(cx);
        }
        self.shared.ops.stopped.fetch_add(1, Ordering::Relaxed);
        if self.config.memory_file.is_none() || self.worker != 0 {
            return cx.exit(Exit::Stopped);
        }
        for token in 0..self.listeners.len() {
            cx.unlisten(Token(token as u64));
        }
        for (conn, _) in self.conns.iter().flatten().filter_map(super::Connection::served) {
            cx.pause(conn, true);
        }
        self.phase = Phase::AwaitOthers;
        self.look_at_others(cx);
    }

    /// Goes on once the other workers are where this one waits for them to be.
    pub(super) fn look_at_others(&mut self, cx: &mut Cx) {
        let ops = &self.shared.ops;
        match (&self.phase, &self.config.memory_file) {
            (Phase::AwaitLoaded, _) if ops.loaded.load(Ordering::Acquire) => self.listen(cx),
            (Phase::AwaitOthers, Some(file))
                if ops.stopped.load(Ordering::Acquire) >= ops.workers.load(Ordering::Relaxed) =>
            {
                let save = Save::begin(cx, &self.shared, file, self.config.item_bytes_max);
                self.phase = Phase::AwaitSave(Box::new(save));
            }
            (Phase::AwaitLoaded | Phase::AwaitOthers, _) => cx.after(LIFE_TIMER, LOOK),
            _ => {}
        }
    }

    pub(super) fn disk_done(&mut self, cx: &mut Cx, result: DiskResult) {
        let shared = Arc::clone(&self.shared);
        let around = shared.ops.surroundings();
        match &mut self.phase {
            Phase::AwaitLoad(load) => match load.disk(cx, &shared, result) {
                Ok(Loaded::NotYet) => return,
                Ok(Loaded::Foreign) => {
                    return cx.exit(Exit::Failed(
                        "the .meta file beside the memory file is none of memcached's; \
                         is the name of -e right? If it is, remove the file",
                    ));
                }
                Err(_) => {
                    return cx.exit(Exit::Failed(
                        "the memory file cannot be read or removed; see to its folder, \
                         or leave out -e",
                    ));
                }
                Ok(Loaded::Nothing) => {}
                Ok(Loaded::Items(items)) => {
                    around.say(&format!("{items} items are back from the memory file"));
                }
                Ok(Loaded::Damaged(how)) => {
                    around.say(&format!("starting empty: of the memory file's items, {how}"));
                }
            },
            Phase::AwaitSave(save) => match save.disk(cx, &shared, result) {
                Ok(false) => return,
                Ok(true) => {
                    around.say(&format!("{} items are in the memory file", save.items()));
                    return cx.exit(Exit::Stopped);
                }
                Err(_) => {
                    return cx.exit(Exit::Failed(
                        "the memory file cannot be written: the data set is lost",
                    ));
                }
            },
            _ => unreachable!("only the memory file is on the disk"),
        }
        shared.ops.loaded.store(true, Ordering::Release);
        self.listen(cx);
    }
}
