//! Minimum, median and maximum of a few runs.

use core::fmt;

/// Figures of the same thing, measured several times.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Nothing measured yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a run's figure.
    pub fn add(&mut self, figure: f64) {
        assert!(figure.is_finite() && figure >= 0.0, "{figure} is not a measurement");
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one, or the mean of the two in the middle.
    ///
    /// # Panics
    /// If nothing was measured.
    pub fn median(&self) -> f64 {
        assert!(!self.0.is_empty(), "nothing was measured");
        let half = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[half] } else { (self.0[half - 1] + self.0[half]) / 2.0 }
    }

    /// The least.
    ///
    /// # Panics
    /// If nothing was measured.
    pub fn min(&self) -> f64 {
        *self.0.first().expect("something was measured")
    }

    /// The greatest.
    ///
    /// # Panics
    /// If nothing was measured.
    pub fn max(&self) -> f64 {
        *self.0.last().expect("something was measured")
    }
}

impl fmt::Display for Spread {
    /// `median (min to max)`, with the formatter's precision and the median in its width.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(2);
        let (median, min, max) = (self.median(), self.min(), self.max());
        let width = f.width().unwrap_or(0);
        write!(f, "{median:width$.precision$} ({min:.precision$} to {max:.precision$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(figures: &[f64]) -> Spread {
        let mut spread = Spread::new();
        figures.iter().for_each(|&figure| spread.add(figure));
        spread
    }

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(format!("{:.1}", spread(&[5.0, 1.0, 2.0])), "2.0 (1.0 to 5.0)");
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]).median(), 3.0);
    }
}
