//! The proxy under its own name.

use crate::WRONG;
use crate::cli::HostOptions;
use crate::serve::{complain, log_to_stderr, outcome, place, print};
use storytime_mcproxy::{Command, HELP, Proxy};
use storytime_real::{Host, Options, run};

/// memcached's proxy.
pub(crate) fn mcproxy(host: &HostOptions, words: &[String]) -> u8 {
    let config = match Command::from_words(words) {
        Ok(Command::Serve(config)) => config,
        Ok(Command::File(_)) => return WRONG,
        Ok(Command::Help) => return print(HELP),
        Ok(Command::Version) => return print(storytime_mcproxy::VERSION),
        Err(wrong) => return complain("mcproxy", &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    let options = Options { metrics: host.metrics, ..Options::default() };
    let place = Host { limits: config.limits(), ..place(host) };
    let make = |_| Proxy::new(config.clone()).expect("it was compiled before");
    outcome("mcproxy", run(place, &options, make))
}
