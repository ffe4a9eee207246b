//! Single-letter options as GNU's getopt reads them: letters may share a word, a value may follow
//! its letter at once, options and other words may be mixed, and `--` ends the options.

/// An option of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Letter<'a> {
    /// A letter without a value.
    Flag(char),
    /// A letter and its value.
    Value(char, &'a str),
    /// A letter that is not known.
    Unknown(char),
    /// A letter whose value is missing.
    Missing(char),
}

/// A command line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Parsed<'a> {
    /// The options, in order.
    pub(super) letters: Vec<Letter<'a>>,
    /// The other words, in order.
    pub(super) rest: Vec<&'a str>,
}

/// Takes a command line apart. `valued` holds the letters with a value, `flags` those without.
pub(super) fn parse<'a>(words: &'a [String], flags: &str, valued: &str) -> Parsed<'a> {
    let mut parsed = Parsed::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.rest.extend(words);
            break;
        }
        let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            parsed.rest.push(word);
            continue;
        };
        while let Some(letter) = letters.chars().next() {
            letters = &letters[letter.len_utf8()..];
            if flags.contains(letter) {
                parsed.letters.push(Letter::Flag(letter));
            } else if !valued.contains(letter) {
                parsed.letters.push(Letter::Unknown(letter));
            } else if !letters.is_empty() {
                parsed.letters.push(Letter::Value(letter, core::mem::take(&mut letters)));
            } else if let Some(value) = words.next() {
                parsed.letters.push(Letter::Value(letter, value));
            } else {
                parsed.letters.push(Letter::Missing(letter));
            }
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let parsed = parse(&words, "bw", "fp");
        let letters = parsed.letters.iter().map(|letter| match letter {
            Letter::Flag(letter) => letter.to_string(),
            Letter::Value(letter, value) => format!("{letter}={value}"),
            Letter::Unknown(letter) => format!("?{letter}"),
            Letter::Missing(letter) => format!("{letter}=?"),
        });
        format!("{} | {}", letters.collect::<Vec<_>>().join(" "), parsed.rest.join(" "))
    }

    #[test]
    fn letters_share_words_and_values_stick_to_letters() {
        assert_eq!(shown(&["-bwf", "x", "-p80"]), "b w f=x p=80 | ");
        assert_eq!(shown(&["-bfx"]), "b f=x | ");
        assert_eq!(shown(&["-f", "-b"]), "f=-b | ", "a value may look like an option");
    }

    #[test]
    fn other_words_stand_anywhere_and_two_dashes_end_the_options() {
        assert_eq!(shown(&["one", "-b", "-", "two"]), "b | one - two");
        assert_eq!(shown(&["-w", "--", "grep", "-v", "lib"]), "w | grep -v lib");
        assert_eq!(shown(&["--", "--"]), " | --");
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(shown(&["-xb", "-f"]), "?x b f=? | ");
    }
}
