//! Samples of code and what is found in them.

use super::*;
use crate::lex::lex;

fn named(source: &str) -> Vec<(&str, usize)> {
    functions(&lex(source)).into_iter().map(|f| (f.name, f.lines)).collect()
}

fn all_paths(source: &str) -> Vec<String> {
    paths(&lex(source)).into_iter().map(|p| p.parts.join("::")).collect()
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let source = "pub fn a(x: [u8; { 3 }]) -> u8 {\n  if x { '}' } else { \"}\" }\n}\nfn b() {}";
    assert_eq!(named(source), [("a", 3), ("b", 1)]);
}

#[test]
fn declarations_types_and_macro_patterns_are_no_functions() {
    let source =
        "trait T { fn a(&self); }\ntype F = fn(u8);\nmacro_rules! m { () => { fn $n() {} } }";
    assert_eq!(named(source), []);
}

#[test]
fn nested_functions_count_for_themselves_and_for_the_outer_one() {
    assert_eq!(named("fn a() {\n fn b() {\n }\n}"), [("a", 4), ("b", 2)]);
}

#[test]
fn modules_know_their_path_their_surroundings_and_tests() {
    let source = "mod a;\n#[cfg(test)]\nmod t { pub(crate) mod b; }\n\
                  #[path = \"x/y.rs\"]\nmod c;\n#[cfg(not(test))] mod d;\n\
                  #[cfg_attr(madsim, path = \"m.rs\")] #[doc = \"z\"] pub mod e;\nfn f() {} mod g {}";
    let found = modules(&lex(source));
    let names: Vec<_> = found.iter().map(|m| (m.name, m.test)).collect();
    assert_eq!(names, [("a", false), ("b", true), ("c", false), ("d", false), ("e", false)]);
    assert_eq!(found[1].within, ["t"]);
    assert_eq!(found[2].paths, ["x/y.rs"]);
    assert_eq!(found[4].paths, ["m.rs"]);
    assert!(found[3].paths.is_empty());
}

#[test]
fn includes_are_found() {
    assert_eq!(includes(&lex("include!(\"a.rs\"); include_str!(\"b.txt\");")), ["a.rs"]);
}

#[test]
fn test_code_is_the_item_behind_its_attributes() {
    let source = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod t { fn b() { c } }\n\
                  #[test]\nfn d() {}\n#[cfg(not(test))]\nfn e() {}\n#[cfg(test)]\nuse f;\nfn g() {}";
    let code = lex(source);
    let ranges = test_code(&code);
    let outside: Vec<_> = functions(&code)
        .iter()
        .map(|f| f.name)
        .filter(|name| {
            let at = code.iter().position(|t| t.is_word(name)).expect("a function has its name");
            !ranges.iter().any(|r| r.contains(&at))
        })
        .collect();
    assert_eq!(outside, ["a", "e", "g"]);
    assert_eq!(ranges.len(), 3);
}

#[test]
fn imports_are_spread_out() {
    assert_eq!(
        all_paths("use ::std::{fs::{self, File as F}, env, net::*,}; use a; use b::c as d;"),
        ["std::fs", "std::fs::File", "std::env", "std::net::*", "a", "b::c"]
    );
}

#[test]
fn paths_in_code_are_joined_and_fields_are_none() {
    let source = "x.tokio(); std::env::var::<u8>(y); impl A + use<'a>";
    assert_eq!(all_paths(source), ["x", "std::env::var", "u8", "y", "impl", "A", "use"]);
}
