//! Requests in text: mostly right, often a little wrong.

use storytime_machine::{Ratio, Rng};

/// Behind every stream: fills what a wrong length may have left open, then ends the connection.
pub(crate) const FAREWELL: &[u8] = b"\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    \r\nquit\r\n";

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.index(from.len())]
}

fn rarely(rng: &mut Rng) -> bool {
    rng.chance(Ratio::new(1, 12))
}

fn key(rng: &mut Rng) -> String {
    if rarely(rng) {
        let length = [249, 250, 251, 300][rng.index(4)];
        return "k".repeat(length);
    }
    short_key(rng)
}

/// Not too long: the original loses replies over a long key in a retrieval.
fn short_key(rng: &mut Rng) -> String {
    pick(rng, &["a", "b", "c", "counter", "d"]).to_owned()
}

/// A number as text, sometimes none at all.
fn number(rng: &mut Rng, usual: &[&'static str]) -> String {
    if rarely(rng) {
        let odd = ["-1", "x", "", "1x", "0x10", "99999999999999999999", "4294967295", "+3", "01"];
        return pick(rng, &odd).to_owned();
    }
    pick(rng, usual).to_owned()
}

fn line_end(rng: &mut Rng) -> &'static str {
    if rarely(rng) { "\n" } else { "\r\n" }
}

fn noreply(rng: &mut Rng) -> &'static str {
    if rarely(rng) { " noreply" } else { "" }
}

/// A value and the length that is stated for it.
fn value(rng: &mut Rng) -> (String, String) {
    let value = match rng.index(4) {
        0 => pick(rng, &["0", "1", "10", "99", "18446744073709551615", "12 "]).to_owned(),
        1 => String::new(),
        _ => "v".repeat(rng.index(60)),
    };
    let length = if rarely(rng) { rng.index(80) } else { value.len() };
    (value, length.to_string())
}

fn storage(rng: &mut Rng) -> String {
    let verb = pick(rng, &["set", "set", "add", "replace", "append", "prepend", "cas"]);
    let (value, mut length) = value(rng);
    if rarely(rng) {
        length = number(rng, &["5"]);
    }
    let unique =
        if verb == "cas" { format!(" {}", number(rng, &["0", "999999"])) } else { "".into() };
    let flags = number(rng, &["0", "0", "5", "65536"]);
    let exptime = number(rng, &["0", "0", "1000", "2592001"]);
    let (end, noreply) = (line_end(rng), noreply(rng));
    format!("{verb} {} {flags} {exptime} {length}{unique}{noreply}{end}{value}\r\n", key(rng))
}

fn retrieval(rng: &mut Rng) -> String {
    let verb = pick(rng, &["get", "get", "gets", "gat 100", "gats 0", "gat x"]);
    let keys: Vec<String> = (0..1 + rng.index(3)).map(|_| short_key(rng)).collect();
    let space = if rarely(rng) { " " } else { "" };
    format!("{verb} {}{space}{}", keys.join(" "), line_end(rng))
}

fn other(rng: &mut Rng) -> String {
    let key = key(rng);
    let line = match rng.index(9) {
        0 => format!("delete {key}"),
        1 => format!("delete {key} 0"),
        2 => format!("incr {key} {}", number(rng, &["1", "5", "18446744073709551615"])),
        3 => format!("decr {key} {}", number(rng, &["1", "5", "100"])),
        4 => format!("touch {key} {}", number(rng, &["0", "100"])),
        5 => "verbosity 0".into(),
        6 => pick(rng, &["", "x", "gets", "incr a", "touch a", "set a", "  get a", "get"]).into(),
        7 => "mn".into(),
        _ => pick(rng, &["flush_all", "flush_all 0", "flush_all x", "GET a"]).into(),
    };
    format!("{line}{}{}", noreply(rng), line_end(rng))
}

/// A classic command.
pub(crate) fn request(rng: &mut Rng) -> Vec<u8> {
    match rng.index(5) {
        0 | 1 => storage(rng),
        2 | 3 => retrieval(rng),
        _ => other(rng),
    }
    .into_bytes()
}

fn flags(rng: &mut Rng, from: &[&'static str]) -> String {
    let mut flags = String::new();
    for _ in 0..rng.index(5) {
        flags.push(' ');
        flags.push_str(pick(rng, from));
    }
    flags
}

/// A meta command, or a set so that there is something to find.
pub(crate) fn meta_request(rng: &mut Rng) -> Vec<u8> {
    let key = if rarely(rng) { "Zm9v b".to_owned() } else { key(rng) };
    let end = line_end(rng);
    let text = match rng.index(8) {
        0 | 1 => {
            let all =
                ["v", "k", "f", "s", "t", "h", "l", "q", "Oxy", "N30", "R30", "T50", "c", "z", "b"];
            format!("mg {key}{}{end}", flags(rng, &all))
        }
        2 | 3 => {
            let (value, length) = value(rng);
            let all = ["k", "q", "F7", "T100", "I", "MA", "MP", "ME", "MR", "MS", "Mx", "Oxy", "b"];
            format!("ms {key} {length}{}{end}{value}\r\n", flags(rng, &all))
        }
        4 => format!("md {key}{}{end}", flags(rng, &["q", "I", "T30", "k", "Oxy", "C5", "x"])),
        5 => {
            let all =
                ["N30", "J10", "D5", "MD", "M+", "Mx", "v", "t", "q", "T50", "k", "Oxy", "Dx"];
            format!("ma {key}{}{end}", flags(rng, &all))
        }
        6 => format!("mn{end}"),
        _ => return request(rng),
    };
    text.into_bytes()
}
