//! `COMMAND`.

use crate::commands::{Outcome, Spec};
use crate::resp::Out;
use crate::server::{Call, Database};
use storytime_machine::Cx;

/// Fields of a command in the reply.
const FIELDS: usize = 10;

pub(super) fn command(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let commands = database.commands();
    let word = call.args.get(1).map(<[u8]>::to_ascii_uppercase);
    match word.as_deref() {
        None => {
            call.out.array(commands.all().len());
            commands.all().for_each(|spec| tell(call.out, spec));
        }
        Some(b"COUNT") => call.out.count(commands.all().len()),
        Some(b"LIST") => {
            call.out.array(commands.all().len());
            commands.all().for_each(|spec| call.out.bulk(spec.name.as_bytes()));
        }
        Some(b"INFO") => {
            call.out.array(call.args.len() - 2);
            for name in call.args.from(2).iter() {
                match commands.find(name) {
                    Some(spec) => tell(call.out, spec),
                    None => call.out.nil_array(),
                }
            }
        }
        // The words of the original's documentation are not ours to give.
        Some(b"DOCS") => call.out.map(0),
        Some(_) => {
            let word = String::from_utf8_lossy(call.args.at(1));
            return Err(format!("ERR unknown subcommand '{word}'. Try COMMAND HELP.").into());
        }
    }
    Ok(())
}

fn tell(out: &mut Out, spec: &Spec) {
    out.array(FIELDS);
    out.bulk(spec.name.as_bytes());
    out.integer(spec.arity.into());
    out.set(spec.flags.names().count());
    spec.flags.names().for_each(|name| out.simple(name));
    let (first, last, step) = spec.keys;
    [first, last, step].iter().for_each(|&n| out.integer(n.into()));
    // Categories, tips, key specifications, subcommands: none are kept.
    (0..4).for_each(|_| out.array(0));
}
