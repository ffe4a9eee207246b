//! The stories that are built into the program, so that they run without a checkout.

use crate::diagnostic::{Checked, Diagnostic};
use crate::read::File;
use crate::story::Card;
use crate::suggest::did_you_mean;
use std::path::Path;

/// The stories: file name, content.
pub const STORIES: &[(&str, &str)] = &[
    ("cache-chain.toml", include_str!("../cache-chain.toml")),
    ("cold-start.toml", include_str!("../cold-start.toml")),
    ("lru-under-pressure.toml", include_str!("../lru-under-pressure.toml")),
    ("pick-a-server.toml", include_str!("../pick-a-server.toml")),
    ("slab-table.toml", include_str!("../slab-table.toml")),
    ("slow-reader.toml", include_str!("../slow-reader.toml")),
    ("watch-the-cluster.toml", include_str!("../watch-the-cluster.toml")),
    ("where-to-cache.toml", include_str!("../where-to-cache.toml")),
    ("add-a-server.toml", include_str!("../add-a-server.toml")),
    ("buffered-writes.toml", include_str!("../buffered-writes.toml")),
    ("cas-loop.toml", include_str!("../cas-loop.toml")),
    ("does-fsync-work.toml", include_str!("../does-fsync-work.toml")),
    ("flood-control.toml", include_str!("../flood-control.toml")),
    ("large-objects.toml", include_str!("../large-objects.toml")),
    ("list-of-items.toml", include_str!("../list-of-items.toml")),
    ("guestbook-twice.toml", include_str!("../guestbook-twice.toml")),
    ("move-a-user.toml", include_str!("../move-a-user.toml")),
    ("move-to-sharding.toml", include_str!("../move-to-sharding.toml")),
    ("balance-the-clusters.toml", include_str!("../balance-the-clusters.toml")),
    ("multi-get.toml", include_str!("../multi-get.toml")),
    ("namespace-delete.toml", include_str!("../namespace-delete.toml")),
    ("proxy-in-between.toml", include_str!("../proxy-in-between.toml")),
    ("read-through.toml", include_str!("../read-through.toml")),
    ("stampede.toml", include_str!("../stampede.toml")),
    ("clustering-options.toml", include_str!("../clustering-options.toml")),
    ("five-servers.toml", include_str!("../five-servers.toml")),
    ("ha-pair-lying-disk.toml", include_str!("../ha-pair-lying-disk.toml")),
    ("ha-pair.toml", include_str!("../ha-pair.toml")),
    ("four-servers.toml", include_str!("../four-servers.toml")),
    ("more-servers.toml", include_str!("../more-servers.toml")),
    ("one-server.toml", include_str!("../one-server.toml")),
    ("only-writing.toml", include_str!("../only-writing.toml")),
    ("own-number-spaces.toml", include_str!("../own-number-spaces.toml")),
    ("partition-by-role.toml", include_str!("../partition-by-role.toml")),
    ("persistent-or-not.toml", include_str!("../persistent-or-not.toml")),
    ("reads-spread-writes-do-not.toml", include_str!("../reads-spread-writes-do-not.toml")),
    ("scaling-efficiency.toml", include_str!("../scaling-efficiency.toml")),
    ("too-many-connections.toml", include_str!("../too-many-connections.toml")),
    ("two-servers.toml", include_str!("../two-servers.toml")),
    ("user-clusters.toml", include_str!("../user-clusters.toml")),
    ("caching-modes.toml", include_str!("../caching-modes.toml")),
    ("even-odd-blog.toml", include_str!("../even-odd-blog.toml")),
    ("photos-mod-10.toml", include_str!("../photos-mod-10.toml")),
    ("revision-numbers.toml", include_str!("../revision-numbers.toml")),
    ("shard-schemes.toml", include_str!("../shard-schemes.toml")),
    ("three-queries.toml", include_str!("../three-queries.toml")),
    ("availability-flags.toml", include_str!("../availability-flags.toml")),
    ("latest-of-everyone.toml", include_str!("../latest-of-everyone.toml")),
    ("friends-of-friends.toml", include_str!("../friends-of-friends.toml")),
    ("virtual-shards.toml", include_str!("../virtual-shards.toml")),
    ("netlog-day.toml", include_str!("../netlog-day.toml")),
    ("alter-a-big-table.toml", include_str!("../alter-a-big-table.toml")),
    ("one-host-down.toml", include_str!("../one-host-down.toml")),
    ("hello-reverse.toml", include_str!("../hello-reverse.toml")),
    ("fifty-thousand.toml", include_str!("../fifty-thousand.toml")),
    ("map-reduce.toml", include_str!("../map-reduce.toml")),
    ("log-funnel.toml", include_str!("../log-funnel.toml")),
    ("resize-image.toml", include_str!("../resize-image.toml")),
    ("shell-workers.toml", include_str!("../shell-workers.toml")),
    ("ten-databases.toml", include_str!("../ten-databases.toml")),
    ("two-hostnames.toml", include_str!("../two-hostnames.toml")),
    ("coalescing.toml", include_str!("../coalescing.toml")),
    ("no-single-point.toml", include_str!("../no-single-point.toml")),
    ("no-promises.toml", include_str!("../no-promises.toml")),
    ("queue-survives.toml", include_str!("../queue-survives.toml")),
    ("relayed-queue.toml", include_str!("../relayed-queue.toml")),
    ("cron.toml", include_str!("../cron.toml")),
    ("fetch-urls.toml", include_str!("../fetch-urls.toml")),
    ("result-cache.toml", include_str!("../result-cache.toml")),
    ("mail-store.toml", include_str!("../mail-store.toml")),
    ("digg-day.toml", include_str!("../digg-day.toml")),
    ("yahoo-day.toml", include_str!("../yahoo-day.toml")),
    ("connection-pool.toml", include_str!("../connection-pool.toml")),
    ("leaky-workers.toml", include_str!("../leaky-workers.toml")),
    ("blocked-on-a-friend.toml", include_str!("../blocked-on-a-friend.toml")),
];

/// Configs of proxies that are built in as well: name, content.
pub const PROXIES: &[(&str, &str)] =
    &[("two-zones.toml", include_str!("../proxies/two-zones.toml"))];

/// Opens a story by its id, or a scenario file by its path: whatever ends in `.toml` or has a
/// slash.
///
/// # Errors
/// If there is no such story or file, or it is no scenario.
pub fn open(name: &str) -> Checked<File> {
    if name.ends_with(".toml") || name.contains('/') {
        return File::open(Path::new(name));
    }
    let found = STORIES.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name));
    match found {
        Some((file, text)) => File::from_bytes(file, text.as_bytes().to_vec()),
        None => {
            let ids = STORIES.iter().filter_map(|(file, _)| file.strip_suffix(".toml"));
            Err(Diagnostic::plain(format!("unknown story `{name}`"))
                .help(did_you_mean(name, "story", ids))
                .help("a scenario file of your own is given as a path: ./my-story.toml")
                .into())
        }
    }
}

/// The cards of all built-in stories, in order.
///
/// # Errors
/// If one is no scenario, which the tests rule out.
pub fn cards() -> Checked<Vec<Card>> {
    STORIES
        .iter()
        .map(|(name, text)| File::from_bytes(name, text.as_bytes().to_vec())?.card())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_is_filed_under_its_id() {
        for card in cards().expect("the stories are valid") {
            assert_eq!(open(&card.id).expect("found").card().expect("valid"), card);
        }
        let missing = open("add-a-sever").expect_err("misspelt");
        assert!(missing.render(false).contains("did you mean `add-a-server`?"));
    }
}
