//! Rust source cut into tokens: just enough to tell code from comments and literals.
//!
//! Knows line and nested block comments, strings with every prefix and any number of hashes, the
//! difference between a character and a lifetime, and raw identifiers. Not modelled: joined marks
//! (`::` is two tokens), floats (`1.5` is three), frontmatter. Source that does not compile yields
//! tokens too; the compiler complains about it better than this could.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword; raw ones keep their `r#`.
    Word,
    /// A lifetime or a loop label.
    Lifetime,
    /// A string, byte string or C string, raw or not, with its prefix and quotes.
    Text,
    /// A character or byte.
    Char,
    /// Digits and what hangs on them.
    Number,
    /// One character of punctuation.
    Mark,
    /// A comment, outer docs included.
    Comment,
    /// Documentation of what encloses it: `//!` or `/*!`.
    InnerDoc,
}

/// A token and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// All of it, as written.
    pub text: &'a str,
    /// Its first line, from 1.
    pub line: usize,
}

impl<'a> Token<'a> {
    /// Whether this is the given word.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// Whether this is the given mark.
    pub fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// Whether this is a comment of any kind.
    pub const fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::Comment | Kind::InnerDoc)
    }

    /// The last line, from 1.
    pub fn last_line(&self) -> usize {
        self.line + newlines(self.text)
    }

    /// What a string holds between its quotes, escapes left as written; `None` for other tokens.
    pub fn content(&self) -> Option<&'a str> {
        if self.kind != Kind::Text {
            return None;
        }
        let open = self.text.find('"')? + 1;
        let close = self.text.rfind('"')?;
        self.text.get(open..close)
    }
}

/// Cuts source into tokens; white space is left out.
pub fn lex(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(head) = rest.chars().next() {
        let (kind, bytes) = first(rest, head);
        assert!(bytes > 0, "every step eats something");
        let (text, behind) = rest.split_at(bytes);
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, line });
        }
        line += newlines(text);
        rest = behind;
    }
    tokens
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

/// The first token of `rest` (none for white space) and its length in bytes.
fn first(rest: &str, head: char) -> (Option<Kind>, usize) {
    if head.is_whitespace() {
        return (None, head.len_utf8());
    }
    if rest.starts_with("//") {
        let kind = if rest.starts_with("//!") { Kind::InnerDoc } else { Kind::Comment };
        return (Some(kind), rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        let kind = if rest.starts_with("/*!") { Kind::InnerDoc } else { Kind::Comment };
        return (Some(kind), block_comment(rest));
    }
    if let Some(bytes) = string(rest) {
        return (Some(Kind::Text), bytes);
    }
    if let Some(bytes) = character(rest) {
        return (Some(Kind::Char), bytes);
    }
    if head == '\'' {
        return (Some(Kind::Lifetime), 1 + run(&rest[1..], is_word_char));
    }
    if head.is_ascii_digit() {
        return (Some(Kind::Number), run(rest, is_word_char));
    }
    if is_word_char(head) {
        let raw = rest.strip_prefix("r#").filter(|r| r.starts_with(is_word_char));
        let bytes = raw.map_or_else(|| run(rest, is_word_char), |r| 2 + run(r, is_word_char));
        return (Some(Kind::Word), bytes);
    }
    (Some(Kind::Mark), head.len_utf8())
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Bytes at the front of `text` whose characters all satisfy `wanted`.
fn run(text: &str, wanted: fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Length of the block comment at the front, with the comments nested in it.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length of the string at the front, if there is one.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|p| rest.starts_with(p))?;
    let behind = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = run(behind, |c| c == '#');
        let body = behind[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let open = prefix.len() + hashes + 1;
        return Some(body.find(&close).map_or(rest.len(), |at| open + at + close.len()));
    }
    let body = behind.strip_prefix('"')?;
    let open = prefix.len() + 1;
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(open + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// Length of the character or byte at the front, if there is one and not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let open = if rest.starts_with("b'") { 2 } else { 1 };
    let body = rest.strip_prefix("b'").or_else(|| rest.strip_prefix('\''))?;
    let mut chars = body.char_indices();
    let (_, head) = chars.next()?;
    if head == '\\' {
        chars.next()?; // the escaped character, which may be a quote
        let (close, _) = chars.find(|(_, c)| *c == '\'')?;
        return Some(open + close + 1);
    }
    let (close, tick) = chars.next()?;
    (tick == '\'').then_some(open + close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<(Kind, &str)> {
        lex(source).into_iter().map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn strings_hide_what_looks_like_code() {
        let source = r###"f("fn \" {", r#"a " } "#, br"\", c"x", b"\\")"###;
        let texts: Vec<_> = lex(source).iter().filter_map(Token::content).collect();
        assert_eq!(texts, [r#"fn \" {"#, r#"a " } "#, r"\", "x", r"\\"]);
        assert_eq!(lex(source).last().map(|t| t.text), Some(")"));
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(
            kinds(r"'a' 'a '\'' '{' b'}' '\u{7d}' 'ß' '_ b'\''"),
            [
                (Kind::Char, "'a'"),
                (Kind::Lifetime, "'a"),
                (Kind::Char, r"'\''"),
                (Kind::Char, "'{'"),
                (Kind::Char, "b'}'"),
                (Kind::Char, r"'\u{7d}'"),
                (Kind::Char, "'ß'"),
                (Kind::Lifetime, "'_"),
                (Kind::Char, r"b'\''"),
            ]
        );
        assert_eq!(kinds("<'a>('b')")[1], (Kind::Lifetime, "'a"));
        assert_eq!(kinds("<'a>('b')")[4], (Kind::Char, "'b'"));
    }

    #[test]
    fn comments_nest_and_quotes_in_them_mean_nothing() {
        let source = "/* a /* ' \" */ b */ x // it's\ny /*! in */ //! doc";
        assert_eq!(
            kinds(source),
            [
                (Kind::Comment, "/* a /* ' \" */ b */"),
                (Kind::Word, "x"),
                (Kind::Comment, "// it's"),
                (Kind::Word, "y"),
                (Kind::InnerDoc, "/*! in */"),
                (Kind::InnerDoc, "//! doc"),
            ]
        );
    }

    #[test]
    fn raw_identifiers_are_words_and_not_strings() {
        assert_eq!(
            kinds("r#fn r bcr"),
            [(Kind::Word, "r#fn"), (Kind::Word, "r"), (Kind::Word, "bcr")]
        );
    }

    #[test]
    fn lines_are_counted_through_literals_of_several_lines() {
        let tokens = lex("a\n\"x\ny\"\nb");
        assert_eq!(tokens.iter().map(|t| t.line).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(tokens[1].last_line(), 3);
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for source in ["\"abc", "r#\"abc\"", "/* /* */", "'\\", "b'"] {
            let eaten: usize = lex(source).iter().map(|t| t.text.len()).sum();
            assert!(eaten + 1 >= source.len(), "{source}");
        }
    }
}
