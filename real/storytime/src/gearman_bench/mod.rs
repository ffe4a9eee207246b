//! `storytime gearman-bench`: a load for Gearman job servers, and what it costs them.
//!
//! Not modelled: an open loop, several threads (start several), jobs that take time.

mod load;
mod packets;
mod report;
mod server;
mod socket;
mod stream;

use crate::gearman::tenant;
use crate::gearman::tls::{client, files};
use crate::serve::{allow_files, print};
use crate::{FAILED, OK, WRONG};
use clap::{Args, Subcommand};
use load::{Crowd, Measured, Submitters, Target, Until};
use std::hash::{BuildHasher as _, RandomState};
use std::net::ToSocketAddrs as _;
use std::time::Duration;
use storytime_gearman::config::TlsFiles;
use storytime_scenarios::units;
use stream::{Greeting, Tls};
use tokio_rustls::rustls::pki_types::ServerName;

/// Most connections of a role.
const CONNECTIONS_MAX: u32 = 10_000;
/// Most jobs under way on a connection.
const DEPTH_MAX: u32 = 10_000;
/// Most jobs of one run.
const JOBS_MAX: u64 = 1_000_000_000;
/// Most bytes of a job.
const DATA_BYTES_MAX: u32 = 64 << 10;
/// Files beside the connections.
const FILES_BESIDE: u64 = 64;
/// Connections and depth with which a queue is filled.
const FILL: (usize, u64) = (4, 100);

const EXAMPLES: &str = "\
Examples:
  storytime gearman-bench submit --connections 8 --depth 100 --unique
  storytime gearman-bench foreground --clients 8 --depth 16 --workers 8 --pid $(pidof gearmand)
  storytime gearman-bench foreground --clients 1 --workers 1000
  storytime gearman-bench drain --jobs 1000000 --workers 8 --json
GEARMAN_TENANT=name:secret says as whose, to a server that is shared.
Exit status: 0 done, 1 the server did not do as it should, 2 the command line is wrong.";

/// What to do to a job server.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct BenchOptions {
    /// The job server
    #[arg(short, long, global = true, value_name = "HOST:PORT", default_value = "127.0.0.1:4730")]
    server: String,
    /// Its process, to tell its CPU time and memory
    #[arg(long, global = true)]
    pid: Option<u32>,
    /// The function
    #[arg(short, long, global = true, default_value = "bench")]
    function: String,
    /// Bytes of a job's data
    #[arg(long, global = true, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(8..=i64::from(DATA_BYTES_MAX)))]
    data_bytes: u32,
    /// Give each job a unique key of its own
    #[arg(long, global = true)]
    unique: bool,
    /// Give jobs unique keys, of which there are so many
    #[arg(long, global = true, value_name = "N", conflicts_with = "unique",
        value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    keys: Option<u64>,
    #[command(flatten)]
    ssl: SslOptions,
    /// One JSON object in place of the table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    load: LoadOptions,
}

#[derive(Args, Clone, Debug)]
struct SslOptions {
    /// Encrypt all connections; files that are not named are those of gearman -S
    #[arg(long, global = true)]
    ssl: bool,
    /// Who vouches for the server
    #[arg(long, global = true, value_name = "FILE", requires = "ssl")]
    ssl_ca_file: Option<String>,
    /// Our certificate
    #[arg(long, global = true, value_name = "FILE", requires = "ssl")]
    ssl_certificate: Option<String>,
    /// Its key
    #[arg(long, global = true, value_name = "FILE", requires = "ssl")]
    ssl_key: Option<String>,
}

impl SslOptions {
    /// The server goes by the name before the colon.
    fn tls(&self, server: &str) -> Result<Option<Tls>, String> {
        if !self.ssl {
            return Ok(None);
        }
        let config = client(&files(TlsFiles {
            authorities: self.ssl_ca_file.clone(),
            certificate: self.ssl_certificate.clone(),
            key: self.ssl_key.clone(),
        }))?;
        let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|why| format!("{host}: {why}"))?;
        Ok(Some(Tls { config, name }))
    }
}

#[derive(Clone, Debug, Subcommand)]
enum LoadOptions {
    /// Submit jobs in the background; they stay in the queue
    Submit {
        /// Connections
        #[arg(short, long, default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
        connections: u32,
        /// Jobs under way on a connection
        #[arg(long, default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(DEPTH_MAX)))]
        depth: u32,
        #[command(flatten)]
        length: Length,
    },
    /// Submit jobs, have them done, and wait for the results
    Foreground {
        /// Connections that submit
        #[arg(short, long, default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
        clients: u32,
        /// Jobs under way on a connection
        #[arg(long, default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(DEPTH_MAX)))]
        depth: u32,
        /// Connections that work; those that find no job sleep
        #[arg(short, long, default_value_t = 1,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
        workers: u32,
        #[command(flatten)]
        length: Length,
    },
    /// Fill a queue, then have it worked off
    Drain {
        /// Connections that work
        #[arg(short, long, default_value_t = 8,
            value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
        workers: u32,
        /// Jobs in the queue
        #[arg(long, default_value_t = 100_000,
            value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
        jobs: u64,
    },
}

#[derive(Args, Clone, Debug)]
struct Length {
    /// How long, as 10s or 2min
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    duration: Duration,
    /// At first, without measuring, as 500ms
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    warmup: Duration,
    /// End after so many jobs, however long they take
    #[arg(long, value_name = "N", conflicts_with = "duration",
        value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    jobs: Option<u64>,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a time such as 500ms, 10s or 2min".to_owned())
}

impl Length {
    fn until(&self) -> Until {
        self.jobs.map_or(Until::Time(self.duration), Until::Jobs)
    }
}

/// Runs the load and prints what was measured.
pub(crate) fn run(options: &BenchOptions) -> u8 {
    let mut found = options.server.to_socket_addrs().into_iter().flatten();
    let Some(at) = found.next() else {
        eprintln!("gearman-bench: --server {}: expected HOST:PORT", options.server);
        return WRONG;
    };
    if options.function.is_empty() || options.function.contains('\0') {
        eprintln!("gearman-bench: --function: expected a name");
        return WRONG;
    }
    if options.keys.is_some() && matches!(options.load, LoadOptions::Foreground { .. }) {
        eprintln!("gearman-bench: --keys: jobs that are one have one result; use --unique");
        return WRONG;
    }
    let tls = options.ssl.tls(&options.server);
    let greeting = match tls.and_then(|tls| Ok(Greeting { tls, tenant: tenant()? })) {
        Ok(greeting) => greeting,
        Err(why) => {
            eprintln!("gearman-bench: {why}");
            return WRONG;
        }
    };
    let target = Target {
        at,
        greeting,
        pid: options.pid,
        function: options.function.clone(),
        data_bytes: options.data_bytes as usize,
        keys: if options.unique { Some(0) } else { options.keys },
        salt: RandomState::new().hash_one(0),
    };
    allow_files(options.load.connections() + FILES_BESIDE);
    let what = options.load.to_string();
    match options.load.run(&target) {
        Ok(measured) if options.json => print(&report::json(&what, &measured)),
        Ok(measured) => print(&report::table(&what, &measured)),
        Err(why) => {
            eprintln!("gearman-bench: {}: {why}", options.server);
            return FAILED;
        }
    };
    OK
}

impl LoadOptions {
    fn connections(&self) -> u64 {
        match *self {
            Self::Submit { connections, .. } => connections.into(),
            Self::Foreground { clients, workers, .. } => u64::from(clients) + u64::from(workers),
            Self::Drain { workers, .. } => u64::from(workers) + FILL.0 as u64,
        }
    }

    fn run(&self, target: &Target) -> std::io::Result<Measured> {
        match self {
            Self::Submit { connections, depth, length } => {
                let (connections, depth) = (*connections as usize, u64::from(*depth));
                let mut all = Submitters::connect(target, connections, depth)?;
                if !length.warmup.is_zero() {
                    all.run(Until::Time(length.warmup))?;
                }
                all.run(length.until())
            }
            Self::Foreground { clients, depth, workers, length } => {
                let (clients, workers) = (*clients as usize, *workers as usize);
                let mut all = Crowd::connect(target, clients, *depth as usize, workers)?;
                all.put_to_sleep()?;
                if !length.warmup.is_zero() {
                    all.foreground(Until::Time(length.warmup))?;
                }
                all.foreground(length.until())
            }
            Self::Drain { workers, jobs } => {
                let (connections, depth) = FILL;
                Submitters::connect(target, connections, depth)?.run(Until::Jobs(*jobs))?;
                Crowd::connect(target, 0, 0, *workers as usize)?.drain(*jobs)
            }
        }
    }
}

impl std::fmt::Display for LoadOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Submit { connections, depth, .. } => {
                write!(f, "submit: {connections} connections, {depth} under way on each")
            }
            Self::Foreground { clients, depth, workers, .. } => {
                write!(f, "foreground: {clients} clients, {depth} under way on each, ")?;
                write!(f, "{workers} workers")
            }
            Self::Drain { workers, .. } => write!(f, "drain: {workers} workers"),
        }
    }
}
