//! Times that commands wait or look for.

use std::time::Duration;

use super::scan::positive_duration;

/// Below it a look at many sockets would take longer than the time to the next one.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
/// Above it nobody waits for the next look.
const LONGEST_INTERVAL: Duration = Duration::from_hours(1);

/// Any time, zero too.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    // What is no time at all is said in the same words as elsewhere.
    humantime::parse_duration(text).or_else(|_| positive_duration(text))
}

/// A time between two looks.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&time) {
        return Ok(time);
    }
    let [shortest, longest] = [SHORTEST_INTERVAL, LONGEST_INTERVAL].map(humantime::format_duration);
    Err(format!("it must be from {shortest} to {longest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_neither_too_often_nor_too_seldom() {
        assert_eq!(interval("50ms"), Ok(SHORTEST_INTERVAL));
        assert_eq!(interval("1h"), Ok(LONGEST_INTERVAL));
        for text in ["0s", "1ns", "49ms", "1h 1ms", "100years"] {
            assert_eq!(interval(text).unwrap_err(), "it must be from 50ms to 1h", "{text}");
        }
        assert!(interval("5").unwrap_err().contains("write a number with its unit"));
    }

    #[test]
    fn no_time_is_a_time() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert!(duration("soon").is_err());
    }
}
