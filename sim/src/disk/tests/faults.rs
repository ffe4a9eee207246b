//! Failing flushes, rot, sectors that cannot be read, writes that go elsewhere.

use super::*;

fn after_failed_sync(after: AfterFailedSync, seed: u64) -> (Host, FileId) {
    let config = DiskConfig { after_failed_sync: after, ..DiskConfig::default() };
    let mut host = Host::with(config, seed);
    let file = host.create("f");
    host.write(file, 0, &[1; 8 * SECTOR_BYTES]);
    host.sync(file);
    host.write(file, 0, &[2; 8 * SECTOR_BYTES]);
    host.disk.fail_next_syncs(1);
    assert_eq!(host.run(DiskOp::Sync { file }), Err(DiskError::Io));
    (host, file)
}

#[test]
fn after_a_failed_sync_the_next_one_says_ok_and_the_data_is_gone() {
    let (mut host, file) = after_failed_sync(AfterFailedSync::KeepsNew, 1);
    host.sync(file);
    assert_eq!(host.read(file, 0, 4096).unwrap(), vec![2; 4096], "readers see what is lost");
    let lost = host.disk.damage_count();
    assert!((1..8).contains(&lost), "each sector for itself: {lost}");
    assert_eq!(host.cut().sectors_lost, 0, "nothing was waiting to be flushed");
    let found = host.content("f");
    let old = found.chunks(SECTOR_BYTES).filter(|sector| sector[0] == 1).count();
    assert_eq!(old as u64, lost);
}

#[test]
fn what_a_failed_sync_lost_is_seen_after_eviction_or_at_once() {
    let (mut host, file) = after_failed_sync(AfterFailedSync::KeepsNew, 1);
    host.disk.drop_caches();
    assert_ne!(host.read(file, 0, 4096).unwrap(), vec![2; 4096]);
    let (mut host, file) = after_failed_sync(AfterFailedSync::RevertsToOld, 1);
    assert_ne!(host.read(file, 0, 4096).unwrap(), vec![2; 4096]);
}

#[test]
fn writing_again_after_a_failed_sync_makes_good() {
    let (mut host, file) = after_failed_sync(AfterFailedSync::KeepsNew, 1);
    host.write(file, 0, &[3; 8 * SECTOR_BYTES]);
    host.sync(file);
    host.cut();
    assert_eq!(host.content("f"), vec![3; 8 * SECTOR_BYTES]);
}

#[test]
fn a_failed_directory_sync_keeps_its_names_for_the_next() {
    let mut host = Host::new(Profile::Posix, 1);
    host.open("f");
    host.disk.fail_next_syncs(1);
    assert_eq!(host.run(DiskOp::SyncDir { path: Bytes::new() }), Err(DiskError::Io));
    host.sync_names();
    host.cut();
    assert!(host.find("f").is_some());
}

#[test]
fn rot_stays_until_the_sector_is_written_again() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.create("f");
    host.write(file, 0, &[0; 2048]);
    host.sync(file);
    host.disk.damage_file(b"f", 600, DamageKind::Rotted).unwrap();
    let rotten = host.read(file, 0, 2048).unwrap();
    assert_eq!(rotten.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1, "one bit");
    assert!(rotten[512..1024].iter().any(|&byte| byte != 0));
    assert_eq!(host.read(file, 0, 2048).unwrap(), rotten, "the same wrong bytes each time");
    host.write(file, 512, &[0; 512]);
    host.sync(file);
    assert_eq!(host.read(file, 0, 2048).unwrap(), vec![0; 2048]);
}

#[test]
fn an_unreadable_sector_fails_reads_until_it_is_written_again() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.create("f");
    host.write(file, 0, &[1; 2048]);
    host.sync(file);
    host.disk.damage_file(b"f", 1024, DamageKind::Unreadable).unwrap();
    for _ in 0..2 {
        assert_eq!(host.read(file, 0, 2048), Err(DiskError::Io));
        assert_eq!(host.read(file, 0, 1024).unwrap(), vec![1; 1024]);
    }
    host.write(file, 1024, &[2; 512]);
    assert_eq!(host.read(file, 1024, 512).unwrap(), vec![2; 512]);
    host.sync(file);
    assert_eq!(host.read(file, 0, 2048).unwrap()[1024], 2);
}

#[test]
fn a_misdirected_write_hurts_two_places() {
    let misdirect = DiskFaults { misdirect: Ratio::ALWAYS, ..DiskFaults::NONE };
    let mut host = Host::new(Profile::Posix, 3);
    let (bystander, file) = (host.create("bystander"), host.create("f"));
    host.write(bystander, 0, &[1; 64 * SECTOR_BYTES]);
    host.sync(bystander);
    host.disk.set_faults(misdirect);
    host.write(file, 0, &[2; SECTOR_BYTES]);
    host.sync(file);
    host.disk.set_faults(DiskFaults::NONE);
    assert_eq!(host.read(file, 0, 512).unwrap(), vec![0; 512]);
    let hurt = host.read(bystander, 0, 64 * 512).unwrap();
    assert_eq!(hurt.iter().filter(|&&byte| byte == 2).count(), SECTOR_BYTES);
    let kinds: Vec<DamageKind> = host.disk.damage().iter().map(|damage| damage.kind).collect();
    assert_eq!(kinds, [DamageKind::WrittenElsewhere, DamageKind::Overwritten]);
    assert_eq!(Some(host.disk.damage()[1].file), host.disk.file_number(b"bystander"));
}

#[test]
fn random_faults_come_as_often_as_asked() {
    let faults = DiskFaults {
        sync_fails: Ratio::new(1, 4),
        read_fails: Ratio::new(1, 10),
        rot: Ratio::new(1, 10),
        ..DiskFaults::NONE
    };
    let mut host = Host::with(DiskConfig { faults, ..DiskConfig::default() }, 11);
    let (mut failed_syncs, mut failed_reads) = (0, 0);
    let file = host.open("f");
    for i in 0..400 {
        host.write(file, 0, &pattern(i as u8, 4096));
        failed_syncs += u32::from(host.run(DiskOp::Sync { file }).is_err());
        failed_reads += u32::from(host.read(file, 0, 4096).is_err());
    }
    assert!((70..130).contains(&failed_syncs), "{failed_syncs}");
    assert!((20..90).contains(&failed_reads), "{failed_reads}");
    assert_eq!(u64::from(failed_syncs), host.disk.stats().syncs_failed);
}
