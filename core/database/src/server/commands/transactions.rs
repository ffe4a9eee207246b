//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.
//!
//! The effects of a transaction are one record: all of them are durable, or none.

use crate::commands::Outcome;
use crate::commands::fault::Fault;
use crate::server::session::Multi;
use crate::server::{Call, Database};
use storytime_machine::Cx;

pub(super) fn multi(_: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    if !matches!(call.session.multi, Multi::Off) {
        return Err(Fault::of("ERR MULTI calls can not be nested"));
    }
    call.session.multi = Multi::Collecting { queued: Vec::new(), bytes: 0 };
    call.out.ok();
    Ok(())
}

pub(super) fn exec(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let multi = core::mem::take(&mut call.session.multi);
    if let Multi::Off = multi {
        return Err(Fault::of("ERR EXEC without MULTI"));
    }
    let broken = call.session.broken;
    database.unwatch(call.session);
    let Multi::Collecting { queued, .. } = multi else {
        return Err(Fault::of("EXECABORT Transaction discarded because of previous errors."));
    };
    if broken {
        call.out.nil_array();
        return Ok(());
    }
    database.run_all(cx, call, &queued)
}

pub(super) fn discard(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    if matches!(call.session.multi, Multi::Off) {
        return Err(Fault::of("ERR DISCARD without MULTI"));
    }
    call.session.multi = Multi::Off;
    database.unwatch(call.session);
    call.out.ok();
    Ok(())
}

pub(super) fn watch(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    if !matches!(call.session.multi, Multi::Off) {
        return Err(Fault::of("ERR WATCH inside MULTI is not allowed"));
    }
    for key in call.args.from(1).iter() {
        database.watch(call.session, key)?;
    }
    call.out.ok();
    Ok(())
}

pub(super) fn unwatch(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    database.unwatch(call.session);
    call.out.ok();
    Ok(())
}
