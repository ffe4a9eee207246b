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
//! Quotas bound jobs that have not ended, and the bytes of their data and keys.

use core::fmt;

/// Most tenants.
pub const TENANTS_MAX: usize = 1 << 10;
/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest secret, bytes.
pub const SECRET_BYTES_MAX: usize = 128;
/// Between the name of a tenant and that of its function.
pub const SEPARATOR: u8 = b'/';
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

/// What is wrong with a file of tenants: the operator's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTenants {
    /// A line is not a name, a secret and quotas.
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than [`TENANTS_MAX`].
    TooMany,
    /// Nobody could use the server.
    None,
}

impl fmt::Display for BadTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, why } => write!(f, "line {line}: {why}"),
            Self::TooMany => write!(f, "more than {TENANTS_MAX} tenants"),
            Self::None => f.write_str("it names nobody"),
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
        for (nth, words) in text.lines().enumerate() {
            let words = words.trim();
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            let bad = |why| BadTenants::Line { line: nth + 1, why };
            let tenant = Tenant::parse(words).map_err(bad)?;
            if list.iter().any(|other| other.name == tenant.name) {
                return Err(bad("this name was given before"));
            }
            if list.len() == TENANTS_MAX {
                return Err(BadTenants::TooMany);
            }
            list.push(tenant);
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

impl Tenant {
    fn parse(words: &str) -> Result<Self, &'static str> {
        let mut words = words.split_ascii_whitespace();
        let (Some(name), Some(secret)) = (words.next(), words.next()) else {
            return Err("a line is NAME SECRET [jobs=N] [bytes=N]");
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = name.len() <= NAME_BYTES_MAX && name.bytes().all(letter);
        if name != OPERATOR && !fits {
            return Err("a name has 1 to 32 letters, digits, or signs of -_.");
        }
        if secret.len() > SECRET_BYTES_MAX || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a secret has 1 to 128 letters, digits or signs");
        }
        let mut tenant = Self {
            name: (name != OPERATOR).then(|| name.into()),
            secret: secret.into(),
            jobs_max: u32::MAX,
            bytes_max: u64::MAX,
        };
        for word in words {
            let wrong = "a quota is jobs=N or bytes=N[k|m|g]";
            let (what, value) = word.split_once('=').ok_or(wrong)?;
            let value = crate::config::scaled(value).ok_or(wrong)?;
            match what {
                "jobs" => tenant.jobs_max = u32::try_from(value).map_err(|_| wrong)?,
                "bytes" => tenant.bytes_max = value as u64,
                _ => return Err(wrong),
            }
        }
        Ok(tenant)
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
    fn mistakes_name_their_line() {
        for (text, line) in [
            ("shop", 1),
            ("a b\nsh/op x", 2),
            ("a b\n* c\na d", 3),
            ("a b jobs", 1),
            ("a b jobs=x", 1),
            ("a b cpu=1", 1),
            ("a b jobs=4294967296", 1),
        ] {
            let wrong = Tenants::parse(text).expect_err(text).to_string();
            assert!(wrong.starts_with(&format!("line {line}: ")), "{text}: {wrong}");
        }
        assert_eq!(Tenants::parse("# nobody\n"), Err(BadTenants::None));
        let many: String = (0..=TENANTS_MAX).map(|n| format!("t{n} s\n")).collect();
        assert_eq!(Tenants::parse(&many), Err(BadTenants::TooMany));
    }
}
