//! The nearest valid name to a misspelt one.

/// Longest name that is compared, characters: the comparison takes the product of two lengths.
const NAME_CHARS_MAX: usize = 64;

/// The candidate nearest to `word`, if one is near enough that a person may have meant it: at most
/// a third of its letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, candidate)| *d * 3 <= word.chars().count().max(candidate.chars().count()))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How to list the valid names in a help line: the nearest alone, or all of them.
pub fn did_you_mean<'a>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    if let Some(name) = nearest(word, candidates.clone()) {
        return format!("did you mean `{name}`?");
    }
    let all: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
    match all.len() {
        0 => format!("there is no {what} yet"),
        1 => format!("the only {what} is {}", all[0]),
        _ => format!("a {what} is one of {}", all.join(", ")),
    }
}

/// Edit distance where two swapped neighbours count as one mistake (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(NAME_CHARS_MAX).collect();
    let b: Vec<char> = b.chars().take(NAME_CHARS_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let names = ["cache1", "cache2", "db"];
        assert_eq!(nearest("cahce1", names), Some("cache1"));
        assert_eq!(nearest("cache", names), Some("cache1"));
        assert_eq!(nearest("web", names), None);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn without_a_neighbour_all_names_are_listed() {
        assert_eq!(did_you_mean("zzz", "host", ["a", "b"]), "a host is one of `a`, `b`");
        assert_eq!(did_you_mean("zzz", "host", ["a"]), "the only host is `a`");
        assert_eq!(did_you_mean("zzz", "host", []), "there is no host yet");
    }
}
