//! The one timer task of a process.
//!
//! It sleeps until the deadline at which it was armed. A deadline that moves later is not followed:
//! the alarm rings early once, finds nothing due and arms itself anew. So an idle time-out that
//! every message pushes back costs nothing per message.
//!
//! What is due is told behind what there is to be read: a machine that sets a timer for this very
//! moment hears of everything that has come before.

use crate::bell::Bell;
use crate::worker::Worker;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use storytime_machine::{Duration, Time};

/// Longest sleep before the deadline is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(86_400);

/// Rings until the process has ended.
pub(crate) async fn ring(worker: Arc<Worker>, mut bell: Bell) {
    while next(&worker, &mut bell).await {
        tokio::task::yield_now().await;
        let mut turn = worker.turn();
        let now = turn.now;
        turn.drive.tick(now);
        turn.settle(None);
    }
}

/// Sleeps until something is due; false once the process has ended.
async fn next(worker: &Arc<Worker>, bell: &mut Bell) -> bool {
    // When the bell rings, if it was set; it is set again only to ring earlier.
    let mut rings: Option<Time> = None;
    poll_fn(|cx| {
        let mut turn = worker.turn();
        turn.alarm.waker.get_or_insert_with(|| cx.waker().clone());
        if turn.life.exit.is_some() {
            return Poll::Ready(false);
        }
        loop {
            let due = turn.drive.deadline();
            turn.alarm.armed = due;
            let Some(at) = due else { return Poll::Pending };
            let now = turn.now.mono;
            if at <= now {
                return Poll::Ready(true);
            }
            let at = at.min(now + SLEEP_MAX);
            if rings.is_none_or(|rings| at < rings) {
                bell.set(at.since(now));
                rings = Some(at);
            }
            if bell.poll(cx).is_pending() {
                return Poll::Pending;
            }
            rings = None;
            turn.refresh();
        }
    })
    .await
}
