//! SQLite on the simulated disk, through a VFS of ours.

use crate::plug::Plug;
use crate::{Content, Trouble, campaign, is_let_down, keeps_its_promises, rows_of, vfs};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use storytime_sim::disk::{DiskConfig, Lies, Profile};

/// How SQLite is told to work.
#[derive(Clone, Copy)]
struct Setup {
    page_size: u32,
    journal: &'static str,
    /// `EXCLUSIVE` for the log, which else needs shared memory; not for the journal, which else is
    /// not deleted.
    locking: &'static str,
    synchronous: &'static str,
}

/// A rollback journal, deleted at the end of each transaction, the deletion synced.
const ROLLBACK: Setup =
    Setup { page_size: 4096, journal: "DELETE", locking: "NORMAL", synchronous: "EXTRA" };
/// A write-ahead log.
const WAL: Setup =
    Setup { page_size: 1024, journal: "WAL", locking: "EXCLUSIVE", synchronous: "FULL" };

struct Sqlite {
    connection: Connection,
    plug: Plug,
}

impl crate::Database for Sqlite {
    type Setup = Setup;

    fn open(setup: &Setup, plug: &Plug) -> Result<Self, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let vfs = vfs::of(plug);
        let connection = Connection::open_with_flags_and_vfs("db", flags, &vfs[..])
            .map_err(|error| plug.trouble(error))?;
        let Setup { page_size, journal, locking, synchronous } = setup;
        let pragmas = format!(
            "PRAGMA page_size={page_size}; PRAGMA locking_mode={locking}; PRAGMA temp_store=MEMORY;
             PRAGMA journal_mode={journal}; PRAGMA synchronous={synchronous};
             PRAGMA wal_autocheckpoint=20;"
        );
        connection.execute_batch(&pragmas).map_err(|error| plug.trouble(error))?;
        Ok(Self { connection, plug: plug.clone() })
    }

    fn check(&mut self) -> Result<Content, Trouble> {
        let integrity: String = self
            .connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .map_err(|error| self.plug.trouble(error))?;
        if integrity != "ok" {
            return Err(self.plug.trouble(integrity));
        }
        self.content().map_err(|error| self.plug.trouble(error))
    }

    fn commit(&mut self, number: u64) -> Result<(), Trouble> {
        self.write(number).map_err(|error| self.plug.trouble(error))
    }
}

impl Sqlite {
    fn content(&self) -> rusqlite::Result<Content> {
        let mut content = Content::default();
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        if self.connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(content);
        }
        let last = "SELECT number FROM last";
        let last = self.connection.query_row(last, [], |row| row.get::<_, i64>(0)).optional()?;
        content.0 = last.unwrap_or_default() as u64;
        let mut rows = self.connection.prepare("SELECT id, value FROM rows")?;
        let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
        content.1 = rows.collect::<rusqlite::Result<_>>()?;
        Ok(content)
    }

    fn write(&mut self, number: u64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, value BLOB);
             CREATE TABLE IF NOT EXISTS last (one INTEGER PRIMARY KEY, number INTEGER);",
        )?;
        for (row, value) in rows_of(number) {
            transaction.execute(
                "INSERT OR REPLACE INTO rows VALUES (?1, ?2)",
                params![row as i64, value],
            )?;
        }
        transaction.execute("INSERT OR REPLACE INTO last VALUES (1, ?1)", [number as i64])?;
        transaction.commit()
    }
}

fn honest(setup: Setup, seed: u64) {
    keeps_its_promises::<Sqlite>(&setup, &DiskConfig::new(Profile::Posix), seed, 500);
}

fn lied_to(setup: Setup, lies: Lies, seed: u64) {
    let config = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
    is_let_down::<Sqlite>(&setup, &config, seed, 60);
}

#[test]
fn sqlite_keeps_its_promises_with_a_rollback_journal_first_half() {
    honest(ROLLBACK, 1);
}

#[test]
fn sqlite_keeps_its_promises_with_a_rollback_journal_second_half() {
    honest(ROLLBACK, 1_000_002);
}

#[test]
fn sqlite_keeps_its_promises_with_a_write_ahead_log_first_half() {
    honest(WAL, 2_000_003);
}

#[test]
fn sqlite_keeps_its_promises_with_a_write_ahead_log_second_half() {
    honest(WAL, 3_000_004);
}

/// SQLite's manual says so: with a rollback journal, `synchronous=FULL` does not make the deletion
/// of the journal durable, so that the last transaction may be rolled back after a power cut. The
/// model must find what is known to be there.
#[test]
fn sqlite_may_lose_the_last_transaction_when_the_deletion_of_the_journal_is_not_synced() {
    let setup = Setup { synchronous: "FULL", ..ROLLBACK };
    let tally = campaign::<Sqlite>(&setup, &DiskConfig::new(Profile::Posix), 7_000_000, 100);
    println!("{tally:?}");
    assert_eq!(tally.broken, 0, "{tally:?}");
    assert!((1..=tally.cuts).contains(&tally.lost), "at most one per cut: {tally:?}");
}

#[test]
fn sqlite_is_let_down_by_a_lying_file_system() {
    lied_to(ROLLBACK, Lies::FILE_SYSTEM, 4_000_000);
}

#[test]
fn sqlite_is_let_down_by_a_lying_controller() {
    lied_to(WAL, Lies::CONTROLLER, 5_000_000);
}

#[test]
fn sqlite_is_let_down_by_a_lying_drive() {
    lied_to(ROLLBACK, Lies::DRIVE, 6_000_000);
}
