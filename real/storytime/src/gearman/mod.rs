//! `gearman` and `gearadmin`: the command line tools of a job server.

mod command;
mod streams;
pub(crate) mod tls;

use crate::cli::HostOptions;
use crate::serve::{log_to_stderr, place, print};
use crate::{FAILED, OK, daemon};
use std::path::PathBuf;
use storytime_gearman::config::TlsFiles;
use storytime_gearman::tenants::Credential;
use storytime_gearman::tools::{
    ADMIN_HELP, Admin, AdminCommand, AdminConfig, AdminUsage, Around, ClientConfig, Command,
    Common, HELP, Performer, Submitter, UsageError, WorkerConfig, limits,
};
use storytime_machine::{Exit, Machine};
use storytime_real::{Control, Ending, Host, TlsConfigs, spawn};
use streams::Streams;

/// Names several job servers.
const SERVERS: &str = "GEARMAN_SERVER";
/// Says as whose jobs are submitted and done.
const TENANT: &str = "GEARMAN_TENANT";

/// Submits jobs or does them. The exit status is the original's, 1 also for a wrong command line.
pub(crate) fn gearman(host: &HostOptions, words: &[String]) -> u8 {
    let servers = std::env::var(SERVERS).ok();
    let (command, around) = match Command::from_words(words, servers.as_deref()) {
        Ok((Command::Help, _)) => return print(HELP),
        Ok(read) => read,
        Err(wrong) => return complain(&wrong),
    };
    let command = match tenant() {
        Ok(tenant) => as_tenant(command, tenant),
        Err(why) => return fail("gearman", &why),
    };
    if around.daemon && !daemon::is_detached() {
        return daemon::detach("gearman");
    }
    log_to_stderr(&host.log);
    let _pid_file = match PidFile::write(&around) {
        Ok(file) => file,
        Err(why) => return fail("gearman", &why),
    };
    daemon::ready();
    match command {
        Command::Help => unreachable!("printed above"),
        Command::Client(config) => submit(host, config),
        Command::Worker(config) => perform(host, config),
    }
}

/// Asks a job server.
pub(crate) fn gearadmin(host: &HostOptions, words: &[String]) -> u8 {
    let config = match AdminCommand::from_words(words) {
        Ok(AdminCommand::Ask(config)) => match tenant() {
            Ok(tenant) => AdminConfig { tenant, ..config },
            Err(why) => return fail("gearadmin", &why),
        },
        Ok(AdminCommand::Help) => return print(ADMIN_HELP),
        Err(wrong @ AdminUsage::Port(..)) => {
            eprintln!("Error: {wrong}");
            return FAILED;
        }
        Err(wrong) => {
            let program = if wrong == AdminUsage::NoOperation { "" } else { "gearadmin : " };
            print(&format!("{program}{wrong}\n\n{ADMIN_HELP}"));
            return FAILED;
        }
    };
    log_to_stderr(&host.log);
    let tls = config.tls;
    let (streams, _) = Streams::new();
    let admin = Admin::new(config, Box::new(streams));
    run(host, tls, admin, |_| {})
}

/// As whose all is asked and done.
pub(crate) fn tenant() -> Result<Option<Credential>, String> {
    let said = std::env::var(TENANT).ok().filter(|said| !said.is_empty());
    let wrong = || format!("{TENANT} is not NAME:SECRET, as in the server's file of tenants");
    said.map(|said| Credential::parse(&said).ok_or_else(wrong)).transpose()
}

fn as_tenant(command: Command, tenant: Option<Credential>) -> Command {
    match command {
        Command::Help => Command::Help,
        Command::Client(config) => {
            let common = Common { tenant, ..config.common };
            Command::Client(ClientConfig { common, ..config })
        }
        Command::Worker(config) => {
            let common = Common { tenant, ..config.common };
            Command::Worker(WorkerConfig { common, ..config })
        }
    }
}

fn complain(wrong: &UsageError) -> u8 {
    eprintln!("\ngearman\tError in usage({wrong}).\n\n{HELP}");
    FAILED
}

fn fail(program: &str, why: &str) -> u8 {
    eprintln!("{program}: {why}");
    FAILED
}

fn submit(host: &HostOptions, config: ClientConfig) -> u8 {
    let tls = config.common.tls;
    let (streams, ends) = Streams::new();
    let submitter = Submitter::new(config, Box::new(streams));
    let read = |control| {
        let _reads = std::thread::spawn(move || streams::read(&control, &ends.reads));
    };
    run(host, tls, submitter, read)
}

fn perform(host: &HostOptions, config: WorkerConfig) -> u8 {
    let tls = config.common.tls;
    let (streams, ends) = Streams::new();
    let performer = Performer::new(config, Box::new(streams));
    let commands = |control| {
        let _runs = std::thread::spawn(move || command::run_all(&control, &ends));
    };
    run(host, tls, performer, commands)
}

/// Runs a tool to its end, with threads that `attend` to it.
fn run<M: Machine>(
    host: &HostOptions,
    tls: bool,
    machine: M,
    attend: impl FnOnce(Control<M>),
) -> u8 {
    let files = tls.then(|| tls::files(TlsFiles::default()));
    let tls = match files.map(|files| tls::client(&files)).transpose() {
        Ok(client) => client.map(|client| TlsConfigs { server: None, client: Some(client) }),
        Err(why) => return fail("gearman", &why),
    };
    let place = Host { limits: limits(), tls, ..place(host) };
    let mut handle = match spawn(place, machine) {
        Ok(handle) => handle,
        Err(why) => return fail("gearman", &why.to_string()),
    };
    attend(handle.control());
    // What is wrong was told by the machine.
    if handle.wait() == Ending::Exited(Exit::Stopped) { OK } else { FAILED }
}

/// `-i`: removed at the end.
struct PidFile(PathBuf);

impl PidFile {
    fn write(around: &Around) -> Result<Option<Self>, String> {
        let Some(file) = &around.pid_file else { return Ok(None) };
        let written = std::fs::write(file, format!("{}\n", std::process::id()));
        written.map_err(|why| format!("-i {file}: {why}"))?;
        Ok(Some(Self(file.into())))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _gone = std::fs::remove_file(&self.0);
    }
}
