//! redb on the simulated disk, through its own storage interface.

use crate::plug::Plug;
use crate::{Content, Trouble, is_let_down, keeps_its_promises, rows_of};
use redb::{Builder, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use std::io;
use storytime_machine::{DiskError, FileId};
use storytime_sim::disk::{DiskConfig, Lies, Profile};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
/// The row that holds the number of the last transaction.
const LAST: u64 = u64::MAX;
const CACHE_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct Backend {
    plug: Plug,
    file: FileId,
}

fn failed(error: DiskError) -> io::Error {
    io::Error::other(error)
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        if self.plug.is_off() { Err(failed(DiskError::Io)) } else { Ok(self.plug.len(self.file)) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.plug.read(self.file, offset, out.len()).map_err(failed)?;
        if bytes.len() < out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plug.set_len(self.file, len).map_err(failed)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.plug.sync(self.file).map_err(failed)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.plug.write(self.file, offset, data).map_err(failed)
    }
}

struct Redb {
    database: redb::Database,
    plug: Plug,
}

impl crate::Database for Redb {
    type Setup = ();

    fn open((): &(), plug: &Plug) -> Result<Self, Trouble> {
        let open = || {
            let file = plug.open(b"db", true)?;
            plug.sync_names()?;
            Ok(Backend { plug: plug.clone(), file })
        };
        let backend = open().map_err(|error: DiskError| plug.trouble(error))?;
        let database = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend);
        let database = database.map_err(|error| plug.trouble(error))?;
        Ok(Self { database, plug: plug.clone() })
    }

    fn check(&mut self) -> Result<Content, Trouble> {
        match self.database.check_integrity() {
            Ok(true) => self.content().map_err(|error| self.plug.trouble(error)),
            Ok(false) => Err(self.plug.trouble("had to be repaired")),
            Err(error) => Err(self.plug.trouble(error)),
        }
    }

    fn commit(&mut self, number: u64) -> Result<(), Trouble> {
        self.write(number).map_err(|error| self.plug.trouble(error))
    }
}

impl Redb {
    fn content(&self) -> Result<Content, redb::Error> {
        let mut content = Content::default();
        let read = self.database.begin_read()?;
        let table = match read.open_table(TABLE) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(content),
            Err(error) => return Err(error.into()),
        };
        for row in table.iter()? {
            let (key, value) = row?;
            if key.value() == LAST {
                let number: Result<[u8; 8], _> = value.value().try_into();
                content.0 = number.map_or(u64::MAX, u64::from_le_bytes);
            } else {
                content.1.insert(key.value(), value.value().to_vec());
            }
        }
        Ok(content)
    }

    fn write(&self, number: u64) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            for (row, value) in rows_of(number) {
                table.insert(row, &value[..])?;
            }
            table.insert(LAST, &number.to_le_bytes()[..])?;
        }
        Ok(write.commit()?)
    }
}

fn honest(seed: u64) {
    keeps_its_promises::<Redb>(&(), &DiskConfig::new(Profile::Posix), seed, 500);
}

fn lied_to(lies: Lies, seed: u64) {
    let config = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
    is_let_down::<Redb>(&(), &config, seed, 60);
}

#[test]
fn redb_keeps_its_promises_first_quarter() {
    honest(1);
}

#[test]
fn redb_keeps_its_promises_second_quarter() {
    honest(1_000_002);
}

#[test]
fn redb_keeps_its_promises_third_quarter() {
    honest(2_000_003);
}

#[test]
fn redb_keeps_its_promises_fourth_quarter() {
    honest(3_000_004);
}

#[test]
fn redb_is_let_down_by_a_lying_file_system() {
    lied_to(Lies::FILE_SYSTEM, 4_000_000);
}

#[test]
fn redb_is_let_down_by_a_lying_controller() {
    lied_to(Lies::CONTROLLER, 5_000_000);
}

#[test]
fn redb_is_let_down_by_a_lying_drive() {
    lied_to(Lies::DRIVE, 6_000_000);
}
