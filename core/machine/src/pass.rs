//! Callbacks of a machine of which one part does the talking, such as a client.

/// Writes the callbacks of a [`Machine`](crate::Machine) that go to a part of it.
///
/// Each one named calls the part's method of that name (`on_data` for `data`). It does so by way
/// of the machine's own `pass`, which knows where the part is, what it means if something was not
/// the part's, and what is done when the part has been told:
///
/// ```
/// # use storytime_machine::{Boot, Conn, Cx, Gone, Machine};
/// # struct Part;
/// # impl Part {
/// #     fn on_eof(&mut self, _: &mut Cx, _: Conn) -> bool { true }
/// #     fn on_gone(&mut self, _: &mut Cx, _: Conn, _: Gone) -> bool { true }
/// # }
/// # struct Owner { part: Part }
/// impl Owner {
///     fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Part, &mut Cx) -> bool) {
///         assert!(what(&mut self.part, cx), "there is no other part");
///         // What has come of it?
///     }
/// }
///
/// impl Machine for Owner {
///     fn start(&mut self, cx: &mut Cx, boot: Boot) {}
///
///     storytime_machine::pass_to_part!(eof gone);
/// }
/// ```
#[macro_export]
macro_rules! pass_to_part {
    ($($callback:ident)+) => { $($crate::pass_to_part!(@ $callback);)+ };
    (@ open) => {
        fn open(&mut self, cx: &mut $crate::Cx, conn: $crate::Conn, how: $crate::Open) {
            self.pass(cx, |part, cx| part.on_open(cx, conn, &how));
        }
    };
    (@ data) => {
        fn data(&mut self, cx: &mut $crate::Cx, conn: $crate::Conn, rx: &mut $crate::BytesMut) {
            self.pass(cx, |part, cx| part.on_data(cx, conn, rx));
        }
    };
    (@ eof) => {
        fn eof(&mut self, cx: &mut $crate::Cx, conn: $crate::Conn) {
            self.pass(cx, |part, cx| part.on_eof(cx, conn));
        }
    };
    (@ drained) => {
        fn drained(&mut self, cx: &mut $crate::Cx, conn: $crate::Conn) {
            self.pass(cx, |part, cx| part.on_drained(cx, conn));
        }
    };
    (@ gone) => {
        fn gone(&mut self, cx: &mut $crate::Cx, conn: $crate::Conn, why: $crate::Gone) {
            self.pass(cx, |part, cx| part.on_gone(cx, conn, why));
        }
    };
    (@ failed) => {
        fn failed(&mut self, cx: &mut $crate::Cx, connect: $crate::Token, why: $crate::Gone) {
            self.pass(cx, |part, cx| part.on_failed(cx, connect, why));
        }
    };
    (@ timer) => {
        fn timer(&mut self, cx: &mut $crate::Cx, timer: $crate::Token) {
            self.pass(cx, |part, cx| part.on_timer(cx, timer));
        }
    };
}
