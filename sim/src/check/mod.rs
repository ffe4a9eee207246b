//! Checkers: what a history of a run must satisfy.
//!
//! | module | checks |
//! |---|---|
//! | [`linear`] | that a history of operations with their calls and returns is linearizable |

pub mod linear;
