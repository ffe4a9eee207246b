//! Commands on the server and on connections.

mod client;
mod command;
mod config;
mod connection;
mod db;
mod info;
mod save;
mod transactions;

use crate::commands::Spec;
use crate::commands::spec::{Flags, server};

const HELLO: Flags = Flags::NO_AUTH.and(Flags::LOADING).and(Flags::FAST);
const ADMIN: Flags = Flags::ADMIN.and(Flags::LOADING);
const AT_ONCE: Flags = Flags::AT_ONCE.and(Flags::LOADING).and(Flags::FAST);

/// All of them.
pub(crate) const COMMANDS: &[Spec] = &[
    server("ping", -1, Flags::FAST, connection::ping),
    server("echo", 2, Flags::FAST.and(Flags::LOADING), connection::echo),
    server("hello", -1, HELLO.and(Flags::NO_MULTI), connection::hello),
    server("auth", -2, HELLO, connection::auth),
    server("select", 2, Flags::FAST.and(Flags::LOADING), connection::select),
    server("quit", -1, HELLO.and(Flags::AT_ONCE), connection::quit),
    server("reset", 1, HELLO.and(Flags::AT_ONCE), connection::reset),
    server("time", 1, Flags::FAST.and(Flags::LOADING), connection::time),
    server("client", -2, Flags::LOADING, client::client),
    server("command", -1, Flags::LOADING, command::command),
    server("config", -2, ADMIN, config::config),
    server("info", -1, Flags::LOADING, info::info),
    server("multi", 1, AT_ONCE, transactions::multi),
    server("exec", 1, AT_ONCE, transactions::exec),
    server("discard", 1, AT_ONCE, transactions::discard),
    server("watch", -2, AT_ONCE, transactions::watch),
    server("unwatch", 1, Flags::LOADING.and(Flags::FAST), transactions::unwatch),
    server("save", 1, Flags::ADMIN.and(Flags::NO_MULTI), save::save),
    server("bgsave", -1, Flags::ADMIN, save::save_behind),
    server("lastsave", 1, Flags::LOADING.and(Flags::FAST), save::last_save),
    server("shutdown", -1, ADMIN.and(Flags::NO_MULTI), save::shutdown),
    server("replicaof", -3, ADMIN.and(Flags::NO_MULTI), db::replication),
    server("slaveof", -3, ADMIN.and(Flags::NO_MULTI), db::replication),
    server("role", 1, Flags::LOADING.and(Flags::FAST), db::replication),
    server("wait", 3, Flags::NO_MULTI, db::replication),
    server("repl.follow", -1, ADMIN.and(Flags::NO_MULTI), db::replication),
    server("repl.mutual", -1, ADMIN.and(Flags::NO_MULTI), db::replication),
    server("repl.term", -1, ADMIN.and(Flags::NO_MULTI), db::replication),
    server("db.position", 1, Flags::LOADING, db::replication),
    server("db.lag", 1, Flags::LOADING, db::replication),
    server("db.readonly", 2, Flags::ADMIN, db::read_only),
    server("db.alter", -1, Flags::ADMIN.and(Flags::NO_MULTI), db::alter),
    server("db.digest", 1, Flags::ADMIN, db::digest),
];
