//! Names and user ids, as the global database keeps them; and how long others may remember places.
//!
//! | what | where in the directory's database |
//! |---|---|
//! | user name → user id | string `user:NAME`, the id in decimal |
//! | the last user id given out | string `user-ids`, counted with `INCR` |
//! | user id → place | row (`place`, user, 0), see [`home`](crate::home) |
//!
//! The *place row decides* where a user lives: a move is done at the moment when it is rewritten.
//!
//! A new user is made in this order, so that a crash between two steps leaves nothing that anybody
//! finds: a number from `user-ids`; the home row on the shard; the place row; the name. Who loses a
//! race for a name leaves a home and a place without a name behind, and a number that is burned.
//!
//! In memcached a place is kept under `place:USER` as the place row's text and the home row's
//! version where it is known: `shard=2 flags=rw version=7 home=31`. A wrong one costs a detour,
//! nothing else: the shards themselves refuse who comes to the wrong one.

use crate::home::{BadRow, Place};
use crate::map::UserId;

/// What stands before a name in the directory's database.
pub const NAME_PREFIX: &str = "user:";
/// Where user ids are counted.
pub const USER_IDS_KEY: &str = "user-ids";
/// Longest user name, bytes: it has to fit a cache's key, too.
pub const USER_NAME_BYTES_MAX: usize = 128;

/// The key of a place in memcached.
pub fn place_cache_key(user: UserId) -> String {
    format!("place:{user}")
}

/// A place as memcached keeps it.
pub fn place_cache_value(place: &Place, home: Option<u64>) -> String {
    home.map_or_else(|| place.to_string(), |version| format!("{place} home={version}"))
}

/// Reads what memcached keeps: the place, and the home row's version if it is known.
///
/// # Errors
/// If it is no place.
pub fn read_place(value: &[u8]) -> Result<(Place, Option<u64>), BadRow> {
    let place = Place::parse(value)?;
    let text = crate::home::text(value)?;
    Ok((place, crate::home::number(text, "home")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::ShardId;

    #[test]
    fn a_cached_place_knows_its_home_or_not() {
        let place = Place::new(ShardId(2));
        for home in [None, Some(31)] {
            let value = place_cache_value(&place, home);
            assert_eq!(read_place(value.as_bytes()), Ok((place, home)));
        }
        assert!(read_place(b"shard=2").is_err());
    }
}
