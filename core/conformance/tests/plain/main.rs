//! The suite on the plainest driver there is: one thread, memory for a network and a disk, a clock
//! that jumps to the next thing that is due. It checks the bodies, and it is the shortest answer to
//! "how do I write a driver?": read `driver.rs` from the top.

mod disk;
mod driver;

use driver::World;
use storytime_conformance::{Ability, Arm, Ending, Scene, play_all, suite};
use storytime_machine::{IpAddr, Ipv4Addr};

struct PlainArm;

impl Arm for PlainArm {
    fn name(&self) -> &'static str {
        "the plain driver"
    }

    fn can(&self, _ability: Ability) -> bool {
        true
    }

    fn ip(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, host + 1).into()
    }

    fn nowhere(&self) -> IpAddr {
        driver::NOWHERE
    }

    fn spare(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, 200).into()
    }

    fn play(&mut self, scene: Scene) -> Vec<Ending> {
        World::new(scene).play()
    }
}

#[test]
fn the_suite_passes_on_the_plain_driver() {
    let played = play_all(&mut PlainArm);
    assert_eq!(played.ran.len(), suite().len(), "skipped: {:?}", played.skipped);
    assert!(played.ran.len() > 50, "the suite lost most of its bodies");
}
