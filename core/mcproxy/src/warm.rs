//! Copies from a warm pool to a cold one, and what keeps them from being older than a write.
//!
//! A hit in the warm pool is answered at once. Behind it the value is read once more, with the time
//! it has left to live, and added to the cold pool; `add`, so that nothing newer is replaced. A
//! write of the key gives a copy up; where the copy may have been under way beside the write, it is
//! deleted again, as a miss is better than a stale value. Every write of a key also deletes it from
//! the warm pool, so that no older value comes back when the new one has gone from the cold pool.
//!
//! Not copied: keys that the text protocol cannot name.

use crate::front::{Effect, Miss, Request, Tongue, binary, delete_text, meta};
use crate::jobs::{End, JobId, Task};
use crate::proxy::Proxy;
use bytes::Bytes;
use storytime_machine::Cx;
use storytime_memcached::client::pool::{Shape, Words};

impl Proxy {
    /// A read was a hit: if it was one of a warm pool, a copy is made.
    pub(crate) fn warm_up(&mut self, cx: &mut Cx, plan: usize, group: usize, key: &Bytes) {
        let Some(warm_up) = self.table.plans[plan].warm_up else { return };
        if group < warm_up.warm_from || !is_plain(key) || !self.flights.may_copy(key) {
            return;
        }
        let pool = self.table.plans[plan].reads[group].pools[0];
        let place = (self.backends.set_of(pool, Tongue::Text), self.table.server(pool, key));
        let wire = Bytes::from([b"mg ", &key[..], b" v f t\r\n"].concat());
        let request = of_key(key.clone(), wire, Shape::Meta { replies: 1 });
        let task = Task::Fetch { cold: warm_up.cold, ttl: warm_up.ttl, given_up: false };
        let id = self.jobs.add(task, None);
        (self.jobs.of(id).plan, self.jobs.of(id).generation) = (plan, self.generation);
        self.flights.copy_begins(key, id);
        self.send_leg(cx, id, place, &request);
        self.jobs.of(id).request = Some(request);
    }

    /// The value to copy has come, or will not.
    pub(crate) fn fetched(&mut self, cx: &mut Cx, id: JobId) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        job.answered = true;
        let Task::Fetch { cold, ttl, given_up } = job.task else {
            unreachable!("it was sent to fetch a value")
        };
        let (plan, current) = (job.plan, job.generation == generation);
        let key = job.keyed().key.clone();
        let replied = job.legs.first().is_some_and(|leg| leg.end == End::Replied);
        let value = replied.then(|| value_of(&job.legs[0].reply.first)).flatten();
        self.flights.copy_ends(&key, id);
        let Some((flags, left, data)) = value.filter(|_| current && !given_up) else { return };
        let most = ttl.map_or(u64::MAX, |ttl| ttl.as_secs().max(1));
        let ttl = match left {
            // -1 is for ever, which is 0 where it is stored.
            None if most == u64::MAX => 0,
            None => most,
            Some(left) => left.min(most),
        };
        let head = format!(" {flags} {ttl} {}\r\n", data.len() - 2);
        let wire = Bytes::from([b"add ", &key[..], head.as_bytes(), &data].concat());
        let request = of_key(key.clone(), wire, Shape::Line(Words::Stored));
        let place = (self.backends.set_of(cold, Tongue::Text), self.table.server(cold, &key));
        let add = self.jobs.add(Task::Add { cold, given_up: false }, None);
        self.jobs.of(add).generation = generation;
        self.flights.copy_begins(&key, add);
        self.send_leg(cx, add, place, &request);
        self.jobs.of(add).request = Some(request);
        self.route_stats[plan].copies += 1;
        cx.reached("mcproxy: a value was copied to the cold pool");
    }

    /// A copy was made, or was not.
    pub(crate) fn added(&mut self, cx: &mut Cx, id: JobId) {
        let generation = self.generation;
        let job = self.jobs.of(id);
        job.answered = true;
        let Task::Add { cold, given_up } = job.task else {
            unreachable!("it was sent to add a value")
        };
        let (key, current) = (job.keyed().key.clone(), job.generation == generation);
        self.flights.copy_ends(&key, id);
        if given_up && current {
            self.delete_from(cx, cold, Tongue::Text, &key);
        }
    }

    /// A key is written while it is copied. On one connection a copy that has left comes before the
    /// write; on another it may come after it.
    pub(crate) fn give_up_copy(&mut self, copy: JobId, tongue: Tongue) {
        let Some(job) = self.jobs.get(copy) else { return };
        match &mut job.task {
            Task::Fetch { given_up, .. } => *given_up = true,
            Task::Add { given_up, .. } => *given_up |= tongue == Tongue::Binary,
            _ => {}
        }
    }

    /// A key is written: the pools that may hold an older value lose it.
    pub(crate) fn forget(&mut self, cx: &mut Cx, plan: usize, tongue: Tongue, key: &Bytes) {
        for at in 0..self.table.plans[plan].forgets.len() {
            let pool = self.table.plans[plan].forgets[at];
            self.delete_from(cx, pool, tongue, key);
        }
    }

    fn delete_from(&mut self, cx: &mut Cx, pool: usize, tongue: Tongue, key: &Bytes) {
        let request = match tongue {
            Tongue::Text if is_plain(key) => delete_text(key),
            Tongue::Text => meta::delete(key),
            Tongue::Binary => binary::delete(key),
        };
        let place = (self.backends.set_of(pool, tongue), self.table.server(pool, key));
        let id = self.jobs.add(Task::Background, None);
        self.send_leg(cx, id, place, &request);
    }
}

/// Whether the text protocol can name a key as it is.
fn is_plain(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|&b| b > b' ' && b != 0x7f)
}

fn of_key(key: Bytes, wire: Bytes, shape: Shape) -> Request {
    let (tongue, effect, miss) = (Tongue::Text, Effect::Repeatable, Miss::Never);
    Request { tongue, effect, miss, key, wire, shape, value_bytes: 0 }
}

/// Flags, seconds left (none for ever) and the value with its line end, of
/// `VA <bytes> f<flags> t<seconds>`.
fn value_of(reply: &Bytes) -> Option<(u32, Option<u64>, Bytes)> {
    let end = memchr::memchr(b'\n', reply)?;
    let line = core::str::from_utf8(&reply[..end]).ok()?;
    let mut words = line.trim_ascii_end().split(' ');
    if words.next() != Some("VA") {
        return None;
    }
    let bytes: usize = words.next()?.parse().ok()?;
    let (mut flags, mut left) = (0, None);
    for word in words {
        match word.split_at_checked(1)? {
            ("f", number) => flags = number.parse().ok()?,
            ("t", "-1") => left = None,
            ("t", number) => left = Some(number.parse().ok()?),
            _ => {}
        }
    }
    // What expires at this instant is not worth a copy; 0 would let it live for ever.
    let whole = left != Some(0) && reply.len() == end + 1 + bytes + 2;
    whole.then(|| (flags, left, reply.slice(end + 1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_to_copy_has_flags_and_time_left() {
        let value = |text: &'static str| value_of(&Bytes::from_static(text.as_bytes()));
        let data = Bytes::from_static(b"abc\r\n");
        assert_eq!(value("VA 3 f7 t60\r\nabc\r\n"), Some((7, Some(60), data.clone())));
        assert_eq!(value("VA 3 f0 t-1\r\nabc\r\n"), Some((0, None, data)));
        for none in ["EN\r\n", "VA 3 f7 t0\r\nabc\r\n", "VA 4 f7 t9\r\nabc\r\n", "VA x\r\n", ""] {
            assert_eq!(value(none), None, "{none}");
        }
    }
}
