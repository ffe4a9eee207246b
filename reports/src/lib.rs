//! Run results as one self-contained page and as a terminal summary.
//!
//! Whoever runs a story builds a [`model::Report`]; everything else here reads it.
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | what a run leaves behind |
//! | [`html`] | the page, from the templates in `src/templates` |
//! | [`svg`] | its pictures |
//! | [`terminal`] | the summary after a run |
//! | [`json`] | one line per run for other programs |
//! | [`usl`] | the universal scalability law, fitted |
//! | [`mod@format`] | how numbers are written |
//!
//! Nothing here reads a clock, a file or the environment: the same report gives the same text.

pub mod format;
pub mod html;
pub mod json;
pub mod model;
mod numbers;
pub mod svg;
pub mod terminal;
mod ticks;
pub mod usl;
