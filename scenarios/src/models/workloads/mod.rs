//! What the jobs of application servers do: one workload in each file.
//!
//! | module | a job |
//! |---|---|
//! | [`browsers`] | waits for a page |
//! | [`buffered_writes`] | writes, and now and then reads |
//! | [`cache_chain`] | reads rows through a chain of caches |
//! | [`cas_loop`] | appends to the one list |
//! | [`flood_control`] | acts, if the rate limit lets it |
//! | [`friends`] | shows the friends of somebody's friends, or of some of them |
//! | [`jobs`] | calls functions at job servers, or is called |
//! | [`large_objects`] | reads an object larger than an item |
//! | [`list_of_items`] | shows or posts comments |
//! | [`multi_get`] | builds a page of many values |
//! | [`namespace_delete`] | reads rows of a namespace that is cleared |
//! | [`number_spaces`] | numbers a new thing of a user |
//! | [`page_makers`] | computes the one page that everybody reads |
//! | [`placement`] | stores a key where the library puts it |
//! | [`proxy`] | hands a request on |
//! | [`read_through`] | reads a row through the cache |
//! | [`remembered_writes`] | writes a row, or reads one that was acknowledged |
//! | [`site`] | builds a page of a class, from databases |
//! | [`stampede`] | reads the one key that everybody reads |

pub mod browsers;
pub mod buffered_writes;
pub mod cache_chain;
pub mod cas_loop;
pub mod flood_control;
pub mod friends;
pub mod jobs;
pub mod large_objects;
pub mod list_of_items;
pub mod multi_get;
pub mod namespace_delete;
pub mod number_spaces;
pub mod page_makers;
pub mod placement;
pub mod proxy;
pub mod read_through;
pub mod remembered_writes;
pub mod site;
pub mod stampede;
