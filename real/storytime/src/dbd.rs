//! The database server under its own name.

use crate::cli::HostOptions;
use crate::serve::{allow_files, complain, log_to_stderr, outcome, place, print};
use storytime_database::{Command, Database, HELP, VERSION};
use storytime_real::{Host, Options, run};

/// Files that a server has open beside its connections.
const FILES_BESIDE: u64 = 256;

/// A database server. Its files are in `--dir`, below the data directory.
pub(crate) fn dbd(host: &HostOptions, words: &[String]) -> u8 {
    let config = match Command::from_words(words) {
        Ok(Command::Serve(config)) => *config,
        Ok(Command::Help) => return print(HELP),
        Ok(Command::Version) => return print(VERSION),
        Err(wrong) => return complain("dbd", &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    allow_files(u64::from(config.clients_max) + FILES_BESIDE);
    let options = Options { metrics: host.metrics, ..Options::default() };
    let place = Host { limits: config.limits(), ..place(host) };
    outcome("dbd", run(place, &options, |_| Database::new(config.clone())))
}
