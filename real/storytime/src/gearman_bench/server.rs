//! The server's process, as the kernel sees it: CPU time and memory, from `/proc`.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// What it has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// CPU time of all threads, in user space and in the kernel.
    pub(super) cpu: Duration,
    /// Resident memory, bytes.
    pub(super) resident_bytes: u64,
}

/// Looks at a process.
pub(super) fn usage(pid: u32) -> io::Result<Usage> {
    let cpu = match precise_cpu(pid) {
        Ok(cpu) => cpu,
        Err(_) => cpu(pid)?,
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let resident_bytes = kib.ok_or(ErrorKind::InvalidData)? << 10;
    Ok(Usage { cpu, resident_bytes })
}

/// In nanoseconds, from each thread's account; threads that have ended are forgotten.
fn precise_cpu(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let account = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let ran = account.split_ascii_whitespace().next().and_then(|ran| ran.parse::<u64>().ok());
        nanos += ran.ok_or(ErrorKind::InvalidData)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// In the kernel's ticks (10 ms as a rule): the 14th and the 15th field of `stat`. The 2nd is the
/// program's name in parentheses and may hold spaces.
fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |field: usize| {
        let ticks = fields.split_ascii_whitespace().nth(field)?.parse::<u64>().ok()?;
        Some(ticks)
    };
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(ticks.ok_or(ErrorKind::InvalidData)? * 1000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_accounts_of_this_process_agree() {
        let pid = std::process::id();
        let (coarse, all) = (cpu(pid).expect("ticks"), usage(pid).expect("a process"));
        assert!(all.resident_bytes > 0);
        assert!(all.cpu + Duration::from_secs(1) > coarse, "{coarse:?} of {all:?}");
    }
}
