//! Threads with a runtime each: where processes live outside madsim.

use crate::process::prepare;
use crate::{Control, Ending, Host};
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use storytime_machine::{Duration, Machine};
use tokio::runtime::{Builder, Runtime};

/// Threads of one process for disk operations and name look-ups.
const BLOCKING_THREADS_MAX: usize = crate::disk::LANES_RUNNING_MAX + 8;

/// How long the end of a process waits for disk operations and look-ups that have begun, so that
/// none is carried out behind its successor's back.
const END_WAIT: Duration = Duration::from_secs(10);

/// A process on a thread of its own in this program; [`Control`] with a thread to wait for.
/// Dropping it kills the process and waits.
pub struct Handle<M: Machine> {
    control: Control<M>,
    thread: Thread,
}

/// Runs a machine on a thread of its own.
///
/// # Errors
/// If the operating system has no thread or descriptors for it.
pub fn spawn<M: Machine>(host: Host, machine: M) -> io::Result<Handle<M>> {
    let (control, future) = prepare(host, machine);
    let thread = Thread::start("storytime".into(), future)?;
    Ok(Handle { control, thread })
}

impl<M: Machine> Handle<M> {
    /// The part of it that may be cloned and sent elsewhere.
    pub fn control(&self) -> Control<M> {
        self.control.clone()
    }

    /// Waits for the end. A machine's panic goes on here.
    pub fn wait(&mut self) -> Ending {
        self.thread.wait()
    }

    /// Waits for the end at most so long; `None` if it still runs.
    pub fn wait_for(&mut self, limit: Duration) -> Option<Ending> {
        self.thread.wait_for(limit)
    }
}

impl<M: Machine> Deref for Handle<M> {
    type Target = Control<M>;
    fn deref(&self) -> &Control<M> {
        &self.control
    }
}

impl<M: Machine> Drop for Handle<M> {
    fn drop(&mut self) {
        self.control.kill();
        self.thread.abandon();
    }
}

impl<M: Machine> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("exit", &self.control.exit()).finish_non_exhaustive()
    }
}

/// A thread that runs one process to its end and drops the runtime, and all tasks with it.
pub(crate) struct Thread {
    join: Option<JoinHandle<Ending>>,
    ended: Receiver<()>,
    ending: Option<Ending>,
}

impl Thread {
    pub(crate) fn start(
        name: String,
        process: impl Future<Output = Ending> + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = runtime()?;
        let (alive, ended) = sync_channel::<()>(0);
        let body = move || {
            // Dropped at the end, whichever way the thread ends: that is the message.
            let _alive = alive;
            let ending = runtime.block_on(process);
            runtime.shutdown_timeout(END_WAIT);
            ending
        };
        let join = std::thread::Builder::new().name(name).spawn(body)?;
        Ok(Self { join: Some(join), ended, ending: None })
    }

    pub(crate) fn wait(&mut self) -> Ending {
        if let Some(join) = self.join.take() {
            self.ending = Some(join.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        self.ending.expect("set when the thread was joined")
    }

    pub(crate) fn wait_for(&mut self, limit: Duration) -> Option<Ending> {
        if self.join.is_some() && self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            return None;
        }
        Some(self.wait())
    }

    /// Waits without passing on a panic.
    pub(crate) fn abandon(&mut self) {
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}

/// A runtime for one thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()
}
