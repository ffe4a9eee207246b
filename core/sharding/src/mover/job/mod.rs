//! One move of one user, as a mover works on it: asks, hears, decides.
//!
//! A job does no IO. Its owner carries each [`Request`] to its database and the answer back; one
//! request is under way at a time. After any surprise a job forgets what it claimed, reads
//! everything again and claims anew, so that nothing that it or a predecessor sent before can
//! still take effect behind what it decides next.

mod act;

use crate::home::{Home, HomeState, PLACE_TABLE, Place};
use crate::map::UserId;
use crate::mover::copy::{Copier, Next, Passed};
use crate::mover::decide::{Action, Copied, Decision, End, Errand, Facts, Seen, Side, decide};
use crate::mover::options::{Bug, JobOptions};
use crate::mover::record::{MOVE_TABLE, MoveRow, Stage};
use crate::mover::request::{self, Answer, Request, Target, Trouble};
use crate::mover::sweep::Sweep;
use core::time::Duration;
use storytime_machine::Time;

/// What the owner of a job does next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Carry this, and come back with the answer.
    Ask(Request),
    /// Come back after so long.
    Pause(Duration),
    /// Nothing more.
    Over(End),
}

/// State, named for what is awaited.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    Start,
    Record,
    Place,
    Done(Action),
    Copied,
    Swept(Sweep),
    Pause,
    Over,
}

/// A job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Job {
    user: UserId,
    errand: Errand,
    /// Tells this mover's claims from others'.
    nonce: u64,
    state: State,
    record: Option<Seen<MoveRow>>,
    place: Option<Seen<Place>>,
    fence: Option<u64>,
    /// A claim of ours was answered: who else holds the move now came later.
    has_claimed: bool,
    source: Side,
    dest: Side,
    copier: Copier,
    copied: Copied,
    passes: u32,
    failures: u32,
    last_trouble: Option<Trouble>,
    /// The user may write again, and that is enough for now.
    gave_up: bool,
    told_cache: bool,
    dropped: bool,
    rows_dropped: u64,
    /// Since when nobody can write, as far as this mover knows.
    frozen_at: Option<Time>,
    read_only: Option<Duration>,
}

impl Job {
    /// A job that has not started. No two jobs have the same `nonce`, and none has 0.
    pub fn new(user: UserId, errand: Errand, nonce: u64) -> Self {
        Self {
            user,
            errand,
            nonce,
            state: State::Start,
            record: None,
            place: None,
            fence: None,
            has_claimed: false,
            source: Side::Unread,
            dest: Side::Unread,
            copier: Copier::new(),
            copied: Copied::Behind,
            passes: 0,
            failures: 0,
            last_trouble: None,
            gave_up: false,
            told_cache: false,
            dropped: false,
            rows_dropped: 0,
            frozen_at: None,
            read_only: None,
        }
    }

    /// Whose move it is.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// How long the user was read-only, if this job ended that with the new shard active.
    pub const fn read_only(&self) -> Option<Duration> {
        self.read_only
    }

    /// Rows written on the new shard.
    pub const fn rows_copied(&self) -> u64 {
        self.copier.copied()
    }

    /// Rows dropped.
    pub const fn rows_dropped(&self) -> u64 {
        self.rows_dropped
    }

    /// Bytes held, estimated.
    pub const fn memory(&self) -> u64 {
        self.copier.memory()
    }

    /// Asserts what must hold between any two calls.
    pub fn invariants(&self) {
        self.copier.invariants();
        if self.fence.is_none() {
            assert!(!matches!(self.source, Side::Claimed(_)), "homes are claimed behind the move");
            assert!(!matches!(self.dest, Side::Claimed(_)), "homes are claimed behind the move");
        }
    }

    /// The first step, or the next one after a pause.
    pub fn go_on(&mut self) -> Step {
        debug_assert!(matches!(self.state, State::Start | State::Pause), "an answer is awaited");
        self.look()
    }

    fn ask(&mut self, state: State, request: Request) -> Step {
        self.state = state;
        Step::Ask(request)
    }

    fn over(&mut self, end: End) -> Step {
        self.state = State::Over;
        Step::Over(end)
    }

    /// Reads everything again.
    fn look(&mut self) -> Step {
        let request = request::get(Target::Directory, MOVE_TABLE, self.user);
        self.ask(State::Record, request)
    }

    /// The next step after an answer.
    pub fn answer(&mut self, now: Time, answer: Answer, options: &JobOptions) -> Step {
        let heard = match core::mem::replace(&mut self.state, State::Pause) {
            State::Start | State::Pause | State::Over => Err(Trouble::Garbled),
            State::Record => self.hear_record(answer),
            State::Place => self.hear_place(answer),
            State::Done(action) => self.hear(now, action, answer),
            State::Copied => self.hear_copier(answer, options),
            State::Swept(sweep) => self.hear_sweep(sweep, answer, options),
        };
        match heard {
            Ok(Some(step)) => step,
            Ok(None) => self.proceed(now, options),
            Err(why) => self.trouble(why, options),
        }
    }

    /// Forgets what was claimed, so that all of it is read and claimed anew.
    fn trouble(&mut self, why: Trouble, options: &JobOptions) -> Step {
        self.fence = None;
        self.source = Side::Unread;
        self.dest = Side::Unread;
        self.copied = Copied::Behind;
        self.copier.interrupt();
        self.dropped = false;
        self.failures += 1;
        self.last_trouble = Some(why);
        if why == Trouble::TooManyRows {
            self.failures = self.failures.max(options.failures_max);
        }
        if self.failures >= options.failures_max.saturating_mul(2) {
            return self.over(End::Failed(why));
        }
        if why == Trouble::Overtaken {
            return self.look();
        }
        self.state = State::Pause;
        Step::Pause(options.pause)
    }

    fn hear_record(&mut self, answer: Answer) -> Result<Option<Step>, Trouble> {
        let Some((version, value)) = request::row(request::reply(answer)?)? else {
            return Ok(Some(self.over(End::NoMove)));
        };
        let row = MoveRow::parse(&value).map_err(|_| Trouble::Garbled)?;
        if self.has_claimed && row.holder != self.nonce {
            return Ok(Some(self.over(End::Overtaken)));
        }
        self.record = Some(Seen { version, row });
        let request = request::get(Target::Directory, PLACE_TABLE, self.user);
        Ok(Some(self.ask(State::Place, request)))
    }

    fn hear_place(&mut self, answer: Answer) -> Result<Option<Step>, Trouble> {
        let row = request::row(request::reply(answer)?)?;
        let (version, value) = row.ok_or(Trouble::Garbled)?;
        let row = Place::parse(&value).map_err(|_| Trouble::Garbled)?;
        self.place = Some(Seen { version, row });
        Ok(None)
    }

    fn facts(&self, now: Time, options: &JobOptions) -> Facts {
        let frozen_for = self.frozen_at.map_or(Duration::ZERO, |since| now.since(since));
        Facts {
            errand: self.errand,
            fence: self.fence,
            record: self.record.expect("read before anything is decided"),
            place: self.place.expect("read before anything is decided"),
            source: self.source,
            dest: self.dest,
            unsharded: options.unsharded == self.record.map(|seen| seen.row.from),
            copied: self.copied,
            impatient: self.gave_up
                || self.failures >= options.failures_max
                || frozen_for > options.read_only_max,
            told_cache: self.told_cache,
            dropped: self.dropped,
        }
    }

    /// Decides, and begins what is decided.
    fn proceed(&mut self, now: Time, options: &JobOptions) -> Step {
        loop {
            let facts = self.facts(now, options);
            match decide(&facts) {
                Decision::Stop(End::Postponed) => {
                    let end = self.last_trouble.map_or(End::Postponed, End::Failed);
                    return self.over(end);
                }
                Decision::Stop(end) => return self.over(end),
                Decision::Do(action) => {
                    if options.bug == Bug::LeaseWithoutFence && self.pretend(action) {
                        continue;
                    }
                    return self.perform(now, action, &facts, options);
                }
            }
        }
    }

    fn passed(&mut self, passed: Passed, options: &JobOptions) {
        self.failures = 0;
        self.passes += 1;
        self.copied = match passed {
            Passed::Equal => Copied::Equal,
            Passed::Near(found) if found <= options.near_rows_max => Copied::Near,
            Passed::Near(_) if self.passes >= options.passes_max => Copied::Near,
            Passed::Near(_) => Copied::Behind,
        };
    }

    fn hear_copier(
        &mut self,
        answer: Answer,
        options: &JobOptions,
    ) -> Result<Option<Step>, Trouble> {
        match self.copier.answer(answer, options)? {
            Next::Ask(request) => Ok(Some(self.ask(State::Copied, request))),
            Next::Done(passed) => {
                self.passed(passed, options);
                Ok(None)
            }
        }
    }

    fn hear_sweep(
        &mut self,
        mut sweep: Sweep,
        answer: Answer,
        options: &JobOptions,
    ) -> Result<Option<Step>, Trouble> {
        if let Some(request) = sweep.answer(answer, options)? {
            return Ok(Some(self.ask(State::Swept(sweep), request)));
        }
        self.rows_dropped += sweep.dropped();
        self.failures = 0;
        self.dropped = true;
        Ok(None)
    }

    fn directory_written(&mut self, action: Action, version: u64) {
        let record = self.record.as_mut().expect("read before anything is decided");
        record.version = version;
        if action == Action::Claim {
            record.row.holder = self.nonce;
            self.fence = Some(version);
            self.has_claimed = true;
            return;
        }
        record.row.stage = Stage::Switched;
        let place = self.place.as_mut().expect("read before anything is decided");
        place.row.shard = record.row.to;
        self.failures = 0;
    }

    /// What an action's answer means.
    fn hear(&mut self, now: Time, action: Action, answer: Answer) -> Result<Option<Step>, Trouble> {
        match action {
            Action::TellCache => {
                self.told_cache = true;
                return Ok(None);
            }
            Action::LookSource => {
                self.source = looked(answer)?;
                let state = self.source.home().map(|seen| seen.row.state);
                if state == Some(HomeState::ReadOnly) && self.frozen_at.is_none() {
                    self.frozen_at = Some(now);
                }
                return Ok(None);
            }
            Action::LookDest => {
                self.dest = looked(answer)?;
                return Ok(None);
            }
            _ => {}
        }
        let version = request::last_version(request::reply(answer)?)?;
        match action {
            Action::Claim | Action::Switch => self.directory_written(action, version),
            Action::Close => return Ok(Some(self.over(End::Finished))),
            Action::ClaimDest | Action::Activate | Action::Abandon => {
                let row = self.home_after(action);
                self.dest = Side::Claimed(Seen { version, row });
            }
            Action::Freeze | Action::Thaw | Action::Retire | Action::Reopen => {
                let row = self.home_after(action);
                self.source = Side::Claimed(Seen { version, row });
            }
            Action::LookSource
            | Action::LookDest
            | Action::TellCache
            | Action::Copy
            | Action::Drop => {}
        }
        match action {
            Action::Activate => {
                self.read_only = self.frozen_at.take().map(|since| now.since(since));
            }
            Action::Thaw => {
                self.frozen_at = None;
                self.gave_up = true;
            }
            Action::Reopen => self.frozen_at = None,
            _ => {}
        }
        Ok(None)
    }
}

/// A home as read; a shard that does not answer may be asked again later.
fn looked(answer: Answer) -> Result<Side, Trouble> {
    let row = match request::reply(answer) {
        Ok(reply) => request::row(reply)?,
        Err(Trouble::Unknown | Trouble::Refused) => return Ok(Side::Silent),
        Err(other) => return Err(other),
    };
    let Some((version, value)) = row else { return Ok(Side::Read(None)) };
    let row = Home::parse(&value).map_err(|_| Trouble::Garbled)?;
    Ok(Side::Read(Some(Seen { version, row })))
}
