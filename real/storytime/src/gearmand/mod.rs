//! gearmand as a program: what the original does around its server.

mod around;
mod log;
mod tls;

use crate::cli::HostOptions;
use crate::serve::{log_to, log_to_stderr, place, print};
use crate::{FAILED, OK, daemon, identity};
use around::{Around, read_tenants};
use log::LogFile;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use storytime_gearman::config::{CONFIG_FILE, HELP, Log, Verbosity, version_line};
use storytime_gearman::{Command, Config, Gearmand, PORT};
use storytime_machine::Exit;
use storytime_real::{Host, Options, TlsConfigs, run};
use tls::Certificates;

/// Names a port, if the command line does not.
const PORT_VARIABLE: &str = "GEARMAND_PORT";

/// A job server, with the original's flags and exit statuses.
pub(crate) fn gearmand(host: &HostOptions, words: &[String]) -> u8 {
    let ended = match command(host, words) {
        Ok(Command::Serve(config)) => serve(host, *config),
        Ok(Command::Checked) => return OK,
        Ok(Command::Help) => return print(HELP),
        Ok(Command::Version) => return print(&version_line()),
        Err(wrong) => Err(format!("{wrong}\nTry `gearmand --help`.")),
    };
    ended.unwrap_or_else(|why| {
        eprintln!("gearmand: {why}");
        FAILED
    })
}

/// The words, and the file of flags that they name, or that is there anyway.
fn command(host: &HostOptions, words: &[String]) -> Result<Command, String> {
    let named = Command::config_file(words).map_err(|wrong| wrong.to_string())?;
    let file = match &named {
        // One of a story's servers: its command line is all there is.
        None if host.host_ip.is_some() => String::new(),
        None => std::fs::read_to_string(CONFIG_FILE).unwrap_or_default(),
        Some(file) if file == CONFIG_FILE => std::fs::read_to_string(file).unwrap_or_default(),
        Some(file) => std::fs::read_to_string(file)
            .map_err(|why| format!("Could not open configuration file. ({file}: {why})"))?,
    };
    Command::from_words_and_file(words, &file).map_err(|wrong| wrong.to_string())
}

/// Prepares the process and runs the server in it to its end.
fn serve(host: &HostOptions, mut config: Config) -> Result<u8, String> {
    if host.host_ip.is_some() {
        // It belongs to whoever runs the story, and ends with it.
        config.program.daemon = false;
        config.program.user = None;
    } else {
        environment(&mut config)?;
    }
    if config.program.daemon && !daemon::is_detached() {
        return Ok(daemon::detach("gearmand"));
    }
    allow_files(&config)?;
    core_dumps(&config)?;
    // Read as whoever starts it: others need not be able to read the key.
    let certificates = config.tls.as_ref().map(Certificates::open).transpose()?.map(Arc::new);
    if let Some(file) = &config.tenants_file {
        config.tenants = Some(Arc::new(read_tenants(file)?));
    }
    let identity = match config.program.user.as_deref() {
        Some(user) => {
            identity::of(user).map_err(|why| format!("Could not find user : {user} ({why})"))?
        }
        None => identity::Identity::Unchanged,
    };
    identity.assume()?;
    let log = open_log(host, &config);
    let tls = certificates.clone().map(|server| TlsConfigs { server: Some(server), client: None });
    let around = Arc::new(Around::new(log, certificates));
    if let Some(file) = &config.program.pid_file {
        around.write_pid_file(file)?;
    }
    let options = Options { metrics: host.metrics, ..Options::default() };
    let mut place = Host { limits: config.limits(), tls, ..place(host) };
    if config.queue_dir.as_deref().is_some_and(|dir| dir.starts_with('/')) {
        place.data_dir = "/".into();
    }
    let ended =
        run(place, &options, |_| Gearmand::within(config.clone(), Arc::clone(&around) as _));
    around.clean_up();
    match ended {
        Ok(Exit::Stopped) => Ok(OK),
        Ok(Exit::Failed(why)) => Err(why.to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

/// What the original takes from its surroundings.
fn environment(config: &mut Config) -> Result<(), String> {
    if config.port() == PORT
        && let Ok(port) = std::env::var(PORT_VARIABLE)
        && !port.is_empty()
    {
        let number = port.parse().map_err(|_| format!("{PORT_VARIABLE}={port}: not a port"))?;
        config.port = Some(number);
    }
    if let Some(files) = &mut config.tls {
        tls::environment(files);
    }
    if config.handle_prefix.is_none() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("localhost");
        config.handle_prefix = Some(format!("H:{name}"));
    }
    Ok(())
}

/// Sends the log where it belongs. A file that cannot be opened is no reason not to serve.
fn open_log(host: &HostOptions, config: &Config) -> Option<LogFile> {
    let filter = match config.verbosity {
        Verbosity::Fatal | Verbosity::Alert | Verbosity::Critical => "error",
        Verbosity::Error => &host.log,
        Verbosity::Warning => "warn",
        Verbosity::Notice | Verbosity::Info => "info",
        Verbosity::Debug => "debug",
    };
    match &config.program.log {
        Log::Nowhere => None,
        Log::Stderr => {
            log_to_stderr(filter);
            None
        }
        Log::File(file) => match LogFile::open(file) {
            Ok(log) => {
                let writer = log.clone();
                log_to(filter, move || writer.clone(), false);
                Some(log)
            }
            Err(why) => {
                eprintln!("gearmand: Could not open log file {file}, switching to stderr. ({why})");
                log_to_stderr(filter);
                None
            }
        },
    }
}

/// Each connection is an open file: as many as the user may have, or as `-f` says.
fn allow_files(config: &Config) -> Result<(), String> {
    let files = getrlimit(Resource::Nofile);
    let wanted = match config.program.files_max {
        None => Rlimit { current: files.maximum, maximum: files.maximum },
        Some(most) => {
            Rlimit { current: Some(most), maximum: files.maximum.map(|maximum| maximum.max(most)) }
        }
    };
    match (setrlimit(Resource::Nofile, wanted), config.program.files_max) {
        (Err(why), Some(most)) => Err(format!("-f {most}: {why}; raise ulimit -n, or lower -f")),
        _ => Ok(()),
    }
}

fn core_dumps(config: &Config) -> Result<(), String> {
    if !config.program.core_dumps {
        return Ok(());
    }
    let most = getrlimit(Resource::Core).maximum;
    let all = Rlimit { current: most, maximum: most };
    setrlimit(Resource::Core, all).map_err(|why| format!("--coredump: {why}"))
}
