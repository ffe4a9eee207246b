//! What tells series apart besides colour: markers on lines, patterns in bars.

use super::writer::{Attribute, Px, Writer};
use crate::model::{Chart, Series};

/// Colours, markers and patterns there are; roles beyond repeat them.
pub(crate) const ROLES: u8 = 8;

/// The class that sets a role's colour.
pub(crate) fn role_class(role: u8) -> String {
    format!("r{}", role % ROLES)
}

/// The outline of a role's marker around a position, as path data.
pub(crate) fn marker(role: u8, x: f64, y: f64) -> String {
    let polygon = |corners: &[(f64, f64)]| {
        let mut path = String::new();
        for (index, (dx, dy)) in corners.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{command}{} {}", Px(x + dx), Px(y + dy)));
        }
        path.push('Z');
        path
    };
    match role % ROLES {
        0 => format!("M{} {}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", Px(x - 4.0), Px(y)),
        1 => polygon(&[(-3.7, -3.7), (3.7, -3.7), (3.7, 3.7), (-3.7, 3.7)]),
        2 => polygon(&[(0.0, -4.8), (4.6, 3.5), (-4.6, 3.5)]),
        3 => polygon(&[(0.0, -5.2), (5.2, 0.0), (0.0, 5.2), (-5.2, 0.0)]),
        4 => polygon(&[(0.0, 4.8), (4.6, -3.5), (-4.6, -3.5)]),
        5 => polygon(&[(-5.5, -2.0), (5.5, -2.0), (5.5, 2.0), (-5.5, 2.0)]),
        6 => polygon(&[(-2.0, -5.5), (2.0, -5.5), (2.0, 5.5), (-2.0, 5.5)]),
        _ => polygon(&[(0.0, -5.0), (4.8, -1.5), (3.0, 4.2), (-3.0, 4.2), (-4.8, -1.5)]),
    }
}

/// The fill of a role's bars: role 0 is plain, the others are patterns of the drawing `key`.
pub(crate) fn fill(key: &str, role: u8) -> String {
    match role % ROLES {
        0 => "var(--c)".to_owned(),
        role => format!("url(#{key}-p{role})"),
    }
}

/// Writes the patterns that the bars of `chart` refer to.
pub(crate) fn define_patterns(svg: &mut Writer, chart: &Chart, key: &str) {
    let role_of = |series: &Series| series.role % ROLES;
    let mut roles: Vec<u8> = chart.series.iter().map(role_of).filter(|role| *role > 0).collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return;
    }
    svg.open("defs", &[]);
    for role in roles {
        let (id, class) = (format!("{key}-p{role}"), format!("pattern {}", role_class(role)));
        let size: Attribute<'_> = ("width", &7);
        svg.open(
            "pattern",
            &[
                ("id", &id),
                ("class", &class),
                size,
                ("height", &7),
                ("patternUnits", &"userSpaceOnUse"),
            ],
        );
        svg.leaf("rect", &[("class", &"ground"), ("width", &7), ("height", &7)]);
        svg.leaf("path", &[("class", &"stroke"), ("d", &pattern(role))]);
        svg.close();
    }
    svg.close();
}

/// The strokes of a pattern's tile of 7 by 7 pixels.
fn pattern(role: u8) -> &'static str {
    match role {
        1 => "M-1 8L8 -1M-1 1L1 -1M6 8L8 6",
        2 => "M3.5 2v3M2 3.5h3",
        3 => "M0 3.5h7",
        4 => "M-1 -1L8 8M-1 6L1 8M6 -1L8 1",
        5 => "M0 3.5h7M3.5 0v7",
        6 => "M3.5 0v7",
        _ => "M-1 8L8 -1M-1 -1L8 8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_roles_look_alike() {
        for a in 0..ROLES {
            for b in 0..a {
                assert_ne!(marker(a, 0.0, 0.0), marker(b, 0.0, 0.0));
                assert!(b == 0 || pattern(a) != pattern(b));
            }
        }
    }

    #[test]
    fn roles_repeat_after_the_last() {
        assert_eq!(marker(ROLES + 2, 1.0, 1.0), marker(2, 1.0, 1.0));
        assert_eq!(fill("k", ROLES), fill("k", 0));
    }
}
