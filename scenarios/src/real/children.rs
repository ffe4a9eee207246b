//! The child processes of a real run: started, watched, and ended however the run ends.

use super::{NAP, RealError, RealOptions, address, busy, surroundings};
use crate::models::Results;
use crate::models::results::Result as Figure;
use crate::program::around::Around;
use crate::program::{self, CommandLine, Program};
use crate::story::Setup;
use rustix::process::{Pid, Signal, getuid, kill_process};
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use storytime_machine::hash;

/// How long servers may take until they listen.
const START_MAX: Duration = Duration::from_secs(10);
/// How long a child may take to end after a polite request.
const STOP_MAX: Duration = Duration::from_secs(3);
/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_millis(200);
/// How much of a child's last words is told.
const WORDS_BYTES_MAX: usize = 600;

/// A running or ended child.
struct Running {
    host: usize,
    line: CommandLine,
    child: Child,
    /// The command whose output it reads.
    feeder: Option<Child>,
    /// Its standard output.
    out: PathBuf,
    /// Its log.
    err: PathBuf,
    /// Whether its end was ours.
    ended_by_us: bool,
    /// When its supervisor saw that it had ended by itself, or was killed.
    failed: Option<Instant>,
    /// It has a successor.
    replaced: bool,
}

/// All children of one variant's run. Dropping it ends them, also when the run panics.
pub(super) struct Children<'a> {
    setup: &'a Setup,
    options: &'a RealOptions,
    work_dir: PathBuf,
    seed: u64,
    all: Vec<Running>,
}

impl<'a> Children<'a> {
    pub(super) const fn new(
        setup: &'a Setup,
        options: &'a RealOptions,
        work_dir: PathBuf,
        seed: u64,
    ) -> Self {
        Self { setup, options, work_dir, seed, all: Vec::new() }
    }

    /// Starts the command lines of a host's boot.
    pub(super) fn boot(&mut self, host: usize) -> Result<(), RealError> {
        let setup = self.setup;
        setup.hosts[host].run.iter().try_for_each(|line| self.start(host, line))
    }

    /// Starts one command line on a host.
    pub(super) fn start(&mut self, host: usize, line: &CommandLine) -> Result<(), RealError> {
        let name = &self.setup.hosts[host].name;
        let data_dir = self.work_dir.join(name);
        let folder = |error| RealError::Folder(data_dir.clone(), error);
        std::fs::create_dir_all(&data_dir).map_err(folder)?;
        let output = |kind: &str| {
            let path = self.work_dir.join(format!("{name}-{}.{kind}", self.all.len()));
            File::create(&path)
                .map(|file| (path.clone(), file))
                .map_err(|error| RealError::Folder(path, error))
        };
        let nothing = Around::default();
        let around = match &line.program {
            Program::Gearman(tool) => &tool.around,
            _ => &nothing,
        };
        let (err, err_file) = output("err")?;
        let (out, out_file) = match surroundings::output(around, &data_dir)? {
            Some(own) => own,
            None => output("out")?,
        };
        let (input, feeder) = surroundings::input(around, &data_dir, &err_file)?;
        let mut command = Command::new(&self.options.program);
        command.arg("--host-ip").arg(address(host).to_string());
        for (n, other) in self.setup.hosts.iter().enumerate() {
            command.arg("--host-name").arg(format!("{}={}", other.name, address(n)));
        }
        // A host that asks itself has an address of its own.
        command.arg("--host-name").arg(format!("localhost={}", address(host)));
        command.arg("--data-dir").arg(&data_dir);
        // Servers tell themselves and their earlier lives apart by what they draw.
        let life = hash::fold(hash::fold(self.seed, host as u64 + 1), self.all.len() as u64 + 1);
        command.arg("--server-seed").arg(life.to_string());
        command.args(&line.words);
        // As the original, it asks root whom to be. A run is whoever started it.
        if let Program::Memcached(config) = &line.program
            && config.program.user.is_none()
            && getuid().is_root()
        {
            command.args(["-u", "root"]);
        }
        command.env("LC_ALL", "C").stdin(input).stdout(out_file).stderr(err_file);
        let child = command.spawn().map_err(|error| RealError::Start(line.text.clone(), error))?;
        let line = line.clone();
        self.all.push(Running {
            host,
            line,
            child,
            feeder,
            out,
            err,
            ended_by_us: false,
            failed: None,
            replaced: false,
        });
        Ok(())
    }

    /// Starts again what failed or was killed, where the host has a supervisor.
    pub(super) fn respawn(&mut self) -> Result<(), RealError> {
        for n in 0..self.all.len() {
            let running = &mut self.all[n];
            let host = running.host;
            let Some(after) = self.setup.hosts[host].respawn else { continue };
            if running.replaced || running.ended_by_us {
                continue;
            }
            let failed = matches!(running.child.try_wait(), Ok(Some(status)) if !status.success());
            if failed && running.failed.get_or_insert_with(Instant::now).elapsed() >= after {
                running.replaced = true;
                let line = running.line.clone();
                self.start(host, &line)?;
            }
        }
        Ok(())
    }

    /// Waits until every child that listens can be reached.
    pub(super) fn await_ports(&mut self, interrupted: &AtomicBool) -> Result<(), RealError> {
        for running in &mut self.all {
            let Some(port) = running.line.program.port() else { continue };
            let child = &mut running.child;
            let ended = || matches!(child.try_wait(), Ok(Some(_)));
            match await_port(running.host, port, interrupted, ended)? {
                Listens::Yes => {}
                Listens::No(what) => {
                    let words = format!("{what}: {}", last_words(&running.err));
                    return Err(RealError::Child(running.line.text.clone(), words));
                }
            }
        }
        Ok(())
    }

    fn on_host(&mut self, host: usize) -> impl Iterator<Item = &mut Running> {
        self.all.iter_mut().filter(move |running| running.host == host)
    }

    /// Processor time of a host's children so far, nanoseconds; those that ended are forgotten.
    pub(super) fn busy_ns(&self, host: usize) -> u64 {
        let children = self.all.iter().filter(|running| running.host == host);
        children.map(|running| busy::processor_ns(running.child.id())).sum()
    }

    /// `kill -9` for all children of a host, of which no supervisor hears.
    pub(super) fn cut(&mut self, host: usize) {
        self.on_host(host).for_each(Running::kill);
    }

    /// `kill -9` for all children of a host.
    pub(super) fn kill(&mut self, host: usize) {
        if self.setup.hosts[host].respawn.is_none() {
            return self.cut(host);
        }
        self.on_host(host).for_each(|running| running.signal(Signal::KILL));
    }

    /// Asks the children of a host to end, and makes sure that they do.
    pub(super) fn stop(&mut self, host: usize) {
        for running in self.on_host(host) {
            running.signal(Signal::TERM);
        }
        self.on_host(host).for_each(Running::end);
    }

    /// `SIGSTOP` or `SIGCONT` for the children of a host.
    pub(super) fn freeze(&mut self, host: usize, on: bool) {
        for running in self.on_host(host) {
            running.signal(if on { Signal::STOP } else { Signal::CONT });
        }
    }

    /// Ends all children.
    pub(super) fn end_all(&mut self) {
        for running in &mut self.all {
            // A frozen process hears of no request before it goes on.
            running.signal(Signal::TERM);
            running.signal(Signal::CONT);
        }
        self.all.iter_mut().for_each(Running::end);
    }

    /// What the programs that end by themselves printed, by host. Waits for them.
    pub(super) fn results(
        &mut self,
        interrupted: &AtomicBool,
        at_most: Duration,
    ) -> Result<Vec<Results>, RealError> {
        let deadline = Instant::now() + at_most;
        let mut all = vec![Results::default(); self.setup.hosts.len()];
        for running in &mut self.all {
            if let Program::Gearman(_) = running.line.program
                && !running.line.program.ends()
            {
                all[running.host].merge(running.printed()?);
                continue;
            }
            if !running.line.program.ends() {
                continue;
            }
            while matches!(running.child.try_wait(), Ok(None)) {
                if interrupted.load(Ordering::Relaxed) {
                    return Err(RealError::Interrupted);
                }
                if Instant::now() > deadline {
                    let words = format!("does not end: {}", last_words(&running.err));
                    return Err(RealError::Child(running.line.text.clone(), words));
                }
                std::thread::sleep(NAP);
            }
            let found = running.printed()?;
            if found.0.is_empty() {
                let words = format!("printed no result: {}", last_words(&running.err));
                return Err(RealError::Child(running.line.text.clone(), words));
            }
            all[running.host].merge(found);
        }
        self.check_alive()?;
        Ok(all)
    }

    /// A server that ended by itself would make the figures worthless.
    fn check_alive(&mut self) -> Result<(), RealError> {
        for running in &mut self.all {
            // What a supervisor starts again may just have failed.
            let supervised = self.setup.hosts[running.host].respawn.is_some();
            let servant = running.line.program.port().is_some();
            let servant = servant && !running.ended_by_us && !supervised;
            if servant && !matches!(running.child.try_wait(), Ok(None)) {
                let words = format!("ended during the run: {}", last_words(&running.err));
                return Err(RealError::Child(running.line.text.clone(), words));
            }
        }
        Ok(())
    }
}

impl Drop for Children<'_> {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl Running {
    /// What it printed so far, as figures. What its successor appended to is its successor's.
    fn printed(&self) -> Result<Results, RealError> {
        if let Program::Gearman(tool) = &self.line.program {
            if self.replaced && tool.around.to.is_some() {
                return Ok(Results::default());
            }
            let printed = std::fs::read(&self.out)
                .map_err(|error| RealError::Folder(self.out.clone(), error))?;
            return Ok(program::printed_results(&printed));
        }
        let printed = std::fs::read_to_string(&self.out)
            .map_err(|error| RealError::Folder(self.out.clone(), error))?;
        Ok(printed_results(&self.line.program, &printed))
    }

    /// Ends the command that it reads from.
    fn end_feeder(&mut self) {
        if let Some(mut feeder) = self.feeder.take() {
            let _ = feeder.kill();
            let _ = feeder.wait();
        }
    }

    fn signal(&mut self, signal: Signal) {
        // Only a child that was not waited for is sure to have its number still.
        if matches!(self.child.try_wait(), Ok(None))
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, signal);
        }
    }

    fn kill(&mut self) {
        self.ended_by_us = true;
        self.end_feeder();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end that was asked for, and enforces it.
    fn end(&mut self) {
        self.ended_by_us = true;
        self.end_feeder();
        let deadline = Instant::now() + STOP_MAX;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                self.kill();
                return;
            }
            std::thread::sleep(NAP / 5);
        }
    }
}

/// Whether a server can be reached.
pub(super) enum Listens {
    Yes,
    /// What it does in place of listening.
    No(&'static str),
}

/// Waits until a host listens on a port, or its server has `ended`, or it took too long.
pub(super) fn await_port(
    host: usize,
    port: u16,
    interrupted: &AtomicBool,
    mut ended: impl FnMut() -> bool,
) -> Result<Listens, RealError> {
    let deadline = Instant::now() + START_MAX;
    let at = SocketAddr::new(address(host), port);
    while TcpStream::connect_timeout(&at, CONNECT_MAX).is_err() {
        if interrupted.load(Ordering::Relaxed) {
            return Err(RealError::Interrupted);
        }
        if ended() {
            return Ok(Listens::No("ended at once"));
        }
        if Instant::now() > deadline {
            return Ok(Listens::No("does not listen"));
        }
        std::thread::sleep(NAP);
    }
    Ok(Listens::Yes)
}

/// The end of a log, in one line.
fn last_words(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let words: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut words = words.join("; ");
    if words.is_empty() {
        return "it said nothing".to_owned();
    }
    if words.len() > WORDS_BYTES_MAX {
        let mut from = words.len() - WORDS_BYTES_MAX;
        while !words.is_char_boundary(from) {
            from += 1;
        }
        words = words.split_off(from);
    }
    words
}

/// Reads what a program printed at its end: lines of a metric's name and its value.
fn printed_results(program: &Program, printed: &str) -> Results {
    let mut results = Results::default();
    for line in printed.lines() {
        if let Some(verdict) = line.strip_prefix("verdict: ") {
            let kind = verdict.split(':').next().unwrap_or(verdict).trim();
            results.0.insert("verdict", Figure::Word(kind.to_owned()));
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(value), None) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let def = program.metrics().iter().find(|def| def.name == name);
        if let (Some(def), Ok(count)) = (def, value.parse()) {
            results.0.insert(def.name, Figure::Count(count));
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_verdict_is_read() {
        let words = ["diskcheck", "verify", "--recorder", "alive", "test-file"];
        let program = Program::from_words(&words).expect("a command line");
        let verdict = storytime_diskcheck::Verdict {
            run: 7,
            kind: storytime_diskcheck::Kind::FileSystem,
            acknowledged: 120,
            surviving: 100,
            lost: 20,
            torn: 0,
            corrupt: 0,
            invented: 0,
            holes: 0,
            metadata_lost: 3,
            oldest_loss_ms: 900,
            tallies: Default::default(),
        };
        let results = printed_results(&program, &verdict.render());
        let count = |name: &str| match results.0.get(name) {
            Some(Figure::Count(n)) => Some(*n),
            _ => None,
        };
        assert_eq!(count("acknowledged"), Some(120));
        assert_eq!(count("lost"), Some(20));
        assert!(matches!(results.0.get("verdict"), Some(Figure::Word(w)) if w == "file system"));
    }
}
