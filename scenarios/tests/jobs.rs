//! The stories of job servers, simulated.

mod telling;

const STORIES: &[telling::Told] = &[
    ("coalescing", "load.clients.unique=none", "made-once in unique-key"),
    ("cron", "load.ops.keyed=false", "once in durable"),
    ("fetch-urls", "load.worker.fills=always", "filled-once in once"),
    ("hello-reverse", "load.worker.does=upper", "every-result-is-right"),
    ("mail-store", "load.mail.writes=in-place", "all-converge in events"),
    ("no-promises", "load.page.tries=1", "again-does-not in again"),
    ("no-single-point", "load.page.tries=1", "two-lose-no-page in two"),
    ("queue-survives", "disk.raid.lies=drive", "durable-loses-none in durable"),
    ("result-cache", "host.jobs1.run=gearmand --port 4730", "made-once in cached"),
    ("ten-databases", "load.page.at_once=false", "the-slowest in all-at-once"),
    ("two-hostnames", "load.one.wait=90ms", "sammy-took-part"),
];

#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    telling::all_hold(STORIES);
}

#[test]
fn every_canary_fails() {
    telling::canaries_fail(STORIES);
}
