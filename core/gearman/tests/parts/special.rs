//! Functions that the toy server does by itself, rightly or wrongly. The data is a number.

use crate::toy::{SLOW, Toy, say};
use bytes::Bytes;
use core::time::Duration;
use storytime_gearman::packet::Kind;
use storytime_machine::{Close, Conn, Cx, Token};

impl Toy {
    /// Does a job at once, or in some other way; false if it is one for workers.
    pub(crate) fn special(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        function: &[u8],
        data: &Bytes,
    ) -> bool {
        let amount = core::str::from_utf8(data).ok().and_then(|text| text.parse::<u64>().ok());
        let amount = amount.unwrap_or_default();
        match function {
            b"silent" => return true,
            b"hangup" => cx.close(conn, Close::Abort),
            b"bye" => cx.close(conn, Close::Flush),
            b"refuse" => say(cx, conn, Kind::Error, &[b"QUEUE_ERROR", b"Job queue is full"]),
            b"garble" => cx.tx(conn).expect("it asked").put(b"\0RES what is this?"),
            b"unasked" => {
                say(cx, conn, Kind::JobCreated, &[b"H:toy:0"]);
                say(cx, conn, Kind::JobCreated, &[b"H:toy:0"]);
            }
            // Holds the handles of this job and those behind it back for so many milliseconds.
            b"late" => {
                self.hold(cx, conn, Duration::from_millis(amount));
                let number = self.fresh();
                self.created(cx, conn, number);
            }
            b"echo" | b"parts" | b"fail" | b"exception" | b"big" => {
                let number = self.fresh();
                self.created(cx, conn, number);
                self.finish(cx, conn, number, function, data, amount);
            }
            // Fails until it was asked for so many times.
            b"flaky" => {
                let number = self.fresh();
                self.created(cx, conn, number);
                let times = self.flaky.entry(data.clone()).or_default();
                *times += 1;
                let function = if *times < amount { b"fail" } else { b"echo" };
                self.finish(cx, conn, number, function, data, amount);
            }
            // Is done after so many milliseconds.
            b"slow" => {
                let number = self.fresh();
                self.created(cx, conn, number);
                cx.after(Token(SLOW + number), Duration::from_millis(amount));
                self.slow.insert(number, conn);
            }
            _ => return false,
        }
        true
    }

    pub(crate) fn special_timer(&mut self, cx: &mut Cx, number: u64) {
        if let Some(conn) = self.slow.remove(&number) {
            let handle = format!("H:toy:{number}");
            say(cx, conn, Kind::WorkComplete, &[handle.as_bytes(), b"slow"]);
        }
    }

    fn finish(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        number: u64,
        function: &[u8],
        data: &Bytes,
        amount: u64,
    ) {
        let handle = format!("H:toy:{number}");
        let handle = handle.as_bytes();
        match function {
            b"echo" => say(cx, conn, Kind::WorkComplete, &[handle, data]),
            b"fail" => say(cx, conn, Kind::WorkFail, &[handle]),
            b"big" => {
                let result = vec![b'x'; amount as usize];
                say(cx, conn, Kind::WorkComplete, &[handle, &result]);
            }
            b"exception" if self.tells_exceptions(conn) => {
                say(cx, conn, Kind::WorkException, &[handle, data]);
                // As the Perl worker does.
                say(cx, conn, Kind::WorkFail, &[handle]);
            }
            b"exception" => {
                // As the original does.
                let with_nul = [handle, b"\0"].concat();
                say(cx, conn, Kind::WorkFail, &[&with_nul]);
            }
            _ => {
                say(cx, conn, Kind::WorkData, &[handle, b"one "]);
                say(cx, conn, Kind::WorkWarning, &[handle, b"careful"]);
                say(cx, conn, Kind::WorkStatus, &[handle, b"1", b"2"]);
                say(cx, conn, Kind::WorkData, &[handle, b"two "]);
                say(cx, conn, Kind::WorkComplete, &[handle, b"three"]);
            }
        }
    }
}
