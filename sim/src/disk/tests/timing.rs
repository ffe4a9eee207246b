//! How long things take.

use super::*;

fn config() -> DiskConfig {
    DiskConfig {
        iops: 100,
        bandwidth_bytes_per_s: 1_000_000,
        flush: Duration::from_millis(8),
        cached: Duration::from_micros(5),
        ..DiskConfig::default()
    }
}

fn time_of(host: &mut Host, op: DiskOp) -> Duration {
    let before = host.now;
    host.run(op).expect("it succeeds");
    host.now.since(before)
}

#[test]
fn writes_go_to_the_cache_and_syncs_to_the_device() {
    let mut host = Host::with(config(), 1);
    let file = host.create("f");
    let data = Bytes::from(vec![1; 100_000]);
    let write = time_of(&mut host, DiskOp::Write { file, at: 0, data });
    assert_eq!(write, Duration::from_micros(5));
    let sync = time_of(&mut host, DiskOp::Sync { file });
    assert_eq!(sync, Duration::from_millis(108), "a flush and a tenth of a megabyte");
    let again = time_of(&mut host, DiskOp::Sync { file });
    assert_eq!(again, Duration::from_millis(8), "a flush");
}

#[test]
fn scattered_pages_cost_a_seek_each() {
    let mut host = Host::with(config(), 1);
    let file = host.create("f");
    host.done(DiskOp::SetLen { file, len: 1 << 20 });
    host.sync(file);
    for page in [0, 10, 11, 20] {
        host.write(file, page * 4096, &[1; 500]);
    }
    let sync = time_of(&mut host, DiskOp::Sync { file });
    let seeks = 2; // from the first run to the second and the third
    let bytes = Duration::from_micros(4 * 512);
    assert_eq!(sync, Duration::from_millis(8) + seeks * Duration::from_millis(10) + bytes);
}

#[test]
fn only_the_first_read_goes_to_the_device() {
    let mut host = Host::with(config(), 1);
    let file = host.create("f");
    host.write(file, 0, &[1; 1000]);
    host.sync(file);
    let read = DiskOp::Read { file, at: 0, len: 1000 };
    assert_eq!(time_of(&mut host, read.clone()), Duration::from_micros(5), "just written");
    host.disk.drop_caches();
    assert_eq!(time_of(&mut host, read.clone()), Duration::from_millis(11), "a seek and the bytes");
    assert_eq!(time_of(&mut host, read), Duration::from_micros(5));
}

#[test]
fn the_device_does_one_thing_at_a_time_and_a_file_keeps_its_order() {
    let mut host = Host::with(config(), 1);
    let (a, b) = (host.create("a"), host.create("b"));
    let first = host.submit(DiskOp::Sync { file: a });
    let second = host.submit(DiskOp::Sync { file: b });
    assert_eq!(second.at.since(first.at), Duration::from_millis(8));
    let behind = host.submit(DiskOp::Write { file: a, at: 0, data: Bytes::from_static(b"x") });
    assert!(behind.at > first.at, "a write waits for the sync before it");
    assert!(behind.at < second.at, "and for no other file's");
}

#[test]
fn a_stalled_device_holds_everything_but_the_cache() {
    let mut host = Host::with(config(), 1);
    let file = host.create("f");
    let until = host.now + Duration::from_secs(3);
    host.disk.stall_until(until);
    host.write(file, 0, b"x");
    assert!(host.now < until);
    host.sync(file);
    assert!(host.now >= until + Duration::from_millis(8));

    let chance = Ratio::new(1, 10);
    let stall = Stall { chance, min: Duration::from_secs(1), max: Duration::from_secs(2) };
    host.disk.set_faults(DiskFaults { stall, ..DiskFaults::NONE });
    let stalled = (0..200)
        .filter(|_| time_of(&mut host, DiskOp::Sync { file }) >= Duration::from_secs(1))
        .count();
    assert!((8..40).contains(&stalled), "{stalled}");
}

#[test]
fn too_much_unflushed_data_is_written_back() {
    let config = DiskConfig { dirty_bytes_max: 1 << 20, ..config() };
    let mut host = Host::with(config, 1);
    let file = host.create("f");
    for i in 0..40 {
        host.write(file, i << 16, &[1; 1 << 16]);
    }
    host.cut_with(CrashPlan::Nothing);
    let len = host.content("f").len();
    assert!(len >= (40 << 16) - (2 << 20), "{len}");
}

#[test]
fn a_device_is_busy_for_as_long_as_its_operations_take() {
    let mut host = Host::with(config(), 1);
    let file = host.create("f");
    host.sync(file);
    let before = host.disk.busy_ns(host.now);
    let begun = host.now;
    host.submit(DiskOp::Sync { file });
    host.submit(DiskOp::Sync { file });
    let busy = |host: &Host, ms| {
        let at = begun + Duration::from_millis(ms);
        (host.disk.busy_ns(at) - before) / 1_000_000
    };
    // Two flushes of 8 ms, one after the other, then nothing.
    assert_eq!([3, 8, 12, 16, 100].map(|ms| busy(&host, ms)), [3, 8, 12, 16, 16]);
}
