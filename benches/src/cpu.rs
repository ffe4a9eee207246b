//! Cores to run on, and CPU time used. Linux only.
//!
//! The figures of this crate are CPU time where they can be: they are meant per core, and a
//! neighbour on the machine disturbs CPU time far less than wall time.

use rustix::param::clock_ticks_per_second;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;

/// The first two cores that this process may use, if there are two.
///
/// # Errors
/// If the operating system does not tell.
pub fn two_cores() -> io::Result<Option<[usize; 2]>> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    Ok(cores.next().zip(cores.next()).map(|(first, second)| [first, second]))
}

/// Keeps the calling thread, and threads and processes that it makes later, on some cores.
///
/// # Errors
/// If the operating system refuses.
pub fn pin_to(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// CPU time that the calling thread has used so far.
pub fn used_by_this_thread() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(used).expect("time used is not negative")
}

/// CPU time of all threads of a process so far, in user space and in the kernel, in steps of the
/// kernel's tick (10 ms as a rule).
///
/// # Errors
/// If there is no such process, or `/proc` is not there.
pub fn used_by(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
}

/// The 14th and the 15th field. The 2nd is the program's name in parentheses and may contain
/// spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_misleads_nobody() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 90 0 0 0 31 11 0 0 20 0 1 0 9 8 7";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (short) S 1"), None);
    }
}
