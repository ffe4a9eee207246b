//! Where a user is, and reads that check it.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::wire::{found, home_and, number, reply_of, with_home, word};
use crate::directory::{place_cache_key, place_cache_value, read_place};
use crate::home::{HOME_ITEM, HOME_TABLE, Home, Homes, PLACE_TABLE, Place, Verdict, judge};
use crate::map::Flags;
use crate::outcome::{Error, Outcome};
use crate::scheme::Located;
use bytes::Bytes;
use storytime_database::Reply;
use storytime_database::client::{Failure, ServerId};
use storytime_machine::Cx;
use storytime_memcached::client::{Op, Store, Verb};

/// Who said where a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The map.
    Computed,
    /// Memcached: perhaps long ago.
    Cache,
    /// The directory itself, for this request.
    Directory,
}

/// Where a user is thought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) place: Place,
    pub(super) homes: Homes,
    /// Version of the home row that was active when it was last seen; 0 for none there.
    pub(super) home: Option<u64>,
    pub(super) source: Source,
    pub(super) server: ServerId,
}

/// What is awaited before the request itself can go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaits {
    #[default]
    Nothing,
    /// Memcached's place.
    Cache,
    /// The directory's place.
    Directory,
    /// A read with the home row beside it.
    Check,
}

/// What a job knows about its user's place.
#[derive(Debug, Default)]
pub(super) struct Seat {
    pub(super) known: Option<Known>,
    awaits: Awaits,
    /// Memcached's word is not good enough any more.
    past_caches: bool,
    relocations: u32,
    /// A reply from a shard where the user was still arriving, and the place that led there.
    held: Option<(Place, Reply)>,
}

impl Sharding {
    /// Deals with what concerns the user's place only; what is left is for the job itself.
    pub(super) fn settle_place(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        input: Input,
    ) -> Result<Option<Input>, Error> {
        match (core::mem::take(&mut job.seat.awaits), input) {
            (Awaits::Cache, Input::Cache(outcome)) => {
                let value = outcome.value().map(|value| value.data);
                if self.take_cached_place(job, value.as_ref())? {
                    return Ok(Some(Input::Located));
                }
                self.ask_directory(cx, id, job)?;
                Ok(None)
            }
            (Awaits::Directory, Input::Database(outcome)) => {
                self.directory_replied(cx, job, outcome)?;
                Ok(Some(after_directory(job)))
            }
            (Awaits::Check, Input::Database(outcome)) => self.checked(cx, id, job, outcome),
            (awaits, input) => {
                job.seat.awaits = awaits;
                Ok(Some(input))
            }
        }
    }

    /// Finds out where the user is; says whether it is known already, else it is told later.
    pub(super) fn locate(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Result<bool, Error> {
        if job.seat.known.is_some() {
            return Ok(true);
        }
        match self.scheme_of(job).locate(job.user) {
            Located::Nowhere => Err(Error::NoShard),
            Located::On(shard) => {
                let place = Place::before_sharding(shard);
                self.be_at(job, place, Homes::Optional, None, Source::Computed)?;
                Ok(true)
            }
            Located::AskDirectory { .. } => {
                if self.place_key(job).is_some() && !job.seat.past_caches {
                    job.seat.awaits = Awaits::Cache;
                    let key = place_cache_key(job.user);
                    self.ask_cache(cx, id, 0, key.as_bytes(), &Op::Get);
                } else {
                    self.ask_directory(cx, id, job)?;
                }
                Ok(false)
            }
        }
    }

    fn scheme_of(&self, job: &Job) -> &crate::scheme::Scheme {
        self.map.scheme_of(core::str::from_utf8(&job.table).unwrap_or(""))
    }

    /// The key under which memcached may know the place that this job needs.
    pub(super) fn place_key(&self, job: &Job) -> Option<Vec<u8>> {
        let kept = self.caching().is_some_and(|cache| cache.place_s.is_some());
        let wanted = kept && !job.seat.past_caches && job.seat.known.is_none();
        let asks = wanted && self.scheme_of(job).asks_directory();
        asks.then(|| place_cache_key(job.user).into_bytes())
    }

    /// Takes what memcached said about the place; says whether it said anything.
    pub(super) fn take_cached_place(
        &mut self,
        job: &mut Job,
        value: Option<&Bytes>,
    ) -> Result<bool, Error> {
        let Some((place, home)) = value.and_then(|value| read_place(value).ok()) else {
            self.counters.place_misses += 1;
            return Ok(false);
        };
        self.counters.place_hits += 1;
        let homes = self.homes_at(job, &place);
        match self.be_at(job, place, homes, home, Source::Cache) {
            Err(Error::NoShard) => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn homes_at(&self, job: &Job, place: &Place) -> Homes {
        if self.scheme_of(job).otherwise() == Some(place.shard) {
            Homes::Optional
        } else {
            Homes::Required
        }
    }

    fn be_at(
        &self,
        job: &mut Job,
        place: Place,
        homes: Homes,
        home: Option<u64>,
        source: Source,
    ) -> Result<(), Error> {
        let server = *self.stores.get(&place.shard).ok_or(Error::NoShard)?;
        job.seat.known = Some(Known { place, homes, home, source, server });
        Ok(())
    }

    fn ask_directory(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Result<(), Error> {
        let server = self.directory.ok_or(Error::NoDirectory)?;
        job.seat.awaits = Awaits::Directory;
        let item = number(HOME_ITEM);
        let words = [word("ROW.GET"), word(PLACE_TABLE), number(job.user.0), item];
        self.ask_database(cx, id, server, &words);
        Ok(())
    }

    fn directory_replied(
        &mut self,
        cx: &mut Cx,
        job: &mut Job,
        outcome: Result<Reply, Failure>,
    ) -> Result<(), Error> {
        let place = match found(reply_of(outcome, None)?)? {
            Some((_, value)) => Place::parse(&value).map_err(|_| Error::Garbled)?,
            None => {
                let otherwise = self.scheme_of(job).otherwise().ok_or(Error::NoSuchUser)?;
                Place::before_sharding(otherwise)
            }
        };
        let homes = self.homes_at(job, &place);
        self.be_at(job, place, homes, None, Source::Directory)?;
        self.cache_place(cx, job);
        Ok(())
    }

    /// Lets memcached know what is known.
    fn cache_place(&mut self, cx: &mut Cx, job: &Job) {
        let exptime = self.caching().and_then(|cache| cache.place_s);
        let (Some(exptime), Some(known)) = (exptime, job.seat.known) else { return };
        if known.source == Source::Computed {
            return;
        }
        let value = place_cache_value(&known.place, known.home);
        let store = Store { exptime, ..Store::new(Verb::Set, value.as_bytes()) };
        self.tell_cache(cx, place_cache_key(job.user).as_bytes(), &Op::Store(store));
    }

    /// Whether the map and the user's place allow it; says whether the place must be asked for
    /// again first.
    pub(super) fn admits(&mut self, job: &mut Job, write: bool) -> Result<bool, Error> {
        let known = job.seat.known.expect("a place is known before it is used");
        let of_shard = self.map.shard(known.place.shard).map(|shard| shard.flags);
        let of_shard = of_shard.ok_or(Error::NoShard)?;
        let of_place = Flags { read: known.place.readable, write: known.place.writable };
        let open = |flags: Flags| if write { flags.write } else { flags.read };
        if open(of_shard) && open(of_place) {
            return Ok(true);
        }
        if known.source == Source::Cache {
            job.seat.past_caches = true;
            job.seat.known = None;
            return Ok(false);
        }
        let writes_only = write && of_shard.read && of_place.read;
        Err(Error::Closed { shard: known.place.shard, writes_only })
    }

    /// Asks the user's shard for a read, with the home row beside it. If the user is not known to
    /// be anywhere, that comes first: `Located` is told then.
    pub(super) fn ask_checked(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        read: &[Bytes],
    ) -> Result<(), Error> {
        while self.locate(cx, id, job)? {
            if !self.admits(job, false)? {
                continue;
            }
            let known = job.seat.known.expect("it was just located");
            job.seat.awaits = Awaits::Check;
            self.ask_database(cx, id, known.server, &with_home(read));
            return Ok(());
        }
        Ok(())
    }

    /// A shard replied to a read.
    fn checked(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        outcome: Result<Reply, Failure>,
    ) -> Result<Option<Input>, Error> {
        let known = job.seat.known.expect("who asks a shard knows the place");
        let (home, inner) = home_and(reply_of(outcome, Some(known.place.shard))?)?;
        match self.see_home(cx, job, home)? {
            Verdict::Active | Verdict::ReadOnly => Ok(Some(Input::Checked(inner))),
            Verdict::Arriving => {
                job.seat.held = Some((known.place, inner));
                self.relocate(cx, id, job)
            }
            Verdict::Elsewhere => self.relocate(cx, id, job),
        }
    }

    /// Notes what a home row says.
    pub(super) fn see_home(
        &mut self,
        cx: &mut Cx,
        job: &mut Job,
        row: Option<(u64, Bytes)>,
    ) -> Result<Verdict, Error> {
        let mut known = job.seat.known.expect("who asks a shard knows the place");
        let parse =
            |(version, value): (u64, Bytes)| Home::parse(&value).map(|home| (version, home));
        let row = row.map(parse).transpose().map_err(|_| Error::Garbled)?;
        let verdict = judge(row.as_ref().map(|(_, home)| home), known.homes);
        let seen = (verdict == Verdict::Active).then(|| row.map_or(0, |(version, _)| version));
        let news = seen != known.home;
        known.home = seen;
        job.seat.known = Some(known);
        if news && seen.is_some() {
            self.cache_place(cx, job);
        }
        Ok(verdict)
    }

    /// The user is not where he was thought to be: asks the directory.
    pub(super) fn relocate(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
    ) -> Result<Option<Input>, Error> {
        self.counters.relocations += 1;
        job.seat.relocations += 1;
        if job.seat.relocations > self.options.relocations_max {
            return Err(Error::Unsettled);
        }
        job.seat.past_caches = true;
        job.seat.known = None;
        Ok(self.locate(cx, id, job)?.then_some(Input::Located))
    }

    /// Asks for the home row alone.
    pub(super) fn ask_home(&mut self, cx: &mut Cx, id: JobId, job: &Job) {
        let known = job.seat.known.expect("a place is known before it is used");
        let item = number(HOME_ITEM);
        let words = [word("ROW.GET"), word(HOME_TABLE), number(job.user.0), item];
        self.ask_database(cx, id, known.server, &words);
    }

    /// `Request::Locate`.
    pub(super) fn locate_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
    ) -> Result<Option<Outcome>, Error> {
        let Work::Locate { cached } = job.work else { unreachable!("it looks for a place") };
        job.seat.past_caches |= !cached;
        if !self.locate(cx, id, job)? {
            return Ok(None);
        }
        Ok(job.seat.known.map(|known| Outcome::Located(known.place)))
    }
}

/// What to do once the directory has said where the user is: a reply from a shard where he was
/// arriving is good if he has not moved in between.
fn after_directory(job: &mut Job) -> Input {
    let now = job.seat.known.map(|known| (known.place.shard, known.place.version));
    match job.seat.held.take() {
        Some((place, reply)) if now == Some((place.shard, place.version)) => Input::Checked(reply),
        _ => Input::Located,
    }
}

impl Seat {
    /// Memcached was asked: what it did not say, the directory is asked.
    pub(super) const fn pass_caches(&mut self) {
        self.past_caches = true;
    }
}
