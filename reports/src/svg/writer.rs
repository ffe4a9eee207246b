//! Writes SVG text: elements, attributes, escaping, coordinates.
//!
//! Not modelled: namespaces and whole documents (the pictures stand inside an HTML page).

use std::fmt::{self, Display, Write as _};

/// An attribute of an element.
pub(crate) type Attribute<'a> = (&'static str, &'a dyn Display);

/// An SVG text under construction.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
    open: Vec<&'static str>,
}

/// A coordinate or length in pixels, written with at most one decimal place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Px(pub(crate) f64);

/// Which side of its position a text stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// To the right.
    Start,
    /// To both sides.
    Middle,
    /// To the left.
    End,
}

impl Writer {
    /// Opens an element; a [`Writer::close`] must follow.
    pub(crate) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.head(tag, attributes);
        self.out.push('>');
        self.open.push(tag);
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self) {
        let tag = self.open.pop().expect("every close has its open");
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.out, "</{tag}>");
        if matches!(tag, "g" | "defs" | "svg") {
            self.out.push('\n');
        }
    }

    /// An element without content.
    pub(crate) fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.head(tag, attributes);
        self.out.push_str("/>\n");
    }

    /// An element whose content is a `<title>`, which browsers show when pointed at.
    pub(crate) fn titled(&mut self, tag: &'static str, attributes: &[Attribute<'_>], title: &str) {
        self.open(tag, attributes);
        self.words("title", &[], title);
        self.close();
        self.out.push('\n');
    }

    /// An element whose content is text.
    pub(crate) fn words(&mut self, tag: &'static str, attributes: &[Attribute<'_>], words: &str) {
        self.head(tag, attributes);
        self.out.push('>');
        escape(&mut self.out, words);
        let _ = write!(self.out, "</{tag}>");
    }

    /// A text at a position.
    pub(crate) fn text(&mut self, at: (f64, f64), class: &'static str, anchor: Anchor, text: &str) {
        let (x, y) = (Px(at.0), Px(at.1));
        let attributes: [Attribute<'_>; 4] =
            [("class", &class), ("x", &x), ("y", &y), ("text-anchor", &anchor.word())];
        self.words("text", &attributes, text);
        self.out.push('\n');
    }

    /// A straight line.
    pub(crate) fn line(&mut self, class: &'static str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (Px(from.0), Px(from.1), Px(to.0), Px(to.1));
        self.leaf("line", &[("class", &class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]);
    }

    /// The finished text.
    pub(crate) fn finish(self) -> String {
        assert!(self.open.is_empty(), "every element is closed");
        self.out
    }

    fn head(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            let _ = write!(self.out, " {name}=\"");
            escape(&mut self.out, &value.to_string());
            self.out.push('"');
        }
    }
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

impl Display for Px {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0.is_finite(), "what is not finite is left out before it is drawn");
        let tenths = (self.0 * 10.0).round();
        // Adding zero turns −0 into 0.
        if tenths % 10.0 == 0.0 {
            write!(out, "{:.0}", tenths / 10.0 + 0.0)
        } else {
            write!(out, "{:.1}", tenths / 10.0)
        }
    }
}

/// Appends `text` so that it is nothing but text, in content and in attributes alike.
fn escape(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            control if control.is_control() => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_break_out() {
        let mut writer = Writer::default();
        writer.words("text", &[("class", &"a\"b")], "<script>&'\u{0}");
        assert_eq!(
            writer.finish(),
            "<text class=\"a&quot;b\">&lt;script&gt;&amp;&#39;\u{fffd}</text>"
        );
    }

    #[test]
    fn pixels_are_short() {
        let written = [0.0, -0.01, 12.0, 12.34, -3.06].map(|value| Px(value).to_string());
        assert_eq!(written, ["0", "0", "12", "12.3", "-3.1"]);
    }
}
