//! The one timer task of a process.
//!
//! It sleeps until the deadline at which it was armed. A deadline that moves later is not followed:
//! the alarm rings early once, finds nothing due and arms itself anew. So an idle time-out that
//! every message pushes back costs nothing per message.

use crate::bell::Bell;
use crate::worker::Worker;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use storytime_machine::Duration;

/// Ticks in one turn before other tasks get theirs: a machine may set timers for "now" without end.
const TICKS_PER_TURN_MAX: u32 = 16;
/// Longest sleep before the deadline is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(86_400);

/// Rings until the process has ended.
pub(crate) async fn ring(worker: Arc<Worker>, mut bell: Bell) {
    poll_fn(|cx| {
        let mut turn = worker.turn();
        turn.alarm.waker.get_or_insert_with(|| cx.waker().clone());
        if turn.life.exit.is_some() {
            return Poll::Ready(());
        }
        for _ in 0..TICKS_PER_TURN_MAX {
            let due = turn.drive.deadline();
            turn.alarm.armed = due;
            let Some(at) = due else { return Poll::Pending };
            let now = turn.now;
            if at <= now.mono {
                turn.drive.tick(now);
                turn.settle(None);
                continue;
            }
            bell.set(at.since(now.mono).min(SLEEP_MAX));
            if bell.poll(cx).is_pending() {
                return Poll::Pending;
            }
            turn.refresh();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
