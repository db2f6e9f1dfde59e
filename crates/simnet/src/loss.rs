//! Which packets a path loses: one by one, or in bursts.

use serde::Deserialize;

use crate::Probability;
use crate::random::Random;

/// Loss as a chain of two states (Gilbert 1960, Elliott 1963): in the good one and in the bad one a
/// packet is lost with different probability, and before each packet the state may change.
///
/// In TOML either a number, for loss of each packet by itself, or a table:
///
/// ```toml
/// loss = { good_to_bad = 0.01, bad_to_good = 0.25, bad = 1.0 }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "LossText")]
pub struct Loss {
    good_to_bad: Probability,
    bad_to_good: Probability,
    good: Probability,
    bad: Probability,
}

impl Loss {
    /// No packet is lost.
    pub const NONE: Self = Self::independent(Probability::NEVER);

    /// Each packet is lost with this probability, whatever happened to the one before.
    pub const fn independent(probability: Probability) -> Self {
        Self {
            good_to_bad: Probability::NEVER,
            bad_to_good: Probability::ALWAYS,
            good: probability,
            bad: probability,
        }
    }

    /// Bursts: each packet may begin one, in which all are lost, and each may end it.
    ///
    /// A burst has `1 / end` packets on average; `begin / (begin + end)` of all packets are lost.
    pub const fn bursts(begin: Probability, end: Probability) -> Self {
        Self {
            good_to_bad: begin,
            bad_to_good: end,
            good: Probability::NEVER,
            bad: Probability::ALWAYS,
        }
    }
}

/// The two ways to write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum LossText {
    Independent(Probability),
    Chain(Chain),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    good_to_bad: Probability,
    bad_to_good: Probability,
    #[serde(default)]
    good: Probability,
    bad: Probability,
}

impl From<LossText> for Loss {
    fn from(text: LossText) -> Self {
        match text {
            LossText::Independent(probability) => Self::independent(probability),
            LossText::Chain(Chain { good_to_bad, bad_to_good, good, bad }) => {
                Self { good_to_bad, bad_to_good, good, bad }
            }
        }
    }
}

/// One direction of one path, with the state its chain is in.
#[derive(Clone, Debug)]
pub(crate) struct LossChain {
    loss: Loss,
    is_bad: bool,
}

impl LossChain {
    pub(crate) const fn new(loss: Loss) -> Self {
        Self { loss, is_bad: false }
    }

    /// Whether the next packet is lost.
    pub(crate) fn loses(&mut self, random: &mut Random) -> bool {
        let Loss { good_to_bad, bad_to_good, good, bad } = self.loss;
        let turns = if self.is_bad { bad_to_good } else { good_to_bad };
        self.is_bad ^= random.happens(turns);
        random.happens(if self.is_bad { bad } else { good })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(loss: Loss) -> Vec<bool> {
        let (mut chain, mut random) = (LossChain::new(loss), Random::new(3));
        (0..100_000).map(|_| chain.loses(&mut random)).collect()
    }

    fn probability(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    #[test]
    fn a_burst_is_as_long_and_as_frequent_as_it_should() {
        let lost = losses(Loss::bursts(probability(0.01), probability(0.25)));
        let count = lost.iter().filter(|lost| **lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        // 0.01 / 0.26 of all, in runs of 4.
        assert!((3_500..4_200).contains(&count), "{count}");
        assert!((36..44).contains(&(count * 10 / bursts)), "{count} in {bursts}");
    }

    #[test]
    fn independent_losses_do_not_come_in_bursts() {
        let lost = losses(Loss::independent(probability(0.1)));
        let count = lost.iter().filter(|lost| **lost).count();
        let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!((9_700..10_300).contains(&count), "{count}");
        assert!((900..1_100).contains(&pairs), "{pairs}");
        assert!(losses(Loss::NONE).iter().all(|lost| !lost));
    }
}
