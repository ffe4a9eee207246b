//! Counters, as Prometheus reads them.

use super::reply::Status;
use crate::engine::Peer;
use crate::server::Gearmand;
use core::fmt::Write as _;
use storytime_machine::{Cx, Machine as _};

/// Most functions that are told of one by one.
const FUNCTIONS_MAX: usize = 1_000;
/// What the counters cost, in replies of the usual kind.
const METRICS_TOIL: u64 = 100;
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters that go up and down.
const GAUGES: [&str; 10] = [
    "connections",
    "jobs",
    "jobs_memory",
    "jobs_memory_max",
    "listeners",
    "replies_held",
    "engine_memory",
    "watchers",
    "result_cache_questions",
    "memory",
];

impl Gearmand {
    /// Answers with all counters, or with the length of that.
    pub(super) fn http_metrics(&mut self, cx: &mut Cx, to: Peer, head_only: bool, keep: bool) {
        let text = self.metrics();
        self.toil += self.engine.functions_len() as u64 + METRICS_TOIL;
        let (_, mut wire) = self.split(cx);
        let body = (!head_only).then_some(&*text);
        wire.http_text(to, Status::OK, KIND, body, text.len(), keep);
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let mut each = |name: &str, value: u64| {
            let kind = if GAUGES.contains(&name) { "gauge" } else { "counter" };
            writeln!(text, "# TYPE gearmand_{name} {kind}\ngearmand_{name} {value}")
                .expect("memory grows as needed");
        };
        self.counters(&mut each);
        each("memory", self.memory());
        self.function_metrics(&mut text);
        text
    }

    fn function_metrics(&self, text: &mut String) {
        let mut functions: Vec<_> = self.engine.functions().take(FUNCTIONS_MAX).collect();
        functions.sort_unstable_by_key(|function| function.name);
        for name in ["jobs", "running", "queued", "workers"] {
            writeln!(text, "# TYPE gearmand_function_{name} gauge")
                .expect("memory grows as needed");
            for function in &functions {
                let value = match name {
                    "jobs" => function.jobs,
                    "running" => function.running,
                    "queued" => function.queued.iter().sum(),
                    _ => function.workers,
                };
                let label = label(function.name);
                writeln!(text, "gearmand_function_{name}{{function=\"{label}\"}} {value}")
                    .expect("memory grows as needed");
            }
        }
    }
}

/// A name as the value of a label.
fn label(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in String::from_utf8_lossy(name).chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn names_cannot_end_their_label() {
        assert_eq!(label(b"resize"), "resize");
        assert_eq!(label(b"a\"} 1\nb\\"), "a\\\"} 1\\nb\\\\");
        assert_eq!(label(b"\xff"), "\u{fffd}");
    }
}
