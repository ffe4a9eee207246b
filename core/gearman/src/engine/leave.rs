//! Connections that end, workers that are lost, and clients that wait no more.

use super::Engine;
use super::job::{BACKGROUND, IGNORED, KEPT, State};
use super::peer::{OfJob, OfPeer, Sleep};
use super::rules::{Defect, Dialect};
use super::types::{Happened, Out, Peer};

impl Engine {
    /// A connection ended: it waits for nothing any more, and what it ran is lost.
    pub fn gone(&mut self, out: &mut impl Out, from: Peer) {
        self.peers.touch(from);
        while let Some(listener) = self.peers.get(from.0).listeners.first() {
            self.stop_listening(out, listener);
        }
        if self.peers.get(from.0).asks() {
            self.set_awake(from.0, Sleep::Awake);
        }
        self.reset_abilities(out, from);
        self.set_awake(from.0, Sleep::Awake);
        while let Some(at) = self.peers.get(from.0).jobs.first() {
            self.unqueue(at);
            self.lost(out, at);
        }
        let peer = self.peers.get_mut(from.0);
        assert!(peer.jobs.is_empty() && peer.listeners.is_empty(), "all of it was let go");
        let age = peer.age.wrapping_add(1);
        *peer = super::peer::PeerState { age, ..Default::default() };
    }

    /// A client waits for a job no more. A job that nobody wants and nobody runs is dropped.
    fn stop_listening(&mut self, out: &mut impl Out, listener: u32) {
        let (peer, at) = {
            let listener = self.listeners.get(listener);
            (listener.peer, listener.job)
        };
        let of_peer = &mut self.peers.get_mut(peer).listeners;
        of_peer.remove::<OfPeer>(&mut self.listeners, listener);
        let job = self.jobs.get_mut(at);
        job.listeners.remove::<OfJob>(&mut self.listeners, listener);
        self.listeners.remove(listener);
        let job = self.jobs.get_mut(at);
        if !job.listeners.is_empty() || job.state == State::Running {
            return;
        }
        match (self.rules.defect, job.is(BACKGROUND)) {
            (Some(Defect::BackgroundForgotten), true)
            | (Some(Defect::DeadJobFound | Defect::BackgroundOntoAbandoned), false) => {
                job.set(IGNORED);
            }
            (_, true) => {}
            (_, false) => {
                self.counters.abandoned += 1;
                self.tell(out, at, Happened::Abandoned);
                self.end(out, at);
            }
        }
    }

    /// A job's worker is lost, and the job is nowhere: it is tried again, or fails, or is dropped
    /// because nobody wants it.
    fn lost(&mut self, out: &mut impl Out, at: u32) {
        self.counters.lost += 1;
        let job = self.jobs.get_mut(at);
        job.losses = job.losses.saturating_add(1);
        if let Some(rare) = job.rare().filter(|rare| rare.denominator > 0) {
            debug_assert!(rare.deadline.is_none(), "a job that is nowhere has no time-out");
            let rare = job.rare_mut();
            (rare.numerator, rare.denominator) = (0, 0);
        }
        if !job.is_wanted() {
            self.counters.abandoned += 1;
            self.tell(out, at, Happened::Abandoned);
            return self.end(out, at);
        }
        let fails = self.rules.dialect == Dialect::Danga && !job.is(KEPT);
        let enough = self.rules.losses_max.is_some_and(|max| u32::from(job.losses) >= max);
        if fails || enough {
            return self.fail(out, at);
        }
        job.state = State::Returned;
        let (function, priority, turn) = (job.function, job.priority(), job.turn);
        self.returned.insert((function, priority as u8, turn, at));
        let to = self.functions.get_mut(function);
        to.ready[priority as usize] += 1;
        to.returned[priority as usize] += 1;
        self.tell(out, at, Happened::Requeued);
        self.wake(out, function);
    }

    /// Ends what workers took too long for: it is tried again, or fails, in the Perl server's
    /// dialect.
    pub(super) fn expire(&mut self, out: &mut impl Out) {
        while let Some(&(deadline, number)) = self.deadlines.first() {
            if deadline > self.now {
                break;
            }
            let at = self.index.by_number(number).expect("what has a time-out runs");
            self.counters.timed_out += 1;
            let worker = self.jobs.get(at).worker;
            let age = self.peers.get(worker).age;
            self.jobs.get_mut(at).rare_mut().overdue = Some((worker, age));
            self.tell(out, at, Happened::TimedOut);
            self.unqueue(at);
            match self.rules.dialect {
                Dialect::Gearmand => self.lost(out, at),
                Dialect::Danga => self.fail(out, at),
            }
        }
    }
}
