//! What operators and clients ask, and what operators set.

use super::Engine;
use super::job::{IGNORED, Job, Key, State};
use super::peer::{OfJob, OfPeer};
use super::ring::NONE;
use super::rules::JOB_BYTES;
use super::types::{JobStatus, NotDropped, Number, Peer, Refusal};

/// A function, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Jobs that have not ended: queued, running, waiting for their time or for the disk.
    pub jobs: u32,
    /// Those that run.
    pub running: u32,
    /// Those that could run, by priority.
    pub queued: [u32; 3],
    /// Workers that can do it.
    pub workers: u32,
    /// Its limits by priority; 0 for none.
    pub queue_max: [u32; 3],
}

/// A job, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobView<'a> {
    /// Its number.
    pub number: Number,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key, as it was submitted.
    pub unique: &'a [u8],
    /// How often it lost its worker; 255 may be more.
    pub losses: u32,
    /// Whether nobody waits for it any more: it runs, and its result will be thrown away.
    pub ignored: bool,
    /// Whether it is in a queue.
    pub queued: bool,
    /// Who runs it.
    pub worker: Option<Peer>,
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// New jobs.
    pub submitted: u64,
    /// Submits that found their job there.
    pub joined: u64,
    /// Submits that were refused.
    pub refused: u64,
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs whose result was known elsewhere: no worker ran them.
    pub answered: u64,
    /// Jobs that failed, were cancelled or dropped, or ended by an exception.
    pub failed: u64,
    /// Queued jobs that a full queue dropped, in the Perl server's dialect.
    pub dropped: u64,
    /// Jobs that nobody waited for any more, dropped unrun.
    pub abandoned: u64,
    /// Times that a job lost its worker.
    pub lost: u64,
    /// Times that a worker took too long.
    pub timed_out: u64,
    /// What workers said of jobs that were not theirs (any more).
    pub late: u64,
    /// Workers that were woken.
    pub woken: u64,
    /// Jobs that were made of calendars.
    pub fired: u64,
    /// Times of calendars at which their last job was there still.
    pub skipped: u64,
}

impl Engine {
    /// How far a job is.
    pub fn get_status(&self, number: Number) -> JobStatus {
        if self.calendars.contains_key(&number) {
            return JobStatus { known: true, ..JobStatus::default() };
        }
        match self.index.by_number(number) {
            Some(at) => status_of(self.jobs.get(at)),
            None => JobStatus::default(),
        }
    }

    /// How far the oldest job with this unique key is, whatever its function. Looks into each
    /// function.
    pub fn get_status_unique(&self, unique: &[u8]) -> JobStatus {
        self.get_status_unique_of(unique, |_| true)
    }

    /// The same among functions of which this is true.
    pub fn get_status_unique_of(&self, unique: &[u8], counts: impl Fn(&[u8]) -> bool) -> JobStatus {
        let used = self.functions.iter().filter(|(_, function)| function.jobs > 0);
        let used = used.filter(|(_, function)| counts(&function.name));
        let keys = used.filter_map(|(at, _)| Key::of(at, unique, b""));
        let found = keys.filter_map(|key| self.index.by_key(&self.jobs, key));
        let oldest = found.map(|at| self.jobs.get(at)).min_by_key(|job| job.number);
        let status = |job| JobStatus { clients: self.waiting(job), ..status_of(job) };
        oldest.map_or_else(JobStatus::default, status)
    }

    /// How many clients wait for a job. Looks at each of them.
    pub fn listeners_of(&self, number: Number) -> u32 {
        self.index.by_number(number).map_or(0, |at| self.waiting(self.jobs.get(at)))
    }

    /// The function of a job, or of a calendar.
    pub fn function_of(&self, number: Number) -> Option<&[u8]> {
        let function = match self.calendars.get(&number) {
            Some(calendar) => calendar.function,
            None => self.jobs.get(self.index.by_number(number)?).function,
        };
        Some(&self.functions.get(function).name)
    }

    fn waiting(&self, job: &Job) -> u32 {
        job.listeners.iter::<OfJob>(&self.listeners).count() as u32
    }

    /// A client wants to be told exceptions.
    pub fn option_exceptions(&mut self, from: Peer) {
        self.peers.touch(from).exceptions = true;
    }

    /// An operator makes a function known.
    ///
    /// # Errors
    /// Its name is too long, or there are too many.
    pub fn create_function(&mut self, function: &[u8]) -> Result<(), Refusal> {
        self.functions.find_or_make(function, &self.rules).map(|_| ())
    }

    /// An operator drops a function without workers and jobs.
    ///
    /// # Errors
    /// There is none, or it is in use.
    pub fn drop_function(&mut self, function: &[u8]) -> Result<(), NotDropped> {
        let at = self.functions.find(function).ok_or(NotDropped::Unknown)?;
        if self.functions.get(at).is_used() {
            return Err(NotDropped::InUse);
        }
        self.functions.remove(at);
        Ok(())
    }

    /// Sets the limits of a function's queue by priority, 0 for none, also if it is new.
    ///
    /// # Errors
    /// Its name is too long, or there are too many.
    pub fn max_queue(&mut self, function: &[u8], limits: [u32; 3]) -> Result<(), Refusal> {
        let at = self.functions.find_or_make(function, &self.rules)?;
        self.functions.get_mut(at).queue_max = limits;
        Ok(())
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = FunctionView<'_>> {
        self.functions.iter().map(|(_, function)| FunctionView {
            name: &function.name,
            jobs: function.jobs,
            running: function.running,
            queued: function.ready,
            workers: function.workers,
            queue_max: function.queue_max,
        })
    }

    /// How many functions there are.
    pub const fn functions_len(&self) -> usize {
        self.functions.len()
    }

    /// How many functions a connection can do.
    #[inline]
    pub fn abilities_len(&self, of: Peer) -> usize {
        self.peers.find(of).map_or(0, |peer| peer.abilities.len())
    }

    /// What a connection can do, in the order in which it said so.
    pub fn abilities(&self, of: Peer) -> impl DoubleEndedIterator<Item = &[u8]> {
        let abilities = self.peers.find(of).into_iter().flat_map(|peer| &peer.abilities);
        abilities.map(|&at| &*self.functions.get(self.abilities.get(at).function).name)
    }

    /// All jobs, in no particular order. Looks at each place for a job.
    pub fn all_jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        let jobs = self.jobs.places().filter(|(_, job)| job.number > 0);
        jobs.map(|(_, job)| self.view(job))
    }

    /// The jobs that a connection runs, the one first that it took first.
    pub fn jobs_of(&self, worker: Peer) -> impl Iterator<Item = JobView<'_>> {
        let ring = self.peers.find(worker).map(|peer| peer.jobs).unwrap_or_default();
        ring.iter(&self.jobs).map(|at| self.view(self.jobs.get(at)))
    }

    /// The jobs that a connection waits for, the one first that it came to wait for first; one may
    /// be there twice.
    pub fn waits_of(&self, client: Peer) -> impl Iterator<Item = JobView<'_>> {
        let ring = self.peers.find(client).map(|peer| peer.listeners).unwrap_or_default();
        let jobs = ring.iter::<OfPeer>(&self.listeners).map(|at| self.listeners.get(at).job);
        jobs.map(|at| self.view(self.jobs.get(at)))
    }

    fn view<'a>(&'a self, job: &'a Job) -> JobView<'a> {
        JobView {
            number: Number(job.number),
            function: &self.functions.get(job.function).name,
            unique: job.unique(),
            losses: job.losses.into(),
            ignored: job.is(IGNORED) || !job.is_wanted(),
            queued: matches!(job.state, State::Queued | State::Returned),
            worker: (job.worker != NONE).then_some(Peer(job.worker)),
        }
    }

    /// How many jobs there are.
    pub const fn jobs(&self) -> u32 {
        self.jobs.len()
    }

    /// How many calendars there are.
    pub fn calendars(&self) -> usize {
        self.calendars.len()
    }

    /// What the jobs take, as their limit counts it, bytes.
    pub fn jobs_memory(&self) -> u64 {
        self.jobs_bytes + u64::from(self.jobs.len()) * JOB_BYTES
    }

    /// How many places of clients that wait there are.
    pub const fn listeners(&self) -> u32 {
        self.listeners.len()
    }

    /// How many replies wait for a sync.
    pub fn held(&self) -> usize {
        self.held.queue.len()
    }

    /// What happened since the start.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes in use. Of jobs that have a time, an estimate.
    pub fn memory(&self) -> u64 {
        const DUE_BYTES: usize = 32;
        let due = (self.dues.len() + self.deadlines.len() + self.returned.len()) * DUE_BYTES;
        let held = self.held.queue.capacity() * size_of::<super::held::Later>();
        let calendars: u64 = self.calendars.values().map(|calendar| calendar.bytes()).sum();
        self.jobs.bytes()
            + self.index.bytes()
            + self.jobs_bytes
            + self.listeners.bytes()
            + self.abilities.bytes()
            + self.functions.bytes()
            + self.peers.bytes()
            + calendars
            + (due + held) as u64
    }
}

fn status_of(job: &Job) -> JobStatus {
    let (numerator, denominator) =
        job.rare().map_or((0, 0), |rare| (rare.numerator, rare.denominator));
    let running = job.state == State::Running;
    JobStatus { known: true, running, numerator, denominator, clients: 0 }
}
