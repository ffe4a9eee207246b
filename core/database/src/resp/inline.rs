//! Requests typed by hand: words in a line, some of them in quotes.

/// Quotes that do not end, or are followed by no blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unbalanced;

/// Splits a line into words: their bytes go to `bytes`, their places there to `spans`.
pub(super) fn split(
    line: &[u8],
    bytes: &mut Vec<u8>,
    spans: &mut Vec<(u32, u32)>,
) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok(());
        }
        let from = bytes.len();
        rest = word(rest, bytes)?;
        spans.push((from as u32, bytes.len() as u32));
    }
}

/// What stands between words. The same everywhere: whoever ends a word has to be skipped.
const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0
}

/// Takes one word; what follows it.
fn word<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    while let Some((&first, behind)) = rest.split_first() {
        match first {
            b'"' => return closed(double(behind, bytes)?),
            b'\'' => return closed(single(behind, bytes)?),
            _ if is_blank(first) => return Ok(rest),
            _ => bytes.push(first),
        }
        rest = behind;
    }
    Ok(rest)
}

/// A closing quote ends the word.
fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(&next) if !is_blank(next) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

fn double<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, behind) = match *rest {
            [b'\\', b'x', high, low, ref behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(high) << 4 | hex(low), behind)
            }
            [b'\\', escaped, ref behind @ ..] => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                };
                (byte, behind)
            }
            [b'"', ref behind @ ..] => return Ok(behind),
            [byte, ref behind @ ..] => (byte, behind),
            [] => return Err(Unbalanced),
        };
        bytes.push(byte);
        rest = behind;
    }
}

fn single<'a>(mut rest: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, behind) = match *rest {
            [b'\\', b'\'', ref behind @ ..] => (b'\'', behind),
            [b'\'', ref behind @ ..] => return Ok(behind),
            [byte, ref behind @ ..] => (byte, behind),
            [] => return Err(Unbalanced),
        };
        bytes.push(byte);
        rest = behind;
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, Unbalanced> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        split(line.as_bytes(), &mut bytes, &mut spans)?;
        let word = |&(from, to): &(u32, u32)| bytes[from as usize..to as usize].to_vec();
        Ok(spans.iter().map(word).map(|w| String::from_utf8_lossy(&w).into_owned()).collect())
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words("  set a 'b c' ").unwrap(), ["set", "a", "b c"]);
        assert_eq!(words(r#"set "\x41\n" '\''"#).unwrap(), ["set", "A\n", "'"]);
        assert_eq!(words("''").unwrap(), [""]);
        assert_eq!(words("\0a\0 \0'b'\0").unwrap(), ["a", "b"]);
        assert_eq!(words("'a"), Err(Unbalanced));
        assert_eq!(words("'a'b"), Err(Unbalanced));
    }
}
