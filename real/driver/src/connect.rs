//! Outgoing connections.

use crate::worker::Worker;
use crate::{error, net};
use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
use std::sync::Arc;
use storytime_machine::{Duration, Endpoint, Gone, Token};
use tracing::debug;

/// Longest time-out of a connect that is honoured; nobody waits longer, and clocks can represent
/// it.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(86_400);

/// Tries once and tells the process the outcome.
pub(crate) async fn attempt(worker: Arc<Worker>, token: Token, to: Endpoint, timeout: Duration) {
    let connecting = net::connect(&worker.host, &to);
    let outcome = tokio::time::timeout(timeout.min(CONNECT_TIMEOUT_MAX), connecting).await;
    let mut turn = worker.turn();
    let now = turn.now;
    match outcome {
        Ok(Ok(socket)) => match turn.drive.connected(now, token) {
            Some(conn) => turn.open(conn, socket, &to),
            None => socket.abort(),
        },
        // The kernel refuses with another error: this connection came up and was reset before we
        // could look.
        Ok(Err(failure)) if matches!(failure.kind(), ConnectionReset | BrokenPipe) => {
            if let Some(conn) = turn.drive.connected(now, token) {
                turn.drive.gone(now, conn, Gone::Reset);
            }
        }
        Ok(Err(failure)) => {
            let why = error::connect(&failure);
            debug!(%to, %failure, "connect failed");
            turn.drive.failed(now, token, why);
        }
        Err(_) => {
            debug!(%to, ?timeout, "connect timed out");
            turn.drive.failed(now, token, Gone::TimedOut);
        }
    }
    turn.settle(None);
}
