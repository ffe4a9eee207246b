//! Data that is stored twice, and the job that brings both sides together.
//!
//! A guestbook message is wanted from both ends: by the page of who received it and by the list of
//! who wrote it. Sharded by user, it lies twice, on two shards that no transaction spans:
//!
//! | row | owner of the row | item | value |
//! |---|---|---|---|
//! | `guestbook` | who received it | from his number space | `from=WRITER/ITEM TEXT` |
//! | `written` | who wrote it | from his number space | `to=RECEIVER/ITEM TEXT` |
//! | `prepare` | who wrote it | as `written` | `post to=RECEIVER/ITEM TEXT` or `delete to=RECEIVER/ITEM` |
//!
//! # The transaction
//!
//! 1. a number on either side;
//! 2. `prepare` is written: from here on the message will be there, whoever dies;
//! 3. `guestbook` is created, if nothing is there;
//! 4. `written` is created, if nothing is there, and `prepare` deleted if it is as it was written:
//!    one batch.
//!
//! A deletion goes the same way, but a deleted row stays, with the value `deleted`. So whoever was
//! frozen between 2 and 3 finds the place taken when he wakes, and brings nothing back.
//!
//! # The check
//!
//! | `prepare` | `guestbook` | `written` | what [`Check`] does |
//! |---|---|---|---|
//! | there | any | any | goes on with step 3: the writer may be dead, or only slow; both may do it |
//! | none | there | there | nothing |
//! | none | there | none | creates `written`: on doubt data is kept |
//! | none | none | there | creates `guestbook` |
//! | none | deleted | there | deletes `written` |
//! | none | there | deleted | deletes `guestbook` |
//!
//! The rows below the first come from writers that know of no `prepare`, and from shards that lost
//! something.
//!
//! # Not modelled
//!
//! Deleted rows are never taken away. Messages that change: delete, and post again.

mod check;
mod message;
#[cfg(test)]
mod tests;
mod transfer;

pub use check::{Check, Found};
pub use message::{End, Message};
pub use transfer::Transfer;

use crate::outcome::{Error, Outcome};
use crate::request::Request;

/// Table of what users received.
pub const GUESTBOOK: &str = "guestbook";
/// Table of what users wrote.
pub const WRITTEN: &str = "written";
/// Table of what is under way.
pub const PREPARE: &str = "prepare";

/// What the owner of a job does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// Carry this, and come back with what came of it.
    Ask(Request),
    /// Done.
    Done(T),
    /// It stopped here. What is prepared will be brought to its end by a [`Check`].
    Failed(Error),
}

/// What came of a request.
pub type Answer = Result<Outcome, Error>;
