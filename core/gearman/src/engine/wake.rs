//! Workers: what they can do, sleeping and waking.
//!
//! A worker is woken for a function, and is *announced* there until it comes. As many are woken as
//! there are jobs, so there is no herd. Between any two calls no function has sleepers while it has
//! more jobs than announced workers, so none is forgotten; a worker that was woken and takes
//! another job, leaves, or does not come in time, is announced no more, and another one is woken.
//! When nobody comes in time, twice as many are woken each time, so that a few round trips find the
//! one worker that is alive among thousands that a broken network left behind.

use super::Engine;
use super::peer::{Ability, Sleep};
use super::types::{Out, Peer, Refusal, Reply, Timeout};
use std::collections::BTreeSet;
use storytime_machine::nanos;

impl Engine {
    /// A worker can do a function.
    pub fn can_do(&mut self, out: &mut impl Out, from: Peer, function: &[u8], timeout: Timeout) {
        self.peers.touch(from);
        self.hear(out, from);
        let function = match self.functions.find_or_make(function, &self.rules) {
            Ok(function) => function,
            Err(refusal) => return out.send(from, Reply::Error(refusal)),
        };
        let timeout = timeout.map_or(0, nanos);
        if let Some(place) = self.ability(from.0, function) {
            let ability = self.peers.get(from.0).abilities[place];
            self.abilities.get_mut(ability).timeout = timeout;
            return;
        }
        let peer = self.peers.get_mut(from.0);
        if peer.abilities.len() >= self.rules.abilities_max as usize {
            return out.send(from, Reply::Error(Refusal::TooManyAbilities));
        }
        let ability = Ability { function, peer: from.0, timeout, ..Ability::default() };
        let ability = self.abilities.insert(ability);
        peer.turn = peer.abilities.len();
        peer.abilities.push(ability);
        let asleep = peer.sleep == Sleep::Asleep;
        let function_state = self.functions.get_mut(function);
        function_state.workers += 1;
        if asleep {
            function_state.sleepers.push_back(&mut self.abilities, ability);
            self.wake(out, function);
        }
    }

    /// Where among a worker's abilities a function is.
    fn ability(&self, peer: u32, function: u32) -> Option<usize> {
        let abilities = &self.peers.get(peer).abilities;
        abilities.iter().position(|&at| self.abilities.get(at).function == function)
    }

    /// A worker cannot do a function any more. What it has begun it may finish.
    pub fn cant_do(&mut self, out: &mut impl Out, from: Peer, function: &[u8]) {
        self.peers.touch(from);
        self.hear(out, from);
        let Some(function) = self.functions.find(function) else { return };
        let Some(place) = self.ability(from.0, function) else { return };
        let peer = self.peers.get_mut(from.0);
        let ability = peer.abilities.remove(place);
        if peer.turn >= place {
            let last = peer.abilities.len().saturating_sub(1);
            peer.turn = peer.turn.checked_sub(1).unwrap_or(last);
        }
        self.forget_ability(from.0, ability);
        self.unannounce(out, from.0, Some(function));
    }

    /// A worker can do nothing any more. What it has begun it may finish.
    pub fn reset_abilities(&mut self, out: &mut impl Out, from: Peer) {
        self.peers.touch(from);
        self.hear(out, from);
        let peer = self.peers.get_mut(from.0);
        peer.turn = 0;
        let mut abilities = core::mem::take(&mut peer.abilities);
        for ability in abilities.drain(..) {
            self.forget_ability(from.0, ability);
        }
        self.peers.get_mut(from.0).abilities = abilities;
        self.unannounce(out, from.0, None);
    }

    fn forget_ability(&mut self, peer: u32, ability: u32) {
        let function = self.abilities.get(ability).function;
        let function = self.functions.get_mut(function);
        function.workers -= 1;
        if self.peers.get(peer).sleep == Sleep::Asleep {
            function.sleepers.remove(&mut self.abilities, ability);
        }
        self.abilities.remove(ability);
    }

    /// A worker that was woken for this function, or for any, is waited for no more.
    fn unannounce(&mut self, out: &mut impl Out, peer: u32, only: Option<u32>) {
        let Sleep::Woken { function, .. } = self.peers.get(peer).sleep else { return };
        if only.is_none_or(|only| only == function) {
            self.set_awake(peer, Sleep::Overdue);
            self.wake(out, function);
        }
    }

    /// A worker goes to sleep. It is woken at once if there is a job for it that no other worker
    /// was woken for.
    pub fn pre_sleep(&mut self, out: &mut impl Out, from: Peer) {
        self.peers.touch(from);
        self.hear(out, from);
        let awaited = self.set_awake(from.0, Sleep::Awake);
        self.peers.get_mut(from.0).sleep = Sleep::Asleep;
        let abilities = core::mem::take(&mut self.peers.get_mut(from.0).abilities);
        for &ability in &abilities {
            let function = self.abilities.get(ability).function;
            self.functions.get_mut(function).sleepers.push_back(&mut self.abilities, ability);
        }
        self.peers.get_mut(from.0).abilities = abilities;
        if let Some(function) = awaited {
            self.wake(out, function);
        }
        for place in 0..self.peers.get(from.0).abilities.len() {
            if self.peers.get(from.0).sleep != Sleep::Asleep {
                break;
            }
            let ability = self.peers.get(from.0).abilities[place];
            self.wake(out, self.abilities.get(ability).function);
        }
    }

    /// A worker sleeps no more, and is announced no more: the function that it was woken for is
    /// returned, and may want another worker.
    pub(super) fn set_awake(&mut self, peer: u32, to: Sleep) -> Option<u32> {
        let was = core::mem::replace(&mut self.peers.get_mut(peer).sleep, to);
        match was {
            Sleep::Awake | Sleep::Overdue => None,
            Sleep::Asleep => {
                self.leave_sleepers(peer);
                None
            }
            Sleep::Asking { .. } => {
                self.leave_sleepers(peer);
                self.asking.remove(&mut self.peers, peer);
                None
            }
            Sleep::Woken { function, .. } => {
                self.woken.remove(&mut self.peers, peer);
                self.functions.get_mut(function).announced -= 1;
                Some(function)
            }
        }
    }

    fn leave_sleepers(&mut self, peer: u32) {
        for &ability in &self.peers.get(peer).abilities {
            let function = self.abilities.get(ability).function;
            self.functions.get_mut(function).sleepers.remove(&mut self.abilities, ability);
        }
    }

    /// Hands jobs to workers that ask, and wakes sleepers of a function while it wants more workers
    /// than were woken.
    pub(super) fn wake(&mut self, out: &mut impl Out, function: u32) {
        self.hand_out(out, function);
        while self.functions.get(function).wants_workers(self.rules.wake_max) {
            let Some(ability) = self.functions.get(function).sleepers.first() else { break };
            let peer = self.abilities.get(ability).peer;
            let until = self.now + self.rules.wake_patience;
            self.set_awake(peer, Sleep::Woken { function, until });
            self.woken.push_back(&mut self.peers, peer);
            self.functions.get_mut(function).announced += 1;
            self.counters.woken += 1;
            out.send(Peer(peer), Reply::Noop);
        }
    }

    /// Wakes others in the place of workers that did not come in time.
    pub(super) fn wake_others(&mut self, out: &mut impl Out) {
        let mut unheard = BTreeSet::new();
        while let Some(peer) = self.woken.first() {
            let Sleep::Woken { until, function } = self.peers.get(peer).sleep else {
                unreachable!("only woken workers are waited for")
            };
            if until > self.now {
                break;
            }
            self.set_awake(peer, Sleep::Overdue);
            unheard.insert(function);
        }
        for function in unheard {
            self.functions.get_mut(function).be_louder();
            self.wake(out, function);
        }
    }
}
