//! What is taken out of replies before they are compared, and why.
//!
//! | taken out | because |
//! |---|---|
//! | versions (the fourth figure of `VALUE`, `c` of meta replies, the field of binary headers) | ours count what was stored, the original's every attempt |
//! | the words of a refusal, if the peer is older than the release that is followed | they changed, and with them whether a data block behind a bad line runs as commands |

/// Bytes of a binary header, and where its length and version are.
const HEADER: usize = 24;

/// Text replies, line by line.
pub(crate) fn text(answer: &[u8], exact: bool) -> Vec<u8> {
    const REFUSED: &[u8] = b"(refused)\r\n";
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for whole in answer.split_inclusive(|&byte| byte == b'\n') {
        if exact || !(whole.starts_with(b"ERROR") || whole.starts_with(b"CLIENT_ERROR")) {
            lines.push(line(whole));
        } else if lines.last().is_none_or(|last| last != REFUSED) {
            lines.push(REFUSED.to_vec());
        }
    }
    lines.concat()
}

fn line(line: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    match words[0] {
        b"VALUE" if words.len() == 5 => [&words[..4].join(&b' '), &b" #\r\n"[..]].concat(),
        b"HD" | b"VA" | b"NS" | b"EX" | b"NF" => {
            let plain = |word: &&[u8]| {
                let digits = word.strip_prefix(b"c").map(<[u8]>::trim_ascii_end);
                !digits.is_some_and(|d| !d.is_empty() && d.iter().all(u8::is_ascii_digit))
            };
            words.into_iter().filter(plain).collect::<Vec<_>>().join(&b' ')
        }
        _ => line.to_vec(),
    }
}

/// Binary replies, packet by packet.
pub(crate) fn binary(answer: &[u8], _exact: bool) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let mut at = 0;
    while at + HEADER <= answer.len() {
        answer[at + 16..at + HEADER].fill(0);
        let length: [u8; 4] = answer[at + 8..at + 12].try_into().expect("four bytes");
        at += HEADER + u32::from_be_bytes(length) as usize;
    }
    answer
}
