//! What a client has under way with one server.

use super::asked::NONE;
use super::event::Name;
use hashbrown::HashMap;
use std::collections::VecDeque;
use storytime_machine::Time;
use storytime_machine::hash::FixedState;

/// What kind of answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// `JOB_CREATED`.
    Created,
    /// `STATUS_RES`.
    Status,
    /// `STATUS_RES_UNIQUE`.
    StatusUnique,
    /// `ECHO_RES`.
    Echo,
    /// `OPTION_RES`.
    Option,
}

/// An answer that is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub(super) expect: Expect,
    /// Whose it is; [`NONE`] if nobody's any more, or the client's own.
    pub(super) slot: u32,
    pub(super) deadline: Time,
    /// Whether it was not there by then.
    pub(super) late: bool,
}

/// The requests that are one job: a ring, and whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listeners {
    pub(super) first: u32,
    pub(super) last: u32,
    /// The one that gets the next packet about the job: the server sends each as often as there
    /// are listeners.
    pub(super) turn: u32,
}

/// What is under way with one server.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// Requests that wait for its connection, in their order.
    pub(super) waiting: VecDeque<u32>,
    /// Answers awaited, in the order of asking.
    pub(super) awaited: VecDeque<Awaited>,
    /// How many of them, at the front, ran out of time.
    pub(super) late: usize,
    /// Jobs whose end is awaited.
    pub(super) running: HashMap<Name, Listeners, FixedState>,
    /// Requests among these whose owner was told the end already.
    pub(super) abandoned: u32,
}

impl Server {
    /// Whether nothing is awaited on its connection.
    pub(super) fn is_quiet(&self) -> bool {
        self.awaited.is_empty() && self.running.is_empty()
    }

    /// Whether anybody would miss its connection.
    pub(super) fn is_needed(&self) -> bool {
        self.awaited_slots() > 0 || !self.running.is_empty()
    }

    /// Whether an echo of the client's own is awaited.
    pub(super) fn is_probed(&self) -> bool {
        let own = |awaited: &Awaited| awaited.slot == NONE && awaited.expect == Expect::Echo;
        self.awaited.iter().skip(self.late).any(own)
    }

    /// The awaited answers that are somebody's.
    pub(super) fn awaited_slots(&self) -> usize {
        self.awaited.iter().filter(|awaited| awaited.slot != NONE).count()
    }

    /// Takes the oldest awaited answer of a kind. Answers of one kind come in the order of asking.
    pub(super) fn take(&mut self, expect: Expect) -> Option<Awaited> {
        let at = self.awaited.iter().position(|awaited| awaited.expect == expect)?;
        self.take_at(at)
    }

    /// Takes the awaited answer that an error answers: a job's before others.
    pub(super) fn take_refused(&mut self, code: &[u8]) -> Option<Awaited> {
        let option = code.eq_ignore_ascii_case(b"UNKNOWN_OPTION");
        let expect = if option { Expect::Option } else { Expect::Created };
        self.take(expect).or_else(|| self.take_at(0))
    }

    /// The answer that ran out of time last is nobody's any more.
    pub(super) fn forget_last_late(&mut self) {
        self.awaited[self.late - 1].slot = NONE;
    }

    fn take_at(&mut self, at: usize) -> Option<Awaited> {
        let awaited = self.awaited.remove(at)?;
        self.late -= usize::from(at < self.late);
        Some(awaited)
    }
}
