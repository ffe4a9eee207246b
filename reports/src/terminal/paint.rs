//! Columns and colours of a terminal.
//!
//! Not modelled: terminals that draw ambiguous characters two columns wide.

/// Widths below this are treated as this: nothing readable fits.
pub(super) const WIDTH_MIN: usize = 48;

/// Widths above this are treated as this: longer lines are hard to read.
pub(super) const WIDTH_MAX: usize = 120;

/// How a piece of text is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// As it comes.
    Plain,
    /// For what matters most.
    Bold,
    /// For what matters least.
    Dim,
    /// For what holds.
    Good,
    /// For what fails.
    Bad,
    /// For a series of a chart.
    Role(u8),
}

/// Paints text, or leaves it plain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painter {
    /// Whether the terminal shows colours.
    pub(super) colour: bool,
}

impl Painter {
    /// `text` in `ink`.
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => "",
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Role(role) => {
                ["34", "33", "36", "35", "32", "94", "37", "95"][usize::from(role % 8)]
            }
        };
        match self.colour && !code.is_empty() && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// `text` without anything that moves the cursor, changes colours or turns the writing around:
/// names come from files that others wrote.
pub(super) fn clean(text: &str) -> String {
    let harmless = |char: char| match char {
        '\n' | '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        control if control.is_control() => '\u{fffd}',
        plain => plain,
    };
    text.chars().map(harmless).collect()
}

/// How many columns `text` takes; it must hold no colours.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// `text` filled up with spaces, or cut, to exactly `width` columns.
pub(super) fn fit(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    let missing = width - columns(&cut);
    cut + &" ".repeat(missing)
}

/// `text` to the right of exactly `width` columns.
pub(super) fn fit_right(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    " ".repeat(width - columns(&cut)) + &cut
}

/// `text`, or as much of its beginning as fits `width` columns with an ellipsis behind it.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 1;
    for char in text.chars() {
        taken += columns_of(char);
        if taken > width {
            break;
        }
        kept.push(char);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// `text` in lines of at most `width` columns, broken between words where it can be.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    assert!(width > 0, "a line has columns");
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

fn columns_of(char: char) -> usize {
    match char as u32 {
        0x0300..=0x036f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c\r\nd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd} d");
    }

    #[test]
    fn text_takes_exactly_its_columns() {
        for text in ["", "short", "much longer than its column", "キャッシュサーバー", "e\u{301}"]
        {
            assert_eq!(columns(&fit(text, 8)), 8, "{text}");
            assert_eq!(columns(&fit_right(text, 8)), 8, "{text}");
        }
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible", 8), ["incompr…"]);
        assert!(wrap("", 8).is_empty());
    }
}
