//! A probability: a number from 0 to 1, checked once.

use serde::Deserialize;

/// A probability, or a share of a whole: 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "f64")]
pub struct Probability(f64);

impl Probability {
    /// Never, none.
    pub const NEVER: Self = Self(0.0);
    /// Always, all.
    pub const ALWAYS: Self = Self(1.0);

    /// The probability of this value.
    ///
    /// # Errors
    ///
    /// [`ProbabilityError`] where the value does not lie in 0 to 1.
    pub fn new(value: f64) -> Result<Self, ProbabilityError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(ProbabilityError { value }) }
    }

    /// The value, 0 to 1.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether it never happens.
    pub fn is_zero(self) -> bool {
        self == Self::NEVER
    }
}

impl TryFrom<f64> for Probability {
    type Error = ProbabilityError;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

/// A number that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{value} is not a probability: it must lie in 0 to 1")]
pub struct ProbabilityError {
    /// The number given.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_to_one() {
        for value in [0.0, 0.02, 1.0] {
            assert_eq!(Probability::new(value).map(Probability::value), Ok(value));
        }
        for value in [-0.1, 1.001, f64::NAN, f64::INFINITY] {
            assert!(Probability::new(value).is_err(), "{value}");
        }
        let error = Probability::new(2.0).unwrap_err();
        assert_eq!(error.to_string(), "2 is not a probability: it must lie in 0 to 1");
    }
}
