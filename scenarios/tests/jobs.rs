//! The stories of job servers, simulated.

mod telling;

const STORIES: &[telling::Told] = &[
    ("blocked-on-a-friend", "load.workers.groups=one", "no-deadlock in two-groups"),
    ("coalescing", "load.clients.unique=none", "made-once in unique-key"),
    ("connection-pool", "load.web.through=connections", "twenty in workers"),
    ("digg-day", "load.workers.workers=6", "own-three-rounds in own"),
    ("hello-reverse", "load.worker.does=upper", "every-result-is-right"),
    ("leaky-workers", "load.workers.leaves_after=1000", "flat in leave"),
    ("no-promises", "load.page.tries=1", "again-does-not in again"),
    ("no-single-point", "load.page.tries=1", "two-lose-no-page in two"),
    ("queue-survives", "disk.raid.lies=drive", "durable-loses-none in durable"),
    ("ten-databases", "load.page.at_once=false", "the-slowest in all-at-once"),
    ("two-hostnames", "load.one.wait=90ms", "sammy-took-part"),
    ("yahoo-day", "costs.gearmand_packets=400us", "job-server-idle"),
];

#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    telling::all_hold(STORIES);
}

#[test]
fn every_canary_fails() {
    telling::canaries_fail(STORIES);
}
