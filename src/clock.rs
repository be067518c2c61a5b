//! The one place where the clocks are read. Everywhere else time is an argument.
//!
//! Lambda freezes the process between events. Whether the monotonic clock runs meanwhile is not documented, and
//! the wall clock may be set back. So both are read, and the clock that saw more time pass gives the
//! age: keys may look older than they are, never younger.

use std::time::{Duration, Instant, SystemTime};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    wall: SystemTime,
    running: Instant,
}

impl Now {
    /// Reads the clocks.
    #[allow(clippy::disallowed_methods, reason = "this is where time enters")]
    pub(crate) fn read() -> Self {
        Self { wall: SystemTime::now(), running: Instant::now() }
    }

    /// Seconds since the Unix epoch, as RFC 7519 section 2 defines `NumericDate`, fraction included.
    pub(crate) fn unix(&self) -> f64 {
        self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// The time of day.
    pub(crate) fn wall(&self) -> SystemTime {
        self.wall
    }

    /// Time since `earlier`, frozen or not.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        wall.max(self.running.saturating_duration_since(earlier.running))
    }
}

/// ISO 8601 in UTC without a fraction, as IAM takes dates; none beyond the year 9999.
pub(crate) fn date_time(unix: f64) -> Option<String> {
    let time =
        SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(unix.floor()).ok()?)?;
    let year_10000 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    (time < year_10000).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

#[cfg(test)]
impl Now {
    /// A reading at this Unix time.
    pub(crate) fn at(unix: f64) -> Self {
        Self { wall: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(unix), ..Self::read() }
    }

    /// Both clocks later by this much.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self { wall: self.wall + by, running: self.running + by }
    }

    /// The process was frozen for this long, and the monotonic clock with it.
    pub(crate) fn frozen(self, by: Duration) -> Self {
        Self { wall: self.wall + by, ..self }
    }

    /// The wall clock was set back by this much.
    pub(crate) fn set_back(self, by: Duration) -> Self {
        Self { wall: self.wall - by, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_time_is_written_down_to_the_year_9999() {
        for (unix, expected) in [
            (0.0, Some("1970-01-01T00:00:00Z")),
            (0.999, Some("1970-01-01T00:00:00Z")),
            (951_782_400.0, Some("2000-02-29T00:00:00Z")),
            (1_700_000_000.5, Some("2023-11-14T22:13:20Z")),
            (253_402_300_799.0, Some("9999-12-31T23:59:59Z")),
            (253_402_300_799.5, Some("9999-12-31T23:59:59Z")),
            (253_402_300_800.0, None),
            (u64::MAX as f64, None),
            (1e308, None),
            (f64::INFINITY, None),
            (-1.0, None),
        ] {
            assert_eq!(date_time(unix).as_deref(), expected, "{unix}");
        }
    }

    #[test]
    fn an_age_counts_the_time_frozen() {
        let then = Now::at(1e9);
        assert_eq!(then.later(SECOND).frozen(HOUR).since(&then), HOUR + SECOND);
    }

    #[test]
    fn an_age_survives_a_wall_clock_set_back() {
        let then = Now::at(1e9);
        assert_eq!(then.later(SECOND).set_back(HOUR).since(&then), SECOND);
        assert_eq!(then.set_back(HOUR).since(&then), Duration::ZERO);
    }
}
