//! Where to listen: `-l`, `-p`, `-U`, `-s`.

use super::parse::UsageError;
use super::{Config, Port};
use storytime_machine::{Addr, Endpoint, IpAddr, Listen, Slots};

/// Longest tag of a listener, bytes.
const TAG_BYTES_MAX: usize = 8;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Whichever the first byte shows.
    #[default]
    Auto,
    /// Text.
    Ascii,
    /// Binary.
    Binary,
}

impl Protocol {
    /// Its name in `stats settings`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto-negotiate",
            Self::Ascii => "ascii",
            Self::Binary => "binary",
        }
    }
}

/// Whether and how a listener encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encryption {
    /// As `-Z` and `ssl_verify_mode` say.
    #[default]
    Default,
    /// `notls`: not at all.
    None,
    /// `btls`: TLS, and no certificate asked of the peer.
    Basic,
    /// `mtls`: TLS, and the peer must show a certificate.
    Mutual,
}

/// One address of `-l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOn {
    /// A numeric address.
    pub ip: IpAddr,
    /// Its own port, or that of `-p` and `-U`.
    pub port: Option<Port>,
    /// `proto[ascii]`: what it speaks, or what `-B` says.
    pub protocol: Option<Protocol>,
    /// `tag_x_`: a name for logs, empty for none.
    pub tag: String,
    /// `notls:`, `btls:`, `mtls:`.
    pub encryption: Encryption,
}

/// A listener or datagram socket that a server opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub at: Endpoint,
    /// Datagrams, and not connections.
    pub udp: bool,
    /// What it speaks.
    pub protocol: Protocol,
    /// A name for logs, empty for none.
    pub tag: String,
    /// TLS from the first byte.
    pub encryption: Encryption,
}

impl Config {
    /// Every listener and datagram socket, in order; a socket's token is its place here.
    pub fn listeners(&self) -> Vec<Listener> {
        let plain = |at, udp| Listener {
            at,
            udp,
            protocol: self.protocol,
            tag: String::new(),
            encryption: if self.tls.is_some() && !udp {
                Encryption::Default
            } else {
                Encryption::None
            },
        };
        if let Some(path) = &self.unix_socket {
            let local = plain(Endpoint::unix(path), false);
            return vec![Listener { encryption: Encryption::None, ..local }];
        }
        let mut all = Vec::new();
        for (udp, port) in [(false, self.port), (true, self.udp_port)] {
            let Some(port) = port.to_bind() else { continue };
            if self.listen.is_empty() {
                all.push(plain(Endpoint::any(port), udp));
            }
            for on in &self.listen {
                let own = on.port.map_or(Some(port), Port::to_bind);
                let Some(own) = own else { continue };
                let base = plain(Endpoint::Tcp(Addr::new(on.ip, own)), udp);
                let encryption = match on.encryption {
                    Encryption::Default => base.encryption,
                    _ if udp => Encryption::None,
                    other => other,
                };
                let protocol = on.protocol.unwrap_or(self.protocol);
                all.push(Listener { protocol, tag: on.tag.clone(), encryption, ..base });
            }
        }
        all
    }

    /// Where connections are taken, in order.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.listeners().into_iter().filter(|l| !l.udp).map(|l| l.at).collect()
    }

    /// The listener for an endpoint. Connections above the limit are taken and told so, unless
    /// they are to wait.
    pub(crate) const fn listener(&self, at: Endpoint) -> Listen {
        Listen { at, backlog: self.backlog, slots: Slots::Unlimited }
    }
}

/// Reads the value of one `-l`: addresses with commas, each
/// `[notls:|btls:|mtls:][proto[ascii]:][tag_x_:]address[:port]`.
pub(super) fn parse(config: &mut Config, value: &str) -> Result<(), UsageError> {
    for part in value.split([',', ';']).filter(|part| !part.is_empty()) {
        let on = address(part)?;
        if !config.listen.contains(&on) {
            config.listen.push(on);
        }
    }
    config.listen_words = Some(match config.listen_words.take() {
        Some(before) if before.contains(value) => before,
        Some(before) => format!("{before},{value}"),
        None => value.to_owned(),
    });
    Ok(())
}

fn address(part: &str) -> Result<ListenOn, UsageError> {
    let (encryption, rest) = match part.split_once(':') {
        Some(("notls", rest)) => (Encryption::None, rest),
        Some(("btls", rest)) => (Encryption::Basic, rest),
        Some(("mtls", rest)) => (Encryption::Mutual, rest),
        _ => (Encryption::Default, part),
    };
    let (protocol, rest) = protocol(part, rest)?;
    let (tag, rest) = tag(part, rest)?;
    let (ip, port) = place(part, rest)?;
    Ok(ListenOn { ip, port, protocol, tag, encryption })
}

fn protocol<'a>(part: &str, rest: &'a str) -> Result<(Option<Protocol>, &'a str), UsageError> {
    let Some(named) = rest.strip_prefix("proto[") else { return Ok((None, rest)) };
    let wrong = || {
        UsageError::new(format!(
            "-l {part}: expected proto[ascii], proto[binary] or proto[negotiating] and a colon"
        ))
    };
    let (name, behind) = named.split_once("]:").ok_or_else(wrong)?;
    let protocol = match name {
        "ascii" => Protocol::Ascii,
        "binary" => Protocol::Binary,
        "negotiating" => Protocol::Auto,
        _ => return Err(wrong()),
    };
    Ok((Some(protocol), behind))
}

fn tag<'a>(part: &str, rest: &'a str) -> Result<(String, &'a str), UsageError> {
    let (named, end) = if let Some(named) = rest.strip_prefix("tag_") {
        (named, "_:")
    } else if let Some(named) = rest.strip_prefix("tag[") {
        (named, "]:")
    } else {
        return Ok((String::new(), rest));
    };
    match named.split_once(end) {
        Some((tag, behind)) if (1..=TAG_BYTES_MAX).contains(&tag.len()) => {
            Ok((tag.to_owned(), behind))
        }
        _ => Err(UsageError::new(format!(
            "-l {part}: expected a tag of 1 to {TAG_BYTES_MAX} characters, such as tag_tools_:"
        ))),
    }
}

/// `ip`, `ip:port`, `[v6]:port`, `[v6]`, `*`, `localhost`.
fn place(part: &str, rest: &str) -> Result<(IpAddr, Option<Port>), UsageError> {
    let wrong = || {
        UsageError::new(format!(
            "-l {part}: expected an address such as 10.0.0.1, 10.0.0.1:11211 or [::1]:11211"
        ))
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, behind)) => (host, Some(behind.strip_prefix(':').ok_or_else(wrong)?)),
        None if rest.parse::<IpAddr>().is_ok() => (rest, None),
        None => rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let ip = match host {
        "*" => storytime_machine::ANY,
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        _ => host.parse().map_err(|_| wrong())?,
    };
    let port = match port {
        None => None,
        Some(digits) => Some(super::options::port(digits).ok_or_else(wrong)?),
    };
    Ok((ip, port))
}
