//! Times that commands wait or look for.

use std::time::Duration;

/// Below it a look at many sockets would take longer than the time to the next one.
#[cfg(target_os = "linux")]
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
/// Above it nobody waits for the next look.
#[cfg(target_os = "linux")]
const LONGEST_INTERVAL: Duration = Duration::from_hours(1);

/// Nobody waits longer, and a clock can still tell when it will be over.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Any time, for those who have bounds of their own.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| no_time(&error))
}

/// Any time up to the longest, zero too.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    if time > LONGEST { Err("the longest is 365days".to_owned()) } else { Ok(time) }
}

/// A time above zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("it must be more than zero".to_owned()) } else { Ok(time) }
}

/// A time between two looks.
#[cfg(target_os = "linux")]
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&time) {
        return Ok(time);
    }
    let [shortest, longest] = [SHORTEST_INTERVAL, LONGEST_INTERVAL].map(humantime::format_duration);
    Err(format!("it must be from {shortest} to {longest}"))
}

/// Why a text is not a time.
fn no_time(error: &humantime::DurationError) -> String {
    use humantime::DurationError as Error;
    let why = match error {
        Error::UnknownUnit { unit, .. } if unit.is_empty() => "its unit is missing".to_owned(),
        Error::UnknownUnit { unit, .. } => format!("`{unit}` is no unit of time"),
        Error::NumberOverflow => return "it is too long".to_owned(),
        _ => "it is not a time".to_owned(),
    };
    format!("{why}: write a number with its unit, such as 500ms, 2s or 1m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn looks_are_neither_too_often_nor_too_seldom() {
        assert_eq!(interval("50ms"), Ok(SHORTEST_INTERVAL));
        assert_eq!(interval("1h"), Ok(LONGEST_INTERVAL));
        for text in ["0s", "1ns", "49ms", "1h 1ms", "300days", "1000y"] {
            assert_eq!(interval(text).unwrap_err(), "it must be from 50ms to 1h", "{text}");
        }
        assert!(interval("5").unwrap_err().contains("write a number with its unit"));
    }

    #[test]
    fn no_time_is_a_time() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert!(duration("soon").is_err());
    }

    #[test]
    fn what_is_no_time_is_said_once() {
        for (text, why) in [
            ("5", "its unit is missing: write"),
            ("5parsecs", "`parsecs` is no unit of time: write"),
            ("", "it is not a time: write"),
            ("soon", "it is not a time: write"),
            ("99999999999999999999s", "it is too long"),
            ("366days", "the longest is 365days"),
            ("0s", "it must be more than zero"),
        ] {
            let said = positive_duration(text).unwrap_err();
            assert!(said.starts_with(why), "{text}: {said}");
        }
    }
}
