//! What is done to a program from outside: signals, and waiting.

use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn kill(pid: u32, signal: &str) {
    let told = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(told.expect("kill is everywhere").success());
}

pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
