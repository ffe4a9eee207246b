//! Where job servers are: names and ports as users write them, and their look-up.

use super::options::Common;
use core::fmt;
use storytime_machine::{Cx, Endpoint, IpAddr, ResolveError, Token};

/// Longest name of a host, bytes.
const HOST_BYTES_MAX: usize = 253;
/// Most servers of one tool.
pub const SERVERS_MAX: usize = 64;

/// A job server by name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name to be looked up, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What is wrong with a list of servers: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPlace {
    /// No server in it.
    None,
    /// More than [`SERVERS_MAX`].
    Many(usize),
    /// Neither `HOST` nor `HOST:PORT`.
    Shape(String),
}

impl Place {
    /// Reads `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        Self::at(text, crate::PORT)
    }

    /// As [`parse`](Self::parse), with another port where none is named.
    ///
    /// # Errors
    /// It is none of these.
    pub fn at(text: &str, default_port: u16) -> Result<Self, BadPlace> {
        let bad = || BadPlace::Shape(text.to_owned());
        let of = |host: &str, port: u16| {
            let fits = !host.is_empty() && host.len() <= HOST_BYTES_MAX && port != 0;
            fits.then(|| Self { host: host.to_owned(), port }).ok_or_else(bad)
        };
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            let port = match rest {
                "" => default_port,
                rest => rest.strip_prefix(':').and_then(|p| p.parse().ok()).ok_or_else(bad)?,
            };
            return of(host, port);
        }
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => of(host, port.parse().map_err(|_| bad())?),
            _ => of(text, default_port),
        }
    }

    /// Reads a list with commas, as in `GEARMAN_SERVER`.
    ///
    /// # Errors
    /// It is empty or too long, or something in it is no server.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, BadPlace> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let places: Vec<Self> = names.map(Self::parse).collect::<Result<_, _>>()?;
        match places.len() {
            0 => Err(BadPlace::None),
            many if many > SERVERS_MAX => Err(BadPlace::Many(many)),
            _ => Ok(places),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for BadPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no job server is named"),
            Self::Many(many) => write!(f, "{many} job servers, at most {SERVERS_MAX} are taken"),
            Self::Shape(text) => write!(f, "`{text}` is not HOST or HOST:PORT"),
        }
    }
}

impl std::error::Error for BadPlace {}

/// Looks all places of a tool up, before it begins.
#[derive(Debug)]
pub(super) struct LookUps {
    places: Vec<Place>,
    found: Vec<Option<IpAddr>>,
    tls: bool,
}

impl LookUps {
    /// Nothing is looked up yet.
    pub(super) fn new(common: &Common) -> Self {
        let found = common.servers.iter().map(|place| place.host.parse().ok()).collect();
        Self { places: common.servers.clone(), found, tls: common.tls }
    }

    /// Asks for the addresses of all names. Look-up tokens are the indexes of the places.
    pub(super) fn start(&self, cx: &mut Cx) {
        for (at, place) in self.places.iter().enumerate() {
            if self.found[at].is_none() {
                cx.resolve(Token(at as u64), place.host.clone());
            }
        }
    }

    /// A look-up completed.
    ///
    /// # Errors
    /// The place whose name has no address.
    pub(super) fn on_resolved(
        &mut self,
        lookup: Token,
        result: Result<Vec<IpAddr>, ResolveError>,
    ) -> Result<(), &Place> {
        let at = usize::try_from(lookup.0).expect("tokens are indexes of places");
        let ips = result.unwrap_or_default();
        // Job servers that listen on one family alone listen on IPv4.
        let ip = ips.iter().find(|ip| ip.is_ipv4()).or_else(|| ips.first()).copied();
        self.found[at] = ip;
        if ip.is_none() { Err(&self.places[at]) } else { Ok(()) }
    }

    /// The addresses, if all are known.
    pub(super) fn endpoints(&self) -> Option<Vec<Endpoint>> {
        let all = self.places.iter().zip(&self.found);
        all.map(|(place, ip)| ip.map(|ip| Endpoint::tcp(ip, place.port))).collect()
    }

    /// What the servers are called, which their certificates must be for; nothing in clear text.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.places.iter().map(|place| place.host.clone());
        if self.tls { names.collect() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_in_the_usual_ways() {
        let shown = |text: &str| Place::parse(text).map(|place| place.to_string());
        assert_eq!(shown("job1"), Ok("job1:4730".into()));
        assert_eq!(shown("127.0.0.1:7003"), Ok("127.0.0.1:7003".into()));
        assert_eq!(shown("::1"), Ok("[::1]:4730".into()));
        assert_eq!(shown("[::1]:5000"), Ok("[::1]:5000".into()));
        assert_eq!(shown("[::1]"), Ok("[::1]:4730".into()));
        for wrong in ["", ":4730", "a:", "a:x", "a:0", "[::1", "[::1]x", "a:70000"] {
            assert_eq!(shown(wrong), Err(BadPlace::Shape(wrong.into())));
        }
    }

    #[test]
    fn a_list_has_commas_and_a_limit() {
        assert_eq!(Place::parse_list("a, b:1,").map(|all| all.len()), Ok(2));
        assert_eq!(Place::parse_list(","), Err(BadPlace::None));
        let many = vec!["a"; SERVERS_MAX + 1].join(",");
        assert_eq!(Place::parse_list(&many), Err(BadPlace::Many(SERVERS_MAX + 1)));
    }
}
