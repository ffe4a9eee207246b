//! Jobs from the durable queue, and what waits for its disk.

use super::{Gearmand, Phase};
use crate::config::Verbosity;
use crate::queue::Progress;
use storytime_machine::{Cx, DiskResult, Exit, Token};

impl Gearmand {
    /// A disk operation of the queue's completed.
    pub(super) fn disk_done(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let Some(log) = &mut self.log else { return };
        let known = log.on_disk(cx, op, result);
        assert!(known, "the queue alone uses the disk");
        self.hear_log(cx);
    }

    /// Everything that the durable queue has to tell.
    pub(super) fn hear_log(&mut self, cx: &mut Cx) {
        while let Some(progress) = self.log.as_mut().and_then(|log| log.next(&mut self.engine)) {
            self.progress(cx, progress);
        }
    }

    fn progress(&mut self, cx: &mut Cx, progress: Progress) {
        match progress {
            Progress::Ready => self.recalled(cx),
            Progress::Durable(upto) => {
                let (engine, mut wire) = self.split(cx);
                engine.durable(&mut wire, upto);
            }
            Progress::Refused(why) => {
                let what = format_args!("the durable queue cannot be read: {why}");
                self.around.say(Verbosity::Fatal, what);
                cx.exit(Exit::Failed("the durable queue cannot be read; see the log"));
            }
            Progress::Failed(why) => cx.exit(Exit::Failed(why)),
        }
    }

    /// All jobs are back.
    fn recalled(&mut self, cx: &mut Cx) {
        assert_eq!(self.phase, Phase::Recovering, "recovery ends once");
        let log = self.log.take().expect("its recovery has ended");
        let (engine, mut wire) = self.split(cx);
        // What is found to be needless is not written down as such: it is found again next time,
        // or left out of the next checkpoint.
        log.begin(engine, &mut wire);
        self.log = Some(log);
        let jobs = self.engine.jobs();
        let what = format_args!("{jobs} jobs from the durable queue");
        self.around.say(Verbosity::Info, what);
        self.begin_to_serve(cx);
    }
}
