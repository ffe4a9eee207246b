//! An application with a client in it, that asks what a script says.

use crate::toy::PORT;
use bytes::Bytes;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::client::{Client, ClientOptions, Event, Handle, Job, ServerId};
use storytime_machine::{Cx, Endpoint, IpAddr, Token};

/// First token of the client; the application's own lie below.
const BASE: Token = Token(1 << 40);

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Submit(Job),
    /// How far is the job with this tag?
    StatusOf(u64),
    StatusUnique(&'static str),
    Echo(u32, &'static str),
    Close,
}

/// What is asked, and when, in milliseconds. Its place in the script is its tag.
pub(crate) type Ask = (u64, What);

/// A job of a function with this data, at a time.
pub(crate) fn job(at_ms: u64, function: &'static str, data: &'static str) -> Ask {
    (at_ms, What::Submit(Job::new(function, data)))
}

pub(crate) struct Asker {
    script: Vec<Ask>,
    handles: BTreeMap<u64, Handle>,
    ended: BTreeSet<u64>,
    pub(crate) refused: BTreeSet<u64>,
    /// What happened, and when.
    pub(crate) events: Vec<(Duration, Event)>,
}

impl Asker {
    pub(crate) fn new(
        mut options: ClientOptions,
        servers: &[IpAddr],
        script: Vec<Ask>,
    ) -> Adapter<Self> {
        options.servers = servers.iter().map(|ip| Endpoint::tcp(*ip, PORT)).collect();
        let asker = Self {
            script,
            handles: BTreeMap::new(),
            ended: BTreeSet::new(),
            refused: BTreeSet::new(),
            events: Vec::new(),
        };
        Adapter::new(Client::new(options, BASE), asker)
    }

    /// What happened to a request, in order.
    pub(crate) fn of(&self, tag: u64) -> Vec<Event> {
        let events = self.events.iter().filter(|(_, event)| event.tag() == tag);
        events.map(|(_, event)| event.clone()).collect()
    }

    /// How a request ended.
    pub(crate) fn end(&self, tag: u64) -> Option<&Event> {
        let mut events = self.events.iter().rev();
        let found = events.find(|(_, event)| event.tag() == tag && event.is_end());
        found.map(|(_, event)| event)
    }

    /// When a request ended.
    pub(crate) fn ended_at(&self, tag: u64) -> Option<Duration> {
        let found = self.events.iter().find(|(_, event)| event.tag() == tag && event.is_end());
        found.map(|(at, _)| *at)
    }

    /// Requests that ended.
    pub(crate) fn ends(&self) -> usize {
        self.ended.len()
    }
}

impl Handler for Asker {
    type Part = Client;

    fn start(&mut self, cx: &mut Cx, _: &mut Client) {
        for (place, (at, _)) in self.script.iter().enumerate() {
            cx.after(Token(place as u64), Duration::from_millis(*at));
        }
    }

    fn event(&mut self, cx: &mut Cx, _: &mut Client, event: Event) {
        let tag = event.tag();
        assert!(!self.ended.contains(&tag), "{event:?} after the end");
        if let Event::Created { handle, .. } = event {
            let before = self.handles.insert(tag, handle);
            assert!(before.is_none(), "{tag} was created twice");
        }
        if event.is_end() {
            self.ended.insert(tag);
        }
        self.events.push((Duration::from_nanos(cx.now().0), event));
    }

    fn timer(&mut self, cx: &mut Cx, client: &mut Client, place: Token) {
        let tag = place.0;
        let taken = match self.script[tag as usize].1.clone() {
            What::Submit(job) => client.submit(cx, job, tag),
            What::StatusOf(of) => client.status(cx, self.handles[&of], tag),
            What::StatusUnique(key) => {
                client.status_unique(cx, Bytes::from_static(key.as_bytes()), tag)
            }
            What::Echo(server, data) => {
                client.echo(cx, ServerId(server), Bytes::from_static(data.as_bytes()), tag)
            }
            What::Close => {
                client.close(cx);
                Ok(())
            }
        };
        if taken.is_err() {
            self.refused.insert(tag);
        }
    }
}
