//! What the server is told of its process, and has done by it.

use super::encryption::Certificates;
use super::users;
use crate::daemon;
use rustix::process::{Signal, getpid, kill_process};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use storytime_machine::Endpoint;
use storytime_memcached::auth::Users;
use storytime_memcached::{Bound, Config, CpuTime, Surroundings};

/// Where the ports that were really bound are written, for test suites.
const PORT_FILE: &str = "MEMCACHED_PORT_FILENAME";

/// The process of a memcached server.
#[derive(Debug)]
pub(super) struct Around {
    config: Config,
    certificates: Option<Arc<Certificates>>,
    /// Removed at the end.
    pid_file: Mutex<Option<PathBuf>>,
}

impl Around {
    pub(super) fn new(config: &Config, certificates: Option<Arc<Certificates>>) -> Self {
        Self { config: config.clone(), certificates, pid_file: Mutex::default() }
    }

    /// The server has ended.
    pub(super) fn clean_up(&self) {
        let file = self.pid_file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(file) = file
            && let Err(why) = std::fs::remove_file(&file)
        {
            tracing::warn!("-P {}: {why}", file.display());
        }
    }

    fn write_pid_file(&self, file: &str) {
        let file = match std::path::absolute(file) {
            Ok(file) => file,
            Err(why) => return tracing::warn!("-P {file}: {why}"),
        };
        let written = std::fs::write(&file, format!("{}\n", std::process::id()));
        match written {
            Ok(()) => {
                *self.pid_file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
            }
            Err(why) => tracing::warn!("-P {}: {why}", file.display()),
        }
    }
}

impl Surroundings for Around {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    /// As the kernel counts it in `/proc`; zero where it cannot be read.
    fn cpu_time(&self) -> CpuTime {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The second field, a name in brackets, may hold spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        let time = |field: usize| {
            let ticks = fields.split_whitespace().nth(field).and_then(|t| t.parse::<u64>().ok());
            Duration::from_millis(ticks.unwrap_or(0) * 1000 / per_second)
        };
        CpuTime { user: time(11), system: time(12) }
    }

    fn driver(&self) -> &'static str {
        "tokio"
    }

    fn refresh_certificates(&self) -> Result<(), String> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.refresh())
    }

    fn read_users(&self) -> Result<Option<Users>, String> {
        users::read(&self.config)
    }

    fn tls_sessions(&self) -> u64 {
        self.certificates.as_ref().map_or(0, |certificates| certificates.sessions())
    }

    fn listening(&self, sockets: &[Bound]) {
        if let Some(file) = std::env::var_os(PORT_FILE)
            && self.config.unix_socket.is_none()
            && let Err(why) = write_ports(Path::new(&file), sockets)
        {
            tracing::warn!("{PORT_FILE}: {why}");
        }
        if let Some(file) = &self.config.program.pid_file {
            self.write_pid_file(file);
        }
        daemon::ready();
    }

    fn end_gracefully(&self) -> bool {
        kill_process(getpid(), Signal::USR1).is_ok()
    }

    fn say(&self, what: &str) {
        tracing::warn!("{what}");
    }
}

/// Written beside and renamed, so that a reader finds all ports or none.
fn write_ports(file: &Path, sockets: &[Bound]) -> std::io::Result<()> {
    let mut lines = String::new();
    for Bound { udp, at } in sockets {
        let Endpoint::Tcp(addr) = at else { continue };
        let transport = if *udp { "UDP" } else { "TCP" };
        let family = if addr.is_ipv6() { "INET6" } else { "INET" };
        writeln!(lines, "{transport} {family}: {}", addr.port()).expect("strings grow as needed");
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".lck");
    std::fs::write(&unfinished, lines)?;
    std::fs::rename(unfinished, file)
}
