//! Benches of the hot paths and comparisons with peers.
