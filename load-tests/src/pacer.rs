//! Waking at an instant to a few microseconds. Tokio's own timer counts whole milliseconds, which would be most of what
//! is measured.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A kernel timer.
pub(crate) struct Pacer(AsyncFd<OwnedFd>);

impl Pacer {
    pub(crate) fn new() -> io::Result<Pacer> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for types that lie about their descriptor; OwnedFd does not"
        )]
        AsyncFd::with_interest(timer, Interest::READABLE).map(Pacer)
    }

    /// Returns at `instant`, or at once if it has passed. Can be dropped and asked again.
    pub(crate) async fn until(&self, instant: Instant) -> io::Result<()> {
        let wait = instant.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return Ok(());
        }
        let wait = wait.max(Duration::from_nanos(1));
        let value = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        // Setting the timer also forgets that an earlier wait, since dropped, has run out.
        timerfd_settime(
            self.0.get_ref(),
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: ZERO, it_value: value },
        )?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut count = [0; 8];
            match ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut count)?)) {
                Ok(read) => return read.map(|_| ()),
                Err(_not_yet) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_wakes_no_earlier_even_after_a_dropped_wait() {
        let pacer = Pacer::new().unwrap();
        let near = Instant::now() + Duration::from_micros(200);
        pacer.until(near).await.unwrap();
        assert!(Instant::now() >= near);

        let dropped =
            tokio::time::timeout(Duration::from_millis(2), pacer.until(Instant::now() + Duration::from_secs(60)));
        assert!(dropped.await.is_err());
        let next = Instant::now() + Duration::from_millis(3);
        pacer.until(next).await.unwrap();
        assert!(Instant::now() >= next);
    }
}
