//! Runs a worker's command for each job: data on its standard input, the result on its standard
//! output; its standard error is ours.
//!
//! Input is written by a thread of its own, so that a command which answers before it has read
//! everything does not wait for us while we wait for it.

use super::streams::Ends;
use crate::daemon;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use storytime_gearman::tools::{Ended, Performer, Ran, Room, Run};
use storytime_machine::Bytes;
use storytime_real::Control;

/// Most of a command's output in one piece, bytes.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Runs commands, one at a time, until the machine has ended.
pub(super) fn run_all(control: &Control<Performer>, ends: &Ends) {
    while let Ok(run) = ends.runs.recv() {
        let ended = match start(&run) {
            Ok(child) => attend(control, ends, child, run.input),
            Err(why) => Ended::Failed(why.to_string()),
        };
        let ran = Ran { output: Bytes::new(), ended };
        if control.call(|performer, cx| performer.on_ran(cx, ran)).is_none() {
            return;
        }
    }
}

fn start(run: &Run) -> std::io::Result<Child> {
    let (program, arguments) = run.command.split_first().expect("a command has a word");
    let mut command = Command::new(program);
    command.args(arguments).env_remove(daemon::DETACHED);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// Gives a command its input, passes its output on, and waits for its end.
fn attend(control: &Control<Performer>, ends: &Ends, mut child: Child, input: Bytes) -> Ended {
    let mut to = child.stdin.take().expect("it was asked for");
    // A command need not read what it is given.
    let writes = std::thread::spawn(move || to.write_all(&input).is_ok());
    let mut from = child.stdout.take().expect("it was asked for");
    let mut buffer = vec![0; PIECE_BYTES_MAX];
    let read = loop {
        let piece = match from.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(n) => Bytes::copy_from_slice(&buffer[..n]),
            Err(why) => break Err(why),
        };
        match control.call(move |performer, cx| performer.on_output(cx, &piece)) {
            Some(Room::More) => {}
            // An error means that the machine has ended, which the next call finds out.
            Some(Room::Wait) => drop(ends.resumes.recv()),
            None => break Ok(()),
        }
    };
    // The command hears that nobody listens any more, and need not be waited for in vain.
    drop(from);
    let status = child.wait();
    let _all_written = writes.join();
    match (read, status) {
        (Err(why), _) | (_, Err(why)) => Ended::Failed(why.to_string()),
        (Ok(()), Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, signal) => Ended::Signalled(signal.unwrap_or_default()),
        },
    }
}
