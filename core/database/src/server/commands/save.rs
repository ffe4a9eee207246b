//! `SAVE`, `BGSAVE`, `LASTSAVE`, `SHUTDOWN`: checkpoints, and the end.

use crate::commands::Outcome;
use crate::commands::fault::SYNTAX;
use crate::server::{Call, Database};
use storytime_machine::Cx;

/// Its reply waits until the checkpoint is durable; nobody else does.
pub(super) fn save(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    database.checkpoint(cx)?;
    database.wait_for_checkpoint();
    call.out.ok();
    Ok(())
}

pub(super) fn save_behind(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    match call.args.get(1) {
        None => {}
        Some(word) if word.eq_ignore_ascii_case(b"SCHEDULE") && call.args.len() == 2 => {}
        Some(_) => return Err(SYNTAX),
    }
    database.checkpoint(cx)?;
    call.out.simple("Background saving started");
    Ok(())
}

pub(super) fn last_save(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    call.out.unsigned(database.last_save(cx));
    Ok(())
}

/// Everything that was acknowledged is durable already: `SAVE` and `NOSAVE` mean the same.
pub(super) fn shutdown(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let known = |word: &[u8]| {
        let words = ["SAVE", "NOSAVE", "NOW", "FORCE"];
        words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    if !call.args.from(1).iter().all(known) {
        return Err(SYNTAX);
    }
    database.end(cx);
    call.session.leaving = true;
    Ok(())
}
