//! Roles and positions, `DB.READONLY`, `DB.DIGEST`.

use crate::commands::Outcome;
use crate::commands::fault::SYNTAX;
use crate::server::{Call, Database};
use storytime_machine::Cx;

/// Roles and positions are replication's.
pub(super) fn replication(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    database.ask_replication(cx, call);
    Ok(())
}

pub(super) fn read_only(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let on = match call.args.at(1).to_ascii_uppercase().as_slice() {
        b"ON" => true,
        b"OFF" => false,
        _ => return Err(SYNTAX),
    };
    database.set_read_only(on);
    call.out.ok();
    Ok(())
}

pub(super) fn digest(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let digest = database.digest();
    call.out.bulk(format!("{digest:016x}").as_bytes());
    Ok(())
}
