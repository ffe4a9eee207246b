//! Roles and positions, `DB.READONLY`, `DB.DIGEST`, `DB.ALTER`.

use crate::commands::Outcome;
use crate::commands::fault::{Fault, SYNTAX};
use crate::commands::number::integer;
use crate::paging::PAGE_ROWS_MAX;
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

/// `DB.ALTER PAGE-ROWS n` lays rows out anew; `DB.ALTER` tells how they lie and how far that is.
pub(super) fn alter(database: &mut Database, cx: &mut Cx, call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        1 => {
            let layout = database.layout()?;
            call.out.array(layout.len());
            layout.iter().for_each(|&n| call.out.unsigned(n));
        }
        3 if call.args.at(1).eq_ignore_ascii_case(b"page-rows") => {
            let rows = u64::try_from(integer(call.args.at(2))?).unwrap_or(0);
            if !(1..=PAGE_ROWS_MAX).contains(&rows) {
                return Err(Fault::of("ERR a page has 1 to 1048576 rows"));
            }
            database.alter(cx, rows)?;
            call.out.simple("Altering started");
        }
        _ => return Err(SYNTAX),
    }
    Ok(())
}
