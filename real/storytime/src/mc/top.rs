//! `storytime mc top`: what the servers are doing.

use super::args::{Named, TopOptions};
use super::shot::{Question, Shot};
use crate::serve::print;
use crate::{FAILED, OK};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};
use storytime_memcached::client::{ClientOptions, Outcome};
use storytime_real::{Host, spawn};
use storytime_reports::format::grouped;

/// Statistics that count requests.
const REQUESTS: [&str; 4] = ["cmd_get", "cmd_set", "cmd_touch", "cmd_flush"];

/// One server's numbers, or why there are none.
type Numbers = Result<BTreeMap<String, u64>, String>;

/// All servers at one moment.
struct Sample {
    at: Instant,
    servers: Vec<Numbers>,
}

/// Prints tables until interrupted, or one.
pub(crate) fn run(
    host: Host,
    client: ClientOptions,
    servers: &[Named],
    options: &TopOptions,
) -> u8 {
    let interval = Duration::from_secs(options.interval);
    let sample = || ask(host.clone(), client.clone(), servers);
    let mut before = match sample() {
        Ok(sample) => sample,
        Err(why) => {
            eprintln!("mc: {why}");
            return FAILED;
        }
    };
    let clear = std::io::stdout().is_terminal() && !options.once;
    loop {
        std::thread::sleep(interval);
        let now = match sample() {
            Ok(sample) => sample,
            Err(why) => {
                eprintln!("mc: {why}");
                return FAILED;
            }
        };
        let text = table(servers, &before, &now);
        print(&if clear { format!("\x1b[H\x1b[J{}", fitted(&text, window())) } else { text });
        if options.once {
            let well = now.servers.iter().all(Result::is_ok);
            return if well { OK } else { FAILED };
        }
        before = now;
    }
}

/// Columns and rows of the terminal, where it says so.
fn window() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// What a window shows of a table without a line that wraps or scrolls away: the last row tells how
/// many more there are.
fn fitted(text: &str, window: Option<(usize, usize)>) -> String {
    let Some((columns, rows)) = window else { return text.to_owned() };
    let all = text.lines().count();
    // The cursor stands below the last line.
    let room = rows.saturating_sub(1).max(1);
    let shown = if all <= room { all } else { room - 1 };
    let mut fitted = String::new();
    for line in text.lines().take(shown) {
        fitted.extend(line.chars().take(columns));
        fitted.push('\n');
    }
    if shown < all {
        fitted.extend(format!("… {} more", all - shown.max(1)).chars().take(columns));
        fitted.push('\n');
    }
    fitted
}

fn ask(host: Host, client: ClientOptions, servers: &[Named]) -> Result<Sample, String> {
    let specs = servers.iter().map(|server| server.spec.clone()).collect();
    let questions = vec![(String::new(), Question::Stats(String::new()))];
    let mut handle =
        spawn(host, Shot::new(client, specs, questions)).map_err(|why| why.to_string())?;
    handle.wait();
    let at = Instant::now();
    let outcome = handle.with_machine(Shot::take).pop().map(|(_, _, outcome, _)| outcome);
    let Some(Outcome::Servers(all)) = outcome else { return Err("no answer".to_owned()) };
    Ok(Sample { at, servers: all.into_iter().map(numbers).collect() })
}

fn numbers(outcome: Outcome) -> Numbers {
    match outcome {
        Outcome::Text(lines) => {
            let text = String::from_utf8_lossy(&lines);
            let pair = |line: &str| {
                let (name, value) = line.strip_prefix("STAT ")?.trim_end().split_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            };
            Ok(text.lines().filter_map(pair).collect())
        }
        Outcome::Failed(why) => Err(why.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn table(servers: &[Named], before: &Sample, now: &Sample) -> String {
    let widest = servers.iter().map(|server| server.name.len()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "{:widest$} {:>10} {:>7} {:>12} {:>9} {:>10} {:>6}\n",
        "server", "ops/s", "hits", "items", "MB", "evicted/s", "conns"
    );
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
    for ((server, before), now) in servers.iter().zip(&before.servers).zip(&now.servers) {
        let row = match now {
            Ok(now) => row(before.as_ref().unwrap_or(now), now, seconds),
            Err(why) => format!(" {why}"),
        };
        text += &format!("{:widest$}{row}\n", server.name);
    }
    text
}

fn row(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>, seconds: f64) -> String {
    let get = |of: &BTreeMap<String, u64>, name: &str| of.get(name).copied().unwrap_or(0);
    let grown = |name: &str| get(now, name).saturating_sub(get(before, name));
    let rate = |count: u64| grouped((count as f64 / seconds).round() as u64);
    let (hits, misses) = (grown("get_hits"), grown("get_misses"));
    let ratio = match hits + misses {
        0 => "-".to_owned(),
        gets => format!("{:.1}%", 100.0 * hits as f64 / gets as f64),
    };
    format!(
        " {:>10} {ratio:>7} {:>12} {:>9.1} {:>10} {:>6}",
        rate(REQUESTS.iter().map(|name| grown(name)).sum()),
        grouped(get(now, "curr_items")),
        get(now, "bytes") as f64 / 1e6,
        rate(grown("evictions")),
        get(now, "curr_connections"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_window_shows_whole_lines_from_the_top_and_counts_the_rest() {
        let text = "server ops/s\na 1\nb 2\nc 3\n";
        assert_eq!(fitted(text, None), text);
        assert_eq!(fitted(text, Some((80, 5))), text);
        assert_eq!(fitted(text, Some((6, 5))), "server\na 1\nb 2\nc 3\n");
        assert_eq!(fitted(text, Some((80, 4))), "server ops/s\na 1\n… 2 more\n");
        assert_eq!(fitted(text, Some((80, 1))), "… 3 more\n");
    }

    #[test]
    fn a_row_tells_what_happened_between_two_samples() {
        let sample = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
        };
        let before = sample(&[("cmd_get", 100), ("get_hits", 90), ("get_misses", 10)]);
        let now = sample(&[
            ("cmd_get", 300),
            ("cmd_set", 50),
            ("get_hits", 240),
            ("get_misses", 60),
            ("curr_items", 12_345),
            ("bytes", 1_500_000),
            ("curr_connections", 7),
        ]);
        let row = row(&before, &now, 2.0);
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..2], ["125", "75.0%"]);
        assert_eq!(words[words.len() - 3..], ["1.5", "0", "7"]);
    }
}
