//! A server: several processes on one port, signals, metrics.

use crate::metrics;
use crate::net::Doors;
use crate::process::assemble;
use crate::thread::{Thread, runtime};
use crate::worker::Worker;
use crate::{Ending, Host};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use storytime_machine::{Boot, Exit, Machine, Signal};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, warn};

/// How a server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Processes, each on a thread of its own; they share every port that they listen on.
    pub workers: u32,
    /// Whether SIGTERM and SIGINT stop the server: the first asks the machines to end, a second one
    /// ends it at once. SIGHUP and SIGUSR1 then go to the machines.
    pub signals: bool,
    /// Where counters can be read as Prometheus text over HTTP. Whoever reaches the address can
    /// read them, so keep it on the loopback.
    pub metrics: Option<SocketAddr>,
}

impl Default for Options {
    /// One worker, signals on, metrics off.
    fn default() -> Self {
        Self { workers: 1, signals: true, metrics: None }
    }
}

/// Runs a server to its end on this thread and one more per worker. `make` is called once for each
/// worker, from 0.
///
/// When one worker ends, the others are asked to stop. The outcome is the first failure, or
/// [`Exit::Stopped`]; a second signal counts as a failure.
///
/// # Errors
/// If threads, signal handlers or the metrics address cannot be had: nothing has run then.
///
/// # Panics
/// If no worker is asked for, or if a machine panicked.
pub fn run<M: Machine>(
    host: Host,
    options: &Options,
    mut make: impl FnMut(u32) -> M,
) -> io::Result<Exit> {
    assert!(options.workers > 0, "a server has at least one worker");
    let own = runtime()?;
    let _context = own.enter();
    let signals = Signals::open(options.signals)?;
    let endpoint = options.metrics.map(metrics::bind).transpose()?;
    let (host, doors) = (Arc::new(host), Arc::<Doors>::default());
    let (ended, ends) = mpsc::unbounded_channel();
    let mut server = Server { workers: Vec::new(), threads: Vec::new() };
    for index in 0..options.workers {
        let boot = Boot { host: 0, worker: index, incarnation: 0 };
        let (host, doors) = (Arc::clone(&host), Arc::clone(&doors));
        let (control, process) = assemble(host, doors, boot, options.workers, make(index));
        let report = Report { index, ended: ended.clone() };
        let body = async move {
            let _report = report;
            process.await
        };
        server.workers.push(control.worker);
        server.threads.push(Thread::start(format!("worker-{index}"), body)?);
    }
    info!(workers = options.workers, metrics = ?options.metrics, "started");
    if let Some(endpoint) = endpoint {
        own.spawn(metrics::serve(endpoint, server.workers.clone()));
    }
    let exit = own.block_on(server.attend(signals, ends));
    info!(?exit, "ended");
    Ok(exit)
}

/// Tells that a worker's process ended, also when it panics.
struct Report {
    index: u32,
    ended: mpsc::UnboundedSender<u32>,
}

impl Drop for Report {
    fn drop(&mut self) {
        // Nobody listens any more if the server was ended by a second signal.
        let _ = self.ended.send(self.index);
    }
}

/// The workers of a server. Dropping it ends them.
struct Server {
    workers: Vec<Arc<Worker>>,
    threads: Vec<Thread>,
}

impl Server {
    /// Waits for all workers, and passes on signals.
    async fn attend(
        &mut self,
        mut signals: Option<Signals>,
        mut ends: mpsc::UnboundedReceiver<u32>,
    ) -> Exit {
        let mut outcome = Exit::Stopped;
        let (mut running, mut signalled) = (self.workers.len(), false);
        while running > 0 {
            let event = tokio::select! {
                index = ends.recv() => Event::Ended(index.expect("one message for each worker")),
                caught = Signals::next(&mut signals) => caught,
            };
            match event {
                Event::Ended(index) => {
                    running -= 1;
                    let ending = self.threads[index as usize].wait();
                    if let (Exit::Stopped, Ending::Exited(exit)) = (outcome, ending) {
                        outcome = exit;
                    }
                    self.stop();
                }
                Event::Pass(signal) => {
                    info!(name = signal.as_str(), "passed on");
                    for worker in &self.workers {
                        worker.tell(|life| life.pass(signal));
                    }
                }
                Event::Stop(name) if signalled => {
                    warn!(name, "second signal: ending at once");
                    return Exit::Failed("ended by a second signal");
                }
                Event::Stop(name) => {
                    info!(name, "stopping");
                    signalled = true;
                    self.stop();
                }
            }
        }
        outcome
    }

    fn stop(&self) {
        for worker in &self.workers {
            worker.tell(|life| life.stop = true);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.tell(|life| life.killed = true);
        }
        for thread in &mut self.threads {
            thread.abandon();
        }
    }
}

enum Event {
    Ended(u32),
    Pass(Signal),
    Stop(&'static str),
}

/// The signals that a server minds.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    reload: unix::Signal,
    user1: unix::Signal,
}

impl Signals {
    fn open(wanted: bool) -> io::Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        Ok(Some(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        }))
    }

    /// The next one; never, if signals are left alone.
    async fn next(this: &mut Option<Self>) -> Event {
        let Some(signals) = this else { return std::future::pending().await };
        tokio::select! {
            _ = signals.terminate.recv() => Event::Stop("SIGTERM"),
            _ = signals.interrupt.recv() => Event::Stop("SIGINT"),
            _ = signals.reload.recv() => Event::Pass(Signal::Reload),
            _ = signals.user1.recv() => Event::Pass(Signal::User1),
        }
    }
}
