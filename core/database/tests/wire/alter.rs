//! `DB.ALTER`: rows laid out anew while clients read and write.

use crate::rig::Rig;
use storytime_sim::enumerate::Client;

/// A server whose rows lie each on a page of its own, of which few are in the pool.
const LINE: &str = "--pages 1000 --pool-pages 200 --page-rows 1";

/// One of the server's counters.
fn counter(rig: &mut Rig, client: Client, name: &str) -> u64 {
    let told = rig.say(client, "INFO storytime");
    let line = told.split(' ').find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.and_then(|count| count.parse().ok()).expect("every counter is told")
}

/// Runs until rows have been laid out anew.
fn altered(rig: &mut Rig, client: Client) -> String {
    loop {
        let told = rig.say(client, "DB.ALTER");
        if told.ends_with(":0 :0") {
            return told;
        }
    }
}

fn eight_rows(rig: &mut Rig, client: Client) {
    for item in 0..8 {
        rig.say(client, &format!("ROW.PUT t 1 {item} v{item}"));
    }
}

#[test]
fn reads_go_on_while_rows_are_laid_out_anew_and_writes_wait() {
    let mut rig = Rig::new(LINE);
    let (operator, reader, writer) = (rig.open(), rig.open(), rig.open());
    eight_rows(&mut rig, writer);
    rig.lone.send(operator, b"DB.ALTER PAGE-ROWS 8\r\n");
    assert_eq!(rig.take(operator), "+Altering started");
    rig.lone.send(writer, b"ROW.PUT t 1 0 new\r\n");
    rig.lone.send(reader, b"ROW.GET t 1 5\r\nROW.GET t 99 1\r\n");
    let read = rig.lone.run_until(|lone| lone.received(reader).ends_with(b"*-1\r\n"));
    assert!(read, "what is in the pool is told at once, and what is not is read");
    rig.lone.send(operator, b"DB.ALTER\r\n");
    let told = rig.take(operator);
    assert!(told.starts_with("*3 :1 :") && told.ends_with(":1000"), "under way: {told}");
    assert_eq!(rig.take(writer), "", "the write waits");
    rig.rest();
    assert_eq!(rig.take(writer), ":9");
    assert_eq!(altered(&mut rig, operator), "*3 :8 :0 :0");
    assert_eq!(counter(&mut rig, operator, "pages_altered"), 1000);
}

#[test]
fn then_neighbours_lie_on_one_page() {
    let mut rig = Rig::new(LINE);
    let client = rig.open();
    eight_rows(&mut rig, client);
    let one_page_each = counter(&mut rig, client, "page_reads");
    assert_eq!(one_page_each, 8);
    rig.say(client, "DB.ALTER PAGE-ROWS 8");
    altered(&mut rig, client);
    assert!(rig.say(client, "ROW.RANGE t 1 - +").starts_with("*8 "));
    assert_eq!(counter(&mut rig, client, "page_reads") - one_page_each, 1, "read once for all");
}

#[test]
fn what_cannot_be_altered_is_told() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, "DB.ALTER"), "-ERR this server has no pages (--pages)");
    let mut rig = Rig::new(LINE);
    let client = rig.open();
    rig.rest();
    for wrong in ["0", "-1", "1048577"] {
        let told = rig.say(client, &format!("DB.ALTER PAGE-ROWS {wrong}"));
        assert_eq!(told, "-ERR a page has 1 to 1048576 rows", "{wrong}");
    }
    assert_eq!(rig.say(client, "DB.ALTER COLUMNS 1"), "-ERR syntax error");
    rig.lone.send(client, b"DB.ALTER PAGE-ROWS 2\r\nDB.ALTER PAGE-ROWS 4\r\n");
    let told = rig.take(client);
    assert_eq!(told, "+Altering started -ERR rows are being laid out anew already");
    assert_eq!(altered(&mut rig, client), "*3 :2 :0 :0");
    rig.say(client, "DB.ALTER PAGE-ROWS 4");
    assert_eq!(altered(&mut rig, client), "*3 :4 :0 :0");
}

#[test]
fn without_room_for_a_second_file_all_is_as_before() {
    let mut rig = Rig::new(LINE);
    let (operator, writer) = (rig.open(), rig.open());
    eight_rows(&mut rig, writer);
    rig.lone.disk_mut().fill(2 << 20);
    rig.lone.send(operator, b"DB.ALTER PAGE-ROWS 8\r\n");
    assert_eq!(rig.take(operator), "+Altering started");
    rig.lone.send(writer, b"ROW.PUT t 1 0 new\r\n");
    rig.rest();
    assert_eq!(altered(&mut rig, operator), "*3 :1 :0 :0");
    let told = rig.say(operator, "INFO replication");
    assert!(told.contains("rows are not laid out anew: no space left on device"), "{told}");
    assert_eq!(rig.take(writer), ":9", "the write goes on with the old file");
    rig.lone.disk_mut().unfill();
    rig.say(operator, "DB.ALTER PAGE-ROWS 8");
    assert_eq!(altered(&mut rig, operator), "*3 :8 :0 :0");
}

#[test]
fn a_power_cut_in_the_middle_loses_nothing_but_the_work() {
    let mut rig = Rig::new(LINE);
    let (operator, writer) = (rig.open(), rig.open());
    eight_rows(&mut rig, writer);
    rig.lone.send(operator, b"DB.ALTER PAGE-ROWS 8\r\n");
    rig.take(operator);
    let half = |rig: &mut Rig| {
        rig.lone.send(operator, b"DB.ALTER\r\n");
        rig.take(operator) == "*3 :1 :512 :1000"
    };
    while !half(&mut rig) {
        rig.lone.advance();
    }
    let mut rig = rig.after_power_cut(LINE);
    let client = rig.open();
    rig.rest();
    assert!(rig.say(client, "ROW.RANGE t 1 - +").starts_with("*8 "));
    rig.say(client, "DB.ALTER PAGE-ROWS 8");
    assert_eq!(altered(&mut rig, client), "*3 :8 :0 :0");
}
