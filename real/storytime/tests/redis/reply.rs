//! Replies, read as they came.

use std::io::BufRead;

/// In which order the parts of a reply are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they came.
    Exact,
    /// Sorted: it has none.
    Any,
    /// Pairs of parts, sorted.
    Pairs,
}

/// A reply: its mark, its line, and its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    Line(String),
    Bulk(Option<String>),
    Parts(char, Option<Vec<Self>>),
}

impl Reply {
    pub(crate) fn read(from: &mut impl BufRead) -> Self {
        let mut line = String::new();
        from.read_line(&mut line).expect("a server answers in lines");
        assert!(!line.is_empty(), "the server hung up");
        let line = line.trim_end().to_owned();
        let mark = line.chars().next().expect("a reply has a mark");
        let count = || line[1..].parse::<i64>().expect("a count");
        match mark {
            '$' | '=' => Self::Bulk(usize::try_from(count()).ok().map(|len| {
                let mut bytes = vec![0; len + 2];
                from.read_exact(&mut bytes).expect("as many bytes as promised");
                bytes[..len].escape_ascii().to_string()
            })),
            '*' | '~' | '%' => {
                let parts = usize::try_from(count()).ok();
                let parts = parts.map(|n| if mark == '%' { 2 * n } else { n });
                Self::Parts(mark, parts.map(|n| (0..n).map(|_| Self::read(from)).collect()))
            }
            _ => Self::Line(line),
        }
    }

    /// What is compared of it.
    pub(crate) fn normal(self, order: Order) -> Self {
        match (self, order) {
            (Self::Parts(mark, Some(mut parts)), Order::Any) => {
                parts.sort();
                Self::Parts(mark, Some(parts))
            }
            (Self::Parts(mark, Some(parts)), Order::Pairs) => {
                let mut pairs: Vec<_> = parts.chunks(2).map(<[Self]>::to_vec).collect();
                pairs.sort();
                Self::Parts(mark, Some(pairs.concat()))
            }
            (reply, _) => reply,
        }
    }
}
