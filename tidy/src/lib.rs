//! Repository rules as an ordinary test: `cargo test -p storytime-tidy`.
//!
//! What a formatter, a compiler or clippy can say is left to them. The rest of what reviewers would
//! otherwise repeat is said here, all at once, as `path:line: message — what to do`.
//!
//! | module | holds |
//! |---|---|
//! | [`repo`] | the files of the checkout |
//! | [`lex`] | Rust source cut into tokens |
//! | [`syntax`] | functions, modules, paths and test code, found in tokens |
//! | [`manifest`] | the few lines of TOML that the rules read |
//! | [`reach`] | which source files a crate's targets reach |
//! | [`rules`] | the rules, one subject per file |
//! | [`violation`] | what a rule found |
//!
//! # Not modelled
//!
//! Types and name resolution (a renamed import hides from the word rules; clippy's bans see through
//! it), code that macros make, TOML beyond one `key = value` per line.

#![forbid(unsafe_code)]

pub mod lex;
pub mod manifest;
pub mod reach;
pub mod repo;
pub mod rules;
pub mod syntax;
pub mod violation;

pub use repo::Repo;
pub use violation::Violation;
