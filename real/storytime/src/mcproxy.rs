//! The proxy under its own name.

use crate::WRONG;
use crate::cli::HostOptions;
use crate::serve::{complain, log_to_stderr, outcome, place, print};
use std::io::IsTerminal as _;
use std::path::Path;
use storytime_mcproxy::{Command, Config, FileCommand, HELP, Loader, Proxy};
use storytime_real::{Host, Options, run};
use storytime_scenarios::diagnostic::Checked;
use storytime_scenarios::proxy_file;
use tracing::{error, info};

/// memcached's proxy. SIGHUP reads its file again.
pub(crate) fn mcproxy(host: &HostOptions, words: &[String]) -> u8 {
    let (config, file) = match Command::from_words(words) {
        Ok(Command::Serve(config)) => (config, None),
        Ok(Command::File(file)) => match read(&file) {
            Ok(config) => (config, Some(file)),
            Err(wrong) => {
                eprintln!("{}", wrong.render(std::io::stderr().is_terminal()));
                return WRONG;
            }
        },
        Ok(Command::Help) => return print(HELP),
        Ok(Command::Version) => return print(storytime_mcproxy::VERSION),
        Err(wrong) => return complain("mcproxy", &wrong.to_string()),
    };
    log_to_stderr(&host.log);
    let options = Options { metrics: host.metrics, ..Options::default() };
    let place = Host { limits: config.limits(), ..place(host) };
    let make = |_| {
        let proxy = Proxy::new(config.clone()).expect("it was compiled when it was read");
        match &file {
            Some(file) => proxy.with_loader(loader(file.clone(), config.clone())),
            None => proxy,
        }
    };
    outcome("mcproxy", run(place, &options, make))
}

fn read(file: &FileCommand) -> Checked<Config> {
    proxy_file::open(Path::new(&file.file)).map(|config| file.over(config))
}

/// Reads the file again. A file with a mistake is told of and not used; a value limit above that of
/// the start waits for the next start, as the buffers were made for it.
fn loader(file: FileCommand, start: Config) -> Loader {
    Box::new(move || match read(&file) {
        Ok(config) if config.limits() != start.limits() => {
            error!("{}: `value` cannot change while it runs; the old config stays", file.file);
            None
        }
        Ok(config) => {
            info!("{}: read again", file.file);
            Some(config)
        }
        Err(wrong) => {
            error!("the old config stays in use:\n{}", wrong.render(false));
            None
        }
    })
}
