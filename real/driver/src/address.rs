//! Moving addresses: a command of the operator's takes them and gives them up.
//!
//! Adding an address and announcing it needs rights and knowledge of the network that no server
//! should have. So it is left to a program, as with the resource scripts of heartbeat: run as
//! `COMMAND take IP` and `COMMAND release IP`, it says by exit status 0 that it is done. Changes
//! are made one after the other, in the order in which the machine asked for them.

use crate::worker::Worker;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use storytime_machine::{AddressError, IpAddr};
use tracing::{info, warn};

/// How long the command may take. Then it is killed, and the change counts as refused.
#[cfg(not(madsim))]
const COMMAND_LIMIT: storytime_machine::Duration = storytime_machine::Duration::from_secs(30);
/// How often it is looked at meanwhile.
#[cfg(not(madsim))]
const COMMAND_LOOK: storytime_machine::Duration = storytime_machine::Duration::from_millis(5);

/// A change of this host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Take(IpAddr),
    Release(IpAddr),
}

/// Changes that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) waiting: VecDeque<Change>,
    /// A task is at work on them.
    pub(crate) running: bool,
}

impl Change {
    const fn verb(self) -> &'static str {
        match self {
            Self::Take(_) => "take",
            Self::Release(_) => "release",
        }
    }

    const fn ip(self) -> IpAddr {
        match self {
            Self::Take(ip) | Self::Release(ip) => ip,
        }
    }
}

/// Makes the changes that wait, one after the other, and tells the process of those it asked for.
pub(crate) async fn make(worker: Arc<Worker>) {
    while let Some(change) = next(&worker) {
        let result = match worker.host.address_command.clone() {
            Some(command) => attempt(&command, change).await,
            None => {
                let (verb, ip) = (change.verb(), change.ip());
                warn!(verb, %ip, "no command to move addresses with: see --address-command");
                Err(AddressError::Denied)
            }
        };
        if let Change::Take(ip) = change {
            let mut turn = worker.turn();
            let now = turn.now;
            turn.drive.addressed(now, ip, result);
            turn.settle(None);
        }
    }
}

fn next(worker: &Arc<Worker>) -> Option<Change> {
    let mut core = worker.look();
    let change = core.addresses.waiting.pop_front();
    core.addresses.running = change.is_some();
    change
}

async fn attempt(command: &Path, change: Change) -> Result<(), AddressError> {
    let (verb, ip) = (change.verb(), change.ip());
    match run(command, verb, ip).await {
        Ok(()) => {
            info!(verb, %ip, "address moved");
            Ok(())
        }
        Err(why) => {
            warn!(verb, %ip, command = %command.display(), why, "address not moved");
            Err(AddressError::Denied)
        }
    }
}

/// Runs the command to its end.
#[cfg(not(madsim))]
async fn run(command: &Path, verb: &str, ip: IpAddr) -> Result<(), String> {
    use std::process::{Command, Stdio};
    let spawned = Command::new(command).arg(verb).arg(ip.to_string()).stdin(Stdio::null()).spawn();
    let mut child = spawned.map_err(|failure| failure.to_string())?;
    let begun = tokio::time::Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Err(failure) => return Err(failure.to_string()),
            Ok(None) if begun.elapsed() > COMMAND_LIMIT => {
                // It fails only if the command has ended by now.
                let _ = child.kill();
                return Err(format!("it took more than {COMMAND_LIMIT:?}"));
            }
            Ok(None) => tokio::time::sleep(COMMAND_LOOK).await,
        }
    }
}

/// There are no commands in a simulated world.
#[cfg(madsim)]
async fn run(_: &Path, _: &str, _: IpAddr) -> Result<(), String> {
    Err("no commands can be run here".to_owned())
}
