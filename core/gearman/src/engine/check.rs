//! What must hold between any two calls, and a description of the state that histories which lead
//! to the same one share.

use super::Engine;
use super::held::What;
use super::job::{ASKED, BACKGROUND, IGNORED, Job, State};
use super::peer::{OfJob, OfPeer, PeerState, Sleep};
use super::ring::NONE;
use super::types::{Number, Peer, Priority};

/// A part of a description. Numbers and connections are told apart from other words, so that
/// whoever compares states may rename them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Word(u64),
    Number(Number),
    Peer(Peer),
    Text(&'a [u8]),
    /// The state of a connection follows, up to the next of these.
    StateOf(Peer),
}

impl Engine {
    /// Panics if the state is not one that can be.
    pub fn invariants(&self) {
        self.check_jobs();
        self.check_functions();
        self.check_accounts();
        self.check_peers();
        self.check_woken();
        self.check_held();
    }

    fn check_jobs(&self) {
        let (mut count, mut keys, mut waiting, mut bytes) = (0, 0, 0, 0);
        for (at, job) in self.jobs.places().filter(|(_, job)| job.number > 0) {
            count += 1;
            bytes += job.bytes();
            assert_eq!(self.index.by_number(Number(job.number)), Some(at));
            if let Some(key) = job.key() {
                keys += 1;
                assert_eq!(self.index.by_key(&self.jobs, key), Some(at), "found by its key");
            }
            for listener in job.listeners.iter::<OfJob>(&self.listeners) {
                waiting += 1;
                assert_eq!(self.listeners.get(listener).job, at, "it waits for this job");
            }
            let running = job.state == State::Running;
            assert_eq!(running, job.worker != NONE, "a job has a worker while it runs");
            assert!(running || job.is(IGNORED) || job.is_wanted(), "a job is kept for somebody");
            if job.is(ASKED) {
                assert_eq!(job.state, State::Held, "who is asked about is given to nobody");
                assert!(!job.is(BACKGROUND), "a job that runs for itself waits for no answer");
            }
            let number = Number(job.number);
            let waits = self.dues.contains(&(job.due(), number));
            assert_eq!(waits, job.state == State::Waiting, "what waits is in the set");
        }
        assert_eq!((count, bytes), (self.jobs.len(), self.jobs_bytes), "jobs are counted");
        assert_eq!(self.index.len(), (count as usize, keys), "the index holds jobs only");
        assert_eq!(waiting, self.listeners.len(), "whoever waits, waits for a job");
    }

    fn check_functions(&self) {
        let mut returned = 0;
        for (at, function) in self.functions.iter() {
            for priority in Priority::ALL {
                let p = priority as usize;
                let queue: Vec<_> = function.queues[p].iter(&self.jobs).collect();
                let fits = |&at: &u32| {
                    let job = self.jobs.get(at);
                    job.state == State::Queued && job.priority() == priority
                };
                assert!(queue.iter().all(fits), "queues hold what is queued");
                let length = queue.len() as u32 + function.returned[p];
                assert_eq!(function.ready[p], length, "queues are counted");
                returned += function.returned[p] as usize;
            }
            let of = |job: &&Job| job.number > 0 && job.function == at;
            let jobs = || self.jobs.places().map(|(_, job)| job).filter(of);
            assert_eq!(function.jobs as usize, jobs().count());
            let running = jobs().filter(|job| job.state == State::Running).count();
            assert_eq!(function.running as usize, running);
            let ready = jobs().filter(|j| matches!(j.state, State::Queued | State::Returned));
            assert_eq!(function.ready.iter().sum::<u32>() as usize, ready.count());
            let forgotten = function.wants_workers(self.rules.wake_max);
            assert!(!forgotten || function.sleepers.is_empty(), "no wake-up is lost");
            let first = function.sleepers.first().map(|first| self.abilities.get(first).peer);
            let asks = first.is_some_and(|peer| self.peers.get(peer).asks());
            assert!(!asks || function.first_ready().is_none(), "nobody asks while there are jobs");
        }
        assert_eq!(returned, self.returned.len(), "those returned are counted");
    }

    fn check_peers(&self) {
        let mut abilities = 0;
        for (at, peer) in self.peers.iter() {
            for listener in peer.listeners.iter::<OfPeer>(&self.listeners) {
                assert_eq!(self.listeners.get(listener).peer, at, "it is this one that waits");
            }
            for job in peer.jobs.iter(&self.jobs) {
                assert_eq!(self.jobs.get(job).worker, at, "it runs what it took");
            }
            for &ability in &peer.abilities {
                abilities += 1;
                let ability = self.abilities.get(ability);
                assert_eq!(ability.peer, at);
                let listed = ability.link.next != NONE;
                let waits = peer.sleep == Sleep::Asleep || peer.asks();
                assert_eq!(listed, waits, "sleepers are listed, and those who ask");
            }
        }
        assert_eq!(abilities, self.abilities.len(), "abilities are those of connections");
    }

    fn check_woken(&self) {
        let mut announced = 0;
        let mut last = None;
        for at in self.woken.iter(&self.peers) {
            let peer = self.peers.get(at);
            assert!(matches!(peer.sleep, Sleep::Woken { .. }), "only the woken are waited for");
            let until = peer.waits_until();
            assert!(last <= until, "in the order in which their time is up");
            last = until;
            announced += 1;
        }
        let counted: u32 = self.functions.iter().map(|(_, function)| function.announced).sum();
        assert_eq!(announced, counted, "those announced were woken");
        let asking: Vec<_> = self.asking.iter(&self.peers).map(|at| self.peers.get(at)).collect();
        let times = asking.iter().map(|peer| peer.waits_until());
        assert!(times.is_sorted(), "in the order in which they are answered");
        let ask = self.peers.iter().filter(|(_, peer)| peer.asks()).count();
        assert_eq!(asking.len(), ask, "who asks is answered in time");
    }

    fn check_held(&self) {
        let tickets = self.held.queue.iter().map(|later| later.ticket);
        assert!(tickets.is_sorted(), "tickets grow");
        let of = |at| self.held.queue.iter().filter(move |later| later.to == at);
        for (at, peer) in self.peers.iter() {
            let held = of(at).filter(|later| later.age == peer.age).count();
            assert_eq!(held, peer.held as usize, "what is held for a connection is counted");
        }
    }

    /// Describes the state: two engines of the same rules that are described alike will go on
    /// alike, whatever came before. Says nothing of data, times and calendars.
    #[doc(hidden)]
    pub fn describe(&self, tell: &mut dyn FnMut(Part<'_>)) {
        let mut jobs: Vec<(u64, u32)> = self.numbered();
        jobs.sort_unstable();
        for &(_, at) in &jobs {
            self.describe_job(self.jobs.get(at), tell);
        }
        for (_, function) in self.functions.iter() {
            tell(Part::Text(&function.name));
            for queue in function.queues {
                for at in queue.iter(&self.jobs) {
                    tell(Part::Number(Number(self.jobs.get(at).number)));
                }
                tell(Part::Word(0));
            }
            for at in function.sleepers.iter(&self.abilities) {
                tell(Part::Peer(Peer(self.abilities.get(at).peer)));
            }
            tell(Part::Word(u64::from(function.unheard) << 32 | u64::from(function.announced)));
        }
        for &(_, _, _, at) in &self.returned {
            tell(Part::Number(Number(self.jobs.get(at).number)));
        }
        for at in self.woken.iter(&self.peers) {
            tell(Part::Peer(Peer(at)));
        }
        tell(Part::Word(0));
        for at in self.asking.iter(&self.peers) {
            tell(Part::Peer(Peer(at)));
        }
        self.describe_held(tell);
        for (at, peer) in self.peers.iter() {
            tell(Part::StateOf(Peer(at)));
            self.describe_peer(peer, tell);
        }
    }

    fn numbered(&self) -> Vec<(u64, u32)> {
        let jobs = self.jobs.places().filter(|(_, job)| job.number > 0);
        jobs.map(|(at, job)| (job.number, at)).collect()
    }

    fn describe_job(&self, job: &Job, tell: &mut dyn FnMut(Part<'_>)) {
        tell(Part::Number(Number(job.number)));
        tell(Part::Text(&self.functions.get(job.function).name));
        tell(Part::Text(job.unique()));
        tell(Part::Word(u64::from(job.flags) << 8 | job.state as u64));
        if self.rules.losses_max.is_some() {
            tell(Part::Word(job.losses.into()));
        }
        if job.worker != NONE {
            tell(Part::Peer(Peer(job.worker)));
        } else if let Some(overdue) = self.overdue(job) {
            tell(Part::Peer(overdue));
        }
        for listener in job.listeners.iter::<OfJob>(&self.listeners) {
            tell(Part::Peer(Peer(self.listeners.get(listener).peer)));
        }
    }

    fn describe_held(&self, tell: &mut dyn FnMut(Part<'_>)) {
        let mut ticket = None;
        for later in &self.held.queue {
            tell(Part::Word(u64::from(ticket.replace(later.ticket) == Some(later.ticket))));
            tell(Part::Number(later.number));
            let alive = later.to != NONE && self.peers.get(later.to).age == later.age;
            if alive {
                tell(Part::Peer(Peer(later.to)));
            }
            tell(Part::Word(match later.what {
                What::Synced => 0,
                What::Created => 1,
                What::Error(_) => 2,
                What::Work(_) => 3,
            }));
        }
    }

    fn describe_peer(&self, peer: &PeerState, tell: &mut dyn FnMut(Part<'_>)) {
        for &ability in &peer.abilities {
            tell(Part::Text(&self.functions.get(self.abilities.get(ability).function).name));
        }
        tell(Part::Word(peer.turn as u64));
        let may_wait = peer.finished && !self.rules.grab_patience.is_zero();
        let flags = [peer.has_worked, may_wait, peer.exceptions];
        tell(Part::Word(flags.iter().fold(0, |word, &flag| word << 1 | u64::from(flag))));
        match peer.sleep {
            Sleep::Awake => tell(Part::Word(0)),
            Sleep::Asleep => tell(Part::Word(1)),
            Sleep::Overdue => tell(Part::Word(2)),
            Sleep::Asking { how, .. } => tell(Part::Word(4 + how as u64)),
            Sleep::Woken { function, .. } => {
                tell(Part::Word(3));
                tell(Part::Text(&self.functions.get(function).name));
            }
        }
    }
}
