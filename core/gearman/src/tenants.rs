//! Who shares a job server, what each is called, and how much each may have: a file of lines.
//!
//! ```text
//! # name  secret            quotas, if any
//! shop    correct-horse     jobs=10000 bytes=64m
//! blog    battery-staple    jobs=500
//! *       staple-battery
//! ```
//!
//! A tenant's functions are its own: `resize` of `shop` is `shop/resize` to the server, and no
//! other tenant's `resize`. A tenant sees, does and ends nothing of the others'. `*` is who
//! operates the server: it sees all, by their full names. Secrets are held as they are in the file.
//!
//! The file is read again at SIGHUP. Tools are told by `GEARMAN_TENANT=NAME:SECRET` whose they are,
//! so that no list of processes shows it.
//!
//! Quotas bound jobs that have not ended, and the bytes of their data and keys. Mistakes are told
//! by line and column, and never with the line itself: a log is no place for secrets.

use core::fmt;

/// Most tenants.
pub const TENANTS_MAX: usize = 1 << 10;
/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest secret, bytes.
pub const SECRET_BYTES_MAX: usize = 128;
/// Between the name of a tenant and that of its function.
pub const SEPARATOR: u8 = b'/';
/// The code of the error that is sent to who is none of the tenants.
pub const NOT_AUTHORIZED: &str = "NOT_AUTHORIZED";
/// The name of who operates the server.
const OPERATOR: &str = "*";

/// Everybody who may use a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tenants {
    list: Vec<Tenant>,
}

/// One who may use a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its name; none for who operates the server.
    pub name: Option<Box<str>>,
    secret: Box<str>,
    /// Most jobs that have not ended.
    pub jobs_max: u32,
    /// Most bytes of their data and keys.
    pub bytes_max: u64,
}

/// What one says who shares a server, and proves it with: `NAME:SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Box<str>);

/// Not shown: it is a secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.name()).finish_non_exhaustive()
    }
}

impl Credential {
    /// Reads `NAME:SECRET`. None if it cannot be anybody's.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, secret) = text.split_once(':')?;
        let fits = is_name(name) && is_secret(secret) && !secret.is_empty();
        fits.then(|| Self(text.into()))
    }

    /// Who it is.
    pub fn name(&self) -> &str {
        self.split().0
    }

    /// How it is proved.
    pub fn secret(&self) -> &str {
        self.split().1
    }

    /// The option by which a connection says whose it is.
    pub fn option(&self) -> String {
        format!("tenant={}", self.0)
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once(':').expect("it was read")
    }
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(letter);
    fits || name == OPERATOR
}

fn is_secret(secret: &str) -> bool {
    secret.len() <= SECRET_BYTES_MAX && secret.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What is wrong with a file of tenants: the operator's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTenants {
    /// A line is not a name, a secret and quotas.
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// Where in the line, in characters, from 1.
        column: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two lines are of one name.
    Twice {
        /// Number of the second line, from 1.
        line: usize,
        /// Where in the line, in characters, from 1.
        column: usize,
        /// Number of the first line.
        first: usize,
    },
    /// More than [`TENANTS_MAX`].
    TooMany,
    /// Nobody could use the server.
    None,
}

/// Goes behind the name of the file and a colon: `10:3: what is wrong`.
impl fmt::Display for BadTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, column, why } => write!(f, "{line}:{column}: {why}"),
            Self::Twice { line, column, first } => {
                write!(f, "{line}:{column}: this name has line {first} already; leave one of them")
            }
            Self::TooMany => write!(f, " a server has at most {TENANTS_MAX} tenants"),
            Self::None => f.write_str(" it names nobody; a line is NAME SECRET [jobs=N] [bytes=N]"),
        }
    }
}

impl std::error::Error for BadTenants {}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|tenant| &tenant.name)).finish()
    }
}

impl Tenants {
    /// Reads a file.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str) -> Result<Self, BadTenants> {
        let mut list: Vec<Tenant> = Vec::new();
        let mut lines = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let column =
                words.chars().take_while(|letter| letter.is_ascii_whitespace()).count() + 1;
            if words.trim().is_empty() || words.trim_start().starts_with('#') {
                continue;
            }
            let tenant = Tenant::parse(words).map_err(|Mistake { at, why }| {
                let column = words[..at].chars().count() + 1;
                BadTenants::Line { line, column, why }
            })?;
            if let Some(nth) = list.iter().position(|other| other.name == tenant.name) {
                return Err(BadTenants::Twice { line, column, first: lines[nth] });
            }
            if list.len() == TENANTS_MAX {
                return Err(BadTenants::TooMany);
            }
            list.push(tenant);
            lines.push(line);
        }
        if list.is_empty() { Err(BadTenants::None) } else { Ok(Self { list }) }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.list.iter()
    }

    /// One, by its place in the file.
    pub fn get(&self, place: usize) -> Option<&Tenant> {
        self.list.get(place)
    }

    /// Whose credential `NAME:SECRET` this is: its place in the file.
    pub fn find(&self, credential: &[u8]) -> Option<usize> {
        let colon = credential.iter().position(|byte| *byte == b':')?;
        let (name, secret) = (&credential[..colon], &credential[colon + 1..]);
        let called =
            |tenant: &Tenant| tenant.name.as_deref().unwrap_or(OPERATOR).as_bytes() == name;
        let found = self.list.iter().position(called)?;
        is_same(self.list[found].secret.as_bytes(), secret).then_some(found)
    }
}

/// Compares secrets; how long it takes tells nothing of where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// What is wrong with a line, and at which of its bytes.
#[derive(Clone, Copy, Debug)]
struct Mistake {
    at: usize,
    why: &'static str,
}

/// The words of a line, and where they begin.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut behind = 0;
    let words = line.split(|letter: char| letter.is_ascii_whitespace()).map(move |word| {
        let at = behind;
        behind = at + word.len() + 1;
        (at, word)
    });
    words.filter(|(_, word)| !word.is_empty())
}

impl Tenant {
    fn parse(line: &str) -> Result<Self, Mistake> {
        let mut words = words(line);
        let mut next = || {
            let why = "a line is NAME SECRET [jobs=N] [bytes=N]";
            words.next().ok_or_else(|| Mistake { at: line.trim_end().len(), why })
        };
        let ((at, name), (secret_at, secret)) = (next()?, next()?);
        if !is_name(name) {
            let why = "a name has 1 to 32 letters, digits, or signs of -_. (or is *)";
            return Err(Mistake { at, why });
        }
        if !is_secret(secret) {
            let why = "a secret has 1 to 128 letters, digits or signs";
            return Err(Mistake { at: secret_at, why });
        }
        let (mut jobs_max, mut bytes_max) = (None, None);
        for (at, word) in words {
            let mistake = |why| Mistake { at, why };
            let wrong = mistake("a quota is jobs=N or bytes=N[k|m|g], without spaces");
            let (what, value) = word.split_once('=').ok_or(wrong)?;
            let value = crate::config::scaled(value).ok_or(wrong)?;
            let before = match what {
                "jobs" => jobs_max.replace(u32::try_from(value).map_err(|_| wrong)?).is_some(),
                "bytes" => bytes_max.replace(value as u64).is_some(),
                _ => return Err(wrong),
            };
            if before {
                return Err(mistake("this quota was given before; leave one of them"));
            }
        }
        Ok(Self {
            name: (name != OPERATOR).then(|| name.into()),
            secret: secret.into(),
            jobs_max: jobs_max.unwrap_or(u32::MAX),
            bytes_max: bytes_max.unwrap_or(u64::MAX),
        })
    }

    /// What its functions begin with, to the server.
    pub fn prefix(&self) -> Option<Vec<u8>> {
        self.name.as_ref().map(|name| [name.as_bytes(), &[SEPARATOR]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_tenants_secrets_and_quotas() {
        let text = "# who\n\nshop horse jobs=10 bytes=64k\n  blog staple  \n* all\n";
        let tenants = Tenants::parse(text).expect("it is right");
        let told: Vec<_> =
            tenants.iter().map(|t| (t.name.as_deref(), t.jobs_max, t.bytes_max)).collect();
        let all = (u32::MAX, u64::MAX);
        let blog = (Some("blog"), all.0, all.1);
        assert_eq!(told, [(Some("shop"), 10, 65536), blog, (None, all.0, all.1)]);
        assert_eq!(tenants.get(0).and_then(Tenant::prefix), Some(b"shop/".to_vec()));
        assert!(!format!("{tenants:?}").contains("horse"), "secrets are not shown");
    }

    #[test]
    fn a_credential_is_a_name_and_its_secret() {
        let tenants = Tenants::parse("shop horse\nblog sta:ple\n* all").expect("it is right");
        let of = |credential: &str| tenants.find(credential.as_bytes());
        assert_eq!(
            (of("shop:horse"), of("blog:sta:ple"), of("*:all")),
            (Some(0), Some(1), Some(2))
        );
        for wrong in ["", "shop", "shop:", "shop:hors", "shop:horse ", "blog:horse", ":horse"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_credential_is_read_if_it_can_be_somebodys() {
        let read = Credential::parse("shop:ho:rse").expect("it can be");
        assert_eq!((read.name(), read.secret()), ("shop", "ho:rse"));
        assert_eq!(read.option(), "tenant=shop:ho:rse");
        assert!(Credential::parse("*:all").is_some());
        assert!(!format!("{read:?}").contains("rse"), "secrets are not shown");
        for wrong in ["", "shop", "shop:", ":horse", "sh op:horse", "shop:ho rse", "**:x"] {
            assert_eq!(Credential::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn mistakes_name_their_line_and_column() {
        for (text, place) in [
            ("shop", "1:5: a line is NAME SECRET"),
            ("shop ", "1:5: "),
            ("a b\n  sh/op x", "2:3: a name has"),
            ("a b\n* c\n\n # d\n\ta d", "5:2: this name has line 1 already"),
            ("* c\n* d", "2:1: this name has line 1"),
            ("a \u{e9}", "1:3: a secret has"),
            ("\u{e9} b", "1:1: a name has"),
            ("a b jobs", "1:5: a quota is"),
            ("a b  jobs=x", "1:6: "),
            ("a b jobs=1 cpu=1", "1:12: "),
            ("a b jobs=4294967296", "1:5: "),
            ("a b jobs=1 bytes=2 jobs=1", "1:20: this quota was given before"),
        ] {
            let wrong = Tenants::parse(text).expect_err(text).to_string();
            assert!(wrong.starts_with(place), "{text}: {wrong}");
        }
        assert_eq!(Tenants::parse("# nobody\n"), Err(BadTenants::None));
        let many: String = (0..=TENANTS_MAX).map(|n| format!("t{n} s\n")).collect();
        assert_eq!(Tenants::parse(&many), Err(BadTenants::TooMany));
    }
}
