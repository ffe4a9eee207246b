//! One page, from the first half of its CPU to the second.

use super::Site;
use crate::models::app::{Came, Hands, Step};
use crate::story::{Class, Home};
use std::time::Duration;
use storytime_database::Reply;
use storytime_database::client::{Failure, error_code};
use storytime_machine::{Time, nanos};

/// The table of all rows.
const TABLE: &[u8] = b"rows";
/// How often a read is asked of another database.
const READS_AGAIN_MAX: u32 = 1;
/// Points of the curve of what was stale.
const LOOKS: u64 = 20;

/// A page under way.
#[derive(Clone, Debug)]
pub struct Job {
    /// Of which class, by index.
    pub class: usize,
    /// Of which user.
    pub user: u32,
    /// The cluster of its rows, once it is known.
    pub cluster: Option<usize>,
    /// Which of the user clusters that is, from 1; 0 if it is none.
    pub place: u64,
    /// What it awaits.
    pub stage: Stage,
    /// When it asked.
    pub asked: Time,
    /// How often the present read was asked of another database.
    pub again: u32,
    /// The row that it wrote last, and its version.
    pub wrote: Option<(u32, i64)>,
}

/// What a page awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// That the directory serves.
    AwaitDirectory,
    /// The directory is being filled: the next request, and how many are under way.
    AwaitSeeds {
        /// The number of the next request.
        next: u32,
        /// Requests under way.
        waiting: u32,
    },
    /// The user's number, from the directory.
    AwaitId,
    /// The user's place, from the directory.
    AwaitPlace,
    /// Rows: how many are under way, and how many are to be asked for still.
    AwaitRows {
        /// Under way.
        waiting: u32,
        /// Not yet asked for.
        left: u32,
    },
    /// That a row was written, and how many are still to be.
    AwaitWritten {
        /// Not yet asked for.
        left: u32,
    },
    /// The moment to look at what was written.
    AwaitMoment {
        /// When it was acknowledged.
        since: Time,
    },
    /// What was written, as somebody sees it now.
    AwaitLook {
        /// When it was acknowledged.
        since: Time,
    },
}

impl Job {
    pub(super) const fn new(class: usize, user: u32, stage: Stage) -> Self {
        let (cluster, place, asked, again, wrote) = (None, 0, Time::ZERO, 0, None);
        Self { class, user, cluster, place, stage, asked, again, wrote }
    }
}

impl Site {
    fn class(&self, job: &Job) -> &Class {
        self.visits.class(job.class)
    }

    /// A page begins.
    pub(super) fn enter(&self, hands: &mut Hands<'_>, class: usize, user: u32) -> Step<Job> {
        let mut job = Job::new(class, user, Stage::AwaitId);
        self.compute_half(hands, &job);
        match self.class(&job).home {
            Home::None => self.leave(hands, &job),
            Home::Cluster(cluster) => {
                job.cluster = Some(cluster);
                self.read_rows(hands, job)
            }
            Home::OfTheUser => {
                if let Some(&place) = self.places.get(&user) {
                    return self.at_home(hands, job, place);
                }
                let key = format!("user:u{user}");
                self.ask_directory(hands, &job, &[b"GET", key.as_bytes()]);
                Step::Await(job)
            }
        }
    }

    /// The user's place is known.
    fn at_home(&self, hands: &mut Hands<'_>, mut job: Job, place: u64) -> Step<Job> {
        let cluster = self.numbers.user_clusters.get(place as usize - 1);
        let Some(&cluster) = cluster else { return self.fail(hands, &job) };
        (job.cluster, job.place) = (Some(cluster), place);
        self.read_rows(hands, job)
    }

    fn compute_half(&self, hands: &mut Hands<'_>, job: &Job) {
        let (least, most) = self.class(job).cpu;
        let cpu = hands.rng().duration(least, most);
        hands.compute(cpu / 2);
    }

    fn ask_directory(&self, hands: &mut Hands<'_>, job: &Job, words: &[&[u8]]) {
        let directory = self.numbers.directory.expect("users have a directory: it was checked");
        self.ask_reader(hands, directory, job.again, words);
    }

    /// Asks any of a cluster's readers; `again`, another one than before.
    fn ask_reader(&self, hands: &mut Hands<'_>, cluster: usize, again: u32, words: &[&[u8]]) {
        let readers = self.numbers.clusters[cluster].read_from();
        let drawn = hands.rng().index(readers.len());
        let reader = readers[(drawn + again as usize) % readers.len()];
        hands.dbd(reader, words);
    }

    /// What a job awaited has come.
    pub(super) fn go_on(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let reply = match came {
            Came::Dbd(outcome) => outcome,
            Came::Woke => {
                return match (job.stage, job.cluster) {
                    (Stage::AwaitDirectory, Some(cluster)) => self.await_directory(hands, cluster),
                    _ => self.look(hands, job),
                };
            }
            other => unreachable!("a page does not await {other:?}"),
        };
        match job.stage {
            Stage::AwaitDirectory => return self.directory_said(hands, job, reply.as_ref().ok()),
            Stage::AwaitSeeds { .. } => return self.seeded(hands, job, reply.as_ref().ok()),
            _ => {}
        }
        match reply {
            Err(why) => self.unanswered(hands, job, why),
            Ok(Reply::Error(text)) => {
                hands.count("errors", 1);
                let too_many = text.ends_with(b"max number of clients reached");
                hands.count("too_many", u64::from(too_many));
                // A database that is too busy for this one may not be for another.
                match error_code(&text) {
                    b"BUSY" | b"LOADING" => self.unanswered(hands, job, Failure::NotSent),
                    _ => self.fail(hands, &job),
                }
            }
            Ok(reply) => self.answered(hands, job, &reply),
        }
    }

    fn answered(&mut self, hands: &mut Hands<'_>, mut job: Job, reply: &Reply) -> Step<Job> {
        match job.stage {
            Stage::AwaitDirectory | Stage::AwaitSeeds { .. } | Stage::AwaitMoment { .. } => {
                unreachable!("handled before")
            }
            Stage::AwaitId => {
                let Reply::Bulk(id) = reply else { return self.fail(hands, &job) };
                job.stage = Stage::AwaitPlace;
                self.ask_directory(hands, &job, &[b"ROW.GET", b"place", id, b"0"]);
                Step::Await(job)
            }
            Stage::AwaitPlace => {
                let Some(place) = place_of(reply) else { return self.fail(hands, &job) };
                if self.numbers.keep_places {
                    self.places.insert(job.user, place);
                }
                self.at_home(hands, job, place)
            }
            Stage::AwaitRows { waiting, left } => {
                hands.count("reads", 1);
                hands.time_since("read_time", job.asked);
                job.stage = Stage::AwaitRows { waiting: waiting - 1, left };
                job.again = 0;
                self.next_rows(hands, job)
            }
            Stage::AwaitWritten { left } => {
                hands.count("writes", 1);
                hands.time_since("write_time", job.asked);
                if let (Reply::Integer(version), Some((item, _))) = (reply, job.wrote) {
                    job.wrote = Some((item, *version));
                }
                self.write_rows(hands, job, left)
            }
            Stage::AwaitLook { since } => {
                self.looked(hands, &job, since, reply);
                self.leave(hands, &job)
            }
        }
    }

    fn read_rows(&self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        job.stage = Stage::AwaitRows { waiting: 0, left: self.class(&job).reads };
        self.next_rows(hands, job)
    }

    /// Asks for the next row, or for all that are left.
    fn next_rows(&self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        let Stage::AwaitRows { mut waiting, mut left } = job.stage else {
            unreachable!("only rows are asked for here")
        };
        job.asked = hands.now();
        while left > 0 && (waiting == 0 || self.class(&job).at_once) {
            self.ask_row(hands, &job, None);
            (waiting, left) = (waiting + 1, left - 1);
        }
        if waiting == 0 {
            let writes = self.class(&job).writes;
            return self.write_rows(hands, job, writes);
        }
        job.stage = Stage::AwaitRows { waiting, left };
        Step::Await(job)
    }

    /// Asks for a row of the user, any unless one is named.
    fn ask_row(&self, hands: &mut Hands<'_>, job: &Job, item: Option<u32>) {
        let rows = u64::from(self.class(job).rows);
        let item = item.unwrap_or_else(|| hands.rng().below(rows) as u32);
        let (user, item) = (job.user.to_string(), item.to_string());
        let words = [b"ROW.GET", TABLE, user.as_bytes(), item.as_bytes()];
        let cluster = job.cluster.expect("rows are asked for where they are known to be");
        self.ask_reader(hands, cluster, job.again, &words);
    }

    fn write_rows(&self, hands: &mut Hands<'_>, mut job: Job, left: u32) -> Step<Job> {
        let class = self.class(&job);
        if left == 0 {
            return match (class.look, job.wrote) {
                (Some((least, most)), Some(_)) => {
                    let after = hands.rng().duration(least, most);
                    job.stage = Stage::AwaitMoment { since: hands.now() };
                    hands.pause(after);
                    Step::Await(job)
                }
                _ => self.leave(hands, &job),
            };
        }
        let item = hands.rng().below(u64::from(class.rows)) as u32;
        let (user, text) = (job.user.to_string(), item.to_string());
        let value = vec![b'v'; class.row_bytes as usize];
        let words = [b"ROW.PUT", TABLE, user.as_bytes(), text.as_bytes(), &value[..]];
        let cluster = job.cluster.expect("rows are written where they are known to be");
        hands.dbd(self.numbers.clusters[cluster].master, &words);
        job.asked = hands.now();
        job.wrote = Some((item, 0));
        job.stage = Stage::AwaitWritten { left: left - 1 };
        Step::Await(job)
    }

    /// The moment has come to look at what was written.
    fn look(&self, hands: &mut Hands<'_>, mut job: Job) -> Step<Job> {
        let Stage::AwaitMoment { since } = job.stage else {
            unreachable!("only a look is waited for")
        };
        let item = job.wrote.map(|(item, _)| item);
        job.stage = Stage::AwaitLook { since };
        job.asked = hands.now();
        self.ask_row(hands, &job, item);
        Step::Await(job)
    }

    fn looked(&self, hands: &mut Hands<'_>, job: &Job, since: Time, reply: &Reply) {
        let seen = match reply {
            Reply::Array(parts) => match parts.first() {
                Some(Reply::Integer(version)) => *version,
                _ => 0,
            },
            _ => 0,
        };
        let written = job.wrote.map_or(0, |(_, version)| version);
        let longest = self.class(job).look.map_or(Duration::ZERO, |(_, most)| most);
        let step = (nanos(longest) / LOOKS).max(1_000_000);
        let after = nanos(job.asked.since(since)) / step * (step / 1_000_000);
        hands.at("stale", after, u64::from(seen < written), 1);
    }

    /// Nobody answered: a read is asked of another database.
    fn unanswered(&self, hands: &mut Hands<'_>, mut job: Job, why: Failure) -> Step<Job> {
        hands.count("unanswered", 1);
        let writes = matches!(job.stage, Stage::AwaitWritten { .. });
        let at_once = matches!(job.stage, Stage::AwaitRows { waiting, .. } if waiting > 1);
        // A write that was sent may have happened: nobody repeats it blindly.
        let answered = matches!(why, Failure::Garbled | Failure::TooLong);
        if writes || at_once || job.again >= READS_AGAIN_MAX || answered {
            return self.fail(hands, &job);
        }
        job.again += 1;
        match job.stage {
            Stage::AwaitId => {
                let key = format!("user:u{}", job.user);
                self.ask_directory(hands, &job, &[b"GET", key.as_bytes()]);
            }
            Stage::AwaitPlace => {
                let id = job.user.to_string();
                self.ask_directory(hands, &job, &[b"ROW.GET", b"place", id.as_bytes(), b"0"]);
            }
            _ => self.ask_row(hands, &job, job.wrote.map(|(item, _)| item)),
        }
        Step::Await(job)
    }

    fn leave(&self, hands: &mut Hands<'_>, job: &Job) -> Step<Job> {
        self.compute_half(hands, job);
        hands.page(self.class(job).page_bytes);
        self.count_end(hands, job, false);
        Step::Done
    }

    fn fail(&self, hands: &mut Hands<'_>, job: &Job) -> Step<Job> {
        self.count_end(hands, job, true);
        Step::Failed
    }

    fn count_end(&self, hands: &mut Hands<'_>, job: &Job, failed: bool) {
        hands.at("failed_by_class", job.class as u64 + 1, u64::from(failed), 1);
        hands.at("failed_by_cluster", job.place, u64::from(failed), 1);
    }
}

/// The number of the cluster in a row of the directory: `shard=2 flags=rw version=7`.
fn place_of(reply: &Reply) -> Option<u64> {
    let Reply::Array(parts) = reply else { return None };
    let Some(Reply::Bulk(value)) = parts.get(1) else { return None };
    let text = std::str::from_utf8(value).ok()?;
    let shard = text.split(' ').find_map(|word| word.strip_prefix("shard="))?;
    shard.parse().ok().filter(|&place| place > 0)
}
