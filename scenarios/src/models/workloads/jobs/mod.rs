//! Jobs of a job server: who calls, and who works.
//!
//! | module | a job |
//! |---|---|
//! | [`background`] | submits jobs that nobody waits for, or does one, and remembers both |
//! | [`calls`] | calls functions at the job servers, and waits for the results |
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
pub mod queries;
pub mod workers;
