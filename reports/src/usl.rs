//! The universal scalability law: what contention and coherency cost a system that grows.
//!
//! A system of `n` parts carries `λn / (1 + σ(n − 1) + κn(n − 1))`: `λ` is what one part carries
//! alone, `σ` the share of the work that parts do one after the other (contention), `κ` the price
//! of each pair of parts that has to agree (coherency). With both zero twice the parts carry twice
//! as much. Fitted by least squares of relative errors; a term that would be negative is zero.

/// Fewest points that a fit needs.
pub const POINTS_MIN: usize = 3;

/// A fitted law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usl {
    /// What one part carries alone, in the unit of the points.
    pub lambda: f64,
    /// The share that is done one after the other.
    pub contention: f64,
    /// The price of each pair that has to agree.
    pub coherency: f64,
}

impl Usl {
    /// Fits the law to points of size and throughput; `None` if there are fewer than
    /// [`POINTS_MIN`], or one is not positive.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let positive = points.iter().all(|&(n, x)| n > 0.0 && x > 0.0);
        if points.len() < POINTS_MIN || !positive {
            return None;
        }
        // n / x = (1 + σ(n − 1) + κn(n − 1)) / λ is linear in 1/λ, σ/λ and κ/λ.
        let terms: [fn(f64) -> f64; 3] = [|_| 1.0, |n| n - 1.0, |n| n * (n - 1.0)];
        let choices: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
        let fits = choices.into_iter().filter_map(|chosen| {
            let found = solve(points, &terms, chosen)?;
            let fits = found[0] > 0.0 && found[1] >= 0.0 && found[2] >= 0.0;
            fits.then(|| Self {
                lambda: 1.0 / found[0],
                contention: found[1] / found[0],
                coherency: found[2] / found[0],
            })
        });
        fits.min_by(|a, b| a.error(points).total_cmp(&b.error(points)))
    }

    /// What the law says that `n` parts carry.
    pub fn at(&self, n: f64) -> f64 {
        self.lambda * n / (1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0))
    }

    /// Beyond how many parts one more makes it carry less; `None` if never.
    pub fn peak(&self) -> Option<f64> {
        let peak = ((1.0 - self.contention) / self.coherency).sqrt();
        (self.coherency > 0.0 && self.contention < 1.0).then_some(peak)
    }

    /// The sum of the squares of `n / x`'s relative errors.
    fn error(&self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|&(n, x)| (x / self.at(n) - 1.0).powi(2)).sum()
    }
}

/// The least efficiency of a doubling among the points: what twice the parts carry, of twice what
/// half of them do. `None` if no size is twice another.
pub fn efficiency(points: &[(f64, f64)]) -> Option<f64> {
    let pairs = points.iter().flat_map(|half| points.iter().map(move |twice| (half, twice)));
    let doubled = pairs.filter(|(half, twice)| half.0 > 0.0 && twice.0 == 2.0 * half.0);
    doubled
        .filter(|(half, _)| half.1 > 0.0)
        .map(|(half, twice)| twice.1 / (2.0 * half.1))
        .min_by(f64::total_cmp)
}

/// Least squares over the chosen terms; the others are zero. `None` if the points do not tell them
/// apart.
fn solve(points: &[(f64, f64)], terms: &[fn(f64) -> f64; 3], chosen: &[usize]) -> Option<[f64; 3]> {
    let mut rows = [[0.0; 4]; 3];
    for &(n, x) in points {
        // Divided by n / x, so that errors count relative to what was measured.
        let term = |t: usize| terms[chosen[t]](n) * x / n;
        for (r, row) in rows.iter_mut().enumerate().take(chosen.len()) {
            for (c, sum) in row.iter_mut().enumerate().take(chosen.len()) {
                *sum += term(r) * term(c);
            }
            row[3] += term(r);
        }
    }
    let size = chosen.len();
    for pivot in 0..size {
        let best =
            (pivot..size).max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()));
        rows.swap(pivot, best?);
        if rows[pivot][pivot].abs() < 1e-12 {
            return None;
        }
        let lead = rows[pivot];
        for row in rows.iter_mut().take(size).skip(pivot + 1) {
            let factor = row[pivot] / lead[pivot];
            row.iter_mut().zip(lead).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    let mut found = [0.0; 3];
    for pivot in (0..size).rev() {
        let known: f64 = (pivot + 1..size).map(|c| rows[pivot][c] * found[chosen[c]]).sum();
        found[chosen[pivot]] = (rows[pivot][3] - known) / rows[pivot][pivot];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(lambda: f64, contention: f64, coherency: f64) -> Vec<(f64, f64)> {
        let law = Usl { lambda, contention, coherency };
        [1.0, 2.0, 4.0, 8.0, 16.0].map(|n| (n, law.at(n))).to_vec()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6 * (1.0 + b.abs())
    }

    #[test]
    fn a_law_is_found_in_its_own_points() {
        for (lambda, contention, coherency) in
            [(995.0, 0.0267, 0.000_769), (10.0, 0.2, 0.0), (3.0, 0.0, 0.0), (7.0, 0.0, 0.01)]
        {
            let fit = Usl::fit(&law(lambda, contention, coherency)).expect("it fits");
            let same = near(fit.lambda, lambda)
                && near(fit.contention, contention)
                && near(fit.coherency, coherency);
            assert!(same, "{fit:?}");
        }
    }

    #[test]
    fn better_than_linear_is_taken_for_linear() {
        let points = [(1.0, 10.0), (2.0, 21.0), (4.0, 43.0)];
        let fit = Usl::fit(&points).expect("it fits");
        assert!(
            fit.contention == 0.0 && fit.coherency == 0.0 && (10.0..11.0).contains(&fit.lambda)
        );
        assert!(efficiency(&points).is_some_and(|e| e > 1.0));
    }

    #[test]
    fn throughput_falls_behind_the_peak() {
        let fit = Usl { lambda: 1.0, contention: 0.1, coherency: 0.01 };
        let peak = fit.peak().expect("coherency has a price");
        assert!(fit.at(peak) > fit.at(peak / 2.0) && fit.at(peak) > fit.at(peak * 2.0));
        assert_eq!(Usl { coherency: 0.0, ..fit }.peak(), None);
    }

    #[test]
    fn too_few_points_and_standstill_have_no_law() {
        assert_eq!(Usl::fit(&law(1.0, 0.0, 0.0)[..2]), None);
        assert_eq!(Usl::fit(&[(1.0, 0.0), (2.0, 1.0), (3.0, 1.0)]), None);
        assert_eq!(efficiency(&[(1.0, 5.0), (3.0, 5.0)]), None);
    }

    #[test]
    fn the_worst_doubling_counts() {
        let points = [(1.0, 10.0), (2.0, 20.0), (4.0, 30.0)];
        assert_eq!(efficiency(&points), Some(0.75));
    }
}
