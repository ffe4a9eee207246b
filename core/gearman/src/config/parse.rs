//! From flags to options.

use super::extras;
use super::flags::{self, Given};
use super::relay;
use super::value::{bytes, folder, memory, micros, number, one_of, port, prefix, some};
use super::{Command, Config, Log, TlsFiles, VERSION_DANGA, VERSION_GEARMAND, Verbosity};
use crate::engine::{Dialect, Retries};
use storytime_machine::UsageError;

/// Where the durable queue is, unless said otherwise.
const QUEUE_DIR: &str = "gearmand-queue";

/// What belongs together and may come in any order.
#[derive(Default)]
struct Loose {
    help: bool,
    version: bool,
    check: bool,
    ssl: bool,
    tls: TlsFiles,
    relay: relay::Loose,
    retries: Option<i64>,
    zero: Retries,
    protocol: Option<String>,
    queue: Option<String>,
    queue_dir: Option<String>,
    extras: extras::Loose,
}

pub(super) fn config_file<W: AsRef<str>>(words: &[W]) -> Result<Option<String>, UsageError> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let given = flags::split(&words)?;
    let named = given.iter().find(|given| given.flag.long == "config-file");
    Ok(named.map(|given| given.value.to_owned()))
}

pub(super) fn command<W: AsRef<str>>(words: &[W], file: &str) -> Result<Command, UsageError> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let given = flags::split(&words)?;
    let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
    let in_file: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let in_file = flags::split(&in_file)?;
    let is_new = |one: &&Given<'_>| given.iter().all(|other| other.flag != one.flag);
    let (mut config, mut loose) = (Config::default(), Loose::default());
    for one in in_file.iter().filter(is_new).chain(&given) {
        take(&mut config, &mut loose, *one)?;
    }
    if loose.check {
        return Ok(Command::Checked);
    }
    if loose.help {
        return Ok(Command::Help);
    }
    if loose.version {
        return Ok(Command::Version);
    }
    together(&mut config, &mut loose)?;
    Ok(Command::Serve(Box::new(config)))
}

/// What is only wrong once it is to be served.
fn together(config: &mut Config, loose: &mut Loose) -> Result<(), UsageError> {
    if !loose.ssl && loose.tls != TlsFiles::default() {
        let what = "the files of TLS are named, but without --ssl nothing is encrypted";
        return Err(UsageError(what.to_owned()));
    }
    config.tls = loose.ssl.then(|| loose.tls.clone());
    match loose.protocol.as_deref() {
        None => {}
        Some("http") => loose.extras.speak_http(),
        Some(protocol) => {
            return Err(UsageError(format!("-r {protocol}: there is no such protocol here")));
        }
    }
    config.queue_dir = match (loose.queue.as_deref(), loose.queue_dir.as_deref()) {
        (None | Some("journal"), Some(dir)) => Some(dir.to_owned()),
        (Some("journal"), None) => Some(QUEUE_DIR.to_owned()),
        (None | Some("builtin"), None) => None,
        (Some("builtin"), Some(_)) => {
            let what = "--queue-dir is for -q journal; the builtin queue is in memory alone";
            return Err(UsageError(what.to_owned()));
        }
        (Some(queue), _) => {
            let advice = "there are builtin, in memory alone, and journal";
            let what = format!("Error while initializing the queue : {queue} ({advice})");
            return Err(UsageError(what));
        }
    };
    config.relay = loose.relay.relay(config.queue_dir.is_some())?;
    if config.relay.is_some() && config.handle_prefix.is_none() {
        config.handle_prefix = Some(relay::handle_prefix());
    }
    config.losses_max = loose.retries.and_then(|number| loose.zero.losses_max(number));
    config.http_port = loose.extras.http_port(config.port())?;
    config.result_cache = loose.extras.result_cache(config.packet_bytes_max)?;
    Ok(())
}

fn take(config: &mut Config, loose: &mut Loose, given: Given<'_>) -> Result<(), UsageError> {
    if let Some(why) = given.flag.idle {
        return note(config, given, why);
    }
    if !serving(config, loose, given)? && !loose.extras.take(given)? {
        beside(config, loose, given)?;
    }
    Ok(())
}

/// A flag that means nothing here.
fn note(config: &mut Config, given: Given<'_>, why: &str) -> Result<(), UsageError> {
    let long = given.flag.long;
    match long {
        "hashtable-buckets" if number::<u32>(given)? == 0 => {
            return Err(UsageError("hashtable-buckets has to be greater than 0".to_owned()));
        }
        "threads" | "keepalive-idle" | "keepalive-interval" | "keepalive-count" => {
            number::<i64>(given)?;
        }
        _ => {}
    }
    config.notes.push(format!("--{long} has no effect: {why}"));
    Ok(())
}

/// What concerns the server. Whether it was that.
fn serving(config: &mut Config, loose: &mut Loose, given: Given<'_>) -> Result<bool, UsageError> {
    let value = given.value;
    match given.flag.long {
        "port" => config.port = port(given)?,
        "listen" => config.listen = some(value),
        "backlog" => config.backlog = number::<i32>(given)?.max(0).unsigned_abs(),
        "exceptions" => config.exceptions = true,
        "job-retries" => {
            let range = -1..=Retries::NUMBER_MAX;
            let retries = given.value.parse().ok().filter(|number| range.contains(number));
            let Some(retries) = retries else {
                let what = "job-retries must be -1 (no limit), 0 (see --zero-retries), or between \
                            1 and 255";
                return Err(UsageError(what.to_owned()));
            };
            loose.retries = Some(retries);
        }
        "zero-retries" => {
            loose.zero = match one_of(given, ["unlimited", "none"])? {
                0 => Retries::Unlimited,
                _ => Retries::None,
            };
        }
        "worker-wakeup" => config.wake_max = number(given)?,
        "grab-patience" => config.grab_patience = micros(given)?,
        "ack-patience" => config.ack_patience = micros(given)?,
        "job-handle-prefix" => config.handle_prefix = Some(prefix(given)?),
        "dialect" => {
            config.dialect = match one_of(given, ["gearmand", "danga"])? {
                0 => Dialect::Gearmand,
                _ => Dialect::Danga,
            };
        }
        "max-packet" => config.packet_bytes_max = bytes(given)?,
        "max-memory" => config.jobs_bytes_max = memory(given)?,
        "checkpoint-bytes" => config.checkpoint_bytes = bytes(given)? as u64,
        "queue-type" => loose.queue = some(value),
        "queue-dir" => loose.queue_dir = Some(folder(given)?),
        "tenants" => config.tenants_file = some(value),
        "protocol" => loose.protocol = some(value),
        "ssl" => loose.ssl = true,
        _ => return loose.relay.take(given),
    }
    Ok(true)
}

/// What concerns the program around it.
fn beside(config: &mut Config, loose: &mut Loose, given: Given<'_>) -> Result<(), UsageError> {
    let program = &mut config.program;
    let value = given.value;
    match given.flag.long {
        "daemon" => program.daemon = true,
        "file-descriptors" => program.files_max = Some(number(given)?),
        "log-file" => {
            program.log = match value {
                "" | "stderr" => Log::Stderr,
                "none" => Log::Nowhere,
                file => Log::File(file.to_owned()),
            };
        }
        "pid-file" => program.pid_file = some(value),
        "user" => program.user = some(value),
        "coredump" => program.core_dumps = true,
        "verbose" => {
            let level = Verbosity::ALL.into_iter().find(|level| level.name() == value);
            let wrong = || {
                let all = Verbosity::ALL.map(Verbosity::name).join(", ");
                UsageError(format!("Invalid value for --verbose supplied; expected one of {all}"))
            };
            config.verbosity = level.ok_or_else(wrong)?;
        }
        "help" => loose.help = true,
        "version" => loose.version = true,
        "check-args" => loose.check = true,
        "ssl-ca-file" => loose.tls.authorities = some(value),
        "ssl-certificate" => loose.tls.certificate = some(value),
        "ssl-key" => loose.tls.key = some(value),
        // Read before.
        "config-file" => {}
        other => unreachable!("--{other} is on the list and means something"),
    }
    Ok(())
}

/// What `--version` prints.
pub fn version_line() -> String {
    format!(
        "gearmand {VERSION_GEARMAND}, and {VERSION_DANGA} with --dialect danga - storytime {}",
        env!("CARGO_PKG_VERSION")
    )
}
