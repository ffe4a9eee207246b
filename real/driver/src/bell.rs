//! What wakes the alarm at a given moment.
//!
//! On Linux a timer descriptor, for two reasons: the runtime's own timers round up to a
//! millisecond, and while one of them is set every wait for events carries a time-out, for which
//! the kernel sets up and tears down a timer of its own: about a microsecond on each wait.
//! Elsewhere the runtime's.

#[cfg(all(target_os = "linux", not(madsim)))]
pub(crate) use self::descriptor::Bell;
#[cfg(any(not(target_os = "linux"), madsim))]
pub(crate) use self::runtime::Bell;

#[cfg(all(target_os = "linux", not(madsim)))]
mod descriptor {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Context, Poll, ready};
    use storytime_machine::Duration;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Rings once per setting.
    pub(crate) struct Bell(AsyncFd<OwnedFd>);

    impl Bell {
        #[expect(unsafe_code, reason = "the runtime knows no safe way to watch a descriptor")]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // SAFETY: an `OwnedFd` is valid and the same until it is dropped, which happens only
            // with the `AsyncFd` that takes it here; it is never lent out for closing or replacing.
            let watched = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
            Ok(Self(watched?))
        }

        /// Rings after `delay` and not at any moment set before.
        pub(crate) fn set(&mut self, delay: Duration) {
            const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
            // Zero would switch the timer off.
            let delay = delay.max(Duration::from_nanos(1));
            let it_value = Timespec::try_from(delay).expect("delays are bounded by the caller");
            let setting = Itimerspec { it_interval: ZERO, it_value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)
                .expect("a timer of ours takes every positive delay");
        }

        /// Ready once it has rung.
        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            loop {
                let mut guard =
                    ready!(self.0.poll_read_ready(cx)).expect("the runtime outlives its tasks");
                let mut expirations = [0; 8];
                match rustix::io::read(self.0.get_ref(), &mut expirations) {
                    Ok(_) => {
                        // It rings no more before it is set again: nothing to look for until then.
                        guard.clear_ready();
                        return Poll::Ready(());
                    }
                    Err(_) => guard.clear_ready(),
                }
            }
        }
    }
}

#[cfg(any(not(target_os = "linux"), madsim))]
mod runtime {
    use std::future::Future;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use storytime_machine::Duration;
    use tokio::time::{Instant, Sleep, sleep};

    /// Rings once per setting.
    pub(crate) struct Bell(Pin<Box<Sleep>>);

    impl Bell {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(Box::pin(sleep(Duration::ZERO))))
        }

        /// Rings after `delay` and not at any moment set before.
        pub(crate) fn set(&mut self, delay: Duration) {
            self.0.as_mut().reset(Instant::now() + delay);
        }

        /// Ready once it has rung.
        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
}
