//! The text of a port set: `22,80,8000-8100,49152-,http,top:100`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::service::Meant;
use crate::{ParseRangeError, Port, PortRange, PortSet, ServiceTable, Transport};

/// The item for every port but 0.
const ALL: &str = "all";
/// The item for no port: the text of the empty set.
const NONE: &str = "none";
/// What the item for our ranking begins with.
const TOP: &str = "top:";

impl PortSet {
    /// Reads a spec: items with commas between them, spaces around them allowed, in any order and
    /// with overlaps.
    ///
    /// | item | ports |
    /// |---|---|
    /// | `80` | the port |
    /// | `8000-8100`, `-1024`, `49152-` | the range; an open end is 1 or 65,535 |
    /// | `all`, `-` | 1 to 65,535 |
    /// | `top:100` | the first 100 of [`ServiceTable::top`] for `transport` |
    /// | `none` | no port: how an empty set is printed |
    /// | `http` | every port that [`ServiceTable`] has by that name for `transport` |
    ///
    /// Words are taken in any case. An item of nothing but digits and `-` is never a name.
    ///
    /// # Errors
    ///
    /// [`ParsePortSetError`], which names the item.
    pub fn parse(text: &str, transport: Transport) -> Result<Self, ParsePortSetError> {
        let mut set = Self::new();
        for (index, item) in text.split(',').enumerate() {
            let item = item.trim();
            if item.is_empty() {
                return Err(ParsePortSetError::EmptyItem { position: index + 1 });
            }
            insert_item(&mut set, item, transport)?;
        }
        Ok(set)
    }
}

fn insert_item(
    set: &mut PortSet,
    item: &str,
    transport: Transport,
) -> Result<(), ParsePortSetError> {
    if item.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        let range = item
            .parse::<PortRange>()
            .map_err(|reason| ParsePortSetError::Range { item: item.to_owned(), reason })?;
        set.insert_range(range);
    } else if item.eq_ignore_ascii_case(ALL) {
        *set |= &PortSet::all();
    } else if item.get(..TOP.len()).is_some_and(|start| start.eq_ignore_ascii_case(TOP)) {
        set.extend(top(item, &item[TOP.len()..], transport)?.iter().copied());
    } else if !item.eq_ignore_ascii_case(NONE) {
        let mut ports =
            ServiceTable.by_name_for(item, transport).map(|service| service.port).peekable();
        if ports.peek().is_none() {
            return Err(ParsePortSetError::UnknownName {
                name: item.to_owned(),
                transport,
                others: ServiceTable.transports_of(item),
            });
        }
        set.extend(ports);
    }
    Ok(())
}

/// The ports of `top:COUNT`.
fn top(
    item: &str,
    count: &str,
    transport: Transport,
) -> Result<&'static [Port], ParsePortSetError> {
    let ranking = ServiceTable.top(transport);
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse::<usize>().ok().filter(|count| digits && *count > 0);
    count.and_then(|count| ranking.get(..count)).ok_or_else(|| ParsePortSetError::Top {
        item: item.to_owned(),
        transport,
        ranked: ranking.len(),
    })
}

/// Reads a spec with the names and the ranking of TCP: [`PortSet::parse`].
impl FromStr for PortSet {
    type Err = ParsePortSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, Transport::Tcp)
    }
}

/// The set as its maximal ranges, `22,80,8000-8100`, or `none`: numbers only, so that the text
/// means the same for every transport.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        for (index, range) in self.ranges().enumerate() {
            write!(f, "{}{range}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// As its text.
impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a spec; names are TCP's.
impl<'de> Deserialize<'de> for PortSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Why a text is not a port set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParsePortSetError {
    /// Nothing between two commas, or nothing at all.
    EmptyItem {
        /// Which item, from 1.
        position: usize,
    },
    /// Digits and `-` that are no port and no range.
    Range {
        /// The item.
        item: String,
        /// What is wrong with it.
        reason: ParseRangeError,
    },
    /// A name that the transport has not.
    UnknownName {
        /// The name as given.
        name: String,
        /// The transport it was looked up for.
        transport: Transport,
        /// The transports that do have it.
        others: Vec<Transport>,
    },
    /// `top:` with something else than a number the ranking can serve.
    Top {
        /// The item.
        item: String,
        /// The transport of the ranking.
        transport: Transport,
        /// How many ports are ranked.
        ranked: usize,
    },
}

impl std::error::Error for ParsePortSetError {}

impl fmt::Display for ParsePortSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyItem { position } => write!(f, "item {position} of the ports is empty"),
            Self::Range { item, reason } => write!(f, "`{item}` in the ports: {reason}"),
            Self::UnknownName { name, transport, .. } => {
                let meant = Meant { name, transports: &[*transport] };
                write!(f, "`{name}` is neither a port nor the name of a {transport} service{meant}")
            }
            Self::Top { item, transport, ranked: 0 } => {
                write!(f, "`{item}` in the ports: there is no ranking for {transport}")
            }
            Self::Top { item, transport, ranked } => {
                write!(f, "`{item}` in the ports: for {transport}, N of `top:N` is 1 to {ranked}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
