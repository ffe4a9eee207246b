//! Names, new users, and requests to a shard as they stand.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::wire::{batch, decimal, number, reply_of, unsigned, word};
use crate::directory::{NAME_PREFIX, USER_IDS_KEY};
use crate::home::{HOME_ITEM, HOME_TABLE, Home, PLACE_TABLE, Place};
use crate::map::{ShardId, UserId};
use crate::outcome::{Error, Outcome};
use bytes::Bytes;
use storytime_database::Reply;
use storytime_database::client::ServerId;
use storytime_machine::Cx;
use storytime_memcached::client::{Op, Store, Verb};

/// A user being made.
#[derive(Debug)]
pub(super) struct RegisterJob {
    shard: Option<ShardId>,
    stage: Stage,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Whether somebody has the name.
    Name,
    /// The new number.
    Id,
    /// The home row's making.
    Home,
    /// The place row's making.
    Place,
    /// Whether we were the first with that name.
    Claim,
    /// Who was.
    Owner,
}

impl RegisterJob {
    pub(super) const fn new(shard: Option<ShardId>) -> Self {
        Self { shard, stage: Stage::Name }
    }
}

fn name_key(job: &Job) -> Bytes {
    [NAME_PREFIX.as_bytes(), &job.table].concat().into()
}

impl Sharding {
    /// The directory, if the map has one.
    pub(super) fn the_directory(&self) -> Result<ServerId, Error> {
        self.directory.ok_or(Error::NoDirectory)
    }

    /// `Request::Find`. A name never changes its user, so memcached may keep it.
    pub(super) fn find_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let key = name_key(job);
        let keeps = self.caching().and_then(|cache| cache.place_s);
        match input {
            Input::Begin if keeps.is_some() => {
                self.ask_cache(cx, id, 0, &key, &Op::Get);
                return Ok(None);
            }
            Input::Cache(outcome) => {
                let user = outcome.value().and_then(|value| decimal(&value.data).ok());
                if let Some(user) = user {
                    return Ok(Some(Outcome::User(Some(UserId(user)))));
                }
            }
            Input::Database(outcome) => {
                let user = match reply_of(outcome, None)? {
                    Reply::Nil => return Ok(Some(Outcome::User(None))),
                    reply => unsigned(&reply)?,
                };
                if let Some(exptime) = keeps {
                    let store = Store { exptime, ..Store::new(Verb::Set, number(user)) };
                    self.tell_cache(cx, &key, &Op::Store(store));
                }
                return Ok(Some(Outcome::User(Some(UserId(user)))));
            }
            _ => {}
        }
        let directory = self.the_directory()?;
        self.ask_database(cx, id, directory, &[word("GET"), key]);
        Ok(None)
    }

    /// `Request::Register`.
    pub(super) fn register_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let directory = self.the_directory()?;
        let Work::Register(RegisterJob { stage, shard }) = &mut job.work else {
            unreachable!("it makes a user");
        };
        let of = if *stage == Stage::Home { *shard } else { None };
        let reply = match input {
            Input::Database(outcome) => Some(reply_of(outcome, of)?),
            _ => None,
        };
        let (next, server, words) = match (*stage, reply) {
            (_, None) => (Stage::Name, directory, vec![word("GET"), name_key(job)]),
            (Stage::Name, Some(Reply::Nil)) => {
                (Stage::Id, directory, vec![word("INCR"), word(USER_IDS_KEY)])
            }
            (Stage::Name | Stage::Owner, Some(reply)) => {
                return Err(Error::NameTaken(UserId(unsigned(&reply)?)));
            }
            (Stage::Id, Some(reply)) => {
                job.user = UserId(unsigned(&reply)?);
                let chosen = shard.or_else(|| self.map.shard_for_new(job.user));
                let chosen = chosen.ok_or(Error::NoShard)?;
                *shard = Some(chosen);
                let server = *self.stores.get(&chosen).ok_or(Error::NoShard)?;
                let home = Home::new(1).to_string();
                let mut words = batch(job.user, 0);
                let item = number(HOME_ITEM);
                words.extend([word("PUT"), word(HOME_TABLE), item, Bytes::from(home)]);
                (Stage::Home, server, words)
            }
            (Stage::Home, Some(_)) => {
                let place = Place::new(shard.expect("it was chosen with the number"));
                (Stage::Place, directory, place_batch(job.user, &place))
            }
            (Stage::Place, Some(_)) => {
                let words = [word("SET"), name_key(job), number(job.user.0), word("NX")];
                (Stage::Claim, directory, words.to_vec())
            }
            (Stage::Claim, Some(Reply::Nil)) => {
                (Stage::Owner, directory, vec![word("GET"), name_key(job)])
            }
            (Stage::Claim, Some(_)) => return Ok(Some(Outcome::Registered(job.user))),
        };
        if let Work::Register(register) = &mut job.work {
            register.stage = next;
        }
        self.ask_database(cx, id, server, &words);
        Ok(None)
    }

    /// `Request::Shard`.
    pub(super) fn raw_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let Work::Raw { shard, words } = &job.work else { unreachable!("it asks a shard") };
        if let Input::Database(outcome) = input {
            return reply_of(outcome, Some(*shard)).map(|reply| Some(Outcome::Reply(reply)));
        }
        let flags = self.map.shard(*shard).ok_or(Error::NoShard)?.flags;
        if !flags.read {
            return Err(Error::Closed { shard: *shard, writes_only: false });
        }
        let server = *self.stores.get(shard).ok_or(Error::NoShard)?;
        self.ask_database(cx, id, server, words);
        Ok(None)
    }
}

/// Writes the place of a user who has none.
fn place_batch(user: UserId, place: &Place) -> Vec<Bytes> {
    let (table, item) = (word(PLACE_TABLE), number(HOME_ITEM));
    let value = Bytes::from(place.to_string());
    let check = [word("CHECK"), table.clone(), item.clone(), number(0)];
    let put = [word("PUT"), table, item, value];
    [vec![word("ROW.BATCH"), number(user.0)], check.to_vec(), put.to_vec()].concat()
}
