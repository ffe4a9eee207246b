//! `-u`: who the process is.

use rustix::process::{Gid, Uid, geteuid, getuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

/// The user that root stays.
pub(crate) const UNCHANGED: &str = "root";

/// Who the process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Who it is.
    Unchanged,
    /// Somebody else.
    User { user: u32, group: u32 },
}

/// Whether the process may become somebody else, and so should.
pub(crate) fn is_root() -> bool {
    getuid().is_root() || geteuid().is_root()
}

/// Looks the user up. Who is not root stays what it is.
pub(crate) fn of(name: &str) -> Result<Identity, String> {
    if !is_root() {
        return Ok(Identity::Unchanged);
    }
    let table = std::fs::read_to_string("/etc/passwd")
        .map_err(|why| format!("-u {name}: cannot read /etc/passwd: {why}"))?;
    find(&table, name).ok_or_else(|| format!("-u {name}: no such user in /etc/passwd"))
}

fn find(table: &str, name: &str) -> Option<Identity> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        found.then_some(Identity::User { user, group })
    })
}

impl Identity {
    /// Becomes it. To be called while the process has one thread: it is threads that have users.
    pub(crate) fn assume(self) -> Result<(), String> {
        let Self::User { user, group } = self else { return Ok(()) };
        let failed = |what: &str, why: rustix::io::Errno| format!("-u: cannot {what}: {why}");
        match set_thread_groups(&[]) {
            // Somebody has taken this right from us already, and with it what it protects.
            Ok(()) | Err(rustix::io::Errno::PERM) => {}
            Err(why) => return Err(failed("drop its groups", why)),
        }
        set_thread_gid(Gid::from_raw(group)).map_err(|why| failed("change its group", why))?;
        set_thread_uid(Uid::from_raw(user)).map_err(|why| failed("change its user", why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let table =
            "root:x:0:0:root:/root:/bin/sh\nrooty:x:7:8::/:\nbroken\nnobody:x:65534:65533::";
        assert_eq!(find(table, "root"), Some(Identity::User { user: 0, group: 0 }));
        assert_eq!(find(table, "nobody"), Some(Identity::User { user: 65534, group: 65533 }));
        assert_eq!(find(table, "broken"), None);
        assert_eq!(find(table, "oot"), None);
    }
}
