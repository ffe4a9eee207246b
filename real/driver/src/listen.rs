//! Listeners: bound, told, and accepting only while the machine has a free slot.
//!
//! While accepting is off the connections wait in the operating system's listen queue, which
//! finishes handshakes and takes data on its own: that is what the machine asked for.

use crate::net::{Listener, Socket};
use crate::worker::Worker;
use crate::{error, net};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use storytime_machine::{Duration, Endpoint, Listen, Token};
use tracing::{debug, info, warn};

/// Connections taken in one turn. With siblings on the same queue a worker takes one at a time, so
/// that those with less to do take more.
const ACCEPTS_PER_TURN_MAX: u32 = 16;
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Opens a listener and accepts on it until it is closed. Its name is the machine's token and our
/// serial number, since the token may have a new listener before the old one's task knows.
pub(crate) async fn serve(worker: Arc<Worker>, name: (Token, u64), listen: Listen) {
    let token = name.0;
    let opened = net::listen(&worker.host, &worker.doors, token, &listen).await;
    let listener = {
        let mut turn = worker.turn();
        let now = turn.now;
        let listener = match opened {
            Ok(listener) => {
                info!(at = %listener.at(), worker = worker.boot.worker, "listening");
                turn.drive.bound(now, token, Ok(listener.at().clone()));
                Some(listener)
            }
            Err(failure) => {
                warn!(at = %listen.at, %failure, "cannot listen");
                turn.gates.remove(&token);
                turn.drive.bound(now, token, Err(error::bind(&failure)));
                None
            }
        };
        turn.settle(None);
        listener
    };
    if let Some(listener) = listener {
        accept_all(&worker, name, &listener).await;
    }
}

async fn accept_all(worker: &Arc<Worker>, name: (Token, u64), listener: &Listener) {
    let batch = if worker.siblings > 1 { 1 } else { ACCEPTS_PER_TURN_MAX };
    let mut taken = 0;
    loop {
        match next(worker, name, listener).await {
            None => return,
            Some(Ok((socket, peer))) => admit(worker, name.0, socket, peer),
            Some(Err(failure)) if error::out_of_files(&failure) => {
                warn!(%failure, "cannot accept; trying again shortly");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
            // The peer gave up while it was in the queue.
            Some(Err(failure)) => debug!(%failure, "a connection ended before it was accepted"),
        }
        taken += 1;
        if taken % batch == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// The next connection; `None` once the listener is closed.
async fn next(
    worker: &Arc<Worker>,
    (token, serial): (Token, u64),
    listener: &Listener,
) -> Option<std::io::Result<(Socket, Endpoint)>> {
    let mut accept = pin!(listener.accept());
    poll_fn(|cx| {
        {
            let mut core = worker.look();
            let gate = core.gates.get_mut(&token).filter(|gate| gate.serial == serial);
            let Some(gate) = gate else { return Poll::Ready(None) };
            gate.waker = Some(cx.waker().clone());
            if !gate.on {
                return Poll::Pending;
            }
        }
        accept.as_mut().poll(cx).map(Some)
    })
    .await
}

fn admit(worker: &Arc<Worker>, token: Token, socket: Socket, peer: Endpoint) {
    let mut turn = worker.turn();
    let now = turn.now;
    match turn.drive.accepted(now, token, peer.clone()) {
        Some(conn) => turn.open(conn, socket, &peer),
        None => socket.abort(),
    }
    turn.settle(None);
}
