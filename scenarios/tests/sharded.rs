//! The stories of users spread over shards, simulated.

mod telling;

const STORIES: &[telling::Told] = &[
    ("alter-a-big-table", "load.web.map_spread=2s", "both-are-altered in switch"),
    ("availability-flags", "timeline.open.at=2ms", "it-says-why in flags"),
    ("balance-the-clusters", "load.web.early_birds=false", "uneven-before"),
    ("caching-modes", "load.web.updates=0", "insert-loses in read-insert"),
    ("even-odd-blog", "load.web.scheme=vertical", "half-each in two"),
    ("friends-of-friends", "load.web.user_cpu=1us", "two-beat-one in batches"),
    ("guestbook-twice", "load.web.fixer=false", "both-sides in two-writes-and-fixer"),
    ("latest-of-everyone", "load.web.creates=0", "some-are-missing in writer-dies"),
    ("move-a-user", "load.web.writes=look-first", "nothing-is-lost in calm"),
    ("move-to-sharding", "load.web.warmup=2s", "before in table-api"),
    ("netlog-day", "costs.dbd_requests=6500us", "four-are-enough in all-day"),
    ("one-host-down", "load.web.workers=6", "nobody-turned-away in power"),
    ("photos-mod-10", "load.web.at_once=1", "at-once-is-quicker in at-once"),
    ("revision-numbers", "load.web.creates=0", "stale-without in no-number"),
    ("shard-schemes", "load.web.power_share=1/100", "early-birds in range"),
    ("three-queries", "load.web.scheme=modulo", "three-queries in database"),
    ("virtual-shards", "load.web.split=careless", "nothing-is-lost in careful"),
];

#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    telling::all_hold(STORIES);
}

#[test]
fn every_canary_fails() {
    telling::canaries_fail(STORIES);
}
