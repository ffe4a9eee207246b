//! `storytime mc`: a memcached client for the command line.

mod args;
mod load;
mod shot;
mod top;

pub(crate) use args::McOptions;

use crate::cli::HostOptions;
use crate::serve::{log_to_stderr, place};
use crate::{FAILED, OK, WRONG};
use args::{McCommand, Named, Stored};
use bytes::Bytes;
use shot::{Question, Shot};
use std::io::{Read as _, Write as _};
use storytime_machine::Limits;
use storytime_memcached::client::{ClientOptions, Count, Failure, Initial, Outcome, Verb};
use storytime_real::{Host, spawn};

/// Largest value that is read or written, bytes.
const VALUE_BYTES_MAX: usize = 64 << 20;

pub(crate) fn run(host: &HostOptions, options: &McOptions) -> u8 {
    log_to_stderr(&host.log);
    let servers = match options.servers() {
        Ok(servers) => servers,
        Err(why) => return wrong(&why),
    };
    let mut client = options.client();
    client.pool.value_bytes_max = VALUE_BYTES_MAX;
    client.pool.unsent_bytes_max = 2 * VALUE_BYTES_MAX;
    let limits = Limits::default();
    let limits = Limits {
        rx_bytes_max: VALUE_BYTES_MAX + (1 << 20),
        tx_bytes_max: 4 * VALUE_BYTES_MAX,
        ..limits
    };
    let host = Host { limits, ..place(host) };
    match &options.command {
        McCommand::Top(top) => return top::run(host, client, &servers, top),
        McCommand::Load(load) => return load::run(host, client, &servers, load),
        _ => {}
    }
    match questions(&options.command) {
        Ok(questions) => ask(host, client, &servers, questions),
        Err(why) => wrong(&why),
    }
}

fn wrong(why: &str) -> u8 {
    eprintln!("mc: {why}\nTry `storytime mc --help`.");
    WRONG
}

type Questions = Vec<(String, Question)>;

fn questions(command: &McCommand) -> Result<Questions, String> {
    let of = |keys: &[String], question: Question| -> Result<Questions, String> {
        Ok(keys.iter().map(|key| (key.clone(), question.clone())).collect())
    };
    let all = |question| Ok(vec![(String::new(), question)]);
    let count = |counted: &args::Counted, down| {
        let exptime = counted.ttl;
        let initial = counted.initial.map(|number| Initial { number, exptime });
        let count = Count { by: counted.by, down, initial };
        Ok(vec![(counted.key.clone(), Question::Count(count))])
    };
    let meta = |command, meta: &args::Meta| {
        let flags = meta.flags.join(" ");
        Ok(vec![(meta.key.clone(), Question::Meta { command, flags, value: None })])
    };
    match command {
        McCommand::Get(keys) => of(&keys.keys, Question::Get),
        McCommand::Gets(keys) => of(&keys.keys, Question::Gets),
        McCommand::Gat(gat) => of(&gat.keys, Question::Gat(gat.ttl)),
        McCommand::Set(stored) => store(stored, Verb::Set),
        McCommand::Add(stored) => store(stored, Verb::Add),
        McCommand::Replace(stored) => store(stored, Verb::Replace),
        McCommand::Append(stored) => store(stored, Verb::Append),
        McCommand::Prepend(stored) => store(stored, Verb::Prepend),
        McCommand::Cas(cas) => store(&cas.stored, Verb::Cas(cas.version)),
        McCommand::Delete(keys) => of(&keys.keys, Question::Delete),
        McCommand::Incr(counted) => count(counted, false),
        McCommand::Decr(counted) => count(counted, true),
        McCommand::Touch(touch) => of(&touch.keys, Question::Touch(touch.ttl)),
        McCommand::Stats(sub) => all(Question::Stats(sub.sub.join(" "))),
        McCommand::Version => all(Question::Version),
        McCommand::Flush(delay) => all(Question::Flush(delay.delay)),
        McCommand::Mg(found) => meta("mg", found),
        McCommand::Md(found) => meta("md", found),
        McCommand::Ma(found) => meta("ma", found),
        McCommand::Me(found) => meta("me", found),
        McCommand::Ms(ms) => {
            let value = Some(value(&ms.value)?);
            let flags = ms.flags.join(" ");
            Ok(vec![(ms.key.clone(), Question::Meta { command: "ms", flags, value })])
        }
        McCommand::Top(_) | McCommand::Load(_) => unreachable!("these ask on their own"),
    }
}

fn store(stored: &Stored, verb: Verb) -> Result<Questions, String> {
    let value = value(&stored.value)?;
    let question = Question::Store { verb, value, flags: stored.flags, ttl: stored.ttl };
    Ok(vec![(stored.key.clone(), question)])
}

/// A value of the command line, or standard input.
fn value(text: &str) -> Result<Bytes, String> {
    if text != "-" {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    let mut value = Vec::new();
    let limit = VALUE_BYTES_MAX as u64 + 1;
    match std::io::stdin().lock().take(limit).read_to_end(&mut value) {
        Ok(read) if read > VALUE_BYTES_MAX => {
            Err(format!("the value is longer than {VALUE_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(value.into()),
        Err(why) => Err(format!("standard input cannot be read: {why}")),
    }
}

fn ask(host: Host, options: ClientOptions, servers: &[Named], questions: Questions) -> u8 {
    let specs = servers.iter().map(|server| server.spec.clone()).collect();
    let mut handle = match spawn(host, Shot::new(options, specs, questions)) {
        Ok(handle) => handle,
        Err(why) => {
            eprintln!("mc: {why}");
            return FAILED;
        }
    };
    let _ending = handle.wait();
    let mut code = OK;
    let many = servers.len() > 1;
    for (key, question, outcome, server) in handle.with_machine(Shot::take) {
        let name = &servers[server].name;
        let well = match outcome {
            Outcome::Servers(all) => {
                let told = |(n, outcome): (usize, &Outcome)| {
                    let title = many.then_some(servers[n].name.as_str());
                    tell_server(&servers[n].name, title, outcome)
                };
                // All of them are told, whatever becomes of the first.
                all.iter().enumerate().map(told).fold(true, |sum, well| sum & well)
            }
            outcome => tell(&key, name, &question, &outcome),
        };
        if !well {
            code = FAILED;
        }
    }
    code
}

/// Prints; a reader that went away is not our failure.
fn out(parts: &[&[u8]]) {
    let mut out = std::io::stdout().lock();
    let _gone = parts.iter().try_for_each(|part| out.write_all(part));
}

/// Tells how a question about a key ended, and whether it ended well.
fn tell(key: &str, server: &str, question: &Question, outcome: &Outcome) -> bool {
    let sad = |what: &str| {
        eprintln!("mc: {key}: {what}");
        false
    };
    match outcome {
        Outcome::Hit(value) if matches!(question, Question::Gets) => {
            let numbers = format!("{} {} ", value.cas, value.flags);
            out(&[numbers.as_bytes(), &value.data, b"\n"]);
        }
        Outcome::Hit(value) => out(&[&value.data, b"\n"]),
        Outcome::Number(number) => out(&[format!("{number}\n").as_bytes()]),
        Outcome::Stored | Outcome::Deleted | Outcome::Touched | Outcome::Done => {}
        Outcome::Text(reply) => {
            out(&[reply]);
            let refused = [&b"EN"[..], b"NF", b"NS", b"EX", b"ERROR", b"CLIENT_E", b"SERVER_E"];
            return !refused.iter().any(|word| reply.starts_with(word));
        }
        Outcome::Miss | Outcome::NotFound => return sad("not there"),
        Outcome::NotStored => return sad("not stored: its condition does not hold"),
        Outcome::Exists => return sad("not stored: it has another version; see `mc gets`"),
        Outcome::Refused(line) => {
            return sad(&format!("{server} says: {}", String::from_utf8_lossy(line)));
        }
        Outcome::Failed(why) => return failed(server, *why),
        Outcome::NotAccepted(why) => return sad(&why.to_string()),
        Outcome::Meta(_) | Outcome::Many(_) | Outcome::Servers(_) | Outcome::Fill(_) => {
            unreachable!("none of the questions ends so")
        }
    }
    true
}

/// Tells what one server answered to a question to all.
fn tell_server(name: &str, title: Option<&str>, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(why) => return failed(name, *why),
        Outcome::Refused(line) => {
            eprintln!("mc: {name} says: {}", String::from_utf8_lossy(line));
            return false;
        }
        Outcome::Text(lines) => {
            if let Some(title) = title {
                out(&[title.as_bytes(), b"\n"]);
            }
            let end: &[u8] = if lines.ends_with(b"\n") { b"" } else { b"\n" };
            out(&[lines, end]);
        }
        _ => {}
    }
    true
}

fn failed(server: &str, why: Failure) -> bool {
    let next = match why {
        Failure::Lost(storytime_machine::Gone::Refused) => {
            "is a server running there? `storytime memcached` starts one"
        }
        Failure::TimedOut => "--timeout allows it more milliseconds",
        Failure::OutOfStep => "does that server speak memcached, and is --binary right?",
        Failure::Down | Failure::Lost(_) => "--servers names others",
    };
    eprintln!("mc: {server}: {why}; {next}");
    false
}
