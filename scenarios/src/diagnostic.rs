//! What is wrong with a scenario file or an override, as one clear message.
//!
//! A diagnostic names the file, line and column, says what was expected, and what to do. Only the
//! first mistake is told: the ones behind it are often its children.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Text that a person wrote: a scenario file or the value of a `--set`.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it: a path, or `--set key=value`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which text.
    pub source: Arc<Source>,
    /// Which bytes of it.
    pub bytes: Range<usize>,
}

/// One mistake in what a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, as a sentence without a full stop.
    pub title: String,
    /// Where, and what was expected there.
    pub primary: Option<(Span, String)>,
    /// Another place that the mistake has to do with, such as the first of two equal names.
    pub secondary: Option<(Span, String)>,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Span {
    /// The place from the start of `self` to the end of `other`, in the same text.
    #[must_use]
    pub fn to(&self, other: &Self) -> Self {
        let bytes = self.bytes.start..other.bytes.end.max(self.bytes.end);
        Self { source: Arc::clone(&self.source), bytes }
    }

    /// Part of this place: `within` counts from its start. Used to point at one word of a string.
    #[must_use]
    pub fn part(&self, within: Range<usize>) -> Self {
        let start = (self.bytes.start + within.start).min(self.bytes.end);
        let end = (self.bytes.start + within.end).clamp(start, self.bytes.end);
        Self { source: Arc::clone(&self.source), bytes: start..end }
    }

    /// Line and column, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let text = &self.source.text;
        let start = floor_char(text, self.bytes.start);
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

impl Diagnostic {
    /// A mistake at a place; `label` says what was expected there.
    pub fn at(span: &Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        let primary = Some((span.clone(), label.into()));
        Self { title: title.into(), primary, secondary: None, help: Vec::new() }
    }

    /// A mistake without a place, such as a file that cannot be read.
    pub fn plain(title: impl Into<String>) -> Self {
        Self { title: title.into(), primary: None, secondary: None, help: Vec::new() }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn also(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.secondary = Some((span.clone(), label.into()));
        self
    }

    /// The whole message, with ANSI colours or without.
    pub fn render(&self, colours: bool) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.title));
        if let Some((span, label)) = &self.primary {
            let same = self.secondary.as_ref().filter(|(s, _)| s.source == span.source);
            let mut snippet = Snippet::source(&span.source.text)
                .path(&span.source.name)
                .annotation(AnnotationKind::Primary.span(visible(span)).label(label));
            if let Some((second, label)) = same {
                let note = AnnotationKind::Context.span(visible(second)).label(label);
                snippet = snippet.annotation(note);
            }
            group = group.element(snippet);
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// The bytes to underline: whole characters, never nothing.
fn visible(span: &Span) -> Range<usize> {
    let text = &span.source.text;
    let start = floor_char(text, span.bytes.start);
    let end = ceil_char(text, span.bytes.end.max(start));
    start..end
}

/// Title and place in one line, for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((span, _)) = &self.primary {
            let (line, column) = span.line_and_column();
            write!(f, "{}:{line}:{column}: ", span.source.name)?;
        }
        f.write_str(&self.title)
    }
}

impl std::error::Error for Diagnostic {}

/// Result of everything that reads what a person wrote. Boxed: a diagnostic is large and rare.
pub type Checked<T> = Result<T, Box<Diagnostic>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "a = 1\nzwölf = \"ö\"\n".to_owned();
        let source = Arc::new(Source { name: "x.toml".into(), text });
        let at = source.text.find('"').expect("the text has a quote");
        let span = Span { source, bytes: at..at + 1 };
        assert_eq!(span.line_and_column(), (2, 9));
    }

    #[test]
    fn a_span_inside_a_character_is_widened_and_never_panics() {
        let source = Arc::new(Source { name: "x".into(), text: "ö".into() });
        let span = Span { source, bytes: 1..1 };
        assert_eq!(visible(&span), 0..2);
        let far = span.part(7..900);
        assert!(Diagnostic::at(&far, "t", "l").render(false).contains("t"));
    }
}
