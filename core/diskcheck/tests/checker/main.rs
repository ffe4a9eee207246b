//! The three machines together, over a disk that lies on demand.

mod bench;
mod lies;
mod machines;
