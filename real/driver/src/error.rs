//! Errors of the operating system in the contract's words.

use std::io::{Error, ErrorKind};
use storytime_machine::{BindError, Gone};

/// Why a connection that was up ended.
pub(crate) fn gone(error: &Error) -> Gone {
    match error.kind() {
        ErrorKind::TimedOut => Gone::TimedOut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Gone::Unreachable
        }
        ErrorKind::OutOfMemory => Gone::NoResources,
        ErrorKind::InvalidData => Gone::Misbehaved,
        _ => Gone::Reset,
    }
}

/// Why a connect did not come up.
pub(crate) fn connect(error: &Error) -> Gone {
    match error.kind() {
        // A unix socket whose file is missing: nobody listens there.
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Gone::Refused,
        ErrorKind::TimedOut => Gone::TimedOut,
        // Out of ports, or a unix listener's full queue.
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse | ErrorKind::WouldBlock => {
            Gone::NoResources
        }
        ErrorKind::OutOfMemory => Gone::NoResources,
        _ if out_of_files(error) => Gone::NoResources,
        _ => Gone::Unreachable,
    }
}

/// Why a socket could not be bound.
pub(crate) fn bind(error: &Error) -> BindError {
    match error.kind() {
        ErrorKind::AddrInUse => BindError::InUse,
        ErrorKind::AddrNotAvailable => BindError::NotHere,
        _ => BindError::Denied,
    }
}

/// Whether the process or the system has no file descriptor or socket buffer left.
pub(crate) fn out_of_files(error: &Error) -> bool {
    #[cfg(not(madsim))]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
    }
    #[cfg(madsim)]
    {
        let _ = error;
        false
    }
}
