//! The same echo work on this simulator, madsim and turmoil, in one run, in turns.
//!
//! 100 connections to one echo, one message of 16 bytes under way on each, one-way delays of 1 to
//! 10 ms (madsim's own; neither peer goes below 1 ms), once with all callers on one host and once
//! with each on a host of its own. Figures are CPU time per message there and back, making the
//! world included. madsim is built first, in a target directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use storytime_benches::cpu::used_by_this_thread;
use storytime_benches::echo::SIM_MESSAGE_BYTES;
use storytime_benches::echo_turmoil::{self, Work};
use storytime_benches::echo_world::{EchoWorld, Shape};
use storytime_benches::spread::Spread;
use storytime_sim::Link;

/// Rounds in which each simulator has its turn once.
const ROUNDS: usize = 5;
/// Connections.
const CONNS: u64 = 100;
/// Shortest and longest one-way delay.
const LATENCY: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

/// The work: its name, and how many hosts call.
const WORK: [(&str, u64); 2] =
    [("all callers on one host", 1), ("each on a host of its own", CONNS)];

/// How many messages each simulator gets on each connection: about half a second of work.
const MESSAGES_OURS: u64 = 10_000;
const MESSAGES_MADSIM: u64 = 4_000;
const fn messages_turmoil(hosts: u64) -> u64 {
    if hosts == 1 { 4_000 } else { 100 }
}

fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("compare_kernels: {what}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), String> {
    let madsim = build_madsim()?;
    println!("CPU time per message, {CONNS} connections, {ROUNDS} rounds: median (min to max)");
    for (name, hosts) in WORK {
        let [mut ours, mut theirs_madsim, mut theirs_turmoil] = [const { Spread::new() }; 3];
        let (mut to_madsim, mut to_turmoil) = (Spread::new(), Spread::new());
        for _ in 0..ROUNDS {
            let [our, mad, tur] =
                [run_ours(hosts), run_madsim(&madsim, hosts)?, run_turmoil(hosts)];
            ours.add(our);
            theirs_madsim.add(mad);
            theirs_turmoil.add(tur);
            to_madsim.add(mad / our);
            to_turmoil.add(tur / our);
        }
        println!("{name}");
        println!("  this kernel  {ours:8.0} ns");
        println!("  madsim       {theirs_madsim:8.0} ns: {to_madsim:.1} times as much; target 5");
        println!(
            "  turmoil      {theirs_turmoil:8.0} ns: {to_turmoil:.1} times as much; target 50"
        );
    }
    Ok(())
}

fn run_ours(hosts: u64) -> f64 {
    let began = used_by_this_thread();
    let [latency_min, latency_max] = LATENCY;
    let link = Link { latency_min, latency_max, ..Link::RACK };
    let shape = Shape { hosts, conns: CONNS / hosts, link, message_bytes: SIM_MESSAGE_BYTES };
    let mut world = EchoWorld::new(shape);
    world.run_messages(CONNS * MESSAGES_OURS);
    per_message(used_by_this_thread() - began, world.answered())
}

fn run_turmoil(hosts: u64) -> f64 {
    let [latency_min, latency_max] = LATENCY;
    let (conns, messages) = (CONNS / hosts, messages_turmoil(hosts));
    let message_bytes = SIM_MESSAGE_BYTES;
    let work = Work { hosts, conns, messages, message_bytes, latency_min, latency_max };
    let began = used_by_this_thread();
    echo_turmoil::run(work);
    per_message(used_by_this_thread() - began, CONNS * messages)
}

fn run_madsim(program: &Path, hosts: u64) -> Result<f64, String> {
    let [latency_min, latency_max] = LATENCY.map(|latency| latency.as_micros() as u64);
    let message_bytes = SIM_MESSAGE_BYTES as u64;
    let numbers = [hosts, CONNS / hosts, MESSAGES_MADSIM, message_bytes, latency_min, latency_max];
    let output = Command::new(program)
        .args(numbers.map(|number| number.to_string()))
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let ns: u64 = text.trim().parse().map_err(|_| {
        format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(per_message(Duration::from_nanos(ns), CONNS * MESSAGES_MADSIM))
}

fn per_message(time: Duration, messages: u64) -> f64 {
    time.as_nanos() as f64 / messages as f64
}

/// Builds the package beside this one and returns its program.
fn build_madsim() -> Result<PathBuf, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("madsim-echo");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside =
        program.ancestors().nth(2).ok_or("this program lies outside a target directory")?;
    let target = beside.join("madsim-echo");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    eprintln!("building madsim's part in {}", target.display());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "--cfg madsim")
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if built.success() {
        Ok(target.join("release").join("storytime-madsim-echo"))
    } else {
        Err(format!("cargo could not build {}: {built}", package.display()))
    }
}
