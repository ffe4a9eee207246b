//! Comments under articles: each under a key of its own, and under one more key per article the
//! list of their numbers. A page reads the list, and then all of its items with one multi-get.
//!
//! | `missing` | an item that the cache has evicted |
//! |---|---|
//! | `skip` | is left out of the page |
//! | `refetch` | is read from the database, shown, and stored again |
//!
//! A new comment is written to the database, stored, and appended to the list over the version that
//! was read, so that no two posts lose one another. Where the list itself is gone, it is made anew
//! from the database, and stored only if nobody else did so first.
//!
//! The ledger is what stands in the database: a page is seen to have holes, to show a comment that
//! is not the one that was asked for, or to lack one that had been posted before the page began.
//!
//! Not modelled: edits and deletions; the database answers with what stood there when it was asked;
//! pages while a cache is away count as failed.

use crate::diagnostic::Checked;
use crate::fields::{Fields, SHARE};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::models::keys::Keys;
use crate::read::{Parts, work};
use crate::story::Skew;
use crate::units::Millionths;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{ClientOptions, DeadServer, Outcome};

/// Most articles.
const ARTICLES_MAX: u64 = 1_000_000;
/// Most comments of an article at the beginning.
const COMMENTS_MAX: u64 = 1_000;
/// Shortest comment, bytes: its number and a blank.
const VALUE_BYTES_MIN: u64 = 21;
/// Longest comment, bytes.
const VALUE_BYTES_MAX: u64 = 1_000_000;

/// What becomes of an item that the list names and the cache has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is not shown.
    Skip,
    /// It is read from the database.
    Refetch,
}

/// Its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    missing: Missing,
    articles: u32,
    /// Comments of each article at the beginning.
    comments: u64,
    skew: Skew,
    /// Length of a comment, bytes.
    value_bytes: u64,
    /// Share of jobs that post a comment.
    posts: Millionths,
}

/// The workload.
#[derive(Debug)]
pub struct ListOfItems {
    numbers: Numbers,
    articles: Keys,
    ledger: Arc<Mutex<Ledger>>,
}

/// What stands in the database: by article, its comments.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    comments: Vec<Vec<u64>>,
    /// By article, how many of these are also in the cache's list: posts that are done.
    posted: Vec<Vec<u64>>,
}

/// What a job has so far.
#[derive(Debug)]
pub struct Visit {
    article: usize,
    /// The comment being posted; none for a page.
    post: Option<u64>,
    /// What had been posted when the page began.
    expected: Vec<u64>,
    /// The list: what is shown, or is to be.
    list: Vec<u64>,
    /// Items still to come from the database.
    awaited: usize,
}

/// A job by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The list.
    AwaitList(Visit),
    /// The list, from the database.
    AwaitListRow(Visit),
    /// Whether the list was stored where none was.
    AwaitListAdded(Visit),
    /// The items.
    AwaitItems(Visit),
    /// Items from the database.
    AwaitItemRows(Visit),
    /// The comment, in the database.
    AwaitInserted(Visit),
    /// The comment, in the cache.
    AwaitItemStored(Visit),
    /// Whether the longer list was stored.
    AwaitAppended(Visit),
    /// That so many comments of the beginning were stored.
    AwaitWarm(u64),
}

impl Workload for ListOfItems {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "list-of-items";
    const FIELDS: &'static [&'static str] =
        app_fields!["missing", "articles", "comments", "skew", "value", "posts"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("pages", Series, "pages shown"),
        ("items", Count, "comments shown"),
        ("holes", Count, "comments left out"),
        ("wrong", Count, "comments that are others"),
        ("lacking", Count, "posted comments that the list lacks"),
        ("refetched", Count, "comments read again"),
        ("lists_rebuilt", Count, "lists made anew"),
        ("posts", Count, "comments posted"),
        ("retries", Count, "appends tried again"),
    ];
    const NEEDS_DATABASE: bool = true;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let missing = [("skip", Missing::Skip), ("refetch", Missing::Refetch)];
        Ok(Numbers {
            missing: fields.choice("missing", &missing, None)?,
            articles: fields.integer("articles", 1..=ARTICLES_MAX, None)? as u32,
            comments: fields.integer("comments", 1..=COMMENTS_MAX, None)?,
            skew: fields.choice("skew", work::SKEWS, None)?,
            value_bytes: fields.bytes("value", VALUE_BYTES_MIN..=VALUE_BYTES_MAX)?,
            posts: fields.quantity("posts", SHARE, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        {
            let mut ledger = lock(&ledger);
            while ledger.comments.len() < numbers.articles as usize {
                let first = ledger.next;
                ledger.next += numbers.comments;
                let comments: Vec<u64> = (first..ledger.next).collect();
                ledger.posted.push(comments.clone());
                ledger.comments.push(comments);
            }
        }
        Self { articles: Keys::new(numbers.skew, numbers.articles), numbers, ledger }
    }

    /// A server that is away must not look like a list that somebody else has just stored: it would
    /// be made anew for ever.
    fn tune(_numbers: &Numbers, options: &mut ClientOptions) {
        options.dead_server = DeadServer::Fail;
    }

    /// The first host stores the comments of the beginning, those of the most read article last;
    /// what does not fit is evicted again.
    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() != 0 {
            return Step::Done;
        }
        let comments = u64::from(self.numbers.articles) * self.numbers.comments;
        for number in (0..comments).rev() {
            hands.set(&item_key(hands, number), &self.comment(number), 0);
        }
        Step::Await(Job::AwaitWarm(comments))
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let article = self.articles.draw(hands.rng()) as usize;
        let posts = hands.rng().below(Millionths::ONE.0) < self.numbers.posts.0;
        let mut ledger = lock(&self.ledger);
        let expected = ledger.posted[article].clone();
        let visit = Visit { article, post: None, expected, list: Vec::new(), awaited: 0 };
        if posts {
            let number = ledger.next;
            ledger.next += 1;
            hands.query(&hands.key(&format!("insert:{number}")));
            return Step::Await(Job::AwaitInserted(Visit { post: Some(number), ..visit }));
        }
        drop(ledger);
        Self::get_list(hands, visit)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitList(visit), Came::Cache(Outcome::Hit(found))) => {
                let list = numbers_of(&found.data);
                match visit.post {
                    Some(number) if !list.contains(&number) => {
                        let longer = [&found.data[..], format!(" {number}").as_bytes()].concat();
                        hands.cas(&list_key(hands, visit.article), &longer, 0, found.cas);
                        Step::Await(Job::AwaitAppended(visit))
                    }
                    Some(_) => self.posted(hands, &visit),
                    None => self.get_items(hands, Visit { list, ..visit }),
                }
            }
            (Job::AwaitList(visit), Came::Cache(Outcome::Miss)) => {
                hands.query(&list_key(hands, visit.article));
                let list = lock(&self.ledger).comments[visit.article].clone();
                Step::Await(Job::AwaitListRow(Visit { list, ..visit }))
            }
            (Job::AwaitListRow(visit), Came::Row(Some(_))) => {
                hands.count("lists_rebuilt", 1);
                let text: Vec<String> = visit.list.iter().map(u64::to_string).collect();
                let key = list_key(hands, visit.article);
                hands.add(&key, text.join(" ").as_bytes(), 0);
                Step::Await(Job::AwaitListAdded(visit))
            }
            // Somebody else was first, or this one was: what stands there now counts.
            (Job::AwaitListAdded(visit), Came::Cache(Outcome::Stored | Outcome::NotStored)) => {
                Self::get_list(hands, visit)
            }
            (Job::AwaitItems(visit), Came::Cache(Outcome::Many(items))) => {
                self.items_came(hands, visit, &items)
            }
            (Job::AwaitItemRows(visit), Came::Row(Some(_))) => self.item_fetched(hands, visit),
            (Job::AwaitInserted(visit), Came::Row(Some(_))) => {
                let number = visit.post.expect("only posts insert");
                lock(&self.ledger).comments[visit.article].push(number);
                hands.set(&item_key(hands, number), &self.comment(number), 0);
                Step::Await(Job::AwaitItemStored(visit))
            }
            (Job::AwaitItemStored(visit), Came::Cache(Outcome::Stored)) => {
                Self::get_list(hands, visit)
            }
            (Job::AwaitAppended(visit), Came::Cache(Outcome::Stored)) => self.posted(hands, &visit),
            (
                Job::AwaitAppended(visit),
                Came::Cache(Outcome::Exists | Outcome::NotFound | Outcome::NotStored),
            ) => {
                hands.count("retries", 1);
                Self::get_list(hands, visit)
            }
            (Job::AwaitWarm(1), Came::Cache(_)) => Step::Done,
            (Job::AwaitWarm(left), Came::Cache(_)) => Step::Await(Job::AwaitWarm(left - 1)),
            _ => Step::Failed,
        }
    }
}

impl ListOfItems {
    fn get_list(hands: &mut Hands<'_>, visit: Visit) -> Step<Job> {
        hands.gets(&list_key(hands, visit.article));
        Step::Await(Job::AwaitList(visit))
    }

    /// A comment's text: its number, and filling.
    fn comment(&self, number: u64) -> Vec<u8> {
        let mut text = format!("{number} ").into_bytes();
        text.resize(self.numbers.value_bytes as usize, b'.');
        text
    }

    fn get_items(&self, hands: &mut Hands<'_>, visit: Visit) -> Step<Job> {
        let lacking = visit.expected.iter().filter(|n| !visit.list.contains(n)).count();
        hands.count("lacking", lacking as u64);
        let keys: Vec<String> = visit.list.iter().map(|&n| item_key(hands, n)).collect();
        hands.get_many(&keys);
        Step::Await(Job::AwaitItems(visit))
    }

    fn items_came(&self, hands: &mut Hands<'_>, visit: Visit, items: &[Outcome]) -> Step<Job> {
        let mut missing = Vec::new();
        for (&number, item) in visit.list.iter().zip(items) {
            match item {
                Outcome::Hit(item) => {
                    hands.count("items", 1);
                    let right = item.data.starts_with(format!("{number} ").as_bytes());
                    hands.count("wrong", u64::from(!right));
                }
                Outcome::Miss => missing.push(number),
                _ => return Step::Failed,
            }
        }
        if missing.is_empty() {
            return Self::shown(hands);
        }
        if self.numbers.missing == Missing::Skip {
            hands.count("holes", missing.len() as u64);
            return Self::shown(hands);
        }
        for &number in &missing {
            hands.query(&item_key(hands, number));
        }
        let awaited = missing.len();
        Step::Await(Job::AwaitItemRows(Visit { list: missing, awaited, ..visit }))
    }

    /// One more row has come; with the last of them all are stored.
    fn item_fetched(&self, hands: &mut Hands<'_>, visit: Visit) -> Step<Job> {
        if visit.awaited > 1 {
            let awaited = visit.awaited - 1;
            return Step::Await(Job::AwaitItemRows(Visit { awaited, ..visit }));
        }
        for &number in &visit.list {
            hands.set_and_forget(&item_key(hands, number), &self.comment(number), 0);
        }
        hands.count("items", visit.list.len() as u64);
        hands.count("refetched", visit.list.len() as u64);
        Self::shown(hands)
    }

    fn shown(hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("pages", 1);
        Step::Done
    }

    fn posted(&self, hands: &mut Hands<'_>, visit: &Visit) -> Step<Job> {
        let number = visit.post.expect("only posts append");
        lock(&self.ledger).posted[visit.article].push(number);
        hands.count("posts", 1);
        Step::Done
    }
}

fn list_key(hands: &Hands<'_>, article: usize) -> String {
    hands.key(&format!("comments:{article}"))
}

fn item_key(hands: &Hands<'_>, number: u64) -> String {
    hands.key(&format!("comment.{number}"))
}

fn numbers_of(list: &[u8]) -> Vec<u64> {
    String::from_utf8_lossy(list).split(' ').filter_map(|number| number.parse().ok()).collect()
}
