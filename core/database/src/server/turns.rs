//! Requests above `--max-runnable` that wait, unread, for their turn.
//!
//! Connections cost memory and are many; requests under way cost whatever they wait for, and may be
//! few. Where the server queues them, the first request that is one too many stays where it is, and
//! its connection is not read until so many others are done. Turns are given in the order in which
//! connections came to wait.
//!
//! Not modelled: classes of requests, some before others.

use super::Database;
use super::session::{Multi, Session};
use crate::commands::Run;
use crate::resp::Args;
use std::collections::VecDeque;
use storytime_machine::{Conn, Cx};

/// Whether a connection waits for its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does not.
    #[default]
    None,
    /// It is in the queue, and not read.
    Waits,
    /// Its next request may run.
    Given,
}

/// Who waits, and how many turns were given and not taken.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// At most one place for each connection.
    queue: VecDeque<Conn>,
    given: u64,
}

impl Turns {
    /// How many connections wait.
    pub(super) fn waiting(&self) -> u64 {
        self.queue.len() as u64
    }
}

impl Database {
    /// Whether a request has to wait for its turn: its connection is not read until that comes.
    pub(super) fn waits_for_turn(
        &mut self,
        cx: &mut Cx,
        session: &mut Session,
        args: Args<'_>,
    ) -> bool {
        if !self.config.runnable_waits || !self.needs_turn(session, args) {
            return false;
        }
        let taken = self.counters.running + self.turns.given;
        match session.turn {
            Turn::Given => self.take_turn_back(session),
            Turn::None if self.turns.queue.is_empty() && taken < self.runnable_max() => {}
            Turn::None => {
                session.turn = Turn::Waits;
                session.paused = true;
                self.turns.queue.push_back(session.conn);
                cx.pause(session.conn, true);
                return true;
            }
            Turn::Waits => unreachable!("who waits is not read"),
        }
        false
    }

    fn runnable_max(&self) -> u64 {
        match self.config.runnable_max {
            0 => u64::MAX,
            most => most.into(),
        }
    }

    /// Whether it is about content, now: what a transaction collects runs with its `EXEC`.
    fn needs_turn(&self, session: &Session, args: Args<'_>) -> bool {
        let Some(spec) = self.commands.find(args.at(0)) else { return false };
        match session.multi {
            Multi::Off => matches!(spec.run, Run::Data(_)),
            Multi::Collecting { .. } => spec.name == "exec",
            // Its `EXEC` is refused.
            Multi::Failed => false,
        }
    }

    /// Gives as many turns as there is room for.
    pub(super) fn give_turns(&mut self, cx: &mut Cx) {
        while self.counters.running + self.turns.given < self.runnable_max()
            && let Some(conn) = self.turns.queue.pop_front()
        {
            let Some(session) = self.session(conn) else { continue };
            // Whoever does not read its replies gets in line again when it does.
            session.turn = if Self::is_slow(cx, session) { Turn::None } else { Turn::Given };
            self.turns.given += u64::from(session.turn == Turn::Given);
            self.resume(cx, conn);
        }
    }

    /// A connection takes its turn, or gives it up.
    pub(super) fn take_turn_back(&mut self, session: &mut Session) {
        match core::mem::take(&mut session.turn) {
            Turn::Given => self.turns.given -= 1,
            Turn::Waits => self.turns.queue.retain(|&conn| conn != session.conn),
            Turn::None => {}
        }
    }

    pub(super) fn turns_invariants(&self) {
        let with = |turn: Turn| self.sessions().filter(|session| session.turn == turn).count();
        assert_eq!(self.turns.queue.len(), with(Turn::Waits), "who waits is in the queue");
        assert_eq!(self.turns.given, with(Turn::Given) as u64, "turns are counted");
    }
}
