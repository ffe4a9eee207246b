//! The work itself: one node that echoes, others that call.

use madsim::net::{TcpListener, TcpStream};
use madsim::runtime::Runtime;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Where the echo listens.
const SERVER: &str = "10.0.0.1:7";

/// What to run.
#[derive(Clone, Copy)]
pub struct Work {
    /// Nodes that call.
    pub hosts: u64,
    /// Connections of each of them.
    pub conns: u64,
    /// Messages on each, one under way at a time.
    pub messages: u64,
    /// Bytes of a message.
    pub message_bytes: u64,
    /// Shortest one-way delay.
    pub latency_min_us: u64,
    /// Longest one-way delay.
    pub latency_max_us: u64,
}

/// Runs it and returns the CPU time used, making the world included.
pub fn run(work: Work) -> Duration {
    let began = cpu_time();
    let mut config = madsim::Config::default();
    let micros = Duration::from_micros;
    config.net.send_latency = micros(work.latency_min_us)..micros(work.latency_max_us);
    let runtime = Runtime::with_seed_and_config(1, config);
    let node = |name: &str, ip: [u8; 4]| {
        runtime.create_node().name(name).ip(std::net::Ipv4Addr::from(ip).into()).build()
    };
    let server = node("server", [10, 0, 0, 1]);
    let callers: Vec<_> = (0..work.hosts)
        .map(|host| node("caller", [10, 1, (host >> 8) as u8, host as u8]))
        .collect();
    runtime.block_on(async move {
        server.spawn(serve(work));
        madsim::time::sleep(Duration::from_millis(1)).await; // Until it listens.
        let each = |_| callers.iter().map(|caller| caller.spawn(call(work)));
        let calls: Vec<_> = (0..work.conns).flat_map(each).collect();
        for done in calls {
            done.await.expect("callers end").expect("every message is answered");
        }
    });
    cpu_time() - began
}

async fn serve(work: Work) -> io::Result<()> {
    let listener = TcpListener::bind(SERVER).await?;
    loop {
        let (mut conn, _) = listener.accept().await?;
        madsim::task::spawn(async move {
            let mut message = vec![0; work.message_bytes as usize];
            while conn.read_exact(&mut message).await.is_ok() {
                conn.write_all(&message).await?;
                conn.flush().await?;
            }
            io::Result::Ok(())
        });
    }
}

async fn call(work: Work) -> io::Result<()> {
    let mut conn = TcpStream::connect(SERVER).await?;
    let mut message = vec![b'm'; work.message_bytes as usize];
    for _ in 0..work.messages {
        conn.write_all(&message).await?;
        conn.flush().await?;
        conn.read_exact(&mut message).await?;
    }
    Ok(())
}

/// CPU time of this process. Asked by a system call of its own: madsim replaces the C library's.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("time used is not negative")
}
