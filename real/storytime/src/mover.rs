//! Movers and their coordinator under their own names.

use crate::cli::HostOptions;
use crate::serve::{complain, log_to_stderr, outcome, place, print};
use storytime_machine::UsageError;
use storytime_real::{Options, run};
use storytime_sharding::mover::config::{COORDINATOR_HELP, MOVER_HELP};
use storytime_sharding::mover::named::Described;
use storytime_sharding::mover::{CoordinatorConfig, MoverConfig, Named};

/// A mover of users between shards.
pub(crate) fn mover(host: &HostOptions, words: &[String]) -> u8 {
    serve(host, "mover", MOVER_HELP, MoverConfig::from_words(words))
}

/// What hands out moves.
pub(crate) fn coordinator(host: &HostOptions, words: &[String]) -> u8 {
    serve(host, "move-coordinator", COORDINATOR_HELP, CoordinatorConfig::from_words(words))
}

fn serve<D: Described>(
    host: &HostOptions,
    name: &str,
    help: &str,
    read: Result<Option<D>, UsageError>,
) -> u8 {
    let config = match read {
        Ok(Some(config)) => config,
        Ok(None) => return print(help),
        Err(wrong) => return complain(name, &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    let options = Options { metrics: host.metrics, ..Options::default() };
    outcome(name, run(place(host), &options, |_| Named::new(config.clone())))
}
