//! `-d`: a program in the background.
//!
//! The program starts itself once more, in a session of its own, and waits until that process
//! listens: so whoever started it sees why it could not, and finds the sockets there when it can.
//! Rejected: fork, which is unsafe once there may be threads.

use crate::{FAILED, OK};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Says that this process is the one in the background.
pub(crate) const DETACHED: &str = "STORYTIME_DETACHED";
/// What it says on its standard output when it serves.
const READY: &[u8] = b"listening\n";

/// Whether this process is the one in the background.
pub(crate) fn is_detached() -> bool {
    std::env::var_os(DETACHED).is_some()
}

/// Starts the process of this program in the background. Returns this one's exit status.
pub(crate) fn detach(program: &str) -> u8 {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| OsString::from("storytime"));
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).args(words).env(DETACHED, "1");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(why) => {
            eprintln!("{program}: -d: cannot start in the background: {why}");
            return FAILED;
        }
    };
    let mut said = Vec::new();
    if let Some(mut out) = child.stdout.take() {
        // Ends when the other says that it is ready, or ends itself.
        let _ = out.read_to_end(&mut said);
    }
    if said.ends_with(READY) {
        return OK;
    }
    let status = child.wait().ok().and_then(|status| status.code());
    status.and_then(|code| u8::try_from(code).ok()).filter(|&code| code != OK).unwrap_or(FAILED)
}

/// It is where it wants to be: lets go of the terminal, and of whoever waits.
pub(crate) fn ready() {
    if !is_detached() {
        return;
    }
    // Fails only for a leader of a session: then there is nothing to leave.
    let _ = rustix::process::setsid();
    let _gone = std::io::stdout().write_all(READY).and_then(|()| std::io::stdout().flush());
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else { return };
    // They stay as they are if there are no descriptors left.
    let _ = rustix::stdio::dup2_stdin(&null);
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}
