//! The machine.

use crate::Config;
use storytime_machine::{Boot, Cx, Machine, Work};

/// Requests; one unit each.
pub const WORK_REQUESTS: Work = Work { index: 0, name: "dbd_requests" };
/// Rows read; one unit each.
pub const WORK_READS: Work = Work { index: 1, name: "dbd_reads" };
/// Rows written, by clients or by replication; one unit each.
pub const WORK_WRITES: Work = Work { index: 2, name: "dbd_writes" };
/// Connections taken; one unit each.
pub const WORK_CONNECTIONS: Work = Work { index: 3, name: "dbd_connections" };

/// A database server.
#[derive(Debug)]
pub struct Database {
    config: Config,
}

impl Database {
    /// A server that has not started.
    pub const fn new(config: Config) -> Self {
        Self { config }
    }
}

impl Machine for Database {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        let _ = (cx, boot, &self.config);
    }
}
