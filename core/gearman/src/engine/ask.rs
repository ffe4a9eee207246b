//! Workers that ask for the next job as soon as they have finished one.
//!
//! Where jobs come one at a time, there is none yet when a worker asks for it, and one a moment
//! later. To be told so, to go to sleep, to be woken and to ask again costs a worker and its server
//! three round trips. So an answer may take [`Rules::grab_patience`](super::Rules::grab_patience):
//! a job that comes meanwhile is handed to the worker that asked last. `GRAB_JOB` is still answered
//! by one packet, in its turn: whatever else the worker says ends its wait.
//!
//! Only who has just finished a job here waits, or was woken for one that another worker was
//! quicker to take. One that asks several servers in turn is not kept by those that have nothing.

use super::Engine;
use super::peer::Sleep;
use super::types::{Grab, Happened, Out, Peer, Reply};

impl Engine {
    /// To be called before anything that a connection says: if it waits for an answer, that one
    /// goes first.
    #[inline]
    pub fn hear(&mut self, out: &mut impl Out, from: Peer) {
        if self.peers.find(from).is_some_and(|peer| peer.asks()) {
            self.say_no_job(out, from.0);
        }
    }

    /// A worker that asked is told that there is no job.
    fn say_no_job(&mut self, out: &mut impl Out, peer: u32) {
        self.set_awake(peer, Sleep::Awake);
        out.send(Peer(peer), Reply::NoJob);
    }

    /// Whether a worker that asks now waits for a job, if there is none.
    pub(super) fn may_wait(&mut self, peer: u32) -> bool {
        let peer = self.peers.get_mut(peer);
        let woken = matches!(peer.sleep, Sleep::Woken { .. } | Sleep::Overdue);
        let finished = core::mem::take(&mut peer.finished);
        (woken || finished) && !self.rules.grab_patience.is_zero()
    }

    /// There is no job for a worker that asks: it waits for one.
    pub(super) fn let_wait(&mut self, from: Peer, how: Grab) {
        let until = self.now + self.rules.grab_patience;
        let peer = self.peers.get_mut(from.0);
        peer.sleep = Sleep::Asking { how, until };
        for &ability in &peer.abilities {
            let function = self.abilities.get(ability).function;
            let sleepers = &mut self.functions.get_mut(function).sleepers;
            sleepers.push_front(&mut self.abilities, ability);
        }
        self.asking.push_back(&mut self.peers, from.0);
    }

    /// Hands a function's jobs to workers that asked: they are before its sleepers.
    #[inline]
    pub(super) fn hand_out(&mut self, out: &mut impl Out, function: u32) {
        while let Some(ability) = self.functions.get(function).sleepers.first()
            && self.functions.get(function).first_ready().is_some()
        {
            let peer = self.abilities.get(ability).peer;
            let Sleep::Asking { how, .. } = self.peers.get(peer).sleep else { break };
            self.set_awake(peer, Sleep::Awake);
            match self.take(out, peer) {
                Some(at) => {
                    self.tell(out, at, Happened::Assigned);
                    out.send(Peer(peer), self.assign(at, how));
                }
                None => out.send(Peer(peer), Reply::NoJob),
            }
        }
    }

    /// Answers workers that have waited long enough.
    pub(super) fn answer_late(&mut self, out: &mut impl Out) {
        while let Some(peer) = self.asking.first() {
            let until = self.peers.get(peer).waits_until().expect("it asks, and so it waits");
            if until > self.now {
                break;
            }
            self.say_no_job(out, peer);
        }
    }
}
