//! One process on a thread of its own, and the handle to it.

use crate::Host;
use crate::net::Doors;
use crate::worker::{Worker, live};
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use storytime_machine::{Boot, Cx, Drive, Exit, Machine, Process};

/// A running process, seen from outside.
///
/// What is asked of it takes effect in its own thread, between two steps of the machine.
pub struct Control<M> {
    pub(crate) worker: Arc<Worker>,
    machine: PhantomData<fn() -> M>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Of its own will.
    Exited(Exit),
    /// By [`Control::kill`].
    Killed,
}

impl<M> Clone for Control<M> {
    fn clone(&self) -> Self {
        Self { worker: Arc::clone(&self.worker), machine: PhantomData }
    }
}

impl<M: Machine> Control<M> {
    /// Asks the machine to end, as SIGTERM does.
    pub fn stop(&self) {
        self.worker.tell(|life| life.stop = true);
    }

    /// Ends the process between two steps, as SIGKILL does: the machine hears nothing, pending
    /// output is lost, the operating system closes the sockets. Disk operations that have begun run
    /// to their end, those in the queue are lost.
    pub fn kill(&self) {
        self.worker.tell(|life| life.killed = true);
    }

    /// How the machine ended, if it did of its own will.
    pub fn exit(&self) -> Option<Exit> {
        self.worker.look().life.exit
    }

    /// Names and values of the machine's counters, its work, and the driver's (`driver_…`).
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        self.worker.counters(&mut |name, value| *all.entry(name).or_default() += value);
        all
    }

    /// Calls into the machine between two steps, in the process's own thread, gives it its hands,
    /// and waits for the result: for what reaches it through no socket, such as standard input.
    /// `None` if the process has ended. Must not be called in the process's own thread, which
    /// would wait for itself.
    pub fn call<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut M, &mut Cx) -> R + Send + 'static,
    ) -> Option<R> {
        let (done, result) = sync_channel(1);
        let call = move |drive: &mut dyn Drive, now| {
            let process = drive.as_any().downcast_mut::<Process<M>>();
            let process = process.expect("the process was made with this kind of machine");
            if let Some(result) = process.call(now, call) {
                done.send(result).expect("the caller waits");
            }
        };
        self.worker.tell(|life| {
            if !life.over {
                life.calls.push_back(Box::new(call));
            }
        });
        result.recv().ok()
    }

    /// Looks at the machine between two steps, also after the end. Keep it short: the process
    /// waits.
    pub fn with_machine<R>(&self, look: impl FnOnce(&mut M) -> R) -> R {
        let mut core = self.worker.look();
        let process = core.drive.as_any().downcast_mut::<Process<M>>();
        look(process.expect("the process was made with this kind of machine").machine_mut())
    }
}

/// Prepares a process. The future runs it to its end and leaves tasks behind: spawn it where they
/// all end together, on a current-thread runtime that is dropped after it, or on a madsim node that
/// is killed after it. [`spawn`](crate::spawn) does the former.
pub fn prepare<M: Machine>(
    host: Host,
    machine: M,
) -> (Control<M>, impl Future<Output = Ending> + Send) {
    let boot = Boot { host: 0, worker: 0, incarnation: 0 };
    assemble(Arc::new(host), Arc::default(), boot, 1, machine)
}

pub(crate) fn assemble<M: Machine>(
    host: Arc<Host>,
    doors: Arc<Doors>,
    boot: Boot,
    siblings: u32,
    machine: M,
) -> (Control<M>, impl Future<Output = Ending> + Send) {
    let process = Process::new(machine, host.setup(boot.worker));
    let worker = Worker::new(host, doors, (boot, siblings), Box::new(process));
    let control = Control { worker: Arc::clone(&worker), machine: PhantomData };
    (control, async move { live(worker).await.map_or(Ending::Killed, Ending::Exited) })
}
