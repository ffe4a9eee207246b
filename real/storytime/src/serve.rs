//! The servers and tools under their own names.

use crate::cli::HostOptions;
use crate::{FAILED, OK, WRONG};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::io::Write as _;
use std::path::PathBuf;
use storytime_diskcheck as diskcheck;
use storytime_machine::{Exit, Machine};
use storytime_real::{Ending, Host, Options, run, spawn};
use tracing::{error, warn};

/// Names under which the program is one of the servers.
pub(crate) const PROGRAMS: &[&str] = &[
    "memcached",
    "mcproxy",
    "dbd",
    "gearmand",
    "gearman",
    "gearadmin",
    "witness",
    "mover",
    "move-coordinator",
    "diskcheck",
];

/// The disk checker's three roles.
pub(crate) fn diskcheck(host: &HostOptions, words: &[String]) -> u8 {
    if words.is_empty() || words.iter().any(|word| word == "-h" || word == "--help") {
        return print(diskcheck::HELP);
    }
    let (folder, words) = split_path(words);
    let host = &HostOptions { data_dir: host.data_dir.join(folder), ..host.clone() };
    let command = match diskcheck::Config::from_words(&words) {
        Ok(command) => command,
        Err(wrong) => return complain("diskcheck", &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    match command {
        diskcheck::Command::Record(config) => {
            serve(host, move || diskcheck::Recorder::new(config.clone()))
        }
        diskcheck::Command::Write(config) => {
            serve(host, move || diskcheck::Writer::new(config.clone()))
        }
        diskcheck::Command::Verify(config) => verify(host, diskcheck::Verifier::new(config)),
    }
}

/// Machines know only paths below their data directory: the folder of a file named on the command
/// line becomes that directory.
fn split_path(words: &[String]) -> (PathBuf, Vec<String>) {
    let mut words = words.to_vec();
    let Some(last) = words.last_mut() else { return (PathBuf::new(), words) };
    let path = PathBuf::from(&*last);
    match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(folder), Some(name)) if !last.starts_with('-') && last.contains('/') => {
            *last = name.to_owned();
            (folder.to_owned(), words)
        }
        _ => (PathBuf::new(), words),
    }
}

fn serve<M: Machine>(host: &HostOptions, make: impl Fn() -> M) -> u8 {
    let options = Options { metrics: host.metrics, ..Options::default() };
    outcome("diskcheck", run(place(host), &options, |_| make()))
}

/// Runs the verifier to its end and prints what it found. A disk that lost something fails.
fn verify(host: &HostOptions, verifier: diskcheck::Verifier) -> u8 {
    let mut handle = match spawn(place(host), verifier) {
        Ok(handle) => handle,
        Err(why) => return outcome("diskcheck", Err(why)),
    };
    let ending = handle.wait();
    let verdict = handle.with_machine(|verifier| verifier.verdict().cloned());
    match (verdict, ending) {
        (Some(verdict), _) => {
            print(&verdict.render());
            if verdict.kind == diskcheck::Kind::Honest { OK } else { FAILED }
        }
        (None, Ending::Exited(exit)) => outcome("diskcheck", Ok(exit)),
        (None, Ending::Killed) => FAILED,
    }
}

/// The place of a process of this program.
pub(crate) fn place(options: &HostOptions) -> Host {
    if options.host_ip.is_some() {
        // One of a story's servers: it ends with the run, however that ends.
        let ended = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
        if let Err(why) = ended {
            warn!("this server may outlive its story: {why}");
        }
    }
    let names = options.host_name.iter().map(|(name, ip)| (name.clone(), vec![*ip])).collect();
    let seed = options.server_seed.unwrap_or_else(draw_seed);
    let address_command = options.address_command.clone();
    Host { ip: options.host_ip, names, seed, address_command, ..Host::new(&options.data_dir) }
}

/// A seed that no other process has: servers tell themselves and their earlier lives apart by what
/// they draw. The keys of the standard library's hashers come from the system's randomness.
fn draw_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish()
}

pub(crate) fn outcome(program: &str, ended: std::io::Result<Exit>) -> u8 {
    match ended {
        Ok(Exit::Stopped) => OK,
        Ok(Exit::Failed(why)) => {
            error!("{program}: {why}");
            FAILED
        }
        Err(why) => {
            error!("{program}: {why}");
            FAILED
        }
    }
}

/// Sends logs to standard error. A filter that cannot be read counts as `warn`, aloud.
pub(crate) fn log_to_stderr(filter: &str) {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    log_to(filter, std::io::stderr, colour);
}

/// Sends logs to `writer`. A filter that cannot be read counts as `warn`, aloud.
pub(crate) fn log_to<W>(filter: &str, writer: W, colour: bool)
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    use tracing_subscriber::EnvFilter;
    let parsed = EnvFilter::try_new(filter);
    let wrong = parsed.is_err();
    let filter_used = parsed.unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter_used)
        .with_writer(writer)
        .with_ansi(colour)
        .with_target(false);
    if subscriber.try_init().is_ok() && wrong {
        warn!("--log {filter}: not a filter; using warn");
    }
}

/// Prints to standard output; a reader that went away is not our failure.
pub(crate) fn print(text: &str) -> u8 {
    let mut out = std::io::stdout().lock();
    let ended = text.ends_with('\n');
    let _gone = out
        .write_all(text.as_bytes())
        .and_then(|()| if ended { Ok(()) } else { out.write_all(b"\n") });
    OK
}

pub(crate) fn complain(program: &str, what: &str) -> u8 {
    eprintln!("{program}: {what}\nTry `storytime {program} -h`.");
    WRONG
}

/// Each connection is an open file.
pub(crate) fn allow_files(wanted: u64) {
    let files = getrlimit(Resource::Nofile);
    if files.current.is_none_or(|now| now >= wanted) {
        return;
    }
    let current = files.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = Rlimit { current: Some(current), maximum: files.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() || current < wanted {
        warn!("only {current} files may be open, {wanted} are wanted: fewer connections fit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_do_not_draw_the_same_numbers() {
        assert_ne!(draw_seed(), draw_seed());
    }

    #[test]
    fn the_folder_of_a_file_becomes_the_data_directory() {
        let split = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let (folder, words) = split_path(&words);
            (folder.display().to_string(), words.join(" "))
        };
        let plain = ("", "write --recorder a file");
        assert_eq!(split(&["write", "--recorder", "a", "file"]), (plain.0.into(), plain.1.into()));
        let deep = split(&["write", "/mnt/disk/file"]);
        assert_eq!(deep, ("/mnt/disk".to_owned(), "write file".to_owned()));
    }
}
