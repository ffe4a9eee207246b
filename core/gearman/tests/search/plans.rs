//! The plans that are searched.

use crate::yard::Plan;
use std::time::Duration;
use storytime_gearman::engine::{Defect, Rules};

/// Clients and workers come and go, operators cancel.
pub(crate) fn comings_and_goings(submits: u32) -> Plan {
    Plan {
        rules: Rules::default(),
        clients: 3,
        workers: 2,
        keys: b"uv",
        submits,
        jobs_each: 1,
        cancels: true,
        fails: true,
        sleeps: false,
        durable: false,
        crashes: 0,
        time_outs: false,
    }
}

/// Workers sleep, are woken, and tarry.
pub(crate) fn sleepers(submits: u32) -> Plan {
    Plan { clients: 1, keys: b"u ", fails: false, sleeps: true, ..comings_and_goings(submits) }
}

/// Workers wait for the next job when they have finished one.
pub(crate) fn patient_workers(submits: u32) -> Plan {
    let rules = Rules { grab_patience: Duration::from_millis(1), ..Rules::default() };
    Plan { rules, ..sleepers(submits) }
}

/// Workers take too long, and jobs fail that lost too many of them.
pub(crate) fn tired_workers(submits: u32) -> Plan {
    let rules = Rules { losses_max: Some(2), ..Rules::default() };
    Plan { rules, clients: 2, fails: false, time_outs: true, ..comings_and_goings(submits) }
}

/// Jobs are promised by a disk, and the server dies.
pub(crate) fn disk(submits: u32) -> Plan {
    let keys = b"u ";
    Plan {
        clients: 2,
        keys,
        fails: false,
        durable: true,
        crashes: 1,
        ..comings_and_goings(submits)
    }
}

/// All of it.
pub(crate) fn everything(submits: u32) -> Plan {
    let grab_patience = Duration::from_millis(1);
    let rules = Rules { losses_max: Some(2), grab_patience, ..Rules::default() };
    let (sleeps, durable, crashes, time_outs) = (true, true, 1, true);
    Plan { rules, sleeps, durable, crashes, time_outs, ..comings_and_goings(submits) }
}

/// With one of the original's mistakes.
pub(crate) fn original(defect: Defect) -> Plan {
    let rules = Rules { defect: Some(defect), ..Rules::default() };
    Plan { rules, ..comings_and_goings(3) }
}

/// With one of the original's mistakes, and workers that come at the end only.
pub(crate) fn original_without_workers(defect: Defect) -> Plan {
    Plan { jobs_each: 0, ..original(defect) }
}
