//! Datagram sockets.

use crate::error;
use crate::net::Datagrams;
use crate::worker::{Turn, Worker};
use std::sync::Arc;
use storytime_machine::{Addr, Bytes, Token};
use tracing::{debug, warn};

/// Receive buffer: the largest datagram there is.
const RECEIVE_BYTES: usize = 64 << 10;

/// Opens a datagram socket and receives on it for ever.
pub(crate) async fn serve(worker: Arc<Worker>, token: Token, at: Addr) {
    let bound = Datagrams::bind(worker.host.place(at)).await;
    let socket = {
        let mut turn = worker.turn();
        let now = turn.now;
        let socket = match bound {
            Ok((socket, at)) => {
                let socket = Arc::new(socket);
                turn.datagrams.insert(token, Arc::clone(&socket));
                turn.drive.bound(now, token, Ok(at.into()));
                Some(socket)
            }
            Err(failure) => {
                warn!(%at, %failure, "cannot open a datagram socket");
                turn.drive.bound(now, token, Err(error::bind(&failure)));
                None
            }
        };
        turn.settle(None);
        socket
    };
    let Some(socket) = socket else { return };
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        match socket.receive(&mut buffer).await {
            Ok((len, from)) => {
                let mut turn = worker.turn();
                let now = turn.now;
                turn.stats.datagrams_in += 1;
                turn.drive.datagram(now, token, from, &buffer[..len]);
                turn.settle(None);
            }
            // A port answered "unreachable" to an earlier datagram: nobody is told of that.
            Err(failure) => {
                debug!(%failure, "datagram socket");
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Sends at once or never: a full socket buffer loses datagrams, as a full link does.
pub(crate) fn send(turn: &mut Turn<'_>, token: Token, to: Addr, bytes: Bytes) {
    let to = turn.worker.host.place(to);
    let sent = turn.datagrams.get(&token).is_some_and(|socket| Datagrams::send(socket, to, bytes));
    if sent {
        turn.stats.datagrams_out += 1;
    } else {
        turn.stats.datagrams_dropped += 1;
    }
}
