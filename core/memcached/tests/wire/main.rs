//! The server as its clients see it: bytes in, bytes out, through the shell that drivers use.

mod commands;
mod cuts;
mod login;
mod meta;
mod pressure;
mod recovery;
#[allow(dead_code, reason = "shared with the tests of binary clients and datagrams")]
mod rig;
