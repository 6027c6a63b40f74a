//! Times as people and files write them, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// The day, as 2026-01-31; empty after the year 9999. Times before 1970 are its beginning.
pub(crate) fn day(time: SystemTime) -> String {
    let (year, month, day) = date(seconds(time) / DAY);
    if year > 9999 { String::new() } else { format!("{year:04}-{month:02}-{day:02}") }
}

/// The second as RFC 3339 writes it: `2026-01-31T23:59:59Z`. Times before 1970 are its beginning.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let (days, second) = (seconds(time) / DAY, seconds(time) % DAY);
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Year, month and day of the month, so many days after the beginning of 1970.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March, in eras of 400 of them, which have 146097 days each.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn days_and_seconds_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!((timestamp(time).as_str(), day(time).as_str()), (expected, &expected[..10]));
        }
        assert_eq!(day(UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 1000)), "");
    }
}
