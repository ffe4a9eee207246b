//! The first job of a site with a directory: it writes down where each user lives.

use super::{Job, Site, Stage};
use crate::models::app::{Hands, Step};
use std::time::Duration;
use storytime_database::Reply;

/// Requests under way at once.
const AT_ONCE: u32 = 64;
/// How long a directory that does not serve yet is left alone.
const PATIENCE: Duration = Duration::from_millis(10);

impl Site {
    /// The cluster of a user: users are dealt out in turn. Counted from 1.
    fn home_of(&self, user: u32) -> u32 {
        user % self.numbers.user_clusters.len() as u32 + 1
    }

    /// Waits until the directory serves.
    pub(super) fn await_directory(&self, hands: &mut Hands<'_>, directory: usize) -> Step<Job> {
        hands.dbd(self.numbers.clusters[directory].master, &[b"EXISTS", b"user:u0"]);
        Step::Await(Job { cluster: Some(directory), ..Job::new(0, 0, Stage::AwaitDirectory) })
    }

    /// It may have answered; if not, it is asked again after a while.
    pub(super) fn directory_said(
        &self,
        hands: &mut Hands<'_>,
        job: Job,
        reply: Option<&Reply>,
    ) -> Step<Job> {
        let directory = job.cluster.expect("set when it was asked");
        match reply {
            Some(Reply::Integer(_)) => self.fill_directory(hands, directory),
            _ => {
                hands.pause(PATIENCE);
                Step::Await(job)
            }
        }
    }

    /// Begins to fill the directory.
    fn fill_directory(&self, hands: &mut Hands<'_>, directory: usize) -> Step<Job> {
        let requests = self.visits.population() * 2;
        let first = AT_ONCE.min(requests);
        (0..first).for_each(|n| self.write_down(hands, directory, n));
        let stage = Stage::AwaitSeeds { next: first, waiting: first };
        Step::Await(Job { cluster: Some(directory), ..Job::new(0, 0, stage) })
    }

    /// Two requests for each user: the name, and the place.
    fn write_down(&self, hands: &mut Hands<'_>, directory: usize, request: u32) {
        let user = request / 2;
        let id = user.to_string();
        let master = self.numbers.clusters[directory].master;
        if request.is_multiple_of(2) {
            let name = format!("user:u{user}");
            hands.dbd(master, &[b"SET", name.as_bytes(), id.as_bytes()]);
        } else {
            let place = format!("shard={} flags=rw version=1", self.home_of(user));
            let words = [b"ROW.PUT", &b"place"[..], id.as_bytes(), b"0", place.as_bytes()];
            hands.dbd(master, &words);
        }
    }

    /// One more is written down.
    pub(super) fn seeded(
        &self,
        hands: &mut Hands<'_>,
        job: Job,
        reply: Option<&Reply>,
    ) -> Step<Job> {
        let Stage::AwaitSeeds { mut next, mut waiting } = job.stage else {
            unreachable!("only seeds are counted here")
        };
        // Who is not in the directory is not found, and the story says so.
        if matches!(reply, None | Some(Reply::Error(_))) {
            hands.count("errors", 1);
        }
        waiting -= 1;
        let directory = job.cluster.expect("set when it began");
        if next < self.visits.population() * 2 {
            self.write_down(hands, directory, next);
            next += 1;
            waiting += 1;
        }
        match waiting {
            0 => Step::Done,
            _ => Step::Await(Job { stage: Stage::AwaitSeeds { next, waiting }, ..job }),
        }
    }
}
