//! How long the processes of a host have worked, as the system counts it.
//!
//! Linux only; elsewhere nothing is known. Not told: what loads take beside their computing, and
//! how busy disks are.

use std::path::Path;

/// Processor time of a process so far, nanoseconds; 0 if the system does not tell.
///
/// Ticks are too coarse for a server that works for a few of them in a bucket of time; the
/// scheduler counts nanoseconds, but forgets threads that have ended, which ticks do not.
pub(super) fn processor_ns(pid: u32) -> u64 {
    let process = Path::new("/proc").join(pid.to_string());
    let text = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
    let coarse = ticks(&text).saturating_mul(1_000_000_000 / ticks_per_s);
    let threads = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let fine =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    coarse.max(fine.map(|text| running_ns(&text)).sum())
}

/// Nanoseconds on a processor: the first field.
fn running_ns(schedstat: &str) -> u64 {
    schedstat.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Clock ticks in user mode and in the kernel: the 14th and 15th field, counted behind the name,
/// which may hold anything.
fn ticks(stat: &str) -> u64 {
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    let fields = rest.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4 0 0 0 0 31 11 0 0 20 0";
        assert_eq!(ticks(stat), 42);
        assert_eq!(ticks(""), 0);
        assert_eq!(running_ns("130896464 203116018 57\n"), 130_896_464);
        assert_eq!(running_ns(""), 0);
    }
}
