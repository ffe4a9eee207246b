//! Reads see writes; closed files are closed; full is full.

use super::*;
use proptest::prelude::*;

#[test]
fn reads_see_writes_at_once_and_stop_at_the_end() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.open("log");
    host.write(file, 0, b"hello ");
    host.write(file, 6, b"world");
    assert_eq!(host.read(file, 0, 100).unwrap(), "hello world");
    assert_eq!(host.read(file, 4, 3).unwrap(), "o w");
    assert_eq!(host.read(file, 11, 3).unwrap(), "");
    host.write(file, 8190, b"over the edge of a page");
    assert_eq!(host.read(file, 8188, 5).unwrap(), &b"\0\0ove"[..]);
}

#[test]
fn a_closed_handle_stays_closed_and_belongs_to_its_process() {
    let mut host = Host::new(Profile::Posix, 1);
    let old = host.open("a");
    host.done(DiskOp::Close { file: old });
    let new = host.open("a");
    assert_ne!(old, new);
    assert_eq!(host.run(DiskOp::Sync { file: old }), Err(DiskError::Invalid));
    let stranger = host.disk.submit(host.now, OWNER + 1, KEY, DiskOp::Sync { file: new });
    let (_, _, result) = host.disk.complete(stranger.id).unwrap();
    assert_eq!(result, Err(DiskError::Invalid));
}

#[test]
fn a_full_disk_refuses_the_write_or_the_sync() {
    let small = DiskConfig { capacity_bytes: 8192, ..DiskConfig::default() };
    let mut host = Host::with(small.clone(), 1);
    let file = host.open("a");
    host.write(file, 0, &[1; 8192]);
    let data = Bytes::from_static(b"more");
    let write = DiskOp::Write { file, at: 8192, data: data.clone() };
    assert_eq!(host.run(write.clone()), Err(DiskError::NoSpace));
    host.write(file, 4096, b"in place");
    let other = host.open("b");
    host.unlink("a");
    host.done(DiskOp::Close { file });
    host.sync_names();
    host.write(other, 0, &[2; 8192]);

    let mut host = Host::with(DiskConfig { full: Full::AtSync, ..small }, 1);
    let file = host.open("a");
    host.write(file, 0, &[1; 8192]);
    host.sync(file);
    host.done(write);
    assert_eq!(host.run(DiskOp::Sync { file }), Err(DiskError::NoSpace));
    assert_eq!(host.read(file, 8192, 10).unwrap(), data);
    host.done(DiskOp::SetLen { file, len: 100 });
    host.sync(file);
}

#[test]
fn filling_a_disk_leaves_what_was_asked() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.open("a");
    host.write(file, 0, b"x");
    host.disk.fill(4096);
    assert!(!host.disk.is_full(4096) && host.disk.is_full(4097));
    host.write(file, 4096, b"x");
    let write = DiskOp::Write { file, at: 8192, data: Bytes::from_static(b"x") };
    assert_eq!(host.run(write.clone()), Err(DiskError::NoSpace));
    host.disk.unfill();
    host.done(write);
}

#[derive(Clone, Debug)]
enum Step {
    Write { at: u64, len: usize, fill: u8 },
    Append { len: usize, fill: u8 },
    SetLen(u64),
    Sync,
    FailingSync,
    DropCaches,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..20_000u64, 0..6_000usize, any::<u8>())
            .prop_map(|(at, len, fill)| Step::Write { at, len, fill }),
        4 => (0..3_000usize, any::<u8>()).prop_map(|(len, fill)| Step::Append { len, fill }),
        1 => (0..20_000u64).prop_map(Step::SetLen),
        2 => Just(Step::Sync),
        1 => Just(Step::FailingSync),
        1 => Just(Step::DropCaches),
        1 => Just(Step::Wait),
    ]
}

fn run_steps(steps: &[Step], lies: Lies, failures: bool) {
    let mut host = Host::lying(lies, 7);
    let file = host.create("f");
    let mut model: Vec<u8> = Vec::new();
    for step in steps {
        match *step {
            Step::Write { at, len, fill } => write(&mut host, file, &mut model, at, len, fill),
            Step::Append { len, fill } => {
                let at = model.len() as u64;
                write(&mut host, file, &mut model, at, len, fill);
            }
            Step::SetLen(len) => {
                host.done(DiskOp::SetLen { file, len });
                model.resize(len as usize, 0);
            }
            Step::Sync => host.sync(file),
            Step::FailingSync if failures => {
                host.disk.fail_next_syncs(1);
                let _ = host.run(DiskOp::Sync { file });
            }
            Step::DropCaches if !failures => host.disk.drop_caches(),
            Step::Wait => host.wait(Duration::from_secs(40)),
            Step::FailingSync | Step::DropCaches => {}
        }
        assert_eq!(host.read(file, 0, 1 << 20).unwrap(), model, "after {step:?}");
    }
    if failures {
        return;
    }
    host.sync(file);
    host.wait(Duration::from_secs(10_000)); // for lying caches to drain
    host.cut();
    assert_eq!(host.content("f"), model, "after the cut");
}

fn write(host: &mut Host, file: FileId, model: &mut Vec<u8>, at: u64, len: usize, fill: u8) {
    let data: Vec<u8> = (0..len).map(|i| fill.wrapping_add(i as u8)).collect();
    host.write(file, at, &data);
    if len > 0 {
        let end = at as usize + len;
        model.resize(model.len().max(end), 0);
        model[at as usize..end].copy_from_slice(&data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_file_reads_like_a_vector_of_bytes_whoever_lies(
        steps in proptest::collection::vec(step(), 1..40),
        layer in 0..5usize,
    ) {
        let all = Lies { controller: true, drive: true, file_system: false };
        let lies = [Lies::NONE, Lies::FILE_SYSTEM, Lies::CONTROLLER, Lies::DRIVE, all][layer];
        run_steps(&steps, lies, false);
    }

    #[test]
    fn failed_syncs_are_not_seen_by_readers(steps in proptest::collection::vec(step(), 1..40)) {
        run_steps(&steps, Lies::NONE, true);
    }
}
