//! A client and a worker on a job server that is shared, or encrypted.

use crate::asker::{Ask, job};
use crate::{Bench, text};
use std::sync::Arc;
use storytime_gearman::client::ClientOptions;
use storytime_gearman::server::Gearmand;
use storytime_gearman::tenants::{Credential, Tenants};
use storytime_gearman::worker::{Down, WorkerOptions};
use storytime_gearman::{Command, Config};
use storytime_sim::Config as WorldConfig;

/// A server that is shared by two.
fn config(line: &str) -> Config {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Ok(Command::Serve(mut config)) = Command::from_words(&words) else { panic!("{line}") };
    if config.tenants_file.is_some() {
        let tenants = Tenants::parse("shop horse\nblog staple").expect("it is right");
        config.tenants = Some(Arc::new(tenants));
    }
    *config
}

fn bench(line: &'static str) -> Bench {
    let config = config(line);
    Bench::with(WorldConfig::new(7), 1, move || Gearmand::new(config.clone()))
}

fn as_whose(said: &str) -> Option<Credential> {
    (!said.is_empty()).then(|| Credential::parse(said).expect("it can be somebody's"))
}

fn asks(tls: bool, tenant: &str) -> (ClientOptions, Vec<Ask>) {
    let tls_names = if tls { vec!["server0".to_owned()] } else { Vec::new() };
    let tenant = as_whose(tenant);
    let options = ClientOptions { tls_names, tenant, exceptions: true, ..ClientOptions::default() };
    (options, vec![job(10, "work", "20"), job(11, "work", "30")])
}

fn works(tls: bool, tenant: &str) -> WorkerOptions {
    let tls_names = if tls { vec!["server0".to_owned()] } else { Vec::new() };
    let functions = vec![(text("work"), None)];
    let tenant = as_whose(tenant);
    WorkerOptions { functions, tls_names, tenant, ..WorkerOptions::default() }
}

/// How both jobs end, and why the worker was without its server, each time.
fn run(line: &'static str, asks: (ClientOptions, Vec<Ask>), works: WorkerOptions) -> Told {
    let mut bench = bench(line).ask(asks.0, asks.1).work(works);
    bench.run(3);
    let endings = bench.asker().endings(0..2);
    Told { endings, downs: bench.doer(0).downs.clone() }
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    endings: Vec<String>,
    downs: Vec<Down>,
}

impl Told {
    fn new(ending: &str, downs: &[Down]) -> Self {
        Self { endings: vec![ending.to_owned(); 2], downs: downs.to_vec() }
    }
}

#[test]
fn jobs_of_a_tenant_are_done_by_its_own_workers() {
    let shared = "--tenants who";
    let told = run(shared, asks(false, "shop:horse"), works(false, "shop:horse"));
    assert_eq!(told.endings, ["complete 20", "complete 30"]);
    assert!(told.downs.is_empty(), "{told:?}");
    let apart = run(shared, asks(false, "shop:horse"), works(false, "blog:staple"));
    assert_eq!(apart, Told::new("nothing", &[]), "another's worker is not asked");
}

#[test]
fn who_is_no_tenant_is_told_so() {
    for who in ["", "shop:hors", "shoe:horse"] {
        let told = run("--tenants who", asks(false, who), works(false, who));
        // Once: it is not asked again and again.
        assert_eq!(told, Told::new("refused NOT_AUTHORIZED", &[Down::Stranger]), "{who:?}");
    }
}

#[test]
fn a_server_without_tenants_is_everybodys() {
    let told = run("", asks(false, "shop:horse"), works(false, "blog:staple"));
    assert_eq!(told.endings, ["complete 20", "complete 30"]);
}

#[test]
fn encrypted_connections_carry_the_same() {
    let told = run("--ssl --tenants who", asks(true, "shop:horse"), works(true, "shop:horse"));
    assert_eq!(told.endings, ["complete 20", "complete 30"]);
    let clear = run("--ssl", asks(false, ""), works(false, ""));
    assert_ne!(clear.endings, ["complete 20", "complete 30"], "not in clear text");
}
