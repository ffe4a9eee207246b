//! A proxy on a host of a scenario, between web servers and caches.

use storytime_scenarios::read::File;
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::Profile;

const STORY: &str = r#"
[story]
id = "proxy"
title = "A proxy between web servers and caches"
source = "test"
asks = "Does a proxy stand for its servers?"
shows = "It does."
duration = "2s"
bucket = "100ms"

[[host]]
name = "cache1"
run = "memcached -m 64 -p 11211 -t 1"

[[host]]
name = "cache2"
run = "memcached -m 64 -p 11211 -t 1"

[[host]]
name = "front"
run = "mcproxy -p 11311 --servers cache1:11211,cache2:11211"

[[host]]
name = "web1"

[[host]]
name = "db"

[[model]]
name = "mysql"
kind = "database"
host = "db"
port = 3306
slots = 40
queue = 2000
service = ["2ms", "6ms"]
row = "200B"

[[load]]
name = "web"
kind = "web-pages"
on = ["web1"]
caches = ["front"]
placement = "modulo"
database = "mysql"
rate = "500/s"
keys = 100
skew = "uniform"
timeout = "1s"

[[expect]]
name = "hits"
says = "Most reads hit once the caches are filled"
metric = "web.hit_ratio"
take = "peak"
at_least = "90%"

[[expect]]
name = "nothing-fails"
says = "No page fails"
metric = "web.pages_failed"
at_most = 0
"#;

#[test]
fn web_servers_reach_their_caches_through_a_proxy() {
    let file = File::from_bytes("proxy.toml", STORY.as_bytes().to_vec());
    let file = file.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let story = file.story(Profile::Full, &[]);
    let story = story.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let run = run_simulated(&story, 1, Options::default());
    for check in run.checks(&story) {
        assert!(check.holds, "{}: {}", check.expect.name, check.outcome.show());
    }
}
