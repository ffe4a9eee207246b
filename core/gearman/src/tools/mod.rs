//! The command line tools, as machines: `gearman` ([`Submitter`], [`Performer`]) and `gearadmin`
//! ([`Admin`]).
//!
//! | module | holds |
//! |---|---|
//! | `options`, `admin_options`, `getopt` | command lines, the originals' |
//! | `places` | where job servers are, and looking their names up |
//! | `shell` | standard input, output and commands: what a tool has beside its machine |
//! | `workloads` | input and output cut into pieces |
//! | `submitter`, `performer` | `gearman` as a client, and as a worker |
//! | `admin` | `gearadmin` |
//!
//! A machine neither reads input nor runs commands: it asks its [`Shell`], which answers from
//! threads on a real host and from a table in a simulation.
//!
//! Not modelled: pid files and running in the background, which are the program's ([`Around`]).

mod admin;
mod admin_options;
mod getopt;
mod options;
mod performer;
mod places;
mod shell;
mod submitter;
mod workloads;

pub use admin::{Admin, LINE_BYTES_MAX};
pub use admin_options::{ADMIN_HELP, AdminCommand, AdminConfig, AdminUsage, Ask};
pub use options::{
    Around, ClientConfig, Command, Common, FUNCTIONS_MAX, HELP, Lines, Source, UsageError,
    WorkerConfig,
};
pub use performer::Performer;
pub use places::{BadPlace, Place, SERVERS_MAX};
pub use shell::{
    Answer, DATA_BYTES_MAX, Ended, Input, Program, Ran, Room, Run, Scripted, Shell, Stream,
};
pub use submitter::{JOBS_UNDER_WAY_MAX, Submitter};

use shell::PACKET_BYTES_MAX;
use storytime_machine::Limits;

/// Limits of a process with one of the tools: the longest data fits.
pub fn limits() -> Limits {
    let limits = Limits::default();
    Limits {
        rx_bytes_max: PACKET_BYTES_MAX + limits.rx_bytes_max,
        tx_bytes_max: 4 * PACKET_BYTES_MAX,
        ..limits
    }
}
