//! Those who share a server: each has its own functions, and sees nothing of the others.

use crate::rig::{Rig, config};
use std::sync::Arc;
use storytime_gearman::Gearmand;
use storytime_gearman::tenants::Tenants;
use storytime_machine::{Exit, Rng, Setup, Time};
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::{Client, Lone};
use storytime_sim::{DiskConfig, SimDisk};

const FILE: &str = "shop horse jobs=2\nblog staple\n* all\n";

fn rig(line: &str) -> Rig {
    let mut config = config(&format!("--job-handle-prefix H --tenants file {line}"));
    config.tenants = Some(Arc::new(Tenants::parse(FILE).expect("it is right")));
    Rig::with(config)
}

/// A connection of a tenant's.
fn of(rig: &mut Rig, credential: &str) -> Client {
    let client = rig.open();
    assert_eq!(rig.say(client, &format!("OPTION_REQ tenant={credential}")), "OPTION_RES tenant");
    client
}

#[test]
fn who_has_not_said_whose_it_is_may_do_nothing_else() {
    let mut rig = rig("");
    let client = rig.open();
    let refused = "ERROR NOT_AUTHORIZED Say who you are first: option tenant=NAME:SECRET";
    for packet in ["SUBMIT_JOB f _ x", "CAN_DO f", "GRAB_JOB", "GET_STATUS H:1", "PRE_SLEEP"] {
        assert_eq!(rig.say(client, packet), refused, "{packet}");
    }
    assert_eq!(rig.say(client, "ECHO_REQ x"), "ECHO_RES x");
    for line in ["status", "workers", "monitor", "show jobs", "create function f"] {
        let said = rig.send(client, format!("{line}\n").as_bytes());
        assert_eq!(said, "ERR NOT_AUTHORIZED\\r\\n", "{line}");
    }
    assert_eq!(rig.send(client, b"version\n"), "OK 1.1.20\\n");
    for wrong in ["shop:hors", "shop", ":", "blog:horse"] {
        let said = rig.say(client, &format!("OPTION_REQ tenant={wrong}"));
        assert_eq!(said, "ERROR NOT_AUTHORIZED No such tenant", "{wrong}");
    }
    assert_eq!(rig.send(client, b"tenant shop hors\n"), "ERR NOT_AUTHORIZED\\r\\n");
    assert_eq!(rig.counter("strangers"), 5);
    assert_eq!(rig.send(client, b"tenant shop horse\n"), "OK\\r\\n");
    assert_eq!(rig.say(client, "SUBMIT_JOB_BG f _ x"), "JOB_CREATED H:1");
}

#[test]
fn functions_of_one_name_are_apart() {
    let mut rig = rig("");
    let (shop, blog) = (of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"));
    rig.say(shop, "SUBMIT_JOB_BG f u ours");
    rig.say(blog, "SUBMIT_JOB_BG f u theirs");
    let worker = of(&mut rig, "blog:staple");
    rig.say(worker, "CAN_DO f");
    assert_eq!(rig.say(worker, "GRAB_JOB_UNIQ"), "JOB_ASSIGN_UNIQ H:2 f u theirs");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "NO_JOB");
    assert_eq!(rig.say(worker, "CAN_DO shop/f\nGRAB_JOB"), "NO_JOB", "a prefix is no way in");
    let operator = of(&mut rig, "*:all");
    rig.say(operator, "CAN_DO shop/f");
    assert_eq!(rig.say(operator, "GRAB_JOB"), "JOB_ASSIGN H:1 shop/f ours");
}

#[test]
fn nobody_sees_or_ends_what_is_anothers() {
    let mut rig = rig("");
    let (shop, blog) = (of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"));
    rig.say(shop, "SET_CLIENT_ID till\nCAN_DO f\nSUBMIT_JOB_BG f u x");
    assert_eq!(rig.say(blog, "GET_STATUS H:1"), "STATUS_RES H:1 0 0 0 0");
    assert_eq!(rig.say(blog, "GET_STATUS_UNIQUE u"), "STATUS_RES_UNIQUE u 0 0 0 0 0");
    assert_eq!(rig.say(shop, "GET_STATUS H:1"), "STATUS_RES H:1 1 0 0 0");
    for line in ["status", "prioritystatus", "show jobs", "show unique jobs"] {
        assert_eq!(rig.send(blog, format!("{line}\n").as_bytes()), ".\\n", "{line}");
    }
    assert!(!rig.send(blog, b"workers\n").contains("till"));
    assert_eq!(rig.send(blog, b"cancel job H:1\n"), "ERR UNKNOWN_JOB\\r\\n");
    assert_eq!(rig.send(blog, b"drop function shop/f\n"), "ERR function not found\\r\\n");
    for line in ["monitor stats", "counters", "relay", "relay handover"] {
        let said = rig.send(blog, format!("{line}\n").as_bytes());
        assert_eq!(said, "ERR NOT_AUTHORIZED\\r\\n", "{line}");
    }
    assert_eq!(rig.send(shop, b"status\n"), "f\\t1\\t0\\t1\\n, .\\n");
    assert!(rig.send(shop, b"workers\n").contains("till : f\\n"));
    let operator = of(&mut rig, "*:all");
    assert_eq!(rig.send(operator, b"status\n"), "shop/f\\t1\\t0\\t1\\n, .\\n");
    assert!(rig.send(operator, b"workers\n").contains("till : shop/f\\n"));
    assert_eq!(rig.send(shop, b"cancel job H:1\n"), "OK\\r\\n");
}

#[test]
fn who_watches_is_told_of_its_own_jobs() {
    let mut rig = rig("");
    let (shop, blog) = (of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"));
    let watchers = [of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"), of(&mut rig, "*:all")];
    for watcher in watchers {
        assert_eq!(rig.send(watcher, b"monitor\n"), "OK\\r\\n");
    }
    rig.say(shop, "SUBMIT_JOB_BG f u x");
    rig.say(blog, "SUBMIT_JOB_BG g v x");
    let told = watchers.map(|watcher| rig.take(watcher));
    assert!(told[0].ends_with("submitted\\tH:1\\tf\\tu\\n"), "{}", told[0]);
    assert!(told[1].ends_with("submitted\\tH:2\\tg\\tv\\n"), "{}", told[1]);
    let both = told[2].split(", ").map(|line| line.matches("submitted").count());
    assert_eq!(both.collect::<Vec<_>>(), [1, 1], "{}", told[2]);
    assert!(told[2].contains("\\tshop/f\\t") && told[2].contains("\\tblog/g\\t"));
    assert!(!told[0].contains("H:2") && !told[1].contains("H:1"));
}

#[test]
fn a_quota_is_the_tenants_own() {
    let mut rig = rig("");
    let (shop, blog) = (of(&mut rig, "shop:horse"), of(&mut rig, "blog:staple"));
    let three = "SUBMIT_JOB_BG f _ x\nSUBMIT_JOB_BG g _ x\nSUBMIT_JOB_BG h _ x";
    let full = "ERROR QUEUE_ERROR Quota is used up";
    assert_eq!(rig.say(shop, three), format!("JOB_CREATED H:1, JOB_CREATED H:2, {full}"));
    assert_eq!(rig.say(blog, three), "JOB_CREATED H:3, JOB_CREATED H:4, JOB_CREATED H:5");
}

#[test]
fn each_request_of_http_says_who_asks() {
    let mut rig = rig("--http-port 8080");
    let web = rig.lone.connect(8080).expect("it listens");
    let ask = |rig: &mut Rig, path: &str, credential: &str| {
        let headers = "X-Gearman-Background: true\r\nContent-Length: 0";
        let request =
            format!("{path} HTTP/1.1\r\n{headers}\r\nAuthorization: {credential}\r\n\r\n");
        rig.lone.send(web, request.as_bytes());
        let told = core::mem::take(rig.lone.received(web));
        String::from_utf8(told.to_vec()).expect("text").lines().next().map(str::to_owned)
    };
    let status = |text: &str| Some(format!("HTTP/1.1 {text}"));
    assert_eq!(ask(&mut rig, "POST /f", "Bearer shop:horse"), status("202 Accepted"));
    assert_eq!(ask(&mut rig, "POST /f", "Bearer shop:hors"), status("401 Unauthorized"));
    assert_eq!(ask(&mut rig, "POST /f", "Basic c2hvcDpob3JzZQ=="), status("401 Unauthorized"));
    assert_eq!(ask(&mut rig, "GET /metrics", "bearer blog:staple"), status("403 Forbidden"));
    assert_eq!(ask(&mut rig, "GET /metrics", "Bearer *:all"), status("200 OK"));
    let shop = of(&mut rig, "shop:horse");
    assert_eq!(rig.send(shop, b"status\n"), "f\\t1\\t0\\t0\\n, .\\n");
}

#[test]
fn nothing_is_held_of_a_body_that_comes_from_nobody() {
    let bodies = [
        ("Content-Length: 100000\r\nExpect: 100-continue", ""),
        ("Content-Length: 100000", "its beginning"),
        ("Transfer-Encoding: chunked", "fff"),
    ];
    for (headers, body) in bodies {
        for (credential, answer) in [("shop:hors", "HTTP/1.1 401 "), ("shop:horse", "")] {
            let mut rig = rig("--http-port 8080");
            let web = rig.lone.connect(8080).expect("it listens");
            let said = format!("{headers}\r\nAuthorization: Bearer {credential}");
            rig.lone.send(web, format!("POST /f HTTP/1.1\r\n{said}\r\n\r\n{body}").as_bytes());
            let told = String::from_utf8(rig.lone.received(web).to_vec()).expect("text");
            let told = told.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&told);
            assert!(told.starts_with(answer), "{headers} {credential}: {told}");
            assert_eq!(rig.lone.is_open(web), answer.is_empty(), "{headers} {credential}");
            assert_eq!(rig.counter("strangers"), u64::from(!answer.is_empty()), "{headers}");
        }
    }
}

#[test]
fn without_its_file_nobody_is_let_in() {
    let config = config("--tenants file");
    let setup = Setup { limits: config.limits(), ..Setup::new(Rng::new(1, 1)) };
    let disk = SimDisk::new(DiskConfig::new(Profile::Posix), Rng::new(1, 2));
    let lone = Lone::boot(Gearmand::new(config), setup, disk, Time(1 << 40), 0);
    assert_eq!(lone.exit(), Some(Exit::Failed("the file of --tenants was not read")));
}
