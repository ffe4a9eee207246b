//! The stories of job servers, simulated.

mod telling;

use storytime_scenarios::program::digest;
use storytime_scenarios::story::picture::{drawn, thumbnail};

const STORIES: &[telling::Told] = &[
    ("blocked-on-a-friend", "load.workers.groups=one", "no-deadlock in two-groups"),
    ("coalescing", "load.clients.unique=none", "made-once in unique-key"),
    ("connection-pool", "load.web.through=connections", "twenty in workers"),
    ("cron", "load.ops.keyed=false", "once in durable"),
    ("digg-day", "load.workers.workers=6", "own-three-rounds in own"),
    ("fetch-urls", "load.worker.fills=always", "filled-once in once"),
    ("fifty-thousand", "load.workers.processes=1", "fifty-thousand in sixteen-at-a-time"),
    ("hello-reverse", "load.worker.does=upper", "every-result-is-right"),
    ("leaky-workers", "load.workers.leaves_after=1000", "flat in leave"),
    (
        "log-funnel",
        "host.web.run=tail -f access_log | gearman -h jobs1 -f logger",
        "all-lines in calm",
    ),
    ("mail-store", "load.mail.writes=in-place", "all-converge in events"),
    ("map-reduce", "load.splitter.patience=1ms", "every-question-is-answered in one-leaf"),
    ("no-promises", "load.page.tries=1", "again-does-not in again"),
    ("no-single-point", "load.page.tries=1", "two-lose-no-page in two"),
    ("queue-survives", "disk.raid.lies=drive", "durable-loses-none in durable"),
    ("relayed-queue", "load.shop.job_servers=[\"jobs1\"]", "relay-loses-none in relay"),
    ("result-cache", "host.jobs1.run=gearmand --port 4730", "made-once in cached"),
    ("resize-image", "load.resizer.does=echo", "small"),
    ("shell-workers", "timeline.asked.do=run box ls / | gearman -f other", "lib-comes-first"),
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

/// The number in the story is that of the worker's function, and not what once came out.
#[test]
fn the_thumbnail_of_the_story_is_that_of_its_image() {
    let small = thumbnail(&drawn(1_024, 1_020)).expect("a picture");
    let digest = format!("equals = \"{}\"", digest(&small));
    assert!(include_str!("../resize-image.toml").contains(&digest), "{digest}");
}
