//! Records of the journal, and pieces of its checkpoints: a row of records.

use crate::engine::{FIELDS, Kept, KeptWhen, Number, Payload, Priority};
use bytes::{Buf as _, BufMut as _, BytesMut};

/// Longest job that the durable queue takes, with all its names, bytes.
pub const JOB_BYTES_MAX: usize = 4 << 20;
/// Longest record, bytes.
pub(crate) const RECORD_BYTES_MAX: usize = JOB_BYTES_MAX + 256;

const KEPT: u8 = 1;
const ENDED: u8 = 2;
const NUMBERS: u8 = 3;

const NOW: u8 = 0;
const EPOCH: u8 = 1;
const CALENDAR: u8 = 2;
const FIRED: u8 = 3;

/// What the journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A job is to be remembered.
    Kept(Kept<'a>),
    /// A job is over.
    Ended(Number),
    /// Numbers below this one may be in use.
    Numbers(u64),
}

/// Bytes that are no record: the journal's checksum held, so another program wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecord;

impl<'a> Record<'a> {
    /// Appends the record.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Kept(job) => write_kept(out, job),
            Self::Ended(number) => {
                out.put_u8(ENDED);
                out.put_u64_le(number.0);
            }
            Self::Numbers(next) => {
                out.put_u8(NUMBERS);
                out.put_u64_le(*next);
            }
        }
    }

    /// Takes a record off the front.
    ///
    /// # Errors
    /// They are none.
    pub fn read(from: &mut &'a [u8]) -> Result<Self, NotARecord> {
        let record = match u8_of(from)? {
            KEPT => Self::Kept(read_kept(from)?),
            ENDED => Self::Ended(Number(u64_of(from)?)),
            NUMBERS => Self::Numbers(u64_of(from)?),
            _ => return Err(NotARecord),
        };
        Ok(record)
    }
}

/// The bytes of a job's record, at most.
pub(crate) fn kept_bytes_max(job: &Kept<'_>) -> usize {
    let words = match job.when {
        KeptWhen::Calendar { words, .. } => words.iter().map(|word| word.len() + 4).sum(),
        KeptWhen::Now | KeptWhen::Epoch(_) | KeptWhen::Fired { .. } => 0,
    };
    let reducer = job.reducer.map_or(0, <[u8]>::len);
    let fixed = 64;
    fixed + words + reducer + job.function.len() + job.unique.len() + job.data.len()
}

fn write_kept(out: &mut BytesMut, job: &Kept<'_>) {
    let Kept { number, function, unique, reducer, data, priority, when } = job;
    out.reserve(kept_bytes_max(job));
    out.put_u8(KEPT);
    out.put_u64_le(number.0);
    out.put_u8(*priority as u8);
    match when {
        KeptWhen::Now => out.put_u8(NOW),
        KeptWhen::Epoch(second) => {
            out.put_u8(EPOCH);
            out.put_u64_le(*second);
        }
        KeptWhen::Calendar { words, upto } => {
            out.put_u8(CALENDAR);
            out.put_u64_le(*upto);
            words.iter().for_each(|word| put_bytes(out, word));
        }
        KeptWhen::Fired { calendar, second } => {
            out.put_u8(FIRED);
            out.put_u64_le(calendar.0);
            out.put_u64_le(*second);
        }
    }
    out.put_u8(u8::from(reducer.is_some()));
    put_bytes(out, reducer.unwrap_or_default());
    put_bytes(out, function);
    put_bytes(out, unique);
    put_bytes(out, data);
}

fn read_kept<'a>(from: &mut &'a [u8]) -> Result<Kept<'a>, NotARecord> {
    let number = Number(u64_of(from)?);
    let priority = usize::from(u8_of(from)?);
    let priority = *Priority::ALL.get(priority).ok_or(NotARecord)?;
    let when = match u8_of(from)? {
        NOW => KeptWhen::Now,
        EPOCH => KeptWhen::Epoch(u64_of(from)?),
        CALENDAR => {
            let upto = u64_of(from)?;
            let mut words: [&[u8]; FIELDS] = [&[]; FIELDS];
            for word in &mut words {
                *word = bytes_of(from)?;
            }
            KeptWhen::Calendar { words, upto }
        }
        FIRED => KeptWhen::Fired { calendar: Number(u64_of(from)?), second: u64_of(from)? },
        _ => return Err(NotARecord),
    };
    let has_reducer = u8_of(from)? == 1;
    let reducer = Some(bytes_of(from)?).filter(|_| has_reducer);
    let (function, unique) = (bytes_of(from)?, bytes_of(from)?);
    let data = Payload::Slice(bytes_of(from)?);
    Ok(Kept { number, function, unique, reducer, data, priority, when })
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32_le(u32::try_from(bytes.len()).expect("a job's length is limited"));
    out.put_slice(bytes);
}

fn u8_of(from: &mut &[u8]) -> Result<u8, NotARecord> {
    from.try_get_u8().map_err(|_| NotARecord)
}

fn u64_of(from: &mut &[u8]) -> Result<u64, NotARecord> {
    from.try_get_u64_le().map_err(|_| NotARecord)
}

fn bytes_of<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], NotARecord> {
    let len = from.try_get_u32_le().map_err(|_| NotARecord)?;
    let (bytes, rest) = from.split_at_checked(len as usize).ok_or(NotARecord)?;
    *from = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(when: KeptWhen<'_>) -> Kept<'_> {
        Kept {
            number: Number(7),
            function: b"resize",
            unique: b"key",
            reducer: Some(b"sum"),
            data: Payload::Slice(b"a\0b"),
            priority: Priority::Low,
            when,
        }
    }

    #[test]
    fn records_come_back_and_stand_one_behind_the_other() {
        let words: [&[u8]; FIELDS] = [b"*/5", b"*", b"1", b"", b"0"];
        let records = [
            Record::Kept(job(KeptWhen::Now)),
            Record::Kept(Kept { reducer: None, ..job(KeptWhen::Epoch(1 << 40)) }),
            Record::Kept(job(KeptWhen::Calendar { words, upto: 9 })),
            Record::Kept(job(KeptWhen::Fired { calendar: Number(3), second: 8 })),
            Record::Ended(Number(u64::MAX)),
            Record::Numbers(1 << 33),
        ];
        let mut out = BytesMut::new();
        for record in &records {
            record.write(&mut out);
        }
        let mut rest = &out[..];
        for record in &records {
            assert_eq!(Record::read(&mut rest), Ok(*record));
        }
        assert!(rest.is_empty());
        assert_eq!(Record::read(&mut rest), Err(NotARecord));
    }

    #[test]
    fn no_cut_or_changed_record_is_taken_for_a_whole_one_or_panics() {
        let mut out = BytesMut::new();
        Record::Kept(job(KeptWhen::Epoch(5))).write(&mut out);
        for len in 0..out.len() {
            assert_eq!(Record::read(&mut &out[..len]), Err(NotARecord), "{len} bytes");
        }
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 0xff;
            let _any = Record::read(&mut &changed[..]);
        }
    }
}
