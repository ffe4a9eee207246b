//! The witness of a database pair under its own name.

use crate::cli::HostOptions;
use crate::serve::{complain, log_to_stderr, outcome, place, print};
use storytime_pair::config::WITNESS_HELP;
use storytime_pair::{Witness, WitnessCommand};
use storytime_real::{Options, run};

/// Who decides which half serves. Its record is in `--dir`, below the data directory.
pub(crate) fn witness(host: &HostOptions, words: &[String]) -> u8 {
    let config = match WitnessCommand::from_words(words) {
        Ok(WitnessCommand::Serve(config)) => config,
        Ok(WitnessCommand::Help) => return print(WITNESS_HELP),
        Err(wrong) => return complain("witness", &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    let options = Options { metrics: host.metrics, ..Options::default() };
    outcome("witness", run(place(host), &options, |_| Witness::new(config.clone())))
}
