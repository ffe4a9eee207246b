//! `CONFIG GET` and `CONFIG SET`.

use crate::commands::Outcome;
use crate::commands::fault::{Fault, arity};
use crate::config::{Config, Durability};
use crate::glob;
use crate::server::{Call, Database};
use storytime_machine::Cx;

fn settings(config: &Config) -> Vec<(&'static str, String)> {
    let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let fsync = if config.durability == Durability::Always { "always" } else { "no" };
    vec![
        ("appendfsync", fsync.to_owned()),
        ("appendonly", yes(config.durability != Durability::Never)),
        ("databases", config.databases.to_string()),
        ("dir", String::from_utf8_lossy(&config.dir).into_owned()),
        ("max-runnable", config.runnable_max.to_string()),
        ("maxclients", config.clients_max.to_string()),
        ("maxmemory", config.memory_bytes_max.to_string()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("min-replicas-max-lag", config.replicas_lag_max.as_secs().to_string()),
        ("min-replicas-to-write", config.replicas_to_write.to_string()),
        ("port", config.port.to_string()),
        ("requirepass", config.password.clone().unwrap_or_default()),
        ("runnable-waits", yes(config.runnable_waits)),
        ("save", String::new()),
    ]
}

pub(super) fn config(database: &mut Database, _: &mut Cx, call: &mut Call<'_>) -> Outcome {
    let word = call.args.at(1).to_ascii_uppercase();
    match (word.as_slice(), call.args.len()) {
        (b"GET", 3..) => get(database, call),
        (b"SET", 4..) if call.args.len().is_multiple_of(2) => return set(database, call),
        (b"RESETSTAT", 2) => {
            database.reset_counters();
            call.out.ok();
        }
        (b"GET" | b"SET" | b"RESETSTAT", _) => {
            let word = String::from_utf8_lossy(&word).to_ascii_lowercase();
            return Err(arity(&format!("config|{word}")));
        }
        _ => {
            let word = String::from_utf8_lossy(call.args.at(1));
            return Err(format!("ERR unknown subcommand '{word}'. Try CONFIG HELP.").into());
        }
    }
    Ok(())
}

fn get(database: &Database, call: &mut Call<'_>) {
    let mut fit = settings(database.config());
    let patterns: Vec<Vec<u8>> = call.args.from(2).iter().map(<[u8]>::to_ascii_lowercase).collect();
    fit.retain(|(name, _)| patterns.iter().any(|pattern| glob::fits(pattern, name.as_bytes())));
    call.out.map(fit.len());
    for (name, value) in fit {
        call.out.bulk(name.as_bytes());
        call.out.bulk(value.as_bytes());
    }
}

fn set(database: &mut Database, call: &mut Call<'_>) -> Outcome {
    let mut config = database.config().clone();
    for at in (2..call.args.len()).step_by(2) {
        let name = String::from_utf8_lossy(call.args.at(at)).to_ascii_lowercase();
        let text = String::from_utf8_lossy(call.args.at(at + 1)).into_owned();
        let wrong = |what: &str| -> Fault {
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {what}").into()
        };
        let number = || text.parse::<u64>().map_err(|_| wrong("argument must be a number"));
        let short = || u32::try_from(number()?).map_err(|_| wrong("argument is too large"));
        match name.as_str() {
            "maxmemory" => config.memory_bytes_max = number()?,
            "maxclients" => config.clients_max = short()?,
            "max-runnable" => config.runnable_max = short()?,
            "requirepass" => config.password = (!text.is_empty()).then_some(text),
            // What was promised of writes that wait stays promised: replicas are not set here.
            other if settings(&config).iter().any(|(known, _)| *known == other) => {
                return Err(wrong("can't set immutable config"));
            }
            _ => {
                return Err(format!(
                    "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
                .into());
            }
        }
    }
    database.set_config(config);
    call.out.ok();
    Ok(())
}
