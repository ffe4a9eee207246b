//! What the owner says of its jobs, and of what it can do.

use super::duty::Duty;
use super::{FUNCTIONS_MAX, Function, JobId, NotTaken, Worker, WorkerEvent};
use crate::engine::Dialect;
use crate::links::Stand;
use crate::packet::{HEADER_BYTES, Kind};
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Cx;

/// What a packet has besides its data, at most, bytes.
const HEAD_BYTES_MAX: usize = 256;
const _: () = assert!(HEAD_BYTES_MAX >= HEADER_BYTES + crate::client::HANDLE_BYTES_MAX + 64);

impl Worker {
    /// Ends a job with its result, or the last part of it.
    ///
    /// # Errors
    /// See [`NotTaken`]; the end of a job is never [`NotTaken::Full`].
    pub fn complete(&mut self, cx: &mut Cx, job: JobId, data: Bytes) -> Result<(), NotTaken> {
        self.end(cx, job, Kind::WorkComplete, data)
    }

    /// Ends a job without a result.
    ///
    /// # Errors
    /// See [`NotTaken`]; the end of a job is never [`NotTaken::Full`].
    pub fn fail(&mut self, cx: &mut Cx, job: JobId) -> Result<(), NotTaken> {
        self.end(cx, job, Kind::WorkFail, Bytes::new())
    }

    /// Ends a job with words that say why it has no result.
    ///
    /// # Errors
    /// See [`NotTaken`]; the end of a job is never [`NotTaken::Full`].
    pub fn exception(&mut self, cx: &mut Cx, job: JobId, words: Bytes) -> Result<(), NotTaken> {
        self.end(cx, job, Kind::WorkException, words)
    }

    /// Sends a part of a result.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn data(&mut self, cx: &mut Cx, job: JobId, data: &Bytes) -> Result<(), NotTaken> {
        self.tell(cx, job, Kind::WorkData, data)
    }

    /// Sends a warning.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn warning(&mut self, cx: &mut Cx, job: JobId, data: &Bytes) -> Result<(), NotTaken> {
        self.tell(cx, job, Kind::WorkWarning, data)
    }

    /// Tells how far a job is.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn status(
        &mut self,
        cx: &mut Cx,
        job: JobId,
        numerator: u64,
        denominator: u64,
    ) -> Result<(), NotTaken> {
        let (server, name) = self.room_for(cx, job, 0)?;
        let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
        let words = [name.as_bytes(), numerator.as_bytes(), denominator.as_bytes()];
        self.links.put(cx, server, Kind::WorkStatus, &words);
        Ok(())
    }

    /// From now on the worker can do this too.
    ///
    /// # Panics
    /// If there are [`FUNCTIONS_MAX`] functions already.
    pub fn can_do(&mut self, cx: &mut Cx, function: Bytes, timeout: Option<Duration>) {
        let place = self.functions.iter().position(|known| known.name == function);
        let place = place.unwrap_or_else(|| {
            assert!(self.functions.len() < FUNCTIONS_MAX, "more functions than there can be");
            self.functions.push(Function { name: function, timeout, can: false });
            self.functions.len() - 1
        });
        let known = &mut self.functions[place];
        if known.can && known.timeout == timeout {
            return;
        }
        (known.can, known.timeout) = (true, timeout);
        for server in 0..self.links.len() {
            if let Stand::Up(_) = self.links.stand(server) {
                self.say_can_do(cx, server, &self.functions[place]);
                let duty = &mut self.servers[server as usize].duty;
                if matches!(duty, Duty::Asleep | Duty::Dry) {
                    // It may have such a job already.
                    *duty = Duty::Awake;
                }
            }
        }
        self.turn(cx);
    }

    /// From now on the worker cannot do this any more. A server with such a job of ours is told
    /// behind the job's end, because some take the job away otherwise; until then another may come.
    pub fn cant_do(&mut self, cx: &mut Cx, function: &[u8]) {
        let mut known = self.functions.iter().enumerate();
        let found = known.find(|(_, known)| known.can && known.name == function);
        let Some((place, _)) = found else { return };
        self.functions[place].can = false;
        for server in 0..self.links.len() {
            self.say_cant_do(cx, server, place);
        }
    }

    /// Tells a server that the worker cannot do a function, unless it has such a job.
    fn say_cant_do(&self, cx: &mut Cx, server: u32, place: usize) {
        let up = matches!(self.links.stand(server), Stand::Up(_));
        let busy = self.jobs.on_server(server).any(|job| self.jobs.function(job) == Some(place));
        if up && !busy {
            self.links.put(cx, server, Kind::CantDo, &[&self.functions[place].name]);
        }
    }

    /// Where a packet about a job goes, if it can.
    fn room_for(
        &mut self,
        cx: &Cx,
        job: JobId,
        bytes: usize,
    ) -> Result<(u32, super::Name), NotTaken> {
        let found = self.jobs.get(job).filter(|found| found.end.is_none());
        let found = found.ok_or(NotTaken::Unknown)?;
        let server = found.server.ok_or(NotTaken::Gone)?;
        if bytes + HEAD_BYTES_MAX > cx.limits().tx_bytes_max - cx.limits().tx_high {
            return Err(NotTaken::TooLong);
        }
        if !self.links.has_room(cx, server) {
            found.waits = true;
            return Err(NotTaken::Full);
        }
        Ok((server, found.name))
    }

    fn tell(&mut self, cx: &mut Cx, job: JobId, kind: Kind, data: &Bytes) -> Result<(), NotTaken> {
        let (server, name) = self.room_for(cx, job, data.len())?;
        self.links.put_with_data(cx, server, kind, &[name.as_bytes()], data);
        Ok(())
    }

    fn end(&mut self, cx: &mut Cx, job: JobId, kind: Kind, data: Bytes) -> Result<(), NotTaken> {
        match self.room_for(cx, job, data.len()) {
            Ok((server, _)) => {
                self.put_end(cx, server, job, kind, &data);
                self.leave_if_done(cx, server);
                self.turn(cx);
                Ok(())
            }
            Err(NotTaken::Full) => {
                let found = self.jobs.get(job).expect("there was no room for it");
                found.end = Some((kind, data));
                let server = found.server.expect("there was no room on its server");
                self.servers[server as usize].unsent.push_back(job);
                Ok(())
            }
            Err(NotTaken::Gone) => {
                self.jobs.remove(job);
                self.turn(cx);
                Err(NotTaken::Gone)
            }
            Err(why) => Err(why),
        }
    }

    fn put_end(&mut self, cx: &mut Cx, server: u32, job: JobId, kind: Kind, data: &Bytes) {
        let found = self.jobs.remove(job).expect("a job ends once");
        self.servers[server as usize].jobs -= 1;
        let name = found.name.as_bytes();
        match kind {
            Kind::WorkFail => self.links.put(cx, server, kind, &[name]),
            _ => self.links.put_with_data(cx, server, kind, &[name], data),
        }
        if kind == Kind::WorkException && self.options.dialect == Dialect::Danga {
            // There, an exception is not the end.
            self.links.put(cx, server, Kind::WorkFail, &[name]);
        }
        match kind {
            Kind::WorkComplete => self.counters.completed += 1,
            _ => self.counters.failed += 1,
        }
        if let Some(place) = found.function
            && !self.functions[place].can
        {
            self.say_cant_do(cx, server, place);
        }
    }

    /// Sends what waits for room, and tells those who do.
    pub(super) fn flush(&mut self, cx: &mut Cx, server: u32) {
        while self.links.has_room(cx, server) {
            let Some(job) = self.servers[server as usize].unsent.pop_front() else { break };
            // It may have gone since.
            let Some(found) = self.jobs.get(job) else { continue };
            let (kind, data) = found.end.take().expect("what waits here has ended");
            self.put_end(cx, server, job, kind, &data);
        }
        if self.links.has_room(cx, server) {
            let jobs: Vec<JobId> = self.jobs.on_server(server).collect();
            for job in jobs {
                let found = self.jobs.get(job).expect("jobs of a server are known");
                if core::mem::take(&mut found.waits) {
                    self.events.push_back(WorkerEvent::Room { job });
                }
            }
        }
        self.leave_if_done(cx, server);
    }
}
