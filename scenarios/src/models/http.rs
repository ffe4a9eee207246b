//! The bytes between browsers and application servers: the little of HTTP/1.1 that they need.
//!
//! A request is `GET` and a path, an answer its status and so many bytes. Connections are kept; a
//! request follows the answer to the one before.
//!
//! Not modelled: other methods, bodies of requests, chunks, headers other than the length.

use storytime_machine::{Buf, BytesMut};

/// Longest head of a request or an answer, bytes.
pub const HEAD_BYTES_MAX: usize = 8 << 10;
/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// The peer does not speak this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 500, 503.
    pub status: u16,
    /// Bytes of the page that follow.
    pub page_bytes: usize,
}

/// Writes a request.
pub fn write_request(into: &mut BytesMut, path: &str) {
    assert!(path.len() < HEAD_BYTES_MAX / 2, "paths are made by us");
    into.extend_from_slice(b"GET ");
    into.extend_from_slice(path.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\nHost: site\r\n\r\n");
}

/// Takes the request at the front, once it is complete: its path.
///
/// # Errors
/// If it is no `GET`, or its head is too long.
pub fn read_request(rx: &mut BytesMut) -> Result<Option<String>, Garbled> {
    let Some(head) = head(rx)? else { return Ok(None) };
    let text = std::str::from_utf8(&head).map_err(|_| Garbled)?;
    let path = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    path.map(|path| Some(path.to_owned())).ok_or(Garbled)
}

/// Writes the head of an answer; the page follows.
pub fn write_answer(into: &mut BytesMut, answer: Answer) {
    let reason = match answer.status {
        200 => "OK",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let Answer { status, page_bytes } = answer;
    let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: {page_bytes}\r\n\r\n");
    into.extend_from_slice(head.as_bytes());
}

/// Takes the head of the answer at the front, once it is complete.
///
/// # Errors
/// If it has no status or no length, or is too long.
pub fn read_answer(rx: &mut BytesMut) -> Result<Option<Answer>, Garbled> {
    let Some(head) = head(rx)? else { return Ok(None) };
    let text = std::str::from_utf8(&head).map_err(|_| Garbled)?;
    let mut lines = text.split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    match (status, length) {
        (Some(status), Some(page_bytes)) => Ok(Some(Answer { status, page_bytes })),
        _ => Err(Garbled),
    }
}

/// Takes the head at the front, its end included, once it is complete.
fn head(rx: &mut BytesMut) -> Result<Option<BytesMut>, Garbled> {
    let searched = &rx[..rx.len().min(HEAD_BYTES_MAX)];
    let Some(at) = searched.windows(END.len()).position(|window| window == END) else {
        return if rx.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(Garbled) };
    };
    let head = rx.split_to(at);
    rx.advance(END.len());
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_wait_until_their_heads_are_complete() {
        let mut whole = BytesMut::new();
        write_request(&mut whole, "/view/839");
        for cut in 0..whole.len() {
            assert_eq!(read_request(&mut BytesMut::from(&whole[..cut])), Ok(None));
        }
        assert_eq!(read_request(&mut whole), Ok(Some("/view/839".to_owned())));
        let answer = Answer { status: 503, page_bytes: 12 };
        write_answer(&mut whole, answer);
        whole.extend_from_slice(b"page");
        assert_eq!(read_answer(&mut whole), Ok(Some(answer)));
        assert_eq!(&whole[..], b"page");
    }

    #[test]
    fn what_is_no_http_is_named() {
        assert_eq!(read_request(&mut BytesMut::from("POST / HTTP/1.1\r\n\r\n")), Err(Garbled));
        assert_eq!(read_answer(&mut BytesMut::from("HTTP/1.1 200 OK\r\n\r\n")), Err(Garbled));
        let endless = vec![b'a'; HEAD_BYTES_MAX];
        assert_eq!(read_request(&mut BytesMut::from(&endless[..])), Err(Garbled));
    }
}
