//! Counters as Prometheus text over a minimal HTTP/1.1.
//!
//! One request per connection, one connection at a time. Not served: compression, other formats,
//! TLS, authentication; hence the loopback.

use crate::worker::Worker;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use storytime_machine::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

/// Longest request head that is read, bytes.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// How long one scrape may take.
const SCRAPE_LIMIT: Duration = Duration::from_secs(5);
/// Pause after an accept that failed.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Binds the endpoint.
pub(crate) fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Answers scrapes for ever.
pub(crate) async fn serve(listener: TcpListener, workers: Vec<Arc<Worker>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let answered = tokio::time::timeout(SCRAPE_LIMIT, answer(stream, &workers)).await;
                if !matches!(answered, Ok(Ok(()))) {
                    debug!(%peer, "a scrape of the metrics did not finish");
                }
            }
            Err(failure) => {
                debug!(%failure, "metrics endpoint");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, workers: &[Arc<Worker>]) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= REQUEST_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let (status, body) = if head.starts_with(b"GET /metrics ") {
        ("200 OK", text(workers))
    } else {
        ("404 Not Found", "the counters are at /metrics\n".into())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// All counters, summed over the workers.
fn text(workers: &[Arc<Worker>]) -> String {
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    for worker in workers {
        worker.counters(&mut |name, value| *sums.entry(name).or_default() += value);
    }
    let mut text = String::new();
    for (name, value) in sums {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = name.chars().map(safe).collect();
        writeln!(text, "# TYPE storytime_{name} untyped\nstorytime_{name} {value}")
            .expect("writing to a string does not fail");
    }
    text
}
