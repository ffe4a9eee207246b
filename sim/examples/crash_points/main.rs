//! Every crash point of a small log: right, and with each of the classical mistakes.
//!
//! ```console
//! $ cargo run --release -p storytime-sim --example crash_points
//! ```

mod log;
mod subject;

use log::Bug;
use storytime_sim::DiskConfig;
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::{Options, enumerate};
use subject::Numbers;

/// Numbers that each log is asked to keep.
const NUMBERS: u64 = 100;

/// The right log first.
const BUGS: [Bug; 6] = [
    Bug::None,
    Bug::EarlyAck,
    Bug::ForgottenName,
    Bug::EarlyRename,
    Bug::SharedSector,
    Bug::TrustedLength,
];

#[expect(clippy::disallowed_types, reason = "a program, not a machine")]
fn main() {
    for bug in BUGS {
        for profile in Profile::ALL {
            let options = Options::new(DiskConfig::new(profile));
            let began = std::time::Instant::now();
            let mut report = enumerate(&options, || Numbers::new(bug, NUMBERS));
            let rate = report.states.total() as f64 / began.elapsed().as_secs_f64();
            report.violations.truncate(1);
            println!("{bug:?} on a {profile} disk, {rate:.0} states a second: {report}");
        }
    }
}
