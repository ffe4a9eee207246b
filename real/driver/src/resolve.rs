//! Name look-up: the host table first, then what the platform offers.

use crate::net;
use crate::worker::Worker;
use std::sync::Arc;
use storytime_machine::{IpAddr, ResolveError, Token};

/// Addresses of one name that are passed on.
const ADDRESSES_MAX: usize = 64;

/// Looks a name up and tells the process the outcome.
pub(crate) async fn look_up(worker: Arc<Worker>, lookup: Token, name: String) {
    let found = match (worker.host.table(&name), name.parse::<IpAddr>()) {
        (Some(ips), _) => Ok(ips),
        (None, Ok(literal)) => Ok(vec![literal]),
        (None, Err(_)) => net::resolve(&name).await,
    };
    let result = found.and_then(|ips| {
        let mut unique: Vec<IpAddr> = Vec::new();
        for ip in ips {
            if unique.len() < ADDRESSES_MAX && !unique.contains(&ip) {
                unique.push(ip);
            }
        }
        if unique.is_empty() { Err(ResolveError::NotFound) } else { Ok(unique) }
    });
    let mut turn = worker.turn();
    let now = turn.now;
    turn.drive.resolved(now, lookup, result);
    turn.settle(None);
}
