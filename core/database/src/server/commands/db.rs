//! `DB.POSITION`, `DB.READONLY`, `DB.DIGEST`.

use crate::commands::Outcome;
use crate::commands::fault::SYNTAX;
use crate::server::{Call, Database};
use storytime_machine::Cx;

pub(super) fn position(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let (term, last, durable) = database.position();
    call.out.array(3);
    [term, last.0, durable.0].iter().for_each(|&n| call.out.unsigned(n));
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
