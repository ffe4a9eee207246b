//! Standard input and output of a tool, and its requests to threads.
//!
//! Output is written in the machine's own thread: a reader that is slow stops the machine, which
//! then reads no results, and the job server's window closes. Input and commands have threads,
//! which call into the machine.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use storytime_gearman::tools::{Answer, Input, Ran, Run, Shell, Stream, Submitter};
use storytime_machine::Bytes;
use storytime_real::Control;

/// Most of standard input in one piece, bytes.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// Requests that are not taken yet: a tool asks for one thing at a time.
const REQUESTS_MAX: usize = 1;

/// The machine's side.
pub(super) struct Streams {
    reads: SyncSender<()>,
    runs: SyncSender<Run>,
    resumes: SyncSender<()>,
}

/// The threads' side.
pub(super) struct Ends {
    /// A piece of standard input is wanted.
    pub(super) reads: Receiver<()>,
    /// A command to run.
    pub(super) runs: Receiver<Run>,
    /// More of its output is taken again.
    pub(super) resumes: Receiver<()>,
}

impl Streams {
    pub(super) fn new() -> (Self, Ends) {
        let (reads, wanted) = sync_channel(REQUESTS_MAX);
        let (runs, to_run) = sync_channel(REQUESTS_MAX);
        let (resumes, resumed) = sync_channel(REQUESTS_MAX);
        let ends = Ends { reads: wanted, runs: to_run, resumes: resumed };
        (Self { reads, runs, resumes }, ends)
    }
}

impl Shell for Streams {
    fn read(&mut self) -> Answer<Input> {
        self.reads.send(()).expect("the thread reads as long as the machine lives");
        Answer::Later
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        let written = match stream {
            Stream::Out => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Err => std::io::stderr().lock().write_all(bytes),
        };
        written.is_ok()
    }

    fn run(&mut self, run: Run) -> Answer<Ran> {
        self.runs.send(run).expect("the thread runs commands as long as the machine lives");
        Answer::Later
    }

    fn resume(&mut self) {
        self.resumes.send(()).expect("the thread waits for this");
    }
}

/// Reads standard input, a piece whenever one is wanted, until the machine has ended.
pub(super) fn read(control: &Control<Submitter>, reads: &Receiver<()>) {
    let mut buffer = vec![0; PIECE_BYTES_MAX];
    while let Ok(()) = reads.recv() {
        let input = match std::io::stdin().lock().read(&mut buffer) {
            Ok(0) => Input::End,
            Ok(n) => Input::Piece(Bytes::copy_from_slice(&buffer[..n])),
            Err(why) => Input::Failed(why.to_string()),
        };
        if control.call(|submitter, cx| submitter.on_input(cx, input)).is_none() {
            return;
        }
    }
}
