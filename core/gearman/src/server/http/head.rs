//! The head of a request: what it asks for, or what is wrong with it.

use super::reply::Status;
use crate::engine::Priority;
use bytes::Bytes;

/// Longest head of a request, bytes.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most lines of a head.
const HEADERS_MAX: usize = 64;

/// What the front of a connection's input is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The end of the head has not come.
    Partial,
    /// It is wrong; where its body ends is not known.
    Refused(Refused),
    /// A head of so many bytes.
    Whole(Box<Ask>, usize),
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: Status,
    /// In words, for a person.
    pub(super) why: &'static str,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) target: Target,
    /// `HEAD`: the answer has no body.
    pub(super) head_only: bool,
    pub(super) unique: Bytes,
    /// Who asks: `NAME:SECRET`, if that is said.
    pub(super) credential: Option<Bytes>,
    pub(super) background: bool,
    pub(super) priority: Priority,
    pub(super) body: Body,
    /// It waits to be told to send its body.
    pub(super) expects: bool,
    /// The connection stays for another request.
    pub(super) keep: bool,
    /// HTTP/1.1: the answer may come in chunks.
    pub(super) chunks: bool,
}

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Length(usize),
    /// Its chunks say it.
    Chunks,
}

/// Headers that say how long the body is.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunks: bool,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `GET /metrics`.
    Metrics,
    /// A job of this function.
    Job(Bytes),
}

pub(super) const fn refused(status: Status, why: &'static str) -> Refused {
    Refused { status, why }
}

pub(super) const BAD: Status = Status::BAD_REQUEST;

/// Reads a head. A body may have so many bytes.
pub(super) fn read(rx: &[u8], body_bytes_max: usize) -> Head {
    let within = &rx[..rx.len().min(HEAD_BYTES_MAX)];
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(within) {
        // Others may not take a bare LF for the end of a line, and see other headers then.
        Ok(httparse::Status::Complete(len)) if has_bare_lf(&within[..len]) => {
            Head::Refused(refused(BAD, "lines of a head end with CR LF"))
        }
        Ok(httparse::Status::Complete(len)) => match ask(&request, body_bytes_max) {
            Ok(ask) => Head::Whole(Box::new(ask), len),
            Err(refused) => Head::Refused(refused),
        },
        Ok(httparse::Status::Partial) if within.len() < HEAD_BYTES_MAX => Head::Partial,
        Ok(httparse::Status::Partial) => {
            Head::Refused(refused(Status::HEAD_TOO_LARGE, "the head is longer than 16 KiB"))
        }
        Err(httparse::Error::TooManyHeaders) => {
            Head::Refused(refused(Status::HEAD_TOO_LARGE, "there are more than 64 headers"))
        }
        Err(httparse::Error::Version) => {
            Head::Refused(refused(Status::VERSION, "this is HTTP/1.0 or HTTP/1.1"))
        }
        Err(_) => Head::Refused(refused(BAD, "this is no HTTP request")),
    }
}

fn has_bare_lf(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

fn ask(request: &httparse::Request<'_, '_>, body_bytes_max: usize) -> Result<Ask, Refused> {
    let complete = "a whole head has a method, a target and a version";
    let (method, path) = (request.method.expect(complete), request.path.expect(complete));
    let chunks = request.version.expect(complete) == 1;
    let has_body = match method {
        "GET" | "HEAD" => false,
        "POST" | "PUT" => true,
        _ => return Err(refused(Status::NO_METHOD, "methods are GET, HEAD, POST and PUT")),
    };
    let mut ask = Ask {
        target: target(method, path)?,
        head_only: method == "HEAD",
        unique: Bytes::new(),
        credential: None,
        background: false,
        priority: Priority::Normal,
        body: Body::Length(0),
        expects: false,
        keep: chunks,
        chunks,
    };
    let mut framing = Framing::default();
    for header in request.headers.iter() {
        take(&mut ask, &mut framing, header)?;
    }
    ask.body = match framing {
        // Who reads it by the one sees another end than who reads it by the other.
        Framing { length: Some(_), chunks: true } => {
            let why = "a body has a Content-Length or a Transfer-Encoding, not both";
            return Err(refused(BAD, why));
        }
        Framing { chunks: true, .. } if !chunks => {
            return Err(refused(BAD, "HTTP/1.0 knows no Transfer-Encoding"));
        }
        Framing { chunks: true, .. } => Body::Chunks,
        Framing { length: None, .. } if has_body => {
            let why = "a body comes with its Content-Length, or in chunks";
            return Err(refused(Status::LENGTH_REQUIRED, why));
        }
        Framing { length: Some(long), .. } if long > body_bytes_max as u64 => {
            return Err(refused(Status::TOO_LARGE, "the body is longer than a job may be"));
        }
        Framing { length, .. } => Body::Length(length.unwrap_or(0) as usize),
    };
    Ok(ask)
}

/// What the path and the method mean.
fn target(method: &str, path: &str) -> Result<Target, Refused> {
    let path = match path.strip_prefix("http://") {
        // As proxies are asked.
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => path,
    };
    if matches!(method, "GET" | "HEAD") && path == "/metrics" {
        return Ok(Target::Metrics);
    }
    if method == "HEAD" {
        return Err(refused(Status::NO_METHOD, "a job is run by POST, PUT or GET"));
    }
    let name = path.strip_prefix('/').ok_or(refused(BAD, "a target begins with a slash"))?;
    if name.contains('?') {
        return Err(refused(BAD, "a job has a body and no query"));
    }
    let name = decoded(name).ok_or(refused(BAD, "the target is not well encoded"))?;
    if name.is_empty() {
        return Err(refused(Status::NOT_FOUND, "name a function: POST /function"));
    }
    Ok(Target::Job(name))
}

/// A path without its percent signs. None if they are wrong, or a NUL comes out.
fn decoded(path: &str) -> Option<Bytes> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(high)? << 4 | digit(low)?) as u8
            }
            byte => byte,
        };
        if byte == 0 {
            return None;
        }
        out.push(byte);
    }
    Some(out.into())
}

fn take(
    ask: &mut Ask,
    framing: &mut Framing,
    header: &httparse::Header<'_>,
) -> Result<(), Refused> {
    let value = header.value.trim_ascii();
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    let says = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
    if is("Content-Length") {
        let read = digits(value).ok_or(refused(BAD, "Content-Length is a number"))?;
        if framing.length.is_some_and(|before| before != read) {
            return Err(refused(BAD, "there are two Content-Lengths"));
        }
        framing.length = Some(read);
    } else if is("Transfer-Encoding") {
        if framing.chunks {
            return Err(refused(BAD, "there are two Transfer-Encodings"));
        }
        if !says("chunked") {
            let why = "of Transfer-Encodings there is chunked, and nothing else";
            return Err(refused(Status::NOT_IMPLEMENTED, why));
        }
        framing.chunks = true;
    } else if is("Expect") {
        if !says("100-continue") {
            return Err(refused(Status::EXPECTATION, "only 100-continue can be expected"));
        }
        ask.expects = ask.chunks;
    } else if is("Connection") {
        let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        if words.any(|word| word.eq_ignore_ascii_case(b"close")) {
            ask.keep = false;
        }
    } else if is("Authorization") {
        const BEARER: &[u8] = b"bearer ";
        let scheme = value.get(..BEARER.len());
        if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER)) {
            ask.credential = Some(Bytes::copy_from_slice(value[BEARER.len()..].trim_ascii()));
        }
    } else if is("X-Gearman-Unique") {
        ask.unique = Bytes::copy_from_slice(value);
    } else if is("X-Gearman-Background") {
        ask.background = match (says("true"), says("false")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(refused(BAD, "X-Gearman-Background is true or false")),
        };
    } else if is("X-Gearman-Priority") {
        let words =
            [("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];
        let found = words.into_iter().find(|(word, _)| says(word));
        let why = "X-Gearman-Priority is high, normal or low";
        ask.priority = found.ok_or_else(|| refused(BAD, why))?.1;
    }
    Ok(())
}

/// A number of nothing but digits.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
