//! How long the processes of a host have worked, as the system counts it.
//!
//! Linux only; elsewhere nothing is known. Not told: what loads take beside their computing, and
//! how busy disks are.

use std::path::Path;

/// Processor time of a process so far, nanoseconds; 0 if the system does not tell.
pub(super) fn processor_ns(pid: u32) -> u64 {
    let path = Path::new("/proc").join(pid.to_string()).join("stat");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
    ticks(&text).saturating_mul(1_000_000_000 / ticks_per_s)
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
    }
}
