//! A client that writes and reads users' rows without pause, and writes down all that it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use storytime_machine::{Boot, Bytes, Cx, Duration, Machine, Time, Token};
use storytime_sharding::{
    Change, Error, Options, Outcome, Query, Request, ShardMap, Sharding, UserId,
};

use crate::rig::BLOG;

const LOOK_TIMER: Token = Token(u64::MAX);
/// Between two requests of one user.
const THINK: Duration = Duration::from_millis(4);

/// What was asked of one user's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Create { value: u64 },
    Update { item: u64, value: u64 },
    Delete { item: u64 },
    Read { item: u64 },
}

/// What was told. Items come with the versions that their rows have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Written {
        item: u64,
        version: u64,
    },
    Read {
        value: Option<u64>,
    },
    /// Certainly nothing happened.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) user: UserId,
    pub(crate) asked: Asked,
    pub(crate) call: Time,
    pub(crate) done: Option<(Time, Told)>,
}

/// What all writers share with the test.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) all: Vec<Noted>,
    pub(crate) next_value: u64,
    pub(crate) stop: bool,
    /// Longest time between two acknowledged writes of a user, and since when.
    pub(crate) items: Vec<(UserId, u64)>,
}

pub(crate) type Notebook = Arc<Mutex<Notes>>;

pub(crate) struct Writer {
    sharding: Sharding,
    users: Vec<UserId>,
    notes: Notebook,
    /// By tag.
    asked: VecDeque<(u64, usize)>,
    next_tag: u64,
}

impl Writer {
    pub(crate) fn new(map: ShardMap, users: Vec<UserId>, notes: Notebook) -> Self {
        let sharding = Sharding::new(Options::default(), map, Token(0));
        Self { sharding, users, notes, asked: VecDeque::new(), next_tag: 0 }
    }

    fn choose(&self, cx: &mut Cx, notes: &mut Notes, user: UserId) -> Asked {
        let own: Vec<u64> =
            notes.items.iter().filter(|(owner, _)| *owner == user).map(|(_, item)| *item).collect();
        notes.next_value += 1;
        let value = notes.next_value;
        let dice = cx.rng().below(10);
        if own.is_empty() || dice < 2 {
            return Asked::Create { value };
        }
        let item = own[cx.rng().index(own.len())];
        match dice {
            2 => Asked::Delete { item },
            3..=5 => Asked::Read { item },
            _ => Asked::Update { item, value },
        }
    }

    fn ask(&mut self, cx: &mut Cx, user: UserId) {
        let notebook = Arc::clone(&self.notes);
        let mut notes = notebook.lock().expect("no machine panics");
        if notes.stop {
            return;
        }
        let asked = self.choose(cx, &mut notes, user);
        let text = |value: u64| Bytes::from(value.to_string());
        let write = |change| Request::Write { user, changes: vec![change], index: None };
        let request = match asked {
            Asked::Create { value } => {
                write(Change::Create { table: BLOG, item: None, value: text(value) })
            }
            Asked::Update { item, value } => {
                write(Change::Update { table: BLOG, item, version: None, value: text(value) })
            }
            Asked::Delete { item } => write(Change::Delete { table: BLOG, item, version: None }),
            Asked::Read { item } => Request::Select {
                table: BLOG,
                user,
                query: Query { min: item, max: item, newest_first: false, limit: 1 },
            },
        };
        self.next_tag += 1;
        if self.sharding.ask(cx, request, self.next_tag).is_ok() {
            self.asked.push_back((self.next_tag, notes.all.len()));
            notes.all.push(Noted { user, asked, call: cx.now(), done: None });
        }
    }

    fn go_on(&mut self, cx: &mut Cx) {
        while let Some(event) = self.sharding.next_event() {
            let at = self.asked.iter().position(|(tag, _)| *tag == event.tag);
            let (_, index) = self.asked.remove(at.expect("a request ends once")).expect("found");
            let notebook = Arc::clone(&self.notes);
            let mut notes = notebook.lock().expect("no machine panics");
            let told = told(&notes.all[index].asked, event.outcome);
            let user = notes.all[index].user;
            if let Told::Written { item, .. } = told
                && matches!(notes.all[index].asked, Asked::Create { .. })
            {
                notes.items.push((user, item));
            }
            notes.all[index].done = Some((cx.now(), told));
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Sharding, &mut Cx) -> bool) {
        what(&mut self.sharding, cx);
        self.go_on(cx);
    }
}

/// What an outcome says of what was asked.
fn told(asked: &Asked, outcome: Result<Outcome, Error>) -> Told {
    match outcome {
        Ok(Outcome::Written(written)) => {
            let (item, version) = written.rows[0];
            Told::Written { item, version }
        }
        Ok(Outcome::Rows(rows)) => {
            let value = rows.first().map(|row| {
                core::str::from_utf8(&row.value).expect("digits").parse().expect("a number")
            });
            Told::Read { value }
        }
        Ok(other) => panic!("{asked:?} ended with {other:?}"),
        Err(why) if why.may_have_happened() => Told::Unknown,
        // The server may have done it, and said only that it cannot be sure.
        Err(Error::Refused { text, .. })
            if text.starts_with(b"NOTDURABLE") || text.starts_with(b"NOREPLICAS") =>
        {
            Told::Unknown
        }
        Err(Error::Garbled | Error::NoSuchUser | Error::NoShard) => {
            panic!("{asked:?} ended with {outcome:?}")
        }
        Err(_) => Told::Nothing,
    }
}

impl Machine for Writer {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(LOOK_TIMER, THINK);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer == LOOK_TIMER {
            let user = self.users[cx.rng().index(self.users.len())];
            if self.asked.len() < 64 {
                self.ask(cx, user);
            }
            cx.after(LOOK_TIMER, THINK);
        } else {
            self.sharding.on_timer(cx, timer);
        }
        self.go_on(cx);
    }

    storytime_machine::pass_to_part!(open data eof gone failed);
}
