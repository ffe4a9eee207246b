//! A user's items in one table: an object per (table, user), as applications like to have it.

use crate::map::UserId;
use crate::outcome::NotAccepted;
use crate::part::Sharding;
use crate::request::{Change, Query, Request};
use bytes::Bytes;
use storytime_machine::Cx;

/// A user's items in one table. Each method asks one [`Request`] with the given tag.
#[derive(Debug)]
pub struct Items<'s> {
    sharding: &'s mut Sharding,
    table: Bytes,
    user: UserId,
}

impl Sharding {
    /// A user's items in a table, wherever both may be.
    pub fn items(&mut self, table: &'static str, user: UserId) -> Items<'_> {
        Items { sharding: self, table: Bytes::from_static(table.as_bytes()), user }
    }
}

/// What each method may be refused with is said by [`NotAccepted`].
type Taken = Result<(), NotAccepted>;

#[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
impl Items<'_> {
    fn ask(&mut self, cx: &mut Cx, request: Request, tag: u64) -> Taken {
        self.sharding.ask(cx, request, tag)
    }

    fn change(&mut self, cx: &mut Cx, change: Change, tag: u64) -> Taken {
        let request = Request::Write { user: self.user, changes: vec![change], index: None };
        self.ask(cx, request, tag)
    }

    /// A new item, with the next number of the user's own number space: ends as `Written`.
    pub fn create(&mut self, cx: &mut Cx, value: Bytes, tag: u64) -> Taken {
        let change = Change::Create { table: self.table.clone(), item: None, value };
        self.change(cx, change, tag)
    }

    /// An item's new value, whatever is there: ends as `Written`.
    pub fn update(&mut self, cx: &mut Cx, item: u64, value: Bytes, tag: u64) -> Taken {
        let table = self.table.clone();
        self.change(cx, Change::Update { table, item, version: None, value }, tag)
    }

    /// An item is to be no more: ends as `Written`.
    pub fn delete(&mut self, cx: &mut Cx, item: u64, tag: u64) -> Taken {
        let table = self.table.clone();
        self.change(cx, Change::Delete { table, item, version: None }, tag)
    }

    /// Items by their numbers: ends as `Rows`.
    pub fn read(&mut self, cx: &mut Cx, items: Vec<u64>, tag: u64) -> Taken {
        let request = Request::Rows { table: self.table.clone(), user: self.user, items };
        self.ask(cx, request, tag)
    }

    /// Numbers of items: ends as `Items`.
    pub fn list(&mut self, cx: &mut Cx, query: Query, tag: u64) -> Taken {
        let request = Request::List { table: self.table.clone(), user: self.user, query };
        self.ask(cx, request, tag)
    }

    /// A list with its rows: ends as `Rows`.
    pub fn select(&mut self, cx: &mut Cx, query: Query, tag: u64) -> Taken {
        let request = Request::Select { table: self.table.clone(), user: self.user, query };
        self.ask(cx, request, tag)
    }

    /// How many items there are: ends as `Count`.
    pub fn count(&mut self, cx: &mut Cx, tag: u64) -> Taken {
        let (table, user) = (self.table.clone(), self.user);
        self.ask(cx, Request::Count { table, user, min: 0, max: u64::MAX }, tag)
    }
}
