//! Programs in processes of their own, which end with their handles: for tests and benches.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether it listens.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Ports of an address that are handed out; below those that systems give to clients.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port that no other program takes meanwhile, unlike one that was free a moment ago: it is at a
/// loopback address that belongs to this process, `127.64.0.0` plus its id, of 22 bits at most.
pub fn nobodys_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 64 | high & 0x3f, middle, low));
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::new(ip, PORTS.start + nth % (PORTS.end - PORTS.start))
}

/// A program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that listens. It is killed when this is dropped.
#[derive(Debug)]
pub struct Listening {
    running: Running,
    at: SocketAddr,
}

impl Listening {
    /// Starts a program that was told to listen at `at`, and waits until it does.
    ///
    /// # Errors
    ///
    /// It cannot be started, ends, or does not listen in half a minute; in words.
    pub fn start(command: &mut Command, at: SocketAddr) -> Result<Self, String> {
        Self::start_when(command, at, || TcpStream::connect(at).is_ok())
    }

    /// As [`Self::start`], for a program that serves only some time after it listens.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start_when(
        command: &mut Command,
        at: SocketAddr,
        serves: impl Fn() -> bool,
    ) -> Result<Self, String> {
        let name = command.get_program().display().to_string();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{name}: {error}"))?;
        let mut listening = Self { running: Running(child), at };
        let start = Instant::now();
        while !serves() {
            let ended =
                listening.running.0.try_wait().map_err(|error| format!("{name}: {error}"))?;
            if let Some(status) = ended {
                return Err(format!("{name} ended before it served at {at}: {status}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{name} does not serve at {at} after {PATIENCE:?}"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(listening)
    }

    /// Starts a program whose first line tells where it listens, and which ends with its input.
    ///
    /// # Errors
    ///
    /// It cannot be started, or says something else; in words.
    pub fn announced(command: &mut Command) -> Result<Self, String> {
        let name = command.get_program().display().to_string();
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.map_err(|error| format!("{name}: {error}"))?;
        let at = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut listening = Self { running: Running(child), at };
        let mut line = String::new();
        let output = listening.running.0.stdout.take().expect("it was asked for");
        let read = BufReader::new(output).read_line(&mut line);
        match read.ok().and_then(|_| line.trim().parse().ok()) {
            Some(at) => listening.at = at,
            None => return Err(format!("{name} says {line:?} in place of where it listens")),
        }
        Ok(listening)
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.0.id()
    }
}
