//! Echo over TCP on turmoil: the same work as in [`echo_world`](crate::echo_world).

use crate::echo::PORT;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream};

/// Simulated time that would be too much; the work is far smaller.
const SIMULATED_MAX: Duration = Duration::from_secs(3600);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Hosts that call.
    pub hosts: u64,
    /// Connections of each of them.
    pub conns: u64,
    /// Messages on each, one under way at a time.
    pub messages: u64,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Shortest one-way delay.
    pub latency_min: Duration,
    /// Longest one-way delay.
    pub latency_max: Duration,
}

/// Runs it to its end.
///
/// # Panics
/// If turmoil breaks the work off, or a message was not answered.
pub fn run(work: Work) {
    let answered = Arc::new(AtomicU64::new(0));
    let mut sim = turmoil::Builder::new()
        .rng_seed(1)
        .simulation_duration(SIMULATED_MAX)
        .min_message_latency(work.latency_min)
        .max_message_latency(work.latency_max)
        .build();
    sim.host("server", move || serve(work.message_bytes));
    for host in 0..work.hosts {
        let counter = Arc::clone(&answered);
        sim.client(format!("caller-{host}"), async move {
            let mut calls = tokio::task::JoinSet::new();
            for _ in 0..work.conns {
                calls.spawn(call(work, Arc::clone(&counter)));
            }
            calls.join_all().await;
            Ok(())
        });
    }
    sim.run().expect("turmoil carries the work out");
    let total = work.hosts * work.conns * work.messages;
    assert_eq!(answered.load(Ordering::Relaxed), total, "every message is answered");
}

async fn serve(message_bytes: usize) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (mut conn, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut message = vec![0; message_bytes];
            while conn.read_exact(&mut message).await.is_ok() {
                if conn.write_all(&message).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn call(work: Work, answered: Arc<AtomicU64>) {
    let mut conn = TcpStream::connect(("server", PORT)).await.expect("the echo listens");
    let mut message = vec![b'm'; work.message_bytes];
    for _ in 0..work.messages {
        conn.write_all(&message).await.expect("the echo listens");
        conn.read_exact(&mut message).await.expect("the echo answers");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
