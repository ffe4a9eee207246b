//! Reports as their readers see them.

mod fixture;
mod json;
mod page;
mod pictures;
mod summary;
