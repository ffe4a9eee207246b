//! Who may log in: names and passwords, from files of lines.
//!
//! Two kinds of files are read, as the originals read them:
//!
//! | file | a line | rest of the line | line without a colon |
//! |---|---|---|---|
//! | of `-Y` | `user:password` | the password ends with the line and may have colons | refused |
//! | of `-S` (`MEMCACHED_SASL_PWDB`) | `user:password:` | ignored from the second colon on | ignored |
//!
//! Passwords are held as they are in the file. Databases and mechanisms of Cyrus SASL are not
//! modelled: who wants more than names and passwords needs TLS and certificates.

use core::fmt;

/// Most users in one file.
pub const USERS_MAX: usize = 4096;
/// Longest line of a file, bytes, without its line end.
pub const ENTRY_BYTES_MAX: usize = 254;

/// How the lines of a file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `user:password`, the file of `-Y`.
    Plain,
    /// `user:password:`, the file of `-S`.
    Sasl,
}

/// Names and passwords.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Users {
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    user: Box<[u8]>,
    password: Box<[u8]>,
}

/// What is wrong with a file of users: the operator's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUsers {
    /// A line has no colon between name and password.
    NoColon {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line is longer than [`ENTRY_BYTES_MAX`].
    TooLong {
        /// Number of the line, from 1.
        line: usize,
    },
    /// More than [`USERS_MAX`] users.
    TooMany,
}

impl fmt::Display for BadUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon { line } => write!(f, "line {line}: expected user:password"),
            Self::TooLong { line } => {
                write!(f, "line {line}: longer than {ENTRY_BYTES_MAX} bytes; shorten the password")
            }
            Self::TooMany => write!(f, "more than {USERS_MAX} users"),
        }
    }
}

impl std::error::Error for BadUsers {}

/// Shows how many there are, and no secrets.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("entries", &self.entries.len()).finish()
    }
}

impl Users {
    /// The users of a file.
    ///
    /// # Errors
    /// If a line cannot be meant, or there are too many.
    pub fn from_text(text: &[u8], format: Format) -> Result<Self, BadUsers> {
        let mut entries = Vec::new();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        for (line, entry) in (1..).zip(text.split(|&b| b == b'\n')) {
            let entry = entry.strip_suffix(b"\r").unwrap_or(entry);
            if entry.len() > ENTRY_BYTES_MAX {
                return Err(BadUsers::TooLong { line });
            }
            let Some(colon) = memchr::memchr(b':', entry) else {
                match format {
                    Format::Plain => return Err(BadUsers::NoColon { line }),
                    Format::Sasl => continue,
                }
            };
            if entries.len() == USERS_MAX {
                return Err(BadUsers::TooMany);
            }
            let (user, rest) = (&entry[..colon], &entry[colon + 1..]);
            let password = match format {
                Format::Plain => rest,
                Format::Sasl => memchr::memchr(b':', rest).map_or(rest, |end| &rest[..end]),
            };
            entries.push(Entry { user: user.into(), password: password.into() });
        }
        Ok(Self { entries })
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody may log in.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is such a user with such a password. Takes the same time wherever they differ
    /// from what is there.
    pub fn check(&self, user: &[u8], password: &[u8]) -> bool {
        let mut found = false;
        for entry in &self.entries {
            let this = same(&entry.user, user) & same(&entry.password, password);
            found |= core::hint::black_box(this);
        }
        found
    }
}

/// Compares in a time that tells lengths and nothing else.
fn same(expected: &[u8], given: &[u8]) -> bool {
    if expected.len() != given.len() {
        return false;
    }
    let differences = expected.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    core::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str, format: Format) -> Users {
        Users::from_text(text.as_bytes(), format).expect(text)
    }

    #[test]
    fn name_and_password_must_both_be_right() {
        for text in
            ["brad:secret\nbob:other\n", "brad:secret\r\nbob:other", "bob:other\nbrad:secret"]
        {
            let users = users(text, Format::Plain);
            assert!(users.check(b"brad", b"secret") && users.check(b"bob", b"other"), "{text}");
            for (user, password) in
                [("brad", "other"), ("bob", "secret"), ("brad", ""), ("", ""), ("brad", "secret:")]
            {
                assert!(!users.check(user.as_bytes(), password.as_bytes()), "{user}:{password}");
            }
        }
    }

    #[test]
    fn colons_belong_to_a_plain_password_and_end_one_of_sasl() {
        assert!(users("u:a:b", Format::Plain).check(b"u", b"a:b"));
        assert!(!users("u:a:b", Format::Plain).check(b"u", b"a"));
        for text in ["u:a:b", "u:a:::::", "u:a", "# users\n\nu:a:\r\n"] {
            assert!(users(text, Format::Sasl).check(b"u", b"a"), "{text}");
        }
    }

    #[test]
    fn an_empty_file_lets_nobody_in() {
        assert!(users("", Format::Plain).is_empty() && users("\n", Format::Sasl).is_empty());
        assert!(!Users::default().check(b"", b""));
    }

    #[test]
    fn bad_lines_are_named() {
        let of = |text: &str| Users::from_text(text.as_bytes(), Format::Plain).unwrap_err();
        assert_eq!(of("a:b\nno colon\n"), BadUsers::NoColon { line: 2 });
        assert_eq!(of("a:b\n\nc:d"), BadUsers::NoColon { line: 2 });
        let long = format!("a:{}", "b".repeat(ENTRY_BYTES_MAX - 1));
        assert_eq!(of(&long), BadUsers::TooLong { line: 1 });
        assert_eq!(users(&long[1..], Format::Plain).len(), 1);
        assert_eq!(of(&"a:b\n".repeat(USERS_MAX + 1)), BadUsers::TooMany);
        assert_eq!(of("x").to_string(), "line 1: expected user:password");
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", users("brad:secret", Format::Plain));
        assert!(!shown.contains("secret") && !shown.contains("brad"), "{shown}");
    }
}
