//! What can be measured, by name: `web.hit_ratio`, `db.queries`, `writer.lost`.
//!
//! The part before the dot is a load, a model or a host; the part behind it is one of the metrics
//! that this kind of source states here. The tables are static, so an unknown metric is found when
//! the file is read and not after the run.
//!
//! A name with a `*` in it stands for all hosts that it fits, added up: `cache*.evictions`. It
//! means the hosts that have such a metric; there must be one.
//!
//! Counters of servers are read at the end of every bucket of time (see [`crate::sample`]): what
//! only grows becomes a [`Kind::Series`], what goes up and down a [`Kind::Level`].

use crate::story::Figure;

/// What kind of figures a metric has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Things counted in buckets of time.
    Series,
    /// A share in each bucket of time.
    Shares,
    /// A histogram of lengths of time over the whole run.
    Latency,
    /// One number at the end of the run.
    Count,
    /// One share at the end of the run.
    Share,
    /// One word at the end of the run.
    Word,
    /// One length of time at the end of the run.
    Time,
    /// What is there at the end of each bucket of time: things.
    Level,
    /// What is there at the end of each bucket of time: bytes.
    Bytes,
    /// A number for each of some things that are no times: a class, a size, a slot.
    Curve(&'static str),
    /// A share for each of some things that are no times.
    ShareCurve(&'static str),
}

/// A metric of one kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDef {
    /// Its name behind the dot.
    pub name: &'static str,
    /// What kind of figures it has.
    pub kind: Kind,
    /// What it is, for the axis of a chart.
    pub label: &'static str,
}

/// Where a metric comes from, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A load, all of its hosts together.
    Load(usize),
    /// A model.
    Model(usize),
    /// The programs of some hosts, added up.
    Hosts(Vec<usize>),
    /// A law fitted along the sweep.
    Fit(usize),
}

/// A resolved metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// As written: `web.hit_ratio`.
    pub text: String,
    /// Whose.
    pub from: From,
    /// Which.
    pub def: MetricDef,
}

impl Metric {
    /// Its source as written: `web` of `web.hit_ratio`.
    pub fn source(&self) -> &str {
        self.text.rsplit_once('.').map_or(self.text.as_str(), |(source, _)| source)
    }
}

/// What can be measured about a fitted law.
pub const FIT_METRICS: &[MetricDef] = &[
    MetricDef { name: "contention", kind: Kind::Share, label: "contention" },
    MetricDef { name: "coherency", kind: Kind::Share, label: "coherency" },
    MetricDef { name: "efficiency", kind: Kind::Share, label: "efficiency of the worst doubling" },
];

/// What of a metric is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Everything in the window; of shares, the share of everything. Of a curve, its value at the
    /// point asked for, or the sum over all.
    Total,
    /// The level at the end of the window.
    Last,
    /// The mean rate in the window.
    Rate,
    /// The rate in the highest bucket of the window; of shares, levels and curves, the highest.
    Peak,
    /// The rate in the lowest bucket of the window; of shares, levels and curves, the lowest.
    Trough,
    /// A quantile of the histogram.
    Quantile(Quantile),
}

/// Quantiles that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// The median.
    P50,
    /// Nine of ten.
    P90,
    /// 99 of 100.
    P99,
    /// 999 of 1000.
    P999,
    /// The greatest.
    Max,
}

/// Every name of a [`Take`].
pub const TAKES: &[(&str, Take)] = &[
    ("total", Take::Total),
    ("last", Take::Last),
    ("rate", Take::Rate),
    ("peak", Take::Peak),
    ("trough", Take::Trough),
    ("p50", Take::Quantile(Quantile::P50)),
    ("p90", Take::Quantile(Quantile::P90)),
    ("p99", Take::Quantile(Quantile::P99)),
    ("p999", Take::Quantile(Quantile::P999)),
    ("max", Take::Quantile(Quantile::Max)),
];

/// The unit of a figure, which decides how a bound is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureUnit {
    /// A whole number.
    Count,
    /// Per second.
    Rate,
    /// Part of a whole.
    Share,
    /// A quotient.
    Factor,
    /// A length of time.
    Time,
    /// An amount of memory.
    Bytes,
    /// A word.
    Word,
}

impl Kind {
    /// Whether it has buckets of time, so that windows and lines make sense.
    pub const fn is_series(self) -> bool {
        matches!(self, Self::Series | Self::Shares | Self::Level | Self::Bytes)
    }

    /// What a curve goes along; `None` for what is no curve.
    pub const fn along(self) -> Option<&'static str> {
        match self {
            Self::Curve(along) | Self::ShareCurve(along) => Some(along),
            _ => None,
        }
    }

    /// What may be taken of it; the first is taken unless the file says otherwise.
    pub fn takes(self) -> impl Iterator<Item = (&'static str, Take)> + Clone {
        let is_level = matches!(self, Self::Level | Self::Bytes);
        TAKES.iter().copied().filter(move |(_, take)| match take {
            Take::Total => self != Self::Latency && !is_level,
            Take::Last => is_level,
            Take::Rate => self == Self::Series,
            Take::Peak | Take::Trough => self.is_series() || self.along().is_some(),
            Take::Quantile(_) => self == Self::Latency,
        })
    }

    /// The unit of what is taken of it.
    pub const fn unit(self, take: Take) -> FigureUnit {
        match (self, take) {
            (Self::Word, _) => FigureUnit::Word,
            (Self::Latency | Self::Time, _) => FigureUnit::Time,
            (Self::Bytes, _) => FigureUnit::Bytes,
            (Self::Share | Self::Shares | Self::ShareCurve(_), _) => FigureUnit::Share,
            (Self::Series, Take::Rate | Take::Peak | Take::Trough) => FigureUnit::Rate,
            (Self::Series | Self::Count | Self::Level | Self::Curve(_), _) => FigureUnit::Count,
        }
    }
}

impl Figure {
    /// The number with its unit, for people.
    pub fn show(self) -> String {
        use crate::units::{show_duration, show_thousandths};
        match self {
            Self::Count(n) => storytime_reports::format::grouped(n),
            Self::Rate(milli) if milli >= 1_000_000 => format!("{}/s", milli / 1_000),
            Self::Rate(milli) => format!("{}/s", show_thousandths(milli)),
            Self::Share(share) => share.percent(),
            // Three digits tell enough: 0.243x, 55.7x.
            Self::Factor(factor) if factor.0 >= 10_000_000 => {
                format!("{}x", show_thousandths(factor.0 / 100_000 * 100))
            }
            Self::Factor(factor) => format!("{}x", show_thousandths(factor.0 / 1_000)),
            Self::Time(ns) => show_duration(ns),
            Self::Bytes(n) => {
                let unit = storytime_reports::model::Unit::Bytes;
                storytime_reports::format::figure(n as f64, &unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Millionths;

    #[test]
    fn every_kind_has_something_to_take() {
        let (curve, shares) = (Kind::Curve("class"), Kind::ShareCurve("size"));
        let single =
            [Kind::Latency, Kind::Count, Kind::Share, Kind::Word, Kind::Time, curve, shares];
        for kind in [Kind::Series, Kind::Shares, Kind::Level, Kind::Bytes].into_iter().chain(single)
        {
            assert!(kind.takes().next().is_some(), "{kind:?}");
        }
    }

    #[test]
    fn figures_print_with_their_units() {
        assert_eq!(Figure::Rate(1_500).show(), "1.5/s");
        assert_eq!(Figure::Rate(1_234_567).show(), "1234/s");
        assert_eq!(Figure::Factor(Millionths(2_345_678)).show(), "2.345x");
        assert_eq!(Figure::Share(Millionths(800_000)).show(), "80.0 %");
    }
}
