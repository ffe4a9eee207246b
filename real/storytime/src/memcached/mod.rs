//! memcached as a program: what the original does around its server.

mod around;
mod encryption;
mod users;

use crate::cli::HostOptions;
use crate::serve::{complain, log_to_stderr, outcome, place, print};
use crate::{FAILED, OK, daemon, identity};
use around::Around;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storytime_memcached::config::{Command, Config, Program};
use storytime_memcached::{Server, Shared};
use storytime_real::{Host, Options, TlsConfigs, run};

/// Files that a server has open beside its connections: its own, and one listener per worker.
const FILES_BESIDE: u64 = 256;

/// memcached, with the original's flags.
pub(crate) fn memcached(host: &HostOptions, words: &[String]) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut config = match Command::from_words(&words) {
        Ok(Command::Serve(config)) => *config,
        Ok(Command::Help) => return print(&storytime_memcached::config::help()),
        Ok(Command::License) => return print(&storytime_memcached::config::license()),
        Ok(Command::Version) => return print(&storytime_memcached::config::version_line()),
        Err(wrong) => return complain("memcached", &wrong.to_string()),
    };
    let level = match config.verbosity {
        0 => &host.log,
        1 => "info",
        _ => "debug",
    };
    if host.host_ip.is_some() {
        // One of a story's servers: it belongs to whoever runs the story, and ends with it.
        config.program.daemon = false;
        config.program.user = Some(identity::UNCHANGED.to_owned());
    }
    if config.program.daemon && !daemon::is_detached() {
        return daemon::detach("memcached");
    }
    log_to_stderr(level);
    match serve(host, config) {
        Ok(code) => code,
        Err(why) => complain("memcached", &why),
    }
}

/// Prepares the process and runs the server in it to its end.
fn serve(host: &HostOptions, mut config: Config) -> Result<u8, String> {
    let data_dir = data_dir(host, &mut config)?;
    limits(&config)?;
    let user = config.program.user.as_deref().filter(|name| !name.is_empty());
    let identity = match user {
        None if identity::is_root() => {
            return Err("as root it must be told whom to be: -u nobody, or -u root".to_owned());
        }
        user => identity::of(user.unwrap_or_default())?,
    };
    let users = users::read(&config)?;
    let certificates = encryption::open(&config)?;
    identity.assume()?;
    memory(&config.program)?;
    if config.unix_socket.is_some() {
        // The socket's file gets what the mask leaves of all permissions.
        let kept = rustix::fs::Mode::from_raw_mode(config.program.unix_mask & 0o777);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o777) - kept);
    }
    let tls = certificates.clone().map(|server| TlsConfigs { server: Some(server), client: None });
    let around = Arc::new(Around::new(&config, certificates));
    let shared = Arc::new(Shared::within(&config, Arc::clone(&around) as _));
    if let Some(users) = users {
        shared.set_users(users);
    }
    let options = Options { workers: config.threads, metrics: host.metrics, ..Options::default() };
    let place = Host { limits: config.limits(), tls, data_dir, ..place(host) };
    let ended = run(place, &options, |_| Server::new(config.clone(), Arc::clone(&shared)));
    around.clean_up();
    Ok(match outcome("memcached", ended) {
        OK => OK,
        _ => FAILED,
    })
}

/// Where the server's files are: the folder of the memory file, if there is one. Relative names of
/// other files keep their meaning.
fn data_dir(host: &HostOptions, config: &mut Config) -> Result<PathBuf, String> {
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|why| format!("{}: {why}", path.display()));
    let dir = absolute(&host.data_dir)?;
    let Some(file) = &config.memory_file else { return Ok(dir) };
    let folder = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
    if let Some(socket) = config.unix_socket.as_mut().filter(|socket| !socket.starts_with('/')) {
        *socket = dir.join(&*socket).to_string_lossy().into_owned();
    }
    Ok(dir.join(folder))
}

/// As many files as there may be connections, and core files if they are wanted.
fn limits(config: &Config) -> Result<(), String> {
    if config.program.core_dumps {
        let most = getrlimit(Resource::Core).maximum;
        let all = Rlimit { current: None, maximum: None };
        if setrlimit(Resource::Core, all).is_err()
            && setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).is_err()
            || getrlimit(Resource::Core).current == Some(0)
        {
            return Err("-r: this system allows no core files".to_owned());
        }
    }
    let files = getrlimit(Resource::Nofile);
    let wanted = u64::from(config.connections_max) + FILES_BESIDE;
    if files.current.is_none_or(|now| now >= wanted) {
        return Ok(());
    }
    let most = files.maximum.map(|most| most.max(wanted));
    let raised = Rlimit { current: Some(wanted), maximum: most };
    let as_far_as_allowed = Rlimit { current: files.maximum, maximum: files.maximum };
    if setrlimit(Resource::Nofile, raised).is_err()
        && setrlimit(Resource::Nofile, as_far_as_allowed).is_err()
    {
        return Err(format!(
            "-c {}: this process may not open so many files; raise ulimit -n, or lower -c",
            config.connections_max
        ));
    }
    Ok(())
}

/// `-k` and `-L`.
fn memory(asked: &Program) -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    if asked.lock_memory
        && let Err(why) = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
    {
        tracing::warn!("-k: memory stays unlocked: {why}");
    }
    if asked.large_pages {
        const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
        let setting = std::fs::read_to_string(SETTING).unwrap_or_default();
        if !setting.contains("[always]") {
            return Err(format!("-L: this system gives no large pages; {SETTING} must say always"));
        }
    }
    Ok(())
}
