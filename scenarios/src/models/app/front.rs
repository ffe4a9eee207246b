//! Where browsers and proxies ask an application server for pages.

use super::Workload;
use super::machine::{App, Why};
use crate::models::http::{self, Answer, Garbled};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{Close, Conn, Cx, Endpoint, Listen, Open, Token};

/// The listener.
const FRONT: Token = Token(20);
/// What pages are cut from.
static PAGE: [u8; 64 << 10] = [b' '; 64 << 10];

/// The connections of browsers and proxies, and what they ask.
#[derive(Debug)]
pub(super) struct Front {
    port: u16,
    conns: BTreeSet<Conn>,
    /// Requests under way: from where, for what.
    asked: BTreeMap<u32, (Conn, String)>,
    next: u32,
}

impl Front {
    pub(super) const fn new(port: u16) -> Self {
        Self { port, conns: BTreeSet::new(), asked: BTreeMap::new(), next: 0 }
    }

    pub(super) fn listen(&self, cx: &mut Cx) {
        cx.listen(FRONT, Listen::at(Endpoint::any(self.port)));
    }

    pub(super) fn path(&self, number: u32) -> Option<&str> {
        self.asked.get(&number).map(|(_, path)| path.as_str())
    }

    /// Whether the event was ours.
    pub(super) fn on_open(&mut self, conn: Conn, how: &Open) -> bool {
        let ours = matches!(how, Open::Accepted { listener: FRONT, .. });
        if ours {
            self.conns.insert(conn);
        }
        ours
    }

    /// `None` if the connection is not ours, or else the number of the request that came.
    pub(super) fn on_data(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        rx: &mut BytesMut,
    ) -> Option<Option<u32>> {
        if !self.conns.contains(&conn) {
            return None;
        }
        match http::read_request(rx) {
            Ok(path) => Some(path.map(|path| {
                let number = self.next;
                self.next = self.next.wrapping_add(1);
                self.asked.insert(number, (conn, path));
                number
            })),
            Err(Garbled) => {
                rx.clear();
                cx.close(conn, Close::Abort);
                Some(None)
            }
        }
    }

    /// Whether the event was ours. What is under way goes on, as in a server that has begun.
    pub(super) fn on_gone(&mut self, conn: Conn) -> bool {
        self.conns.remove(&conn)
    }
}

impl<W: Workload> App<W> {
    /// Answers a request, if the job was one: with a page of so many bytes, or with its failure.
    pub(super) fn answer(&mut self, cx: &mut Cx, why: Why, page_bytes: Option<u32>) {
        let (Why::Asked(number), Some(front)) = (why, &mut self.front) else { return };
        let Some((conn, _)) = front.asked.remove(&number) else { return };
        let Some(tx) = cx.tx(conn) else { return };
        let status = if page_bytes.is_some() { 200 } else { 503 };
        let mut left = page_bytes.unwrap_or(0) as usize;
        tx.write_with(|into| http::write_answer(into, Answer { status, page_bytes: left }));
        while left > 0 {
            let part = left.min(PAGE.len());
            tx.push(Bytes::from_static(&PAGE[..part]));
            left -= part;
        }
    }
}
