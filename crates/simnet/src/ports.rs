//! A list of ports, written `22,80,8000-8100`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Deserialize;

/// Ports as runs from first to last; the empty text is no port at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PortList {
    runs: Vec<RangeInclusive<u16>>,
}

impl PortList {
    /// Whether the port is in the list.
    pub fn contains(&self, port: u16) -> bool {
        self.runs.iter().any(|run| run.contains(&port))
    }

    /// The ports in the order they were written; one that was written twice comes twice.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.runs.iter().cloned().flatten()
    }
}

impl FromStr for PortList {
    type Err = ParsePortListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let run = |word: &str| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
                _ => Err(ParsePortListError { word: word.to_owned() }),
            }
        };
        Ok(Self { runs: words.map(run).collect::<Result<_, _>>()? })
    }
}

impl TryFrom<String> for PortList {
    type Error = ParsePortListError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// As it is read: `22,80,8000-8100`.
impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.runs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (first, last) = (run.start(), run.end());
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// A word that is neither a port nor a run of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is neither a port nor a run of ports such as 8000-8100")]
pub struct ParsePortListError {
    word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, printed, count) in [
            ("", "", 0),
            ("80", "80", 1),
            (" 22, 80-82,", "22,80-82", 4),
            ("0-65535", "0-65535", 65_536),
        ] {
            let list: PortList = text.parse().unwrap();
            assert_eq!((list.to_string().as_str(), list.iter().count()), (printed, count));
            assert!(list.iter().all(|port| list.contains(port)));
        }
        assert!(!"80-82".parse::<PortList>().unwrap().contains(83));
    }

    #[test]
    fn a_bad_word_is_named() {
        for word in ["http", "82-80", "65536", "1-2-3", "-"] {
            let error = format!("22,{word}").parse::<PortList>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{word}` is neither")), "{error}");
        }
    }
}
