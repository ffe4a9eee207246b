//! The words of a command line, as a shell would tell them apart.

use crate::program::{COMMAND_BYTES_MAX, ProgramError};

/// Splits a command line at blanks; single and double quotes hold words together.
pub(crate) fn split(text: &str) -> Result<Vec<String>, ProgramError> {
    if text.len() > COMMAND_BYTES_MAX {
        return Err(ProgramError::TooLong);
    }
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(ProgramError::Quote);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell() {
        assert_eq!(
            split("a  b 'c d' \"e\"f ''"),
            Ok(vec!["a".into(), "b".into(), "c d".into(), "ef".into(), String::new()])
        );
        assert_eq!(split("a 'b"), Err(ProgramError::Quote));
        assert_eq!(split("  "), Ok(vec![]));
    }
}
