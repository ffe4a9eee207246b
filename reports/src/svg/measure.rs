//! How much room a text takes, without a font at hand.
//!
//! The page uses whatever sans-serif the reader's system has, so widths are estimates on the
//! generous side: labels must not overlap, and a little air does no harm.
//!
//! Not modelled: kerning, ligatures, right-to-left scripts.

/// The size of all text in pictures, in pixels.
pub(crate) const TEXT_SIZE: f64 = 13.0;

/// The width of `text` in pixels at [`TEXT_SIZE`].
pub(crate) fn width(text: &str) -> f64 {
    text.chars().map(share_of_size).sum::<f64>() * TEXT_SIZE
}

/// `text` cut into at most `lines_max` lines of at most `room` pixels, between words where it can
/// be; what does not fit ends in an ellipsis.
pub(crate) fn wrap(text: &str, room: f64, lines_max: usize) -> Vec<String> {
    assert!(lines_max > 0, "a text has a line");
    let mut lines: Vec<String> = Vec::with_capacity(lines_max);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.is_empty() {
            line.push_str(word);
        } else if width(&line) + width(" ") + width(word) <= room || lines.len() + 1 == lines_max {
            // The last line takes all that is left and is cut below.
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines.iter().map(|line| shorten(line, room)).collect()
}

/// `text`, or as much of its beginning as fits `room` with an ellipsis behind it.
pub(crate) fn shorten(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = width("…");
    for char in text.chars() {
        taken += share_of_size(char) * TEXT_SIZE;
        if taken > room {
            break;
        }
        kept.push(char);
    }
    kept.push('…');
    kept
}

fn share_of_size(char: char) -> f64 {
    match char {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.29,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '/' | '-' | '[' | ']' => 0.38,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '—' => 0.92,
        'A'..='Z' => 0.70,
        '0'..='9' => 0.60,
        _ if char as u32 >= 0x1100 => 1.05,
        _ => 0.58,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words_and_cut_where_it_must() {
        assert_eq!(wrap("lying file system", 70.0, 3), ["lying file", "system"]);
        let cut = wrap("a controller that lies about everything", 80.0, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…') && cut.iter().all(|line| width(line) <= 80.0));
        assert_eq!(wrap("", 80.0, 2), [""]);
    }

    #[test]
    fn a_word_too_long_for_its_room_is_cut() {
        let cut = shorten(&"x".repeat(100), 50.0);
        assert!(cut.ends_with('…') && width(&cut) <= 50.0);
    }
}
