//! The pictures.

use crate::fixture;
use storytime_reports::svg::{Canvas, draw};

#[test]
fn lines_over_time_with_a_mark_and_a_level() {
    let mut chart = fixture::add_a_server().charts.swap_remove(0);
    for series in &mut chart.series {
        // One point in ten keeps the snapshot readable.
        series.points = series.points.iter().copied().step_by(10).collect();
    }
    insta::assert_snapshot!(draw(&chart, Canvas::Wide, "c0"));
}

#[test]
fn bars_in_groups() {
    let chart = &fixture::does_fsync_work().charts[0];
    insta::assert_snapshot!(draw(chart, Canvas::Wide, "c0"));
}

#[test]
fn every_series_and_mark_is_in_both_sizes() {
    for chart in fixture::add_a_server().charts {
        for canvas in [Canvas::Wide, Canvas::Narrow] {
            let svg = draw(&chart, canvas, "c0");
            for name in ["modulo, simulated", "modulo, real", "ring, simulated", "ring, real"] {
                assert!(svg.contains(&format!("<title>{name}</title>")), "{name}");
            }
            assert!(svg.contains(">cache-4 joins</text>"));
            assert_eq!(svg.matches("class=\"line r0 real\"").count(), 1);
        }
    }
}

#[test]
fn awkward_charts_are_drawn_without_a_stray_number() {
    for chart in fixture::hostile().charts {
        for canvas in [Canvas::Wide, Canvas::Narrow] {
            let svg = draw(&chart, canvas, "c0");
            assert!(!svg.contains("NaN") && !svg.contains("inf\""));
            assert!(!svg.contains("<script"));
        }
    }
}

#[test]
fn a_chart_without_values_says_so() {
    let mut chart = fixture::does_fsync_work().charts.swap_remove(0);
    chart.series.clear();
    assert!(draw(&chart, Canvas::Wide, "c0").contains("Nothing was measured"));
}

#[test]
fn a_bar_that_is_missing_is_not_a_bar_of_nothing() {
    let mut chart = fixture::does_fsync_work().charts.swap_remove(0);
    chart.series[1].points.truncate(4);
    assert_eq!(draw(&chart, Canvas::Wide, "c0").matches("not measured").count(), 1);
}
