//! Requests in text: mostly right, often a little wrong.

use crate::Draw;
use storytime_machine::Ratio;

/// Behind every stream: fills what a wrong length may have left open, then ends the connection.
pub(crate) const FAREWELL: &[u8] = b"\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
    \r\nquit\r\n";

fn pick<'a>(rng: &mut Draw, from: &[&'a str]) -> &'a str {
    from[rng.rng.index(from.len())]
}

fn rarely(rng: &mut Draw) -> bool {
    rng.odd && rng.rng.chance(Ratio::new(1, 12))
}

fn key(rng: &mut Draw) -> String {
    if rarely(rng) {
        let length = [249, 250, 251, 300][rng.rng.index(4)];
        return "k".repeat(length);
    }
    short_key(rng)
}

/// Not too long: the original loses replies over a long key in a retrieval.
fn short_key(rng: &mut Draw) -> String {
    pick(rng, &["a", "b", "c", "counter", "d"]).to_owned()
}

/// A number as text, sometimes none at all.
fn number(rng: &mut Draw, usual: &[&'static str]) -> String {
    if rarely(rng) {
        let odd = ["-1", "x", "1x", "0x10", "99999999999999999999", "+3", "01"];
        return pick(rng, &odd).to_owned();
    }
    pick(rng, usual).to_owned()
}

fn line_end(rng: &mut Draw) -> &'static str {
    if rarely(rng) { "\n" } else { "\r\n" }
}

/// A value and the length that is stated for it.
fn value(rng: &mut Draw) -> (String, String) {
    let value = match rng.rng.index(4) {
        0 => pick(rng, &["0", "1", "10", "99", "18446744073709551615", "12 "]).to_owned(),
        1 => String::new(),
        _ => "v".repeat(rng.rng.index(60)),
    };
    let length = if rarely(rng) { rng.rng.index(80) } else { value.len() };
    (value, length.to_string())
}

fn storage(rng: &mut Draw) -> String {
    let verb = pick(rng, &["set", "set", "add", "replace", "append", "prepend", "cas"]);
    let (value, mut length) = value(rng);
    if rarely(rng) {
        length = number(rng, &["5"]);
    }
    let unique =
        if verb == "cas" { format!(" {}", number(rng, &["0", "999999"])) } else { "".into() };
    let flags = number(rng, &["0", "0", "5", "65536"]);
    let exptime = number(rng, &["0", "0", "1000", "2592001"]);
    // Older releases answer a bad line also where no reply is wanted.
    let noreply = if rarely(rng) && exptime.len() > 3 { " noreply" } else { "" };
    let end = line_end(rng);
    format!("{verb} {} {flags} {exptime} {length}{unique}{noreply}{end}{value}\r\n", key(rng))
}

fn retrieval(rng: &mut Draw) -> String {
    let verb = pick(rng, &["get", "get", "gets", "gat 100", "gats 0", "gat x"]);
    let keys: Vec<String> = (0..1 + rng.rng.index(3)).map(|_| short_key(rng)).collect();
    let space = if rarely(rng) { " " } else { "" };
    format!("{verb} {}{space}{}", keys.join(" "), line_end(rng))
}

fn other(rng: &mut Draw) -> String {
    let key = key(rng);
    let line = match rng.rng.index(9) {
        0 => format!("delete {key}"),
        1 => format!("delete {key} 0"),
        2 => format!("incr {key} {}", number(rng, &["1", "5", "18446744073709551615"])),
        3 => format!("decr {key} {}", number(rng, &["1", "5", "100"])),
        4 => format!("touch {key} {}", number(rng, &["0", "100"])),
        5 => "verbosity 0".into(),
        6 if rng.odd => pick(rng, &["", "x", "gets", "incr a", "touch a", "set a", "get"]).into(),
        7 => "mn".into(),
        _ => pick(rng, &["flush_all", "flush_all 0"]).into(),
    };
    format!("{line}\r\n")
}

/// A classic command.
pub(crate) fn request(rng: &mut Draw) -> Vec<u8> {
    match rng.rng.index(5) {
        0 | 1 => storage(rng),
        2 | 3 => retrieval(rng),
        _ => other(rng),
    }
    .into_bytes()
}

fn flags(rng: &mut Draw, from: &[&'static str]) -> String {
    let mut flags = String::new();
    for _ in 0..rng.rng.index(5) {
        flags.push(' ');
        flags.push_str(pick(rng, from));
    }
    flags
}

/// A meta command, or a set so that there is something to find.
pub(crate) fn meta_request(rng: &mut Draw) -> Vec<u8> {
    let key = key(rng);
    let end = line_end(rng);
    let text = match rng.rng.index(8) {
        0 | 1 => {
            let all =
                ["v", "k", "f", "s", "t", "h", "l", "q", "Oxy", "N30", "R30", "T50", "c", "z"];
            format!("mg {key}{}{end}", flags(rng, &all))
        }
        2 | 3 => {
            let (value, length) = value(rng);
            let all = ["k", "q", "F7", "T100", "I", "MA", "MP", "ME", "MR", "MS", "Mx", "Oxy"];
            format!("ms {key} {length}{}{end}{value}\r\n", flags(rng, &all))
        }
        4 => format!("md {key}{}{end}", flags(rng, &["q", "I", "T30", "k", "Oxy", "C5"])),
        5 => {
            let all = ["N30", "J10", "D5", "MD", "M+", "Mx", "v", "t", "T50", "k", "Oxy", "Dx"];
            format!("ma {key}{}{end}", flags(rng, &all))
        }
        6 => "mn\r\n".to_owned(),
        _ => return request(rng),
    };
    text.into_bytes()
}
