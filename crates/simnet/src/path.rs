//! The way between the scanner and a host: delay, jitter, loss, reordering, duplicates.

use std::time::Duration;

use serde::Deserialize;

use crate::loss::LossChain;
use crate::random::Random;
use crate::{Loss, Probability};

/// What one direction of a path does to packets. The default is perfect: at once, all, in order.
///
/// In TOML, with times in milliseconds:
///
/// ```toml
/// path = { delay_ms = 25, jitter_ms = 5, loss = 0.02, duplicate = 0.001, reorder = 0.01, reorder_ms = 10 }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Path {
    #[serde(rename = "delay_ms", deserialize_with = "milliseconds")]
    delay: Duration,
    #[serde(rename = "jitter_ms", deserialize_with = "milliseconds")]
    jitter: Duration,
    loss: Loss,
    duplicate: Probability,
    reorder: Probability,
    #[serde(rename = "reorder_ms", deserialize_with = "milliseconds")]
    reorder_delay: Duration,
}

impl Path {
    /// A perfect path.
    pub const PERFECT: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Loss::NONE,
        duplicate: Probability::NEVER,
        reorder: Probability::NEVER,
        reorder_delay: Duration::ZERO,
    };

    /// The longest time that can be set, each time for itself; a longer one counts as this.
    pub const LONGEST: Duration = Duration::from_hours(24);

    /// How long each packet takes at least.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = bounded(delay);
        self
    }

    /// How much longer it may take: evenly from nothing to this. More than the gap between two
    /// packets, and they change places.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = bounded(jitter);
        self
    }

    /// Which packets are lost.
    #[must_use]
    pub const fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// How many packets arrive twice.
    #[must_use]
    pub const fn duplicate(mut self, share: Probability) -> Self {
        self.duplicate = share;
        self
    }

    /// How many packets are held back by `delay`, so that those behind overtake them.
    #[must_use]
    pub const fn reorder(mut self, share: Probability, delay: Duration) -> Self {
        self.reorder = share;
        self.reorder_delay = bounded(delay);
        self
    }
}

/// Any instant of this machine's and three of these are an instant.
const fn bounded(time: Duration) -> Duration {
    if time.as_nanos() > Path::LONGEST.as_nanos() { Path::LONGEST } else { time }
}

fn milliseconds<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    use serde::de::Error as _;
    let number = f64::deserialize(source)?;
    let time = Duration::try_from_secs_f64(number / 1e3)
        .map_err(|error| D::Error::custom(format!("{number} ms: {error}")))?;
    if time > Path::LONGEST {
        let most = Path::LONGEST.as_millis();
        return Err(D::Error::custom(format!("{number} ms: more than {most}")));
    }
    Ok(time)
}

/// What becomes of one packet: how long each of its copies takes. None: it is lost.
pub(crate) type Copies = [Option<Duration>; 2];

/// One direction of a path, with the state it is in.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    path: Path,
    chain: LossChain,
}

impl Direction {
    pub(crate) const fn new(path: Path) -> Self {
        Self { path, chain: LossChain::new(path.loss) }
    }

    /// Sends one packet.
    pub(crate) fn carry(&mut self, random: &mut Random) -> Copies {
        if self.chain.loses(random) {
            return [None, None];
        }
        let first = self.time(random);
        let second = random.happens(self.path.duplicate).then(|| self.time(random));
        [Some(first), second]
    }

    fn time(&self, random: &mut Random) -> Duration {
        let held = if random.happens(self.path.reorder) {
            self.path.reorder_delay
        } else {
            Duration::ZERO
        };
        self.path.delay + random.up_to(self.path.jitter) + held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn carried(path: Path) -> Vec<Copies> {
        let (mut direction, mut random) = (Direction::new(path), Random::new(5));
        (0..10_000).map(|_| direction.carry(&mut random)).collect()
    }

    #[test]
    fn a_perfect_path_takes_no_time_and_loses_nothing() {
        assert!(
            carried(Path::PERFECT).iter().all(|copies| *copies == [Some(Duration::ZERO), None])
        );
    }

    #[test]
    fn delay_and_jitter_bound_the_time() {
        let times: Vec<_> = carried(Path::PERFECT.delay(25 * MS).jitter(10 * MS))
            .into_iter()
            .filter_map(|copies| copies[0])
            .collect();
        assert!(times.iter().all(|time| (25 * MS..35 * MS).contains(time)));
        assert!(
            times.iter().any(|time| *time < 26 * MS) && times.iter().any(|time| *time > 34 * MS)
        );
    }

    #[test]
    fn duplicates_and_reordered_packets_are_as_many_as_asked() {
        let tenth = Probability::new(0.1).unwrap();
        let copies = carried(Path::PERFECT.duplicate(tenth).reorder(tenth, 7 * MS));
        let twice = copies.iter().filter(|copies| copies[1].is_some()).count();
        let held = copies.iter().filter(|copies| copies[0] == Some(7 * MS)).count();
        assert!((900..1100).contains(&twice), "{twice}");
        assert!((900..1100).contains(&held), "{held}");
    }

    #[test]
    fn no_time_is_past_the_longest() {
        let once = Probability::new(1.0).unwrap();
        let path = Path::PERFECT.delay(Duration::MAX).jitter(Duration::MAX);
        for copies in carried(path.reorder(once, Duration::MAX)) {
            assert!(copies[0].is_some_and(|time| time <= 3 * Path::LONGEST));
        }
    }

    #[test]
    fn a_time_that_cannot_be_is_refused() {
        for text in [
            "delay_ms = -1",
            "jitter_ms = nan",
            "reorder_ms = 1e300",
            "delay_ms = 86400001",
            "delay = 5",
            "loss = 1.5",
        ] {
            assert!(toml::from_str::<Path>(text).is_err(), "{text}");
        }
        let path: Path = toml::from_str("delay_ms = 2.5\nloss = 0.02").unwrap();
        let loss = Loss::independent(Probability::new(0.02).unwrap());
        assert_eq!(path, Path::PERFECT.delay(Duration::from_micros(2500)).loss(loss));
    }
}
