//! `CLIENT`.

use crate::commands::fault::{Fault, SYNTAX, arity};
use crate::commands::{Outcome, number};
use crate::server::session::{Multi, Session};
use crate::server::{Call, Database};
use bytes::Bytes;
use storytime_machine::{Close, Conn, Cx, Time};

/// A name for a connection.
pub(super) fn name(word: &[u8]) -> Result<Bytes, Fault> {
    if word.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(Bytes::copy_from_slice(word));
    }
    Err(Fault::of("ERR Client names cannot contain spaces, newlines or special characters."))
}

pub(super) fn client(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let word = call.args.at(1).to_ascii_uppercase();
    match (word.as_slice(), call.args.len()) {
        (b"ID", 2) => call.out.unsigned(call.session.id),
        (b"GETNAME", 2) => match &call.session.name {
            name if name.is_empty() => call.out.nil(),
            name => call.out.bulk(name),
        },
        (b"SETNAME", 3) => {
            call.session.name = name(call.args.at(2))?;
            call.out.ok();
        }
        (b"SETINFO", 4) => set_info(call)?,
        (b"INFO", 2) => {
            let line = line(call.session, cx.now());
            call.out.verbatim(&line);
        }
        (b"LIST", _) => list(database, cx, call)?,
        (b"KILL", 3..) => kill(database, cx, call)?,
        (b"NO-EVICT" | b"NO-TOUCH", 3) => call.out.ok(),
        (b"ID" | b"GETNAME" | b"SETNAME" | b"SETINFO" | b"INFO" | b"KILL", _) => {
            let word = String::from_utf8_lossy(&word).to_ascii_lowercase();
            return Err(arity(&format!("client|{word}")));
        }
        _ => {
            let word = String::from_utf8_lossy(call.args.at(1));
            return Err(format!("ERR unknown subcommand '{word}'. Try CLIENT HELP.").into());
        }
    }
    Ok(())
}

fn set_info(call: &mut Call<'_>) -> Outcome {
    let value = name(call.args.at(3)).map_err(|_| {
        Fault::of("ERR lib-name and lib-ver cannot contain spaces, newlines or special characters.")
    })?;
    match call.args.at(2).to_ascii_uppercase().as_slice() {
        b"LIB-NAME" => call.session.driver_name = value,
        b"LIB-VER" => call.session.driver_version = value,
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(format!("ERR Unrecognized option '{other}'").into());
        }
    }
    call.out.ok();
    Ok(())
}

/// A connection, as `CLIENT LIST` shows it.
fn line(session: &Session, now: Time) -> String {
    let (multi, flags) = match &session.multi {
        Multi::Off => (-1, "N"),
        Multi::Collecting { queued, .. } => (queued.len() as i64, "x"),
        Multi::Failed => (0, "x"),
    };
    format!(
        "id={} addr={} name={} age={} idle={} flags={flags} db={} multi={multi} multi-mem={} watch={} \
         omem={} oll={} cmd={} resp={} lib-name={} lib-ver={}\n",
        session.id,
        session.peer,
        session.name.escape_ascii(),
        now.since(session.opened).as_secs(),
        now.since(session.last).as_secs(),
        session.db,
        session.queued_bytes(),
        session.watched.len(),
        session.held_bytes(),
        session.held(),
        session.last_command,
        if session.resp3 { 3 } else { 2 },
        session.driver_name.escape_ascii(),
        session.driver_version.escape_ascii(),
    )
}

fn list(database: &Database, cx: &Cx, call: &mut Call<'_>) -> Outcome {
    let mut all: Vec<&Session> = database.sessions().chain([&*call.session]).collect();
    match call.args.get(2).map(<[u8]>::to_ascii_uppercase).as_deref() {
        None => {}
        Some(b"TYPE") if call.args.len() == 4 => {
            let is_wanted = call.args.at(3).eq_ignore_ascii_case(b"normal");
            all.retain(|_| is_wanted);
        }
        Some(b"ID") if call.args.len() > 3 => {
            let wanted =
                call.args.from(3).iter().map(number::integer).collect::<Result<Vec<_>, _>>();
            let wanted = wanted.map_err(|_| Fault::of("ERR Invalid client ID"))?;
            all.retain(|session| wanted.contains(&(session.id as i64)));
        }
        Some(_) => return Err(SYNTAX),
    }
    all.sort_by_key(|session| session.id);
    let text: String = all.iter().map(|session| line(session, cx.now())).collect();
    call.out.verbatim(&text);
    Ok(())
}

/// By address, or by filters: `ID`, `ADDR`, `SKIPME`.
fn kill(database: &Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let args = call.args;
    let (mut id, mut addr, mut skip_me) = (None, None, true);
    if args.len() == 3 {
        (addr, skip_me) = (Some(args.at(2)), false);
    } else {
        let mut at = 2;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1).ok_or(SYNTAX)?;
            match word.to_ascii_uppercase().as_slice() {
                b"ID" => {
                    let found = number::integer(value).ok().filter(|&id| id > 0);
                    id = Some(found.ok_or(Fault::of("ERR client-id should be greater than 0"))?);
                }
                b"ADDR" => addr = Some(value),
                b"SKIPME" => skip_me = value.eq_ignore_ascii_case(b"yes"),
                _ => return Err(SYNTAX),
            }
            at += 2;
        }
    }
    let fits = |session: &Session| {
        id.is_none_or(|id| session.id as i64 == id)
            && addr.is_none_or(|addr| session.peer.to_string().as_bytes() == addr)
    };
    let mut found: Vec<Conn> =
        database.sessions().filter(|session| fits(session)).map(|session| session.conn).collect();
    let own = !skip_me && fits(call.session);
    if args.len() == 3 && found.is_empty() && !own {
        return Err(Fault::of("ERR No such client"));
    }
    let killed = found.len() + usize::from(own);
    found.drain(..).for_each(|conn| cx.close(conn, Close::Abort));
    call.session.leaving |= own;
    if args.len() == 3 {
        call.out.ok();
    } else {
        call.out.count(killed);
    }
    Ok(())
}
