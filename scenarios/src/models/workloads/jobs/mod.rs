//! Jobs of a job server: who calls, and who works.
//!
//! | module | a job |
//! |---|---|
//! | [`background`] | submits jobs that nobody waits for, or does one, and remembers both |
//! | [`calls`] | calls functions at the job servers, and waits for the results |
//! | [`mail_store`] | writes mail to databases that are disposable |
//! | [`timed`] | is for later, or comes round as a calendar says |
//! | [`urls`] | fetches a page into a row of a table |
//! | [`reports`] | asks what the logs of many web servers say together |
//! | [`splitter`] | has the pieces of a job done by others, and puts the results together |
//! | [`deed`] | what workers make of data |
//! | [`friends`] | does what the job servers have to be done, and has a friend do a part of it |
//! | [`gofers`] | has a database do what the job servers have to be done |
//! | [`queries`] | reads rows of a database, by itself or through the job servers |
//! | [`workers`] | does what the job servers have to be done |

pub mod background;
pub mod calls;
pub mod deed;
pub mod friends;
pub mod gofers;
pub mod mail_store;
pub mod queries;
pub mod reports;
pub mod splitter;
pub mod timed;
pub mod urls;
pub mod workers;
