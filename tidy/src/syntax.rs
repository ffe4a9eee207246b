//! Functions, modules, paths and test code, found in tokens.
//!
//! All functions here take code without comments. Not modelled: bodies behind a bare block in a
//! signature's constant (`-> [u8; { N }]` is fine, `-> Foo<{ N }>` is not).

use crate::lex::{Kind, Token};
use core::ops::Range;

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line of its `fn`.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both counted.
    pub lines: usize,
}

/// A `mod name;`, whose body is another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// Its name.
    pub name: &'a str,
    /// The modules around it in this file, outermost first.
    pub within: Vec<&'a str>,
    /// What `#[path]`, also under `cfg_attr`, says about the file; usually nothing.
    pub paths: Vec<&'a str>,
    /// Whether it exists in tests alone.
    pub test: bool,
}

/// A path such as `std::fs::File`; each leaf of a `use` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// Its words, or `*` at its end.
    pub parts: Vec<&'a str>,
    /// The line where it starts.
    pub line: usize,
    /// The token where it starts.
    pub at: usize,
    /// Whether it is a leaf of a `use`.
    pub imported: bool,
}

/// The index behind the bracket that closes the one at `open`.
fn behind_closing(code: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in code.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The index behind the item that starts at `from`: behind its `;` or its block.
fn behind_item(code: &[Token<'_>], from: usize) -> usize {
    let mut at = from;
    while let Some(token) = code.get(at) {
        if token.is_mark(";") {
            return at + 1;
        }
        if token.is_mark("{") {
            return behind_closing(code, at);
        }
        let opens = token.is_mark("(") || token.is_mark("[");
        at = if opens { behind_closing(code, at) } else { at + 1 };
    }
    code.len()
}

/// Every function with a body, nested ones too.
pub fn functions<'a>(code: &[Token<'a>]) -> Vec<Function<'a>> {
    let mut found = Vec::new();
    for (at, pair) in code.windows(2).enumerate() {
        let [fun, name] = pair else { continue };
        // `fn(u8)` is a type, `fn $name` the pattern of a macro.
        if !fun.is_word("fn") || name.kind != Kind::Word {
            continue;
        }
        let Some(last) = code.get(behind_item(code, at) - 1) else { continue };
        if last.is_mark("}") {
            let lines = last.line - fun.line + 1;
            found.push(Function { name: name.text, line: fun.line, lines });
        }
    }
    found
}

/// The tokens inside the attribute at `at` and the index behind it, if there is one.
fn attribute<'c, 'a>(code: &'c [Token<'a>], at: usize) -> Option<(&'c [Token<'a>], usize)> {
    let inner = usize::from(code.get(at + 1)?.is_mark("!"));
    let open = at + 1 + inner;
    if !code[at].is_mark("#") || !code.get(open)?.is_mark("[") {
        return None;
    }
    let behind = behind_closing(code, open);
    Some((&code[open + 1..(behind - 1).max(open + 1)], behind))
}

/// Whether an attribute leaves its item to tests alone.
fn is_for_tests(attribute: &[Token<'_>]) -> bool {
    let has = |word| attribute.iter().any(|t| t.is_word(word));
    match attribute {
        [only] => only.is_word("test"),
        [first, ..] => first.is_word("cfg") && has("test") && !has("not") && !has("any"),
        [] => false,
    }
}

/// Ranges of token indices that only tests compile.
pub fn test_code(code: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let Some((tokens, behind)) = attribute(code, at) else {
            at += 1;
            continue;
        };
        if !is_for_tests(tokens) {
            at = behind;
            continue;
        }
        let mut item = behind;
        while item < code.len()
            && let Some((_, behind)) = attribute(code, item)
        {
            item = behind;
        }
        let end = behind_item(code, item);
        found.push(at..end);
        at = end;
    }
    found
}

/// Every `mod name;`.
pub fn modules<'a>(code: &[Token<'a>]) -> Vec<Module<'a>> {
    struct Open<'a> {
        name: &'a str,
        test: bool,
        depth: usize,
    }
    let mut found = Vec::new();
    let mut around: Vec<Open<'a>> = Vec::new();
    let (mut paths, mut test) = (Vec::new(), false);
    let (mut at, mut depth) = (0, 0usize);
    while at < code.len() {
        if let Some((tokens, behind)) = attribute(code, at) {
            test |= is_for_tests(tokens);
            paths.extend(path_values(tokens));
            at = behind;
            continue;
        }
        if let [keyword, name, next, ..] = &code[at..]
            && keyword.is_word("mod")
            && name.kind == Kind::Word
        {
            let test = test || around.iter().any(|o| o.test);
            if next.is_mark(";") {
                let within = around.iter().map(|o| o.name).collect();
                found.push(Module { name: name.text, within, paths: paths.clone(), test });
            } else if next.is_mark("{") {
                around.push(Open { name: name.text, test, depth });
            }
            at += 1;
        } else if code[at].is_mark("{") {
            depth += 1;
        } else if code[at].is_mark("}") {
            depth = depth.saturating_sub(1);
            around.pop_if(|open| open.depth == depth);
        }
        if ["{", "}", ";"].iter().any(|end| code[at].is_mark(end)) {
            (paths, test) = (Vec::new(), false);
        }
        at += 1;
    }
    found
}

/// The strings behind `path =` in an attribute.
fn path_values<'a>(attribute: &[Token<'a>]) -> Vec<&'a str> {
    let value = |three: &[Token<'a>]| match three {
        [key, is, value] if key.is_word("path") && is.is_mark("=") => value.content(),
        _ => None,
    };
    attribute.windows(3).filter_map(value).collect()
}

/// The files that `include!` takes as code.
pub fn includes<'a>(code: &[Token<'a>]) -> Vec<&'a str> {
    let value = |four: &[Token<'a>]| match four {
        [name, bang, _, value] if name.is_word("include") && bang.is_mark("!") => value.content(),
        _ => None,
    };
    code.windows(4).filter_map(value).collect()
}

/// Every path, and every leaf of every `use`.
pub fn paths<'a>(code: &[Token<'a>]) -> Vec<Path<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let capture = code.get(at + 1).is_some_and(|t| t.is_mark("<"));
        if code[at].is_word("use") && !capture {
            at = import(code, at + 1, &[], &mut found);
        } else if code[at].kind == Kind::Word {
            let start = at;
            let (parts, behind) = joined(code, at);
            at = behind;
            // A method or field is no path.
            if start == 0 || !code[start - 1].is_mark(".") {
                found.push(Path { parts, line: code[start].line, at: start, imported: false });
            }
        } else {
            at += 1;
        }
    }
    found
}

/// The words joined by `::` from `at`, and the index behind them (and behind a last `::`).
fn joined<'a>(code: &[Token<'a>], at: usize) -> (Vec<&'a str>, usize) {
    let mut parts = Vec::new();
    let mut at = at;
    while let Some(token) = code.get(at)
        && token.kind == Kind::Word
    {
        parts.push(token.text);
        at += 1;
        if !is_joint(code, at) {
            break;
        }
        at += 2;
    }
    (parts, at)
}

fn is_joint(code: &[Token<'_>], at: usize) -> bool {
    matches!(code.get(at..at + 2), Some([a, b]) if a.is_mark(":") && b.is_mark(":"))
}

/// Adds the leaves of one tree of a `use`; gives the index behind the tree.
fn import<'a>(
    code: &[Token<'a>],
    from: usize,
    prefix: &[&'a str],
    found: &mut Vec<Path<'a>>,
) -> usize {
    let start = if is_joint(code, from) { from + 2 } else { from };
    let (parts, mut at) = joined(code, start);
    let mut whole = prefix.to_vec();
    whole.extend(parts.iter().filter(|p| **p != "self"));
    if code.get(at).is_some_and(|t| t.is_mark("{")) {
        at += 1;
        while at < code.len() && !code[at].is_mark("}") {
            at = import(code, at, &whole, found);
        }
        at += 1;
    } else if let Some(token) = code.get(start) {
        if code.get(at).is_some_and(|t| t.is_mark("*")) {
            whole.push("*");
            at += 1;
        }
        found.push(Path { parts: whole, line: token.line, at: start, imported: true });
    }
    // A new name (`as x`) may follow; a comma, a semicolon or the end of the list does.
    while let Some(token) = code.get(at) {
        if token.is_mark("}") {
            return at;
        }
        at += 1;
        if token.is_mark(",") || token.is_mark(";") {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests;
