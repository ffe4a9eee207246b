//! What the jobs of application servers do: one workload in each file.
//!
//! | module | a job |
//! |---|---|
//! | [`cache_chain`] | reads rows through a chain of caches |
//! | [`placement`] | stores a key where the library puts it |
//! | [`read_through`] | reads a row through the cache |
//! | [`stampede`] | reads the one key that everybody reads |

pub mod cache_chain;
pub mod placement;
pub mod read_through;
pub mod stampede;
