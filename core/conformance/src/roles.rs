//! A machine that most bodies can use: a table of closures over one state.
//!
//! `Role` connects or listens, and hands each event to the closure for it; what a body leaves out
//! behaves as the contract's default.

use crate::kit::{Dial, LISTENER, fail};
use storytime_machine::{
    BindError, Boot, BytesMut, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Token,
};

type OnCx<S> = fn(&mut S, &mut Cx);
type OnConn<S> = fn(&mut S, &mut Cx, Conn);
type OnToken<S> = fn(&mut S, &mut Cx, Token);
type OnData<S> = fn(&mut S, &mut Cx, Conn, &mut BytesMut);
type OnGone<S> = fn(&mut S, &mut Cx, Conn, Gone);

/// Where the connections come from.
#[derive(Debug)]
enum Place {
    Nowhere,
    Dials(Dial),
    Listens(Listen),
}

/// A machine made of closures.
pub(crate) struct Role<S> {
    state: S,
    place: Place,
    on_start: Option<OnCx<S>>,
    on_stop: Option<OnCx<S>>,
    on_open: Option<OnConn<S>>,
    on_data: Option<OnData<S>>,
    on_eof: Option<OnConn<S>>,
    on_drained: Option<OnConn<S>>,
    on_secured: Option<OnConn<S>>,
    on_gone: Option<OnGone<S>>,
    on_timer: Option<OnToken<S>>,
}

impl<S> Role<S> {
    const fn at(place: Place, state: S) -> Self {
        Self {
            state,
            place,
            on_start: None,
            on_stop: None,
            on_open: None,
            on_data: None,
            on_eof: None,
            on_drained: None,
            on_secured: None,
            on_gone: None,
            on_timer: None,
        }
    }

    /// A machine without a listener or connect of its own.
    pub(crate) const fn alone(state: S) -> Self {
        Self::at(Place::Nowhere, state)
    }

    /// A client of the server at `to`; tries until it is up.
    pub(crate) fn client(to: impl Into<Endpoint>, state: S) -> Self {
        Self::at(Place::Dials(Dial::to(to)), state)
    }

    /// A server.
    pub(crate) const fn server(listen: Listen, state: S) -> Self {
        Self::at(Place::Listens(listen), state)
    }

    /// A server on this TCP port of every address, with a listen queue and slots as they come.
    pub(crate) fn on_port(port: u16, state: S) -> Self {
        Self::server(Listen::at(Endpoint::any(port)), state)
    }

    pub(crate) fn start(mut self, on: OnCx<S>) -> Self {
        self.on_start = Some(on);
        self
    }

    pub(crate) fn stop(mut self, on: OnCx<S>) -> Self {
        self.on_stop = Some(on);
        self
    }

    pub(crate) fn open(mut self, on: OnConn<S>) -> Self {
        self.on_open = Some(on);
        self
    }

    pub(crate) fn data(mut self, on: OnData<S>) -> Self {
        self.on_data = Some(on);
        self
    }

    pub(crate) fn eof(mut self, on: OnConn<S>) -> Self {
        self.on_eof = Some(on);
        self
    }

    pub(crate) fn drained(mut self, on: OnConn<S>) -> Self {
        self.on_drained = Some(on);
        self
    }

    pub(crate) fn secured(mut self, on: OnConn<S>) -> Self {
        self.on_secured = Some(on);
        self
    }

    pub(crate) fn gone(mut self, on: OnGone<S>) -> Self {
        self.on_gone = Some(on);
        self
    }

    pub(crate) fn timer(mut self, on: OnToken<S>) -> Self {
        self.on_timer = Some(on);
        self
    }
}

impl<S: Send + 'static> Machine for Role<S> {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        match &mut self.place {
            Place::Nowhere => {}
            Place::Dials(dial) => dial.start(cx),
            Place::Listens(listen) => cx.listen(LISTENER, listen.clone()),
        }
        if let Some(on) = self.on_start {
            on(&mut self.state, cx);
        }
    }

    fn stop(&mut self, cx: &mut Cx) {
        match self.on_stop {
            Some(on) => on(&mut self.state, cx),
            None => fail(cx, "asked to stop out of the blue"),
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        if let Some(on) = self.on_open {
            on(&mut self.state, cx, conn);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        match self.on_data {
            Some(on) => on(&mut self.state, cx, conn, rx),
            None => rx.clear(),
        }
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        match self.on_eof {
            Some(on) => on(&mut self.state, cx, conn),
            None => cx.close(conn, Close::Flush),
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if let Some(on) = self.on_drained {
            on(&mut self.state, cx, conn);
        }
    }

    fn secured(&mut self, cx: &mut Cx, conn: Conn) {
        match self.on_secured {
            Some(on) => on(&mut self.state, cx, conn),
            None => fail(cx, "secured without having asked for it"),
        }
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if let Some(on) = self.on_gone {
            on(&mut self.state, cx, conn, why);
        }
    }

    fn failed(&mut self, cx: &mut Cx, _connect: Token, why: Gone) {
        match &mut self.place {
            Place::Dials(dial) => dial.failed(cx, why),
            _ => fail(cx, "a connect failed that nobody made"),
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match &mut self.place {
            Place::Dials(dial) if timer == Dial::RETRY => dial.timer(cx, timer),
            _ => match self.on_timer {
                Some(on) => on(&mut self.state, cx, timer),
                None => fail(cx, "a timer fired that nobody set"),
            },
        }
    }

    fn bound(&mut self, cx: &mut Cx, _socket: Token, result: Result<Endpoint, BindError>) {
        if result.is_err() {
            fail(cx, "the listener could not be had");
        }
    }
}

/// Ends content if the connection ended in order.
pub(crate) fn content_if_closed<S>(_: &mut S, cx: &mut Cx, _conn: Conn, why: Gone) {
    if why == Gone::Closed {
        crate::kit::done(cx);
    } else {
        fail(cx, "the connection did not end in order");
    }
}
