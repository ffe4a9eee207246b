//! `PING`, `ECHO`, `HELLO`, `AUTH`, `SELECT`, `QUIT`, `RESET`, `TIME`.

use crate::commands::fault::{Fault, SYNTAX, arity};
use crate::commands::{Outcome, number};
use crate::server::session::Multi;
use crate::server::{Call, Database};
use bytes::Bytes;
use storytime_machine::Cx;

const WRONG_PASSWORD: Fault =
    Fault::of("WRONGPASS invalid username-password pair or user is disabled.");
/// The release of Redis whose commands and texts are followed.
pub(super) const REDIS_VERSION: &str = "7.0.15";
/// The one user that there is.
const USER: &[u8] = b"default";

pub(super) fn ping(_: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    match call.args.get(1) {
        None => call.out.simple("PONG"),
        Some(text) if call.args.len() == 2 => call.out.bulk(text),
        Some(_) => return Err(arity("ping")),
    }
    Ok(())
}

pub(super) fn echo(_: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    call.out.bulk(call.args.at(1));
    Ok(())
}

/// Whether this is the password; the time that it takes tells nothing of where they differ.
fn is_password(database: &Database, user: &[u8], word: &[u8]) -> bool {
    let Some(password) = database.config().password.as_deref() else { return user == USER };
    let password = password.as_bytes();
    let differ = password.iter().zip(word).fold(0, |sum, (a, b)| sum | (a ^ b));
    user == USER && password.len() == word.len() && differ == 0
}

pub(super) fn auth(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let (user, word) = match call.args.len() {
        2 if database.config().password.is_none() => {
            return Err(Fault::of(
                "ERR AUTH <password> called without any password configured for the default \
                 user. Are you sure your configuration is correct?",
            ));
        }
        2 => (USER, call.args.at(1)),
        3 => (call.args.at(1), call.args.at(2)),
        _ => return Err(SYNTAX),
    };
    if !is_password(database, user, word) {
        return Err(WRONG_PASSWORD);
    }
    call.session.known = true;
    call.out.ok();
    Ok(())
}

pub(super) fn hello(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let resp3 = match call.args.get(1).map(number::integer) {
        None => call.session.resp3,
        Some(Ok(2)) => false,
        Some(Ok(3)) => true,
        Some(Ok(_)) => return Err(Fault::of("NOPROTO unsupported protocol version")),
        Some(Err(_)) => {
            return Err(Fault::of("ERR Protocol version is not an integer or out of range"));
        }
    };
    let (mut known, mut name, mut at) = (call.session.known, None, 2);
    while let Some(word) = call.args.get(at) {
        let left = call.args.len() - at - 1;
        if word.eq_ignore_ascii_case(b"AUTH") && left >= 2 {
            if !is_password(database, call.args.at(at + 1), call.args.at(at + 2)) {
                return Err(WRONG_PASSWORD);
            }
            known = true;
            at += 3;
        } else if word.eq_ignore_ascii_case(b"SETNAME") && left >= 1 {
            name = Some(super::client::name(call.args.at(at + 1))?);
            at += 2;
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(format!("ERR Syntax error in HELLO option '{word}'").into());
        }
    }
    if !known {
        return Err(Fault::of(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    let session = &mut *call.session;
    (session.known, session.resp3, call.out.resp3) = (known, resp3, resp3);
    session.name = name.unwrap_or_else(|| session.name.clone());
    let id = i64::try_from(session.id).unwrap_or(i64::MAX);
    let out = &mut *call.out;
    out.map(7);
    for (key, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        out.bulk(key.as_bytes());
        out.bulk(value.as_bytes());
    }
    out.bulk(b"proto");
    out.integer(if resp3 { 3 } else { 2 });
    out.bulk(b"id");
    out.integer(id);
    let role = if database.role_name() == "slave" { "replica" } else { "master" };
    for (key, value) in [("mode", "standalone"), ("role", role)] {
        out.bulk(key.as_bytes());
        out.bulk(value.as_bytes());
    }
    out.bulk(b"modules");
    out.array(0);
    Ok(())
}

pub(super) fn select(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let databases = database.config().databases;
    call.session.db = crate::commands::database(call.args.at(1), databases)?;
    call.out.ok();
    Ok(())
}

pub(super) fn quit(_: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    call.session.leaving = true;
    call.out.ok();
    Ok(())
}

/// The connection is as if it were new, but stays known by its number.
pub(super) fn reset(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    database.unwatch(call.session);
    let known = database.config().password.is_none();
    let session = &mut *call.session;
    session.multi = Multi::Off;
    (session.db, session.resp3, session.known, session.name) = (0, false, known, Bytes::new());
    call.out.resp3 = false;
    call.out.simple("RESET");
    Ok(())
}

pub(super) fn time(_: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let micros = cx.wall_clock().0 / 1000;
    call.out.array(2);
    call.out.bulk((micros / 1_000_000).to_string().as_bytes());
    call.out.bulk((micros % 1_000_000).to_string().as_bytes());
    Ok(())
}
