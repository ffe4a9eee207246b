//! The driver conformance suite on the simulator: on a quiet network, and on one that cuts every
//! burst of bytes somewhere.

use storytime_conformance::{Ability, Arm, Ending, Scene, suite};
use storytime_machine::{Drive, IpAddr, Ipv4Addr, Process, Ratio, Time};
use storytime_sim::disk::{DiskConfig, Profile};
use storytime_sim::{Config, Fault, HostConfig, Link, ProgramConfig, Ran, World};

struct SimArm {
    config: Config,
}

impl Arm for SimArm {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn can(&self, _: Ability) -> bool {
        true
    }

    fn ip(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 1, 0, host + 1).into()
    }

    fn spare(&self) -> IpAddr {
        Ipv4Addr::new(10, 1, 0, 200).into()
    }

    fn nowhere(&self) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, 1).into()
    }

    fn play(&mut self, scene: Scene) -> Vec<Ending> {
        let mut world = World::new(self.config.clone());
        let mut cast = Vec::new();
        for actor in scene.cast {
            let host = world.hosts().find(|&host| world.ip(host) == actor.ip);
            let host = host.unwrap_or_else(|| {
                let disk = Some(DiskConfig::new(Profile::Posix));
                let name = format!("host-of-{}", actor.name);
                world.add_host(HostConfig { ip: Some(actor.ip), disk, ..HostConfig::new(name) })
            });
            let mut machine = Some(actor.machine);
            let mut program = ProgramConfig::new(actor.name, move |setup| {
                let machine = machine.take().expect("nobody is started twice in a scene");
                Box::new(Process::new(machine, setup)) as Box<dyn Drive>
            });
            program.limits = actor.limits;
            program.autostart = false;
            let process = world.add_program(host, program)[0];
            if let Some(after) = actor.stop_after {
                world.schedule(Time::ZERO + after, Fault::Stop(process));
            }
            cast.push(process);
            world.power_on(host);
        }
        for (name, ips) in scene.names {
            world.add_name(name, ips);
        }
        for &process in &cast {
            world.start(process);
        }
        if let Ran::Broken(failure) = world.run_until(Time::ZERO + scene.limit) {
            panic!("{failure}");
        }
        let ending = |&process| world.exit(process).map_or(Ending::StillRunning, Ending::Exited);
        cast.iter().map(ending).collect()
    }
}

fn run(config: &Config) {
    for body in suite() {
        println!("seed {}: {}", config.seed, body.name);
        let mut arm = SimArm { config: config.clone() };
        (body.run)(&mut arm);
    }
}

#[test]
fn the_suite_passes_on_a_quiet_network() {
    run(&Config::new(1));
}

#[test]
fn the_suite_passes_with_every_burst_cut_for_fifty_seeds() {
    for seed in 0..50 {
        let link = Link { cut: Ratio::new(9, 10), ..Link::RACK };
        run(&Config { link, ..Config::new(seed) });
    }
}
