//! A time printed as RFC 3339 in UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const MILLISECONDS_PER_DAY: i128 = 86_400_000;
/// Days in 400 years, after which the Gregorian calendar repeats.
const DAYS_PER_CYCLE: i128 = 146_097;
/// Days from 1 March of year 0 to 1 January 1970.
const DAYS_BEFORE_EPOCH: i128 = 719_468;

/// `2026-01-31T12:00:00.000Z`: UTC, milliseconds cut off, not rounded. Years before 0 or after
/// 9999, which RFC 3339 section 1 leaves out, are printed with as many digits as they need.
pub(crate) struct Timestamp(pub(crate) SystemTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = match self.0.duration_since(UNIX_EPOCH) {
            Ok(after) => (after.as_nanos() / 1_000_000).cast_signed(),
            Err(before) => -before.duration().as_nanos().div_ceil(1_000_000).cast_signed(),
        };
        let (year, month, day) = date(milliseconds.div_euclid(MILLISECONDS_PER_DAY));
        let of_day = milliseconds.rem_euclid(MILLISECONDS_PER_DAY);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, millisecond) = (of_day / 1000 % 60, of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write!(f, ".{millisecond:03}Z")
    }
}

/// Year, month and day, so many days after 1 January 1970, in the Gregorian calendar.
///
/// Counted from 1 March, so that the leap day is the last of its year and the lengths of the
/// months follow the line (153 m + 2) / 5.
fn date(days: i128) -> (i128, i128, i128) {
    let days = days + DAYS_BEFORE_EPOCH;
    let cycle = days.div_euclid(DAYS_PER_CYCLE);
    let of_cycle = days.rem_euclid(DAYS_PER_CYCLE);
    // Take the leap days out: one each 1460 days, none each 36,524, the last one of the cycle.
    let leap_days = of_cycle / 1460 - of_cycle / 36_524 + of_cycle / (DAYS_PER_CYCLE - 1);
    let year_of_cycle = (of_cycle - leap_days) / 365;
    let day_of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i128::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_that_calendars_get_wrong() {
        for (seconds, printed) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"),
            (253_402_300_800, "10000-01-01T00:00:00.000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Timestamp(time).to_string(), printed);
        }
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp(before).to_string(), "1969-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn agrees_with_humantime(milliseconds in 0..253_402_300_800_000_u64) {
            let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
            let expected = humantime::format_rfc3339_millis(time).to_string();
            prop_assert_eq!(Timestamp(time).to_string(), expected);
        }
    }
}
