//! A machine that is one client or one worker, and a handler of what happens to it: for processes
//! that do nothing else.
//!
//! A process that has connections, files or several such parts of its own is a machine of its own,
//! and passes on to each part what is that part's, as the [`client`](crate::client) and the
//! [`worker`](crate::worker) say. The adapter does just that for a single one.
//!
//! A worker that turns the data of its jobs around:
//!
//! ```
//! use storytime_gearman::adapter::{Adapter, Handler};
//! use storytime_gearman::worker::{Worker, WorkerEvent, WorkerOptions};
//! use storytime_machine::{Bytes, Cx, Endpoint, Token};
//!
//! #[derive(Default)]
//! struct Reverse {
//!     done: u64,
//! }
//!
//! impl Handler for Reverse {
//!     type Part = Worker;
//!
//!     fn event(&mut self, cx: &mut Cx, worker: &mut Worker, event: WorkerEvent) {
//!         if let WorkerEvent::Job { job, data, .. } = event {
//!             let reversed: Bytes = data.iter().rev().copied().collect();
//!             // Its server may have gone meanwhile: then somebody else gets the job.
//!             self.done += u64::from(worker.complete(cx, job, reversed).is_ok());
//!         }
//!     }
//! }
//!
//! let options = WorkerOptions {
//!     servers: vec![Endpoint::tcp([10, 0, 0, 1], 4730)],
//!     functions: vec![(Bytes::from_static(b"reverse"), None)],
//!     ..WorkerOptions::default()
//! };
//! // The machine; tokens below the worker's base are the handler's own.
//! let machine = Adapter::new(Worker::new(options, Token(1 << 40)), Reverse::default());
//! assert_eq!(machine.handler.done, 0);
//! ```
//!
//! Not modelled: names of servers, which are looked up before there is an
//! [`Endpoint`](storytime_machine::Endpoint).

use crate::client::{Client, Event};
use crate::worker::{Worker, WorkerEvent};
use bytes::BytesMut;
use storytime_machine::{Boot, Conn, Cx, Gone, Machine, Open, Token};

/// What a process does with its client or worker.
pub trait Handler: Send + 'static {
    /// [`Client`] or [`Worker`].
    type Part: Part;

    /// The process begins; a worker has been started. The default does nothing.
    fn start(&mut self, cx: &mut Cx, part: &mut Self::Part) {
        let _ = (cx, part);
    }

    /// Something happened to the part.
    fn event(&mut self, cx: &mut Cx, part: &mut Self::Part, event: <Self::Part as Part>::Event);

    /// A timer of the handler's own came due. The default does nothing.
    fn timer(&mut self, cx: &mut Cx, part: &mut Self::Part, timer: Token) {
        let _ = (cx, part, timer);
    }
}

/// A client or a worker, as the adapter sees it: each method does what the part's own of that name
/// does, and those named `on_…` say whether the event was the part's.
pub trait Part: Send + 'static {
    /// What it tells.
    type Event;

    /// Begins; a client waits to be asked.
    fn start(&mut self, cx: &mut Cx);
    /// The next event.
    fn next_event(&mut self) -> Option<Self::Event>;
    /// A connection is up.
    fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool;
    /// Bytes arrived.
    fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool;
    /// There is room for output again.
    fn on_drained(&mut self, cx: &mut Cx, conn: Conn) -> bool;
    /// The server has finished sending.
    fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool;
    /// A connection is gone.
    fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool;
    /// A connect did not come up.
    fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool;
    /// A timer came due.
    fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool;
    /// Asserts what must hold between any two calls.
    fn invariants(&self);
}

/// A process that is one part and its handler.
#[derive(Debug)]
pub struct Adapter<H: Handler> {
    /// The client or worker.
    pub part: H::Part,
    /// Who hears of what happens to it.
    pub handler: H,
}

impl<H: Handler> Adapter<H> {
    /// A process that has done nothing yet. The handler's own timers have tokens that are not the
    /// part's.
    pub const fn new(part: H::Part, handler: H) -> Self {
        Self { part, handler }
    }

    /// Nothing but the part has connections here; then its events are handled.
    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut H::Part, &mut Cx) -> bool) {
        assert!(what(&mut self.part, cx), "a handler has no connections of its own");
        self.handle(cx);
    }

    fn handle(&mut self, cx: &mut Cx) {
        while let Some(event) = self.part.next_event() {
            self.handler.event(cx, &mut self.part, event);
        }
    }
}

impl<H: Handler> Machine for Adapter<H> {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.part.start(cx);
        self.handler.start(cx, &mut self.part);
        self.handle(cx);
    }

    storytime_machine::pass_to_part!(open data eof drained gone failed);

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if !self.part.on_timer(cx, timer) {
            self.handler.timer(cx, &mut self.part, timer);
        }
        self.handle(cx);
    }

    fn invariants(&self) {
        self.part.invariants();
    }
}

/// Passes each call on to the part's own method of that name.
macro_rules! part {
    ($part:ident, $event:ident, $start:expr) => {
        impl Part for $part {
            type Event = $event;

            fn start(&mut self, cx: &mut Cx) {
                let start: fn(&mut Self, &mut Cx) = $start;
                start(self, cx);
            }

            fn next_event(&mut self) -> Option<$event> {
                $part::next_event(self)
            }

            fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
                $part::on_open(self, cx, conn, how)
            }

            fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
                $part::on_data(self, cx, conn, rx)
            }

            fn on_drained(&mut self, cx: &mut Cx, conn: Conn) -> bool {
                $part::on_drained(self, cx, conn)
            }

            fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
                $part::on_eof(self, cx, conn)
            }

            fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
                $part::on_gone(self, cx, conn, why)
            }

            fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
                $part::on_failed(self, cx, connect, why)
            }

            fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
                $part::on_timer(self, cx, timer)
            }

            fn invariants(&self) {
                $part::invariants(self);
            }
        }
    };
}

part!(Client, Event, |_, _| {});
part!(Worker, WorkerEvent, Self::start);
