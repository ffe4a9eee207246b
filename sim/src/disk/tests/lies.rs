//! Three layers that lie, told apart by what a power cut leaves.

use super::*;

const RECORD: usize = SECTOR_BYTES;

/// Writes records in order, each synced, and cuts the power; tells which survived whole.
fn survivors(lies: Lies, seed: u64, records: u64) -> (Vec<bool>, usize, PowerCut) {
    let mut host = Host::lying(lies, seed);
    let file = host.open("log");
    host.sync_names();
    for record in 0..records {
        host.write(file, record * RECORD as u64, &[record as u8 + 1; RECORD]);
        host.sync(file);
        host.wait(Duration::from_millis(3));
    }
    let cut = host.cut();
    let found = host.find("log").unwrap_or_default();
    let whole = |record: u64| {
        let at = record as usize * RECORD;
        found.get(at..at + RECORD).is_some_and(|r| r.iter().all(|&b| b == record as u8 + 1))
    };
    ((0..records).map(whole).collect(), found.len(), cut)
}

#[test]
fn an_honest_disk_loses_nothing_acknowledged() {
    for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
        for seed in 0..20 {
            let mut host = Host::new(profile, seed);
            let file = host.create("log");
            for i in 0..20u8 {
                host.write(file, u64::from(i) * 100, &[i; 100]);
                host.sync(file);
            }
            let cut = host.cut();
            assert_eq!(cut, PowerCut::default());
            let found = host.content("log");
            assert!(found.iter().enumerate().all(|(i, &byte)| byte == (i / 100) as u8));
        }
    }
}

#[test]
fn a_lying_file_system_loses_everything_recent() {
    let (whole, len, cut) = survivors(Lies::FILE_SYSTEM, 1, 40);
    assert!(whole.iter().all(|&whole| !whole) && len == 0);
    assert!(cut.lost_by_file_system >= 41, "records and the name: {cut:?}");
    assert_eq!(cut.lost_by_controller + cut.lost_by_drive, 0);
}

#[test]
fn a_lying_file_system_keeps_what_is_old() {
    let mut host = Host::lying(Lies::FILE_SYSTEM, 1);
    let file = host.open("log");
    host.write(file, 0, b"old ");
    host.sync(file);
    host.wait(Duration::from_secs(31));
    host.write(file, 4, b"new");
    host.sync(file);
    assert_eq!(host.cut().lost_by_file_system, 1);
    assert_eq!(host.content("log"), "old ");
}

#[test]
fn a_lying_controller_loses_the_most_recent() {
    for seed in 0..20 {
        let (whole, len, cut) = survivors(Lies::CONTROLLER, seed, 200);
        let kept = whole.iter().take_while(|&&whole| whole).count();
        assert!(whole[kept..].iter().all(|&whole| !whole), "a prefix survives: {whole:?}");
        assert!(kept > 0 && kept < 200, "{kept}");
        assert!(len == kept * RECORD || len == (kept - 1) * RECORD, "{len} of {kept}");
        assert!(cut.lost_by_controller > 0 && cut.lost_by_drive == 0);
    }
}

#[test]
fn a_lying_drive_leaves_holes() {
    let mut holes = 0;
    for seed in 0..20 {
        let (whole, len, cut) = survivors(Lies::DRIVE, seed, 100);
        assert_eq!(len, 100 * RECORD, "lengths are right");
        let kept = whole.iter().take_while(|&&whole| whole).count();
        holes += u32::from(whole[kept..].iter().any(|&whole| whole));
        assert_eq!(cut.lost_by_drive, whole.iter().filter(|&&whole| !whole).count() as u64);
        assert!(cut.lost_by_drive > 0 && cut.lost_by_controller == 0);
    }
    assert_eq!(holes, 20, "newer sectors survive where older ones are lost");
}

#[test]
fn a_drives_cache_is_small() {
    let drive = CacheConfig { bytes_max: 64 * SECTOR_BYTES as u64, iops: 1, bytes_per_s: 1 << 30 };
    let config = DiskConfig { lies: Lies::DRIVE, drive, ..DiskConfig::default() };
    let mut host = Host::with(config, 1);
    let file = host.create("f");
    host.write(file, 0, &vec![1; 1000 * SECTOR_BYTES]);
    host.sync(file);
    let cut = host.cut();
    assert!((1..=64).contains(&cut.lost_by_drive), "{cut:?}");
}

#[test]
fn a_layer_that_stops_lying_makes_good_at_the_next_sync() {
    for lies in [Lies::FILE_SYSTEM, Lies::CONTROLLER, Lies::DRIVE] {
        let mut host = Host::lying(lies, 1);
        let file = host.create("f");
        host.write(file, 0, b"acknowledged");
        host.sync(file);
        host.disk.set_lies(Lies::NONE);
        host.sync_names();
        host.sync(file);
        assert_eq!(host.cut().acknowledged_lost(), 0, "{lies:?}");
        assert_eq!(host.content("f"), "acknowledged");
    }
}

#[test]
fn lies_are_counted_and_fast() {
    let sync_time = |lies| {
        let mut host = Host::lying(lies, 1);
        let file = host.open("f");
        host.write(file, 0, &[1; 4096]);
        let before = host.now;
        host.sync(file);
        assert_eq!(host.disk.stats().syncs_lied, u64::from(lies.any()));
        host.now.since(before)
    };
    for lies in [Lies::FILE_SYSTEM, Lies::CONTROLLER, Lies::DRIVE] {
        assert!(sync_time(lies) < sync_time(Lies::NONE) / 100);
    }
}
