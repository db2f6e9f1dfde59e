//! A shard: one of several shares of a plan.

use std::fmt;
use std::str::FromStr;

/// One of several shares of a plan: every `count`-th block, from the block `number`. The shards `1/N`
/// to `N/N` of one plan are the plan, each port once. They differ by a block at most, which of a small
/// plan is much: a plan of one block is all in the first shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    number: u32,
    count: u32,
}

impl Shard {
    /// The whole plan.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Share `number` of `count`, counted from 1.
    ///
    /// # Errors
    ///
    /// [`ParseShardError`] where `number` is 0 or above `count`.
    pub const fn new(number: u32, count: u32) -> Result<Self, ParseShardError> {
        if count == 0 {
            return Err(ParseShardError::NoShards);
        }
        if number == 0 || number > count {
            return Err(ParseShardError::OutOfRange { number, count });
        }
        Ok(Self { number, count })
    }

    /// Which share, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many shares there are.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// Whether it is the whole plan.
    pub const fn is_whole(self) -> bool {
        self.count == 1
    }

    /// The number, from 0, of its first block in the plan.
    pub(super) const fn offset(self) -> u64 {
        self.number as u64 - 1
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = ParseShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || ParseShardError::Syntax { text: text.to_owned() };
        // `parse` would take a plus sign.
        let number = |digits: &str| {
            let digits = Some(digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u32>().ok()).ok_or_else(syntax)
        };
        let (left, right) = text.split_once('/').ok_or_else(syntax)?;
        Self::new(number(left)?, number(right)?)
    }
}

/// Why there is no such shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseShardError {
    /// Not two numbers.
    #[error("`{text}` is no shard: write I/N, such as 1/4 for the first of four")]
    Syntax {
        /// The text.
        text: String,
    },
    /// Nothing can be shared among nobody.
    #[error("there must be at least one shard")]
    NoShards,
    /// The shards are counted from 1.
    #[error("there is no shard {number} of {count}: they are 1/{count} to {count}/{count}")]
    OutOfRange {
        /// The number.
        number: u32,
        /// How many there are.
        count: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in ["1/1", "3/7", "4294967295/4294967295"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        assert!(Shard::default().is_whole() && !"1/2".parse::<Shard>().unwrap().is_whole());
    }

    #[test]
    fn what_is_no_shard() {
        for text in ["", "1", "/", "1/", "/2", "+1/2", "-1/2", "1/2/3", "1 / 2", "1/4294967296"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error, ParseShardError::Syntax { text: text.to_owned() }, "{text}");
        }
        assert_eq!("0/0".parse::<Shard>().unwrap_err(), ParseShardError::NoShards);
        assert_eq!(
            "5/4".parse::<Shard>().unwrap_err().to_string(),
            "there is no shard 5 of 4: they are 1/4 to 4/4"
        );
        assert!("0/4".parse::<Shard>().is_err());
    }
}
