//! Pictures, as PPM files: a head in letters, then three bytes for each point.
//!
//! Not modelled: what compresses pictures. A JPEG of as many bytes has more points.

/// Points of a thumbnail on its longer side.
const THUMBNAIL_POINTS: u32 = 104;
/// Greatest side of a picture that is made smaller, points.
pub const SIDE_POINTS_MAX: u32 = 8_192;

/// A picture with something in it: two ramps and a chessboard.
pub fn drawn(width: u32, height: u32) -> Vec<u8> {
    let mut file = head(width, height);
    for y in 0..height {
        for x in 0..width {
            let ramp = |at: u32, of: u32| (at * 255 / of.max(1)) as u8;
            let board = if (x / 64 + y / 64) % 2 == 0 { 0 } else { 255 };
            file.extend_from_slice(&[ramp(x, width), ramp(y, height), board]);
        }
    }
    file
}

/// The same picture, small: each point is the mean of those that it stands for. `None` if that is
/// no picture, or one that is too large.
pub fn thumbnail(file: &[u8]) -> Option<Vec<u8>> {
    let (width, height, points) = read(file)?;
    let longer = width.max(height).max(THUMBNAIL_POINTS);
    let small = |side: u32| (side * THUMBNAIL_POINTS / longer).max(1);
    let (columns, rows) = (small(width), small(height));
    let mut file = head(columns, rows);
    for row in 0..rows {
        let ys = span(row, rows, height);
        for column in 0..columns {
            let xs = span(column, columns, width);
            let mut sums = [0_u64; 3];
            for y in ys.clone() {
                let line = (y * width) as usize;
                let from = &points[(line + xs.start as usize) * 3..(line + xs.end as usize) * 3];
                for point in from.chunks_exact(3) {
                    sums.iter_mut().zip(point).for_each(|(sum, part)| *sum += u64::from(*part));
                }
            }
            let count = u64::from(xs.end - xs.start) * u64::from(ys.end - ys.start);
            file.extend(sums.map(|sum| (sum / count) as u8));
        }
    }
    Some(file)
}

/// The points of a large side that the n-th point of a small one stands for; at least one.
fn span(nth: u32, of: u32, side: u32) -> std::ops::Range<u32> {
    let (from, to) = (nth * side / of, (nth + 1) * side / of);
    from..to.max(from + 1)
}

fn head(width: u32, height: u32) -> Vec<u8> {
    format!("P6\n{width} {height}\n255\n").into_bytes()
}

/// Width, height and points of a picture with a head as ours.
fn read(file: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut lines = file.splitn(4, |byte| *byte == b'\n');
    let (kind, sides, depth) = (lines.next()?, lines.next()?, lines.next()?);
    let points = lines.next()?;
    let sides = std::str::from_utf8(sides).ok()?;
    let (width, height) = sides.split_once(' ')?;
    let side =
        |text: &str| text.parse::<u32>().ok().filter(|side| (1..=SIDE_POINTS_MAX).contains(side));
    let (width, height) = (side(width)?, side(height)?);
    let whole = points.len() == width as usize * height as usize * 3;
    (kind == b"P6" && depth == b"255" && whole).then_some((width, height, points))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_shows_the_same_and_is_small() {
        let large = drawn(1_024, 512);
        let small = thumbnail(&large).expect("a picture");
        assert!(small.starts_with(b"P6\n104 52\n255\n"));
        let (width, height, points) = read(&small).expect("a picture");
        assert_eq!((width, height, points.len()), (104, 52, 104 * 52 * 3));
        // Dark on the left, bright on the right; dark at the top, bright at the bottom.
        assert!(points[0] < 10 && points[103 * 3] > 245 && points[1] < 10);
        assert!(points[51 * 104 * 3 + 1] > 245);
    }

    #[test]
    fn what_is_small_stays_and_what_is_no_picture_has_no_thumbnail() {
        let tiny = drawn(3, 2);
        assert_eq!(thumbnail(&tiny), Some(tiny.clone()));
        for wrong in [&b""[..], b"P6\n1 1\n255\n", b"P5\n1 1\n255\nabc", b"P6\n0 1\n255\n"] {
            assert_eq!(thumbnail(wrong), None);
        }
        assert_eq!(thumbnail(b"P6\n99999 1\n255\nabc"), None);
    }
}
