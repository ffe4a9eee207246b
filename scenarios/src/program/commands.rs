//! Commands as a simulated host has them: those that the stories' command lines use, as far as they
//! use them.
//!
//! Where this differs from the real ones: a pattern of `grep` is looked for as it is, `sort` and
//! `uniq` go by bytes (`LC_ALL=C`), and `ls` lists one folder, that of an ordinary system.

use crate::words::split;

/// What `ls /` prints: the folders of a system of those years, with three kinds of libraries.
const ROOT: &str = "bin\nboot\ndev\netc\nhome\nlib\nlib32\nlib64\nmedia\nmnt\nopt\nproc\n\
                    root\nrun\nsbin\nsrv\nsys\ntmp\nusr\nvar\n";

/// A command that found nothing, or not what it wanted.
const FAILED: i32 = 1;
/// A command that was given words which it does not know.
const USAGE: i32 = 2;
/// A command that does not exist.
const NOT_FOUND: i32 = 127;

/// Runs a command: what it prints, and its exit status.
pub(super) fn run(words: &[String], input: &[u8]) -> (Vec<u8>, i32) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let lines = || input.split_inclusive(|byte| *byte == b'\n');
    match &words[..] {
        ["cat"] => (input.to_vec(), 0),
        ["ls", "/"] => (ROOT.as_bytes().to_vec(), 0),
        ["grep", pattern] => {
            let wanted = pattern.as_bytes();
            let holds = |line: &&[u8]| {
                wanted.is_empty() || line.windows(wanted.len()).any(|part| part == wanted)
            };
            let found: Vec<u8> = lines().filter(holds).flatten().copied().collect();
            let status = if found.is_empty() { FAILED } else { 0 };
            (found, status)
        }
        ["sort"] => {
            let mut lines: Vec<&[u8]> = lines().collect();
            lines.sort_unstable();
            (lines.concat(), 0)
        }
        ["uniq", "-c"] => (counted(lines()), 0),
        ["cut", "-d", " ", "-f", nth] => match nth.parse::<usize>() {
            Ok(nth) if nth > 0 => (cut(lines(), nth), 0),
            _ => (Vec::new(), USAGE),
        },
        ["sh", "-c", line] => piped(line, input),
        ["cat" | "ls" | "grep" | "sort" | "uniq" | "cut" | "sh", ..] => (Vec::new(), USAGE),
        _ => (Vec::new(), NOT_FOUND),
    }
}

/// Commands behind each other, as `sh -c` runs them: the status is the last one's.
fn piped(line: &str, input: &[u8]) -> (Vec<u8>, i32) {
    let mut output = (input.to_vec(), 0);
    for command in line.split('|') {
        let Ok(words) = split(command) else { return (Vec::new(), USAGE) };
        output = run(&words, &output.0);
    }
    output
}

/// How often each line comes one behind the other, as `uniq -c` prints it.
fn counted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut runs: Vec<(u64, &[u8])> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some((times, same)) if *same == line => *times += 1,
            _ => runs.push((1, line)),
        }
    }
    let print = |(times, line): &(u64, &[u8])| [format!("{times:7} ").as_bytes(), *line].concat();
    runs.iter().flat_map(print).collect()
}

/// The n-th word of each line, from 1; a line without a blank is printed whole.
fn cut<'a>(lines: impl Iterator<Item = &'a [u8]>, nth: usize) -> Vec<u8> {
    let mut printed = Vec::new();
    for line in lines {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut words = line.split(|byte| *byte == b' ');
        let word = match line.contains(&b' ') {
            true => words.nth(nth - 1).unwrap_or_default(),
            false => line,
        };
        printed.extend_from_slice(word);
        printed.push(b'\n');
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str, input: &str) -> (String, i32) {
        let (output, status) = run(&split(line).expect("words"), input.as_bytes());
        (String::from_utf8(output).expect("text"), status)
    }

    #[test]
    fn the_line_of_the_slide_prints_three_names() {
        let (root, _) = printed("ls /", "");
        assert_eq!(printed("grep lib", &root), ("lib\nlib32\nlib64\n".into(), 0));
        assert_eq!(printed("grep nothing", &root), (String::new(), FAILED));
    }

    #[test]
    fn a_pipe_sorts_and_counts() {
        let log = "a 1 /x 404\nb 2 /y 200\nc 3 /z 404\nd 4 /x 404\n";
        let line = "sh -c \"grep ' 404' | cut -d ' ' -f 3 | sort | uniq -c\"";
        assert_eq!(printed(line, log), ("      2 /x\n      1 /z\n".into(), 0));
        assert_eq!(printed("sh -c 'cat | sort'", "b\na\n"), ("a\nb\n".into(), 0));
        assert_eq!(printed("cut -d ' ' -f 2", "one\ntwo words\n").0, "one\nwords\n");
    }

    #[test]
    fn what_is_not_known_is_not_done() {
        assert_eq!(printed("convert - thumb", "").1, NOT_FOUND);
        assert_eq!(printed("sort -n", "").1, USAGE);
        assert_eq!(printed("cut -d ' ' -f 0", "").1, USAGE);
    }
}
