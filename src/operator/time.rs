//! Times on the command line: how long, and when.

use std::time::Duration;

use jiff::Timestamp;

/// A span: `90s`, `10m`, `1h`, `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 90s, 10m, 1h or 30d");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// An instant with its offset or zone, in milliseconds since 1970: `2026-11-20T10:00:00+08:00`, `2026-11-20T02:00:00Z`.
pub(super) fn instant_ms(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| {
        format!("`{text}` is no instant; write it with its offset, such as 2026-11-20T10:00:00+08:00 or 2026-11-20T02:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_instants_are_read_or_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in ["", "s", "5", "5w", "-1s", "99999999999999999999d", "999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        let opens_ms = Ok(1_795_140_000_000);
        for same in ["2026-11-20T10:00:00+08:00", "2026-11-20T02:00:00Z", "2026-11-20T10:00+08:00[Asia/Shanghai]"] {
            assert_eq!(instant_ms(same), opens_ms, "{same}");
        }
        for wrong in ["", "2026-11-20", "2026-11-20T10:00:00", "yesterday"] {
            assert!(instant_ms(wrong).is_err(), "{wrong}");
        }
    }
}
