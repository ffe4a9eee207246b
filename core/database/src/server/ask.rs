//! What commands ask of the server.

use super::replies::Awaits;
use super::session::{Multi, Queued, Session};
use super::{Call, Counters, Database, Phase};
use crate::Config;
use crate::commands::{Commands, Fault, Outcome, Run};
use crate::config::REQUEST_BYTES_MAX;
use crate::paging::CannotAlter;
use crate::replication::{Caller, Handled};
use bytes::Bytes;
use core::fmt::Write as _;
use core::time::Duration;
use storytime_journal::Lsn;
use storytime_machine::{Cx, Time};

/// Most keys that a connection watches; each is looked for among the others.
const WATCHED_MAX: usize = 1024;

/// What is about pages goes wrong without them.
const NO_PAGES: Fault = Fault::of("ERR this server has no pages (--pages)");

impl Database {
    pub(super) const fn commands(&self) -> &Commands {
        &self.commands
    }

    /// All connections but the one whose request runs.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().flatten().map(|session| &**session)
    }

    /// `master` or `slave`, as Redis says it.
    pub(super) const fn role_name(&self) -> &'static str {
        if self.replication.is_replica() { "slave" } else { "master" }
    }

    /// Whether something may be changed now.
    ///
    /// # Errors
    /// What the client is told.
    pub(super) fn may_write(&self, now: Time) -> Outcome {
        if self.read_only {
            return Err(Fault::of("READONLY You can't write against a read only server."));
        }
        if let Err(text) = self.replication.may_write(&self.engine, now) {
            return Err(String::from_utf8_lossy(&text).into_owned().into());
        }
        if self.engine.applied() < self.engine.log.last() {
            return Err(Fault::of("LOADING records of the former master are being applied"));
        }
        self.engine.log.admits()
    }

    /// Term, last record, last durable record.
    pub fn position(&self) -> (u64, Lsn, Lsn) {
        (self.replication.term().0, self.engine.log.last(), self.engine.log.durable())
    }

    /// Refuses writes of clients, or takes them again.
    pub(super) const fn set_read_only(&mut self, on: bool) {
        self.read_only = on;
    }

    /// The digest of all content; its reply waits until all of it is durable.
    pub(super) fn digest(&mut self) -> u64 {
        self.engine.marks.read_all();
        self.engine.store.digest()
    }

    pub(super) fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    pub(super) fn reset_counters(&mut self) {
        let Counters { connections, total_connections, running, .. } = self.counters;
        self.counters = Counters { connections, total_connections, running, ..Counters::default() };
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn port(&self) -> u16 {
        self.at.as_ref().and_then(|at| at.port()).unwrap_or(self.config.port)
    }

    pub(super) const fn uptime(&self, cx: &Cx) -> Duration {
        cx.now().since(self.started)
    }

    pub(super) const fn is_loading(&self) -> bool {
        matches!(self.phase, Phase::Loading)
    }

    /// Begins a checkpoint.
    ///
    /// # Errors
    /// If one is under way, or there is nothing that could keep it.
    pub(super) fn checkpoint(&mut self, cx: &mut Cx) -> Outcome {
        if !self.engine.log.is_kept() {
            return Err(Fault::of("ERR nothing is kept on disk (--appendonly no)"));
        }
        let head = self.replication.history_piece();
        if !self.engine.begin_checkpoint(cx, &head) {
            return Err(Fault::of("ERR Background save already in progress"));
        }
        Ok(())
    }

    /// The reply to the request under way waits for the end of the checkpoint.
    pub(super) const fn wait_for_checkpoint(&mut self) {
        self.awaits = Awaits::Checkpoint;
    }

    /// Begins to lay rows out anew, so many neighbours on a page.
    ///
    /// # Errors
    /// If that cannot be.
    pub(super) fn alter(&mut self, cx: &mut Cx, page_rows: u64) -> Outcome {
        let Some(pages) = &mut self.engine.pages else { return Err(NO_PAGES) };
        pages.alter(cx, page_rows).map_err(|why| match why {
            CannotAlter::NotOpen => Fault::of("LOADING the file of pages is not there yet"),
            CannotAlter::UnderWay => Fault::of("ERR rows are being laid out anew already"),
        })
    }

    /// Neighbouring rows on a page, pages laid out anew and pages to lay out; two zeros if that is
    /// not under way.
    ///
    /// # Errors
    /// If there are no pages.
    pub(super) fn layout(&self) -> Result<[u64; 3], Fault> {
        let pages = self.engine.pages.as_ref().ok_or(NO_PAGES)?;
        let (done, all) = pages.altering().unwrap_or_default();
        Ok([pages.page_rows(), done, all])
    }

    /// When the last checkpoint became durable, seconds since 1970; the start if there was none.
    pub(super) fn last_save(&self, cx: &Cx) -> u64 {
        let started = cx.wall_clock().as_secs().saturating_sub(self.uptime(cx).as_secs());
        self.engine.checkpointing.last_secs().max(started)
    }

    /// Whether a checkpoint is under way.
    pub(super) fn is_checkpointing(&self) -> bool {
        self.engine.checkpointing.is_under_way()
    }

    /// The lines of `INFO` on replication.
    pub(super) fn replication_info(&self, cx: &Cx, text: &mut String) {
        self.replication.info(&self.engine, cx.now(), text);
        if !self.notice.is_empty() {
            let _ = write!(text, "repl_last_notice:{}\r\n", self.notice);
        }
    }

    /// Has replication carry a request out.
    pub(super) fn ask_replication(&mut self, cx: &mut Cx, call: &mut Call<'_>) {
        let words: Vec<Bytes> = call.args.iter().map(Bytes::copy_from_slice).collect();
        let session = &mut *call.session;
        let caller = Caller {
            conn: session.conn,
            peer: Some(&session.peer),
            last_write: session.last_write,
        };
        let out = &mut call.out.bytes;
        match self.replication.command(cx, &mut self.engine, &caller, &words, out) {
            Handled::Done => {}
            Handled::Waits => self.awaits = Awaits::Replicas,
            Handled::Adopted => session.adopted = true,
            Handled::No => unreachable!("the table names its commands alone"),
        }
    }

    /// A counter by its name.
    pub(super) fn counter(&self, wanted: &str) -> u64 {
        let mut found = 0;
        self.each_counter(&mut |name, value| {
            if name == wanted {
                found = value;
            }
        });
        found
    }

    /// Watches a key; one that has ended counts as gone.
    ///
    /// # Errors
    /// If the connection watches too many already, or keys too long.
    pub(super) fn watch(&mut self, session: &mut Session, key: &[u8]) -> Outcome {
        let same = |(db, found): &(u32, Bytes)| *db == session.db && found == key;
        if session.watched.iter().any(same) {
            return Ok(());
        }
        let bytes: usize = session.watched.iter().map(|(_, key)| key.len()).sum();
        if session.watched.len() >= WATCHED_MAX || bytes + key.len() > REQUEST_BYTES_MAX {
            return Err(Fault::of("ERR too many keys are watched by this connection"));
        }
        let key = Bytes::copy_from_slice(key);
        self.engine.marks.watch(session.db, key.clone(), session.conn);
        session.watched.push((session.db, key));
        Ok(())
    }

    /// Runs the requests of a transaction, one after the other.
    pub(super) fn run_all(
        &mut self,
        cx: &mut Cx,
        call: &mut Call<'_>,
        queued: &[Queued],
    ) -> Outcome {
        assert!(matches!(call.session.multi, Multi::Off), "it is taken before it runs");
        for request in queued {
            // What was allowed when it was queued may not be any more: all or nothing.
            if let Run::Data(_) = request.spec.run {
                self.admit_data(cx.now(), request.spec).map_err(|fault| -> Fault {
                    format!("EXECABORT Transaction discarded because of: {fault}").into()
                })?;
            }
        }
        call.out.array(queued.len());
        core::mem::swap(&mut self.out, call.out);
        for request in queued {
            self.run(cx, call.session, request.spec, request.args());
        }
        core::mem::swap(&mut self.out, call.out);
        self.counters.transactions += 1;
        Ok(())
    }
}
