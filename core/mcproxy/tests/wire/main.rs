//! The proxy as its clients see it: bytes in, bytes out, with servers behind that come and go.

mod config_changes;
mod cuts;
mod failing;
mod large;
mod like_a_server;
mod net;
mod sharing;
mod slow;
mod warming;
