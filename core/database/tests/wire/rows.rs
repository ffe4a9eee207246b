//! Rows: what clients are told.

use crate::rig::Rig;

#[test]
fn a_row_has_a_version_that_grows_and_is_never_used_again() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, "ROW.PUT posts 42 1 hello"), ":1");
    assert_eq!(rig.say(client, "ROW.GET posts 42 1"), "*2 :1 $5 hello");
    assert_eq!(rig.say(client, "ROW.DEL posts 42 1"), ":1");
    assert_eq!(rig.say(client, "ROW.PUT posts 42 1 again NX"), ":2");
    assert_eq!(rig.say(client, "ROW.PUT posts 42 1 third IF 1"), "$-1");
    assert_eq!(rig.say(client, "ROW.PUT posts 42 1 third IF 2"), ":3");
    assert_eq!(rig.say(client, "ROW.DEL posts 42 1 IF 2"), ":0");
}

#[test]
fn a_range_is_ordered_and_has_both_its_ends() {
    let mut rig = Rig::new("");
    let client = rig.open();
    for item in [9, 1, 5, 18_446_744_073_709_551_615u64] {
        rig.say(client, &format!("ROW.PUT t 1 {item} v"));
    }
    assert_eq!(rig.say(client, "ROW.RANGE t 1 1 5 KEYS"), "*2 :1 :5");
    let all = rig.say(client, "ROW.RANGE t 1 - + REV LIMIT 2 KEYS");
    assert_eq!(all, "*2 $20 18446744073709551615 :9");
    assert_eq!(rig.say(client, "ROW.RANGE t 1 5 1"), "*0");
    assert_eq!(rig.say(client, "ROW.COUNT t 1 2 +"), ":3");
    assert_eq!(rig.say(client, "ROW.SIZE t"), "*3 :1 :4 :4");
    assert_eq!(rig.say(client, "ROW.OWNERS t - 10"), "*1 :1");
}

#[test]
fn a_batch_does_all_or_nothing() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, "ROW.BATCH 7 CHECK home 0 0 PUT home 0 active"), "*2 :0 :1");
    let told = rig.say(client, "ROW.BATCH 7 PUT posts 1 x CHECK home 0 9");
    assert_eq!(told, "-CHECKFAILED 2 the row is at version 1");
    assert_eq!(rig.say(client, "ROW.COUNT posts 7"), ":0");
    let told = rig.say(client, "ROW.BATCH 7 CHECK home 0 1 PUT posts 1 x BUMP home 0 DEL posts 9");
    assert_eq!(told, "*4 :0 :2 :3 :0");
    assert_eq!(rig.say(client, "ROW.GET home 7 0"), "*2 :3 $6 active");
    assert_eq!(rig.say(client, "ROW.DROPALL 7"), ":2");
}

#[test]
fn numbers_of_an_owner_are_not_given_out_twice() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, "ROW.NEXT posts 42"), ":1");
    assert_eq!(rig.say(client, "ROW.NEXT posts 42 10"), ":2");
    rig.say(client, "ROW.PUT posts 42 1 x");
    rig.say(client, "ROW.DROP posts 42");
    assert_eq!(rig.say(client, "ROW.NEXT posts 42"), ":12");
    assert_eq!(rig.say(client, "ROW.NEXT posts 43"), ":1");
}

#[test]
fn databases_do_not_meet() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, "ROW.PUT t 1 1 x");
    assert_eq!(rig.say(client, "SELECT 5"), "+OK");
    assert_eq!(rig.say(client, "ROW.GET t 1 1"), "*-1");
    assert_eq!(rig.say(client, "SELECT 1024"), "-ERR DB index is out of range");
}

#[test]
fn mistakes_are_told_in_words() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let number = "-ERR owners and items are decimal numbers from 0 to 18446744073709551615";
    assert_eq!(rig.say(client, "ROW.GET t x 1"), number);
    assert_eq!(rig.say(client, "ROW.GET '' 1 1"), "-ERR a table's name has 1 to 64 bytes");
    assert_eq!(rig.say(client, "ROW.PUT t 1 1 v MAYBE"), "-ERR syntax error");
    let arity = "-ERR wrong number of arguments for 'row.get' command";
    assert_eq!(rig.say(client, "ROW.GET t 1"), arity);
}

#[test]
fn a_row_and_what_else_is_read_of_its_owner_are_of_one_instant() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, "ROW.PUT home 7 0 active");
    rig.say(client, "ROW.PUT posts 7 1 a");
    rig.say(client, "ROW.PUT posts 7 2 b");
    let home = "*2 *2 :1 $6 active";
    let with = |read: &str| format!("ROW.WITH home 0 {read}");
    let told = rig.say(client, &with("ROW.GET posts 7 1"));
    assert_eq!(told, format!("{home} *2 :2 $1 a"));
    let told = rig.say(client, &with("ROW.MGET posts 7 2 9"));
    assert_eq!(told, format!("{home} *2 *2 :3 $1 b *-1"));
    let told = rig.say(client, &with("ROW.RANGE posts 7 - + KEYS"));
    assert_eq!(told, format!("{home} *2 :1 :2"));
    assert_eq!(rig.say(client, &with("ROW.COUNT posts 7")), format!("{home} :2"));
    assert_eq!(rig.say(client, &with("ROW.COUNT posts 8")), "*2 *-1 :0", "another owner's row");
    assert_eq!(rig.say(client, &with("ROW.PUT posts 7 1 x")), "-ERR syntax error");
    assert_eq!(rig.say(client, &with("ROW.RANGE posts 7 1")), "-ERR syntax error");
    assert_eq!(rig.say(client, "PING"), "+PONG", "nothing was told twice");
}

#[test]
fn a_batch_draws_numbers_under_its_conditions() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, "ROW.BATCH 7 NEXT posts 3 NEXT posts 1"), "*2 :1 :4");
    let told = rig.say(client, "ROW.BATCH 7 NEXT posts 1 CHECK home 0 5");
    assert_eq!(told, "-CHECKFAILED 2 the row is at version 0");
    assert_eq!(rig.say(client, "ROW.NEXT posts 7"), ":5", "none was drawn");
    assert_eq!(rig.say(client, "ROW.BATCH 7 FLOOR posts 100"), "*1 :100");
    assert_eq!(rig.say(client, "ROW.BATCH 7 FLOOR posts 50"), "*1 :100", "it never goes back");
    assert_eq!(rig.say(client, "ROW.NEXT posts 7"), ":100");
    assert_eq!(rig.say(client, "ROW.NEXT posts 8"), ":1", "other owners have their own");
    let few = rig.say(client, "ROW.BATCH 7 NEXT posts 0");
    assert_eq!(few, "-ERR value is out of range, must be positive");
    rig.say(client, "ROW.BATCH 9 FLOOR posts 18446744073709551615");
    assert_eq!(rig.say(client, "ROW.NEXT posts 9"), "$20 18446744073709551615");
    let over = rig.say(client, "ROW.BATCH 9 NEXT posts 1 PUT posts 1 v");
    assert_eq!(over, "-ERR increment or decrement would overflow");
    assert_eq!(rig.say(client, "ROW.COUNT posts 9"), ":0");
}

#[test]
fn the_tables_of_an_owner_are_told_with_their_rows_and_their_next_number() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, "ROW.PUT posts 7 1 a");
    rig.say(client, "ROW.PUT posts 7 2 b");
    rig.say(client, "ROW.PUT home 7 0 active");
    rig.say(client, "ROW.NEXT photos 7 9");
    rig.say(client, "ROW.PUT other 8 1 x");
    let told = rig.say(client, "ROW.TABLES 7");
    assert_eq!(told, "*3 *3 $4 home :1 :1 *3 $6 photos :0 :10 *3 $5 posts :2 :1");
    rig.say(client, "ROW.DROP posts 7");
    let told = rig.say(client, "ROW.TABLES 7");
    assert!(told.contains("$6 photos :0 :10") && !told.contains(":2 "), "{told}");
    assert_eq!(rig.say(client, "ROW.TABLES 9"), "*0");
}

#[test]
fn digests_of_rows_are_equal_exactly_where_their_values_are() {
    let mut rig = Rig::new("");
    let client = rig.open();
    for (item, value) in [(1, "same"), (2, "same"), (3, "other")] {
        rig.say(client, &format!("ROW.PUT t 1 {item} {value}"));
    }
    let told = rig.say(client, "ROW.RANGE t 1 - + HASH");
    let words: Vec<&str> = told.split(' ').collect();
    let [same, other] = ["same", "other"]
        .map(|value| format!(":{}", storytime_database::commands::row_digest(value.as_bytes())));
    assert_eq!((words[0], words.len()), ("*3", 13));
    for (row, (item, digest)) in words[1..].chunks(4).zip([(1, &same), (2, &same), (3, &other)]) {
        assert_eq!(row, ["*3", &format!(":{item}"), &format!(":{item}"), digest]);
    }
    assert_ne!(same, other);
}
