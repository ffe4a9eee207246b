//! Telling what happens to jobs, for who watches.

use super::Engine;
use super::ring::NONE;
use super::types::{Happened, Happening, Number, Out, Peer};

impl Engine {
    /// Something happened to a job, which is still in its place.
    #[inline]
    pub(super) fn tell(&self, out: &mut impl Out, at: u32, what: Happened) {
        if out.watched() {
            let job = self.jobs.get(at);
            let worker = (job.worker != NONE).then_some(Peer(job.worker));
            out.happened(Happening {
                what,
                number: Number(job.number),
                function: &self.functions.get(job.function).name,
                unique: job.unique(),
                worker,
            });
        }
    }
}
