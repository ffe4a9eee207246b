//! Packets of job servers on a plain socket.

use std::io::Read as _;
use std::net::TcpStream;
use storytime_gearman::packet::{Kind, Magic};

const HEADER_BYTES: usize = 12;

/// A request.
pub(crate) fn packet(kind: Kind, arguments: &[&[u8]]) -> Vec<u8> {
    let body = arguments.join(&0);
    let length = u32::try_from(body.len()).expect("tests are small");
    let kind = (kind as u32).to_be_bytes();
    [&Magic::Request.bytes()[..], &kind, &length.to_be_bytes(), &body].concat()
}

/// A packet's kind and body; `None` if the server is gone.
pub(crate) fn read(socket: &mut TcpStream) -> Option<(Kind, Vec<u8>)> {
    let mut header = [0; HEADER_BYTES];
    socket.read_exact(&mut header).ok()?;
    let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| header[at + n]));
    let mut body = vec![0; word(8) as usize];
    socket.read_exact(&mut body).ok()?;
    Some((Kind::of(word(4)).expect("a kind of the protocol"), body))
}
