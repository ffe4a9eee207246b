//! The stories of a growing site, simulated.

mod telling;

const STORIES: &[telling::Told] = &[
    ("clustering-options", "timeline.line-cut.do=heal db1 db2", "replica-loses in master-replica"),
    ("five-servers", "class.post.look=[\"200ms\", \"300ms\"]", "a-replica-is-stale in replica"),
    ("four-servers", "disk.raid.iops=9000", "the-disk-is-the-limit"),
    (
        "ha-pair",
        "host.db1.run=dbd --port 6379 --appendfsync no --pair db2:7788 --pair-listen 7788 \
         --witness witness:7000 --address 10.0.0.50 --prefer-active yes",
        "nothing-lost in cut-off",
    ),
    ("ha-pair-lying-disk", "disk.scsi.lies=nobody", "both-lose-it in lying-both"),
    ("more-servers", "cluster.main.reads=master", "two-replicas in all-alive"),
    ("one-server", "class.view.cpu=2ms", "beyond-the-knee"),
    ("only-writing", "disk.raid.iops=600", "three-reads in four-hundred"),
    ("own-number-spaces", "load.web.method=global", "own-numbers-never-collide"),
    ("partition-by-role", "class.top.weight=20", "one-is-full in one-database"),
    ("persistent-or-not", "costs.dbd_connections=1us", "a-handshake-each-time in per-query"),
    ("reads-spread-writes-do-not", "cluster.main.reads=master", "each-reads-half in two"),
    ("scaling-efficiency", "class.page.writes=0", "replicas-do-not in replicas"),
    ("too-many-connections", "load.people.rate=40/s", "too-many in persistent"),
    ("two-servers", "class.view.reads=40", "the-web-is-the-limit in two-boxes"),
    ("user-clusters", "costs.dbd_requests=3ms", "twice-is-twice in growth"),
];

#[test]
fn every_story_holds_and_a_seed_is_a_run() {
    telling::all_hold(STORIES);
}

#[test]
fn every_canary_fails() {
    telling::canaries_fail(STORIES);
}
