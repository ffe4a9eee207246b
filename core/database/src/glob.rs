//! Patterns of names: `*`, `?`, `[a-z]`, `[^a]` and `\`.
//!
//! Of all stars only the last is ever gone back to: an earlier one that took more would leave the
//! later ones less. So a pattern costs at most its length times the name's, however many it has.

/// Whether a name fits a pattern.
pub(crate) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on if the letters behind the last star do not fit: one letter further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, n));
            continue;
        }
        let step = match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some(_), Some(&byte)) => one(&pattern[p..], byte),
            _ => None,
        };
        if let Some(len) = step {
            (p, n) = (p + len, n + 1);
        } else if let Some((star, at)) = retry.filter(|&(_, at)| at < name.len()) {
            retry = Some((star, at + 1));
            (p, n) = (star, at + 1);
        } else {
            return false;
        }
    }
}

/// The length of what stands for one letter at the front of a pattern, if the letter fits it.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (fits, len) = in_class(class, byte);
            fits.then_some(len + 1)
        }
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether a letter is in a class, and the length of the class with its bracket.
fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
    let inverted = class.first() == Some(&b'^');
    let mut at = usize::from(inverted);
    let mut found = false;
    loop {
        match class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    }
    (found != inverted, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns_as_redis_has_them() {
        let fit = [
            ("*", ""),
            ("h?llo", "hello"),
            ("h*llo", "hllo"),
            ("h*llo", "heeeello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("user:*:x", "user:7:y:x"),
            (r"a\*", "a*"),
        ];
        for (pattern, name) in fit {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        let others = [("h?llo", "hllo"), ("h[ae]llo", "hillo"), ("h[^e]llo", "hello"), ("", "a")];
        for (pattern, name) in others.into_iter().chain([(r"a\*", "ab"), ("*a*b", "bbbb")]) {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_fits_as_one_of_few() {
        let (pattern, name) = ("a*".repeat(1000), "ab".repeat(1000));
        assert!(fits(pattern.as_bytes(), name.as_bytes()));
        assert!(!fits((pattern + "c").as_bytes(), name.as_bytes()));
    }
}
