//! The server's time, estimated from what its frames say.
//!
//! A frame's time is old by its way, so every reading is at most the server's true time, and the largest is the best. The
//! estimate gives way slowly (1 ms a second), so that a server whose clock runs slower than ours is followed too.

/// How slowly the estimate gives way to smaller readings: one part in so many.
const GIVES_WAY: i64 = 1_000;

/// The estimate. `now_ms` is any clock that only goes forward.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Server time minus ours, and when that was read.
    reading: Option<(i64, i64)>,
}

impl Clock {
    /// Forgets everything: the next reading counts alone. For a new connection, maybe to another server.
    pub(crate) fn reset(&mut self) {
        self.reading = None;
    }

    /// Takes in a frame's time.
    pub(crate) fn read(&mut self, server_ms: i64, now_ms: i64) {
        let offset = server_ms.saturating_sub(now_ms);
        let kept = match self.reading {
            Some((before, at)) if before - (now_ms - at) / GIVES_WAY > offset => return,
            _ => offset,
        };
        self.reading = Some((kept, now_ms));
    }

    /// The server's time now, milliseconds since 1970; 0 before the first reading.
    pub(crate) fn server_ms(&self, now_ms: i64) -> i64 {
        self.reading.map_or(0, |(offset, at)| offset + now_ms - (now_ms - at) / GIVES_WAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_frame_does_not_set_the_clock_back() {
        let mut clock = Clock::default();
        clock.read(1_000_000, 0);
        assert_eq!(clock.server_ms(500), 1_000_500);
        clock.read(1_000_400, 500);
        assert_eq!(clock.server_ms(500), 1_000_500);
        clock.read(1_000_503, 501);
        assert_eq!(clock.server_ms(501), 1_000_503);
    }

    #[test]
    fn a_slower_server_is_followed_in_time() {
        let mut clock = Clock::default();
        clock.read(1_000_000, 0);
        let slower = |now: i64| 1_000_000 + now - now / 2_000;
        for now in (0..10_000_000).step_by(1_000) {
            clock.read(slower(now), now);
            assert!((clock.server_ms(now) - slower(now)).abs() <= 1_000 / GIVES_WAY + 1);
        }
    }

    #[test]
    fn another_server_counts_alone() {
        let mut clock = Clock::default();
        clock.read(1_000_000, 0);
        clock.reset();
        clock.read(500_000, 0);
        assert_eq!(clock.server_ms(0), 500_000);
    }
}
