//! The coordinator's list: which move is whose, which waits for what. Memory only; after a restart
//! it is read from the directory again.

use super::decide::Errand;
use super::wire::Word;
use crate::map::UserId;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{Conn, Time};

/// How long the list waits for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delays {
    /// A mover that is silent for so long has lost its moves.
    pub lease: Duration,
    /// From a move to the dropping of the rows on the old shard.
    pub drop_after: Duration,
    /// Before a move that failed is tried again; doubled with each failure in a row.
    pub retry: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            drop_after: Duration::from_secs(60),
            retry: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// Where a move stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// For a mover, from then on.
    Waits(Time),
    /// With this mover, until then.
    With(Conn, Time),
}

/// A move.
#[derive(Clone, Copy, Debug)]
struct Entry {
    standing: Standing,
    errand: Errand,
    failures: u32,
}

/// A mover, as the list sees it.
#[derive(Clone, Copy, Debug)]
struct Worker {
    slots: u32,
    busy: u32,
    heard: Time,
}

/// The list.
#[derive(Debug)]
pub(crate) struct List {
    delays: Delays,
    moves: BTreeMap<UserId, Entry>,
    /// Those that wait, by when.
    waiting: BTreeSet<(Time, UserId)>,
    workers: BTreeMap<Conn, Worker>,
}

impl List {
    pub(crate) const fn new(delays: Delays) -> Self {
        Self { delays, moves: BTreeMap::new(), waiting: BTreeSet::new(), workers: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.moves.len()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    fn stand(&mut self, user: UserId, standing: Standing) {
        let Some(entry) = self.moves.get_mut(&user) else { return };
        match entry.standing {
            Standing::Waits(at) => {
                self.waiting.remove(&(at, user));
            }
            Standing::With(conn, _) => {
                if let Some(worker) = self.workers.get_mut(&conn) {
                    worker.busy -= 1;
                }
            }
        }
        entry.standing = standing;
        match standing {
            Standing::Waits(at) => {
                self.waiting.insert((at, user));
            }
            Standing::With(conn, _) => {
                if let Some(worker) = self.workers.get_mut(&conn) {
                    worker.busy += 1;
                }
            }
        }
    }

    /// A move that is in the directory; one that is known stays as it is.
    pub(crate) fn add(&mut self, now: Time, user: UserId) {
        if self.moves.contains_key(&user) {
            return;
        }
        let standing = Standing::Waits(now);
        self.moves.insert(user, Entry { standing, errand: Errand::Move, failures: 0 });
        self.waiting.insert((now, user));
    }

    /// A mover is there, and takes so many moves at once.
    pub(crate) fn ready(&mut self, now: Time, conn: Conn, slots: u32) {
        let fresh = Worker { slots, busy: 0, heard: now };
        let worker = self.workers.entry(conn).or_insert(fresh);
        worker.slots = slots;
        worker.heard = now;
    }

    /// A mover works on it. Returns whether it may; another one may have it by now.
    pub(crate) fn working(&mut self, now: Time, conn: Conn, user: UserId) -> bool {
        let Some(worker) = self.workers.get_mut(&conn) else { return false };
        worker.heard = now;
        let until = now + self.delays.lease;
        let Some(entry) = self.moves.get_mut(&user) else { return false };
        match &mut entry.standing {
            Standing::With(holder, lease) if *holder == conn => {
                *lease = until;
                true
            }
            Standing::With(..) => false,
            Standing::Waits(_) => {
                self.stand(user, Standing::With(conn, until));
                true
            }
        }
    }

    /// A mover does not work on it any more.
    pub(crate) fn ended(&mut self, now: Time, conn: Conn, user: UserId, word: Word) {
        if let Some(worker) = self.workers.get_mut(&conn) {
            worker.heard = now;
        }
        let delays = self.delays;
        let Some(entry) = self.moves.get_mut(&user) else { return };
        if let Standing::With(holder, _) = entry.standing
            && holder != conn
        {
            return;
        }
        match word {
            Word::Finished | Word::NoMove => {
                self.stand(user, Standing::Waits(now));
                self.waiting.remove(&(now, user));
                self.moves.remove(&user);
            }
            Word::Moved => {
                entry.errand = Errand::Finish;
                entry.failures = 0;
                self.stand(user, Standing::Waits(now + delays.drop_after));
            }
            Word::Later | Word::Contradiction => {
                let wait = delays.retry.saturating_mul(1 << entry.failures.min(16));
                entry.failures += 1;
                self.stand(user, Standing::Waits(now + wait.min(delays.retry_max)));
            }
        }
    }

    /// A move was called off: somebody should see to it now.
    pub(crate) fn hurry(&mut self, now: Time, user: UserId) {
        let Some(entry) = self.moves.get_mut(&user) else { return };
        entry.failures = 0;
        if matches!(entry.standing, Standing::Waits(_)) {
            self.stand(user, Standing::Waits(now));
        }
    }

    /// A mover is gone, and leaves its moves behind.
    pub(crate) fn gone(&mut self, now: Time, conn: Conn) {
        self.workers.remove(&conn);
        let left: Vec<UserId> = self
            .moves
            .iter()
            .filter(|(_, entry)| matches!(entry.standing, Standing::With(of, _) if of == conn))
            .map(|(user, _)| *user)
            .collect();
        left.into_iter().for_each(|user| self.stand(user, Standing::Waits(now)));
    }

    /// Takes moves back from movers that were silent for too long.
    pub(crate) fn expire(&mut self, now: Time) {
        let late: Vec<UserId> = self
            .moves
            .iter()
            .filter(|(_, entry)| matches!(entry.standing, Standing::With(_, until) if until <= now))
            .map(|(user, _)| *user)
            .collect();
        late.into_iter().for_each(|user| self.stand(user, Standing::Waits(now)));
    }

    /// The next move to hand out, and to whom: to the one with the most room.
    pub(crate) fn hand_out(&mut self, now: Time) -> Option<(Conn, UserId, Errand)> {
        let &(at, user) = self.waiting.first()?;
        if at > now {
            return None;
        }
        let lease = self.delays.lease;
        let room = |worker: &Worker| worker.slots.saturating_sub(worker.busy);
        let (conn, _) = self
            .workers
            .iter()
            .filter(|(_, worker)| room(worker) > 0 && now.since(worker.heard) <= lease)
            .max_by_key(|(_, worker)| room(worker))?;
        let conn = *conn;
        self.stand(user, Standing::With(conn, now + lease));
        Some((conn, user, self.moves[&user].errand))
    }

    /// Bytes held, estimated.
    pub(crate) fn memory(&self) -> u64 {
        let each = size_of::<(UserId, Entry)>() + size_of::<(Time, UserId)>();
        self.moves.len() as u64 * each as u64
    }

    pub(crate) fn invariants(&self) {
        let mut busy: BTreeMap<Conn, u32> = BTreeMap::new();
        let mut waiting = 0;
        for (user, entry) in &self.moves {
            match entry.standing {
                Standing::Waits(at) => {
                    assert!(self.waiting.contains(&(at, *user)), "who waits is in the queue");
                    waiting += 1;
                }
                Standing::With(conn, _) => *busy.entry(conn).or_default() += 1,
            }
        }
        assert_eq!(waiting, self.waiting.len(), "who is in the queue waits");
        for (conn, worker) in &self.workers {
            assert_eq!(busy.remove(conn).unwrap_or(0), worker.busy, "moves of a mover are counted");
        }
        assert!(busy.is_empty(), "a move is with a mover that is there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Conn = Conn { slot: 0, age: 0 };
    const B: Conn = Conn { slot: 1, age: 0 };
    const USER: UserId = UserId(26);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_move_goes_from_mover_to_mover_until_it_is_finished() {
        let mut list = List::new(Delays::default());
        list.add(at(0), USER);
        assert_eq!(list.hand_out(at(0)), None, "nobody is there");
        list.ready(at(0), A, 1);
        assert_eq!(list.hand_out(at(0)), Some((A, USER, Errand::Move)));
        assert_eq!(list.hand_out(at(0)), None);
        list.ready(at(4), B, 1);
        list.expire(at(4));
        assert_eq!(list.hand_out(at(4)), None, "the lease holds");
        list.expire(at(5));
        assert_eq!(list.hand_out(at(6)), Some((B, USER, Errand::Move)), "the first one is silent");
        assert!(!list.working(at(6), A, USER), "it comes back too late");
        list.ended(at(6), A, USER, Word::Finished);
        assert_eq!(list.len(), 1, "what it says of the move does not count");
        list.ended(at(7), B, USER, Word::Moved);
        assert_eq!(list.hand_out(at(8)), None, "rows are kept for a while");
        list.ready(at(67), B, 1);
        assert_eq!(list.hand_out(at(67)), Some((B, USER, Errand::Finish)));
        list.ended(at(68), B, USER, Word::Finished);
        assert_eq!(list.len(), 0);
        list.invariants();
    }

    #[test]
    fn movers_make_themselves_known_to_a_new_coordinator() {
        let mut list = List::new(Delays::default());
        list.add(at(0), USER);
        list.ready(at(0), A, 2);
        assert!(list.working(at(0), A, USER));
        assert_eq!(list.hand_out(at(0)), None);
        list.gone(at(1), A);
        list.ready(at(1), B, 1);
        assert_eq!(list.hand_out(at(1)), Some((B, USER, Errand::Move)));
        list.invariants();
    }

    #[test]
    fn a_move_that_fails_waits_longer_each_time() {
        let mut list = List::new(Delays::default());
        list.add(at(0), USER);
        list.ready(at(0), A, 1);
        let mut now = at(0);
        for wait in [500, 1_000, 2_000] {
            assert!(list.hand_out(now).is_some());
            list.ended(now, A, USER, Word::Later);
            let due = now + Duration::from_millis(wait);
            assert_eq!(list.hand_out(due - Duration::from_nanos(1)), None);
            now = due;
        }
        list.hurry(now, USER);
        assert!(list.hand_out(now).is_some());
        list.invariants();
    }
}
