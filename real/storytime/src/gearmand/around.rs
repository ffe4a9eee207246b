//! What the server is told of its process, and has done by it.

use super::log::LogFile;
use super::tls::Certificates;
use crate::daemon;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use storytime_gearman::config::Verbosity;
use storytime_gearman::server::Surroundings;
use storytime_gearman::tenants::Tenants;
use storytime_machine::Endpoint;

/// The process of a job server.
#[derive(Debug)]
pub(super) struct Around {
    log: Option<LogFile>,
    certificates: Option<Arc<Certificates>>,
    /// Removed at the end.
    pid_file: Mutex<Option<PathBuf>>,
}

impl Around {
    pub(super) fn new(log: Option<LogFile>, certificates: Option<Arc<Certificates>>) -> Self {
        Self { log, certificates, pid_file: Mutex::default() }
    }

    /// Writes the process's number into a file, before anything else: others wait for it.
    pub(super) fn write_pid_file(&self, file: &str) -> Result<(), String> {
        let write = |path: &Path| std::fs::write(path, format!("{}\n", std::process::id()));
        let path = std::path::absolute(file);
        let path = path.and_then(|path| write(&path).map(|()| path));
        let path =
            path.map_err(|why| format!("Could not open pid file for writing: {file} ({why})"))?;
        *self.pid_file.lock().unwrap_or_else(PoisonError::into_inner) = Some(path);
        Ok(())
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
}

/// Who is in a file of tenants.
pub(super) fn read_tenants(file: &str) -> Result<Tenants, String> {
    let text = std::fs::read_to_string(file).map_err(|why| format!("--tenants {file}: {why}"))?;
    Tenants::parse(&text).map_err(|why| format!("--tenants {file}:{why}"))
}

impl Surroundings for Around {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn listening(&self, _at: &[Endpoint]) {
        daemon::ready();
    }

    fn say(&self, level: Verbosity, what: fmt::Arguments<'_>) {
        match level {
            Verbosity::Fatal | Verbosity::Alert | Verbosity::Critical | Verbosity::Error => {
                tracing::error!("{what}");
            }
            Verbosity::Warning => tracing::warn!("{what}"),
            Verbosity::Notice | Verbosity::Info => tracing::info!("{what}"),
            Verbosity::Debug => tracing::debug!("{what}"),
        }
    }

    fn reopen_log(&self) {
        if let Some(log) = &self.log {
            log.reopen();
        }
    }

    fn read_certificates(&self) -> Result<(), String> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.refresh())
    }

    fn read_tenants(&self, file: &str) -> Result<Tenants, String> {
        read_tenants(file)
    }
}
