//! Reports in the shapes that stories have, built by hand.

use storytime_reports::model::{
    Arm, ArmResult, Axis, Broken, Cell, Chart, ChartKind, HostCard, LatencyRow, Level, Mark,
    Moment, Percentiles, Report, Scale, Series, StoryCard, Table, Unit, Verdict,
};

/// A second in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// When the fourth cache joins, in seconds.
const CHANGE: f64 = 30.0;

/// Two variants over time on both arms, with the moment of change marked.
pub(crate) fn add_a_server() -> Report {
    let arms = [Arm::Simulated, Arm::Real];
    let variants = ["modulo", "ring"];
    let both =
        || variants.iter().zip(0u8..).flat_map(|(name, role)| arms.map(|arm| (*name, role, arm)));
    let series = |value: fn(f64, u8) -> f64, noise: f64| {
        both()
            .map(|(name, role, arm)| Series {
                name: name.to_owned(),
                arm,
                points: over_time(arm, noise, role, value),
                role,
            })
            .collect::<Vec<_>>()
    };
    let change = Mark { x: CHANGE, until: None, label: "cache-4 joins".to_owned() };

    let mut hits = Chart::new("hit-ratio", "Hit ratio", ChartKind::Lines);
    hits.x = Axis::new("time", Unit::Seconds);
    hits.y = Axis::new("hits among gets", Unit::Share);
    hits.series = series(hit_ratio, 0.008);
    hits.marks = vec![change.clone()];
    hits.levels = vec![Level { y: 0.25, label: "1/(n+1): what modulo keeps".to_owned() }];
    hits.caption = Some(
        "Modulo moves three keys in four to another server; the ring moves one in four.".to_owned(),
    );

    let mut load = Chart::new("database-load", "Database load", ChartKind::Lines);
    load.x = Axis::new("time", Unit::Seconds);
    load.y = Axis::new("reads", Unit::PerSecond);
    load.series = series(|at, role| 4_000.0 * (1.0 - hit_ratio(at, role)), 40.0);
    load.marks = vec![change];

    let mut report = empty("add-a-server", "What does one more cache server cost?", "LJ 37");
    report.story.asks =
        "Three cache servers are full and a fourth is added under load. How many keys does it \
                         orphan, and what does the database feel?"
            .to_owned();
    report.story.shows =
        "With modulo the hit ratio falls to about 1/(n+1) and the database takes the rest; with a \
                          ring it loses no more than the new server's share."
            .to_owned();
    report.arms.push(ArmResult {
        arm: Arm::Real,
        digest: None,
        events: 480_112,
        simulated_ns: 60 * SECOND,
        wall_ns: 61_204_000_000,
    });
    report.rack = rack();
    report.timeline = vec![
        moment(10, "caches are warm", None),
        moment(30, "cache-4 joins; every client gets the new server list", None),
        moment(33, "database queue at its longest", Some("modulo")),
    ];
    report.charts = vec![hits, load];
    report.tables = vec![moved_keys()];
    for (name, _, arm) in both() {
        report.expectations.extend(add_a_server_verdicts(name, arm));
    }
    report.latencies = both().map(|(name, role, arm)| latency("page", name, role, arm)).collect();
    report.notes = vec![
        "--real: all processes share one machine's two cores, so the database's load is scaled to \
         a tenth."
            .to_owned(),
    ];
    report.drawn =
        pairs(&[("link latency", "0.2 ms to 0.4 ms"), ("first key", "41,207"), ("clients", "16")]);
    report
}

/// Bars per kind of lie, acknowledged against surviving, on one arm, with a failing expectation.
pub(crate) fn does_fsync_work() -> Report {
    let kinds = [
        ("honest disk", 12_345.0, 12_345.0),
        ("drive cache lies", 12_310.0, 11_874.0),
        ("controller cache lies", 14_002.0, 9_120.0),
        ("file system ignores the flush", 15_870.0, 2_214.0),
        ("flush fails once, data gone", 7_431.0, 7_400.0),
    ];
    let bars = |name: &str, role: u8, value: fn(&(&str, f64, f64)) -> f64| Series {
        name: name.to_owned(),
        arm: Arm::Simulated,
        points: kinds.iter().enumerate().map(|(index, kind)| (index as f64, value(kind))).collect(),
        role,
    };
    let mut chart =
        Chart::new("survivors", "Acknowledged writes and those that survived", ChartKind::Bars);
    chart.x = Axis::new("kind of disk", Unit::Count);
    chart.y = Axis::new("writes", Unit::Count);
    chart.categories = kinds.iter().map(|kind| kind.0.to_owned()).collect();
    chart.series = vec![bars("acknowledged", 0, |kind| kind.1), bars("survived", 1, |kind| kind.2)];
    chart.caption =
        Some("Every missing write was acknowledged as durable before the power cut.".to_owned());

    let mut report = empty("does-fsync-work", "Does fsync work?", "LJ 85");
    report.story.asks =
        "A disk says that data is safe. Write, flush, tell another machine, pull the plug, \
                         and look."
            .to_owned();
    report.story.shows =
        "An honest disk loses nothing; each kind of lie is found and named.".to_owned();
    report.rack = rack().split_off(3);
    report.charts = vec![chart];
    report.timeline = vec![moment(12, "power cut on writer", None), moment(14, "power back", None)];
    report.expectations = kinds
        .iter()
        .map(|(kind, acknowledged, survived)| Verdict {
            name: format!("losses-{}", kind.split(' ').next().unwrap_or_default()),
            says: None,
            arm: Arm::Simulated,
            variant: Some((*kind).to_owned()),
            holds: *kind != "flush fails once, data gone",
            measured: format!("{} lost", acknowledged - survived),
            bound: if acknowledged == survived {
                "exactly 0".to_owned()
            } else {
                "at least 100".to_owned()
            },
            talk: None,
        })
        .collect();
    report.notes = vec![
        "The power cut is simulated: sectors of unflushed writes keep any version.".to_owned(),
    ];
    report.overrides = pairs(&[("writes_max", "20000")]);
    report
}

/// A report that holds nothing but its frame.
pub(crate) fn empty(id: &str, title: &str, source: &str) -> Report {
    Report {
        story: StoryCard {
            id: id.to_owned(),
            title: title.to_owned(),
            source: source.to_owned(),
            asks: "What happens?".to_owned(),
            shows: "That it happens.".to_owned(),
        },
        command: format!("storytime run {id} --seed 7"),
        seed: 7,
        overrides: Vec::new(),
        build: "storytime 0.1.0 (3f2a9c1)".to_owned(),
        arms: vec![ArmResult {
            arm: Arm::Simulated,
            digest: Some("9f86d081884c7d659a2feaa0c55ad015".to_owned()),
            events: 3_204_117,
            simulated_ns: 60 * SECOND,
            wall_ns: 912_000_000,
        }],
        rack: Vec::new(),
        timeline: Vec::new(),
        charts: Vec::new(),
        tables: Vec::new(),
        latencies: Vec::new(),
        expectations: Vec::new(),
        broken: None,
        notes: Vec::new(),
        drawn: Vec::new(),
    }
}

/// Everything that is awkward at once: hostile text, crowds, values that cannot be drawn.
pub(crate) fn hostile() -> Report {
    let evil = "</title><script>alert('x')</script>\u{1b}[31m&\"";
    let mut report = empty("hostile", evil, evil);
    report.command = format!("storytime run '{evil}'");
    report.notes = vec![evil.to_owned()];
    report.broken = Some(Broken { arm: Arm::Simulated, at_ns: 1, event: 2, text: evil.to_owned() });
    report.rack = vec![HostCard {
        name: evil.to_owned(),
        ip: evil.to_owned(),
        role: evil.to_owned(),
        lines: vec![evil.to_owned()],
        hardware: vec![evil.to_owned()],
    }];
    report.timeline = (0..500).map(|second| moment(second, evil, Some(evil))).collect();
    report.drawn = vec![(evil.to_owned(), evil.to_owned())];
    report.expectations = vec![Verdict {
        name: evil.to_owned(),
        says: None,
        arm: Arm::Real,
        variant: Some(evil.to_owned()),
        holds: false,
        measured: evil.to_owned(),
        bound: evil.to_owned(),
        talk: Some(evil.to_owned()),
    }];
    report.tables = vec![Table {
        id: evil.to_owned(),
        title: evil.to_owned(),
        columns: vec![evil.to_owned(), "n".to_owned()],
        rows: vec![
            vec![Cell::Text(evil.to_owned())],
            vec![Cell::Text(evil.to_owned()), Cell::Number(f64::NAN, Unit::Count)],
        ],
    }];
    for kind in [ChartKind::Lines, ChartKind::Steps, ChartKind::Bars] {
        for scale in [Scale::Linear, Scale::Log] {
            report.charts.push(crowded(evil, kind, scale));
        }
    }
    report.charts.push(Chart::new(evil, evil, ChartKind::Bars));
    report.latencies = vec![LatencyRow {
        name: evil.to_owned(),
        arm: Arm::Simulated,
        variant: None,
        summary: Percentiles::default(),
    }];
    report
}

fn crowded(evil: &str, kind: ChartKind, scale: Scale) -> Chart {
    let mut chart = Chart::new(evil, evil, kind);
    chart.x = Axis { scale, ..Axis::new(evil, Unit::Nanoseconds) };
    chart.y = Axis { scale, ..Axis::new(evil, Unit::Named(evil.to_owned())) };
    chart.series = (0..12)
        .map(|role| Series {
            name: format!("{evil} {role}"),
            arm: if role % 2 == 0 { Arm::Simulated } else { Arm::Real },
            points: vec![
                (-1.0, -5.0),
                (0.0, f64::NAN),
                (1.0, f64::from(role) + 1.0),
                (2.0, f64::INFINITY),
                (3.0, 1e300),
                (1e9, f64::from(role) * 100.0),
            ],
            role,
        })
        .collect();
    let mark = |index: u32| Mark {
        x: f64::from(index) * 1e7,
        until: index.is_multiple_of(5).then_some(f64::from(index) * 1e7 + 5e6),
        label: evil.to_owned(),
    };
    chart.marks = (0..60).map(mark).collect();
    chart.marks.push(Mark { x: f64::NAN, until: Some(f64::INFINITY), label: evil.to_owned() });
    chart.levels = vec![
        Level { y: 50.0, label: evil.to_owned() },
        Level { y: 51.0, label: evil.to_owned() },
        Level { y: f64::NAN, label: evil.to_owned() },
    ];
    chart.categories = vec![evil.to_owned(), String::new(), evil.repeat(20)];
    chart
}

/// The hit ratio that both arms of a variant follow: warm-up, fall, recovery.
fn hit_ratio(at: f64, role: u8) -> f64 {
    let warm = 0.92 * (1.0 - (-at / 3.0).exp());
    let fall = if role == 0 { 0.69 } else { 0.2 };
    let lost = if at < CHANGE { 0.0 } else { fall * (-(at - CHANGE) / 6.0).exp() };
    warm - lost
}

/// Four samples a second for a minute, with a little noise that is the same in every run. The real
/// arm lags by a second and is noisier.
fn over_time(arm: Arm, noise: f64, role: u8, value: fn(f64, u8) -> f64) -> Vec<(f64, f64)> {
    let (lag, noise) = if arm == Arm::Real { (1.0, noise * 2.5) } else { (0.0, noise) };
    let mut state = (u64::from(role) * 2 + arm as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..=240)
        .map(|quarter| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let jitter = (state >> 40) as f64 / f64::from(1 << 24) - 0.5;
            let at = f64::from(quarter) / 4.0;
            (at, (value((at - lag).max(0.0), role) + jitter * 2.0 * noise).max(0.0))
        })
        .collect()
}

fn add_a_server_verdicts(variant: &str, arm: Arm) -> Vec<Verdict> {
    let modulo = variant == "modulo";
    let verdict =
        |name: &str, says: &str, measured: &str, bound: &str, talk: Option<&str>| Verdict {
            name: name.to_owned(),
            says: Some(says.to_owned()),
            arm,
            variant: Some(variant.to_owned()),
            holds: true,
            measured: measured.to_owned(),
            bound: bound.to_owned(),
            talk: talk.map(str::to_owned),
        };
    if modulo {
        vec![
            verdict(
                "moved",
                "Keys that change their server",
                "75.1 %",
                "74 % to 76 %",
                Some("1 − 1/(n+1)"),
            ),
            verdict("lowest-hits", "The hit ratio falls to", "23.4 %", "at most 30 %", None),
        ]
    } else {
        vec![verdict(
            "moved",
            "Keys that change their server",
            "24.3 %",
            "at most 30 %",
            Some("1/(n+1)"),
        )]
    }
}

fn latency(name: &str, variant: &str, role: u8, arm: Arm) -> LatencyRow {
    let scale = if arm == Arm::Real { 3 } else { 2 } * if role == 0 { 4 } else { 1 };
    let summary = Percentiles {
        count: 240_000,
        p50: 210_000 * scale,
        p90: 480_000 * scale,
        p99: 2_900_000 * scale,
        p999: 14_000_000 * scale,
        max: 88_000_000 * scale,
    };
    LatencyRow { name: name.to_owned(), arm, variant: Some(variant.to_owned()), summary }
}

fn moved_keys() -> Table {
    let row = |server: &str, before: f64, after: f64, share: f64| {
        vec![
            Cell::Text(server.to_owned()),
            Cell::Number(before, Unit::Count),
            Cell::Number(after, Unit::Count),
            Cell::Number(share, Unit::Share),
        ]
    };
    Table {
        id: "keys".to_owned(),
        title: "Keys per server, ring".to_owned(),
        columns: ["server", "before", "after", "kept"].map(str::to_owned).to_vec(),
        rows: vec![
            row("cache-1", 33_420.0, 25_010.0, 0.748),
            row("cache-2", 33_101.0, 25_202.0, 0.761),
            row("cache-3", 33_479.0, 24_817.0, 0.741),
            row("cache-4", 0.0, 24_971.0, 0.0),
        ],
    }
}

fn rack() -> Vec<HostCard> {
    let cache = |number: u32| HostCard {
        name: format!("cache-{number}"),
        ip: format!("10.0.1.{number}"),
        role: "cache".to_owned(),
        lines: vec!["memcached -m 1024 -p 11211".to_owned()],
        hardware: vec!["2 cores".to_owned(), "2 GB memory".to_owned()],
    };
    let mut rack: Vec<HostCard> = (1..=4).map(cache).collect();
    rack.push(HostCard {
        name: "db".to_owned(),
        ip: "10.0.2.1".to_owned(),
        role: "database".to_owned(),
        lines: Vec::new(),
        hardware: vec!["1 disk, 1,500 reads/s".to_owned(), "8 slots".to_owned()],
    });
    rack.push(HostCard {
        name: "web".to_owned(),
        ip: "10.0.3.1".to_owned(),
        role: "load".to_owned(),
        lines: vec![
            "load --loop open --rate 4000/s --keys 100000 --zipf 0.9 \
             --servers cache-1,cache-2,cache-3"
                .to_owned(),
        ],
        hardware: vec!["16 clients".to_owned()],
    });
    rack
}

fn moment(second: u64, text: &str, variant: Option<&str>) -> Moment {
    Moment { at_ns: second * SECOND, text: text.to_owned(), variant: variant.map(str::to_owned) }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
