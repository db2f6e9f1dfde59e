//! Many targets, from arguments and from files, held as intervals and names.

use std::collections::HashSet;
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::Arc;

use super::parse::{ParseTargetError, parse};
use super::set::{AddressSet, Family};
use super::words::{Word, Words};
use super::{TargetKind, TargetSpec, reached_by};

/// Targets to scan or to leave out; read from files without holding their text.
///
/// Its memory is that of the separate runs of addresses (34 bytes each) and of the names.
///
/// ```
/// use scanner::{AddressSet, TargetList};
///
/// let mut list = TargetList::new(None);
/// list.add(&"192.0.2.7".parse()?)?;
/// list.read("hosts", "198.51.100.0/30 # four\n192.0.2.8\n".as_bytes())?;
/// let resolution = list.resolve(&AddressSet::new());
/// assert_eq!(
///     resolution.targets.addresses.to_string(),
///     "192.0.2.7-192.0.2.8,198.51.100.0-198.51.100.3"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TargetList {
    pub(crate) family: Option<Family>,
    /// Single addresses, named exactly.
    pub(crate) exact: Runs,
    /// Prefixes and ranges, reserved addresses included.
    pub(crate) ranges: Runs,
    pub(crate) names: Vec<ListedName>,
    known: HashSet<Arc<str>>,
    /// Targets without an address of the family: the first few, and how many.
    pub(crate) other_family: Vec<String>,
    pub(crate) other_families: u64,
}

/// A name, and the file that it is from.
#[derive(Clone, Debug)]
pub(crate) struct ListedName {
    pub(crate) name: Arc<str>,
    pub(crate) origin: Option<(Arc<str>, u64)>,
}

impl TargetList {
    /// Past that many separate runs of addresses it takes no more; neighbouring addresses are one run.
    /// Seen when the runs are joined, at the latest at twice as many.
    pub const MAX_RUNS: usize = 1 << 22;
    /// The most names it holds: each is asked of the system's resolver.
    pub const MAX_NAMES: usize = 65_536;
    /// The most targets of another family that are kept by name; all are counted.
    pub(crate) const MAX_OTHERS: usize = 16;

    /// An empty list. Of a `family`, only addresses of that family are scanned.
    pub fn new(family: Option<Family>) -> Self {
        Self { family, ..Self::default() }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
            && self.ranges.is_empty()
            && self.names.is_empty()
            && self.other_families == 0
    }

    /// Adds one target.
    ///
    /// # Errors
    ///
    /// [`TooManyTargets`] at [`Self::MAX_RUNS`] or [`Self::MAX_NAMES`].
    pub fn add(&mut self, target: &TargetSpec) -> Result<(), TooManyTargets> {
        self.insert(target.text(), &target.kind, None)
    }

    /// Adds the targets of a text: words between white space, `#` begins a comment. `source` is the
    /// name of the text in errors.
    ///
    /// # Errors
    ///
    /// [`ReadTargetsError`], with the number of the line. What came before it has been added.
    pub fn read(&mut self, source: &str, reader: impl Read) -> Result<(), ReadTargetsError> {
        let origin: Arc<str> = source.into();
        let mut words = Words::new(reader);
        loop {
            let next = words.next();
            let failed = |error| ReadTargetsError::Read { name: source.to_owned(), source: error };
            let Some((line, word)) = next.map_err(failed)? else { return Ok(()) };
            let at = |reason| ReadTargetsError::Target { name: source.to_owned(), line, reason };
            match word {
                Word::Text(text) => {
                    let kind = parse(text).map_err(at)?;
                    self.insert(text, &kind, Some((&origin, line))).map_err(|reason| {
                        ReadTargetsError::TooMany { name: source.to_owned(), line, reason }
                    })?;
                }
                Word::Bad(reason) => {
                    return Err(ReadTargetsError::Word { name: source.to_owned(), line, reason });
                }
            }
        }
    }

    fn insert(
        &mut self,
        text: &str,
        kind: &TargetKind,
        origin: Option<(&Arc<str>, u64)>,
    ) -> Result<(), TooManyTargets> {
        let of_family = |address: IpAddr| match self.family {
            Some(family) => address.is_ipv4() == (family == Family::Ipv4),
            None => true,
        };
        match kind {
            TargetKind::Address(address) => {
                let address = reached_by(*address);
                if !of_family(address) {
                    self.note_other_family(text);
                    return Ok(());
                }
                self.exact.push(address, address);
            }
            TargetKind::Addresses(set) => {
                let mut any = false;
                for (first, last) in set.runs().filter(|run| of_family(run.0)) {
                    any = true;
                    self.ranges.push(first, last);
                }
                if !any {
                    self.note_other_family(text);
                }
            }
            TargetKind::Name => {
                if !self.known.contains(text) {
                    if self.names.len() == Self::MAX_NAMES {
                        return Err(TooManyTargets::Names);
                    }
                    let name: Arc<str> = text.into();
                    self.known.insert(Arc::clone(&name));
                    let origin = origin.map(|(file, line)| (Arc::clone(file), line));
                    self.names.push(ListedName { name, origin });
                }
            }
        }
        // Counted when they are joined: until then the same address may be there many times.
        if self.exact.joined + self.ranges.joined > Self::MAX_RUNS {
            return Err(TooManyTargets::Runs);
        }
        Ok(())
    }

    fn note_other_family(&mut self, text: &str) {
        self.other_families += 1;
        if self.other_family.len() < Self::MAX_OTHERS {
            self.other_family.push(text.to_owned());
        }
    }
}

/// Runs of addresses in the order they come; joined when they have doubled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<(IpAddr, IpAddr)>,
    /// How many were left when they were joined last.
    joined: usize,
}

impl Runs {
    /// Below that, joining is not worth its time.
    const MIN_JOINED: usize = 4_096;

    fn push(&mut self, first: IpAddr, last: IpAddr) {
        if let Some(previous) = self.runs.last_mut()
            && previous.1 == first
        {
            previous.1 = last;
            return;
        }
        if self.runs.len() >= 2 * self.joined.max(Self::MIN_JOINED) {
            self.merge();
        }
        self.runs.push((first, last));
    }

    fn merge(&mut self) {
        if self.runs.len() > self.joined {
            let set = self.to_set();
            self.runs.clear();
            self.runs.extend(set.runs());
            self.joined = self.runs.len();
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn to_set(&self) -> AddressSet {
        AddressSet::from_ranges(self.runs.iter().copied())
    }
}

/// Why a list takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooManyTargets {
    /// [`TargetList::MAX_RUNS`].
    #[error("more than {} separate runs of addresses: use prefixes", TargetList::MAX_RUNS)]
    Runs,
    /// [`TargetList::MAX_NAMES`].
    #[error("more than {} names: give their addresses", TargetList::MAX_NAMES)]
    Names,
}

/// Why a text of targets cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadTargetsError {
    /// The reader failed.
    #[error("cannot read `{name}`")]
    Read {
        /// The name of the text.
        name: String,
        /// What the reader said.
        source: io::Error,
    },
    /// A word is no target.
    #[error("`{name}` line {line}: {reason}")]
    Target {
        /// The name of the text.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with the word.
        reason: ParseTargetError,
    },
    /// A word that is no text, or far too long for a target.
    #[error("`{name}` line {line}: {reason}")]
    Word {
        /// The name of the text.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with the word.
        reason: &'static str,
    },
    /// The list takes no more.
    #[error("`{name}` line {line}: {reason}")]
    TooMany {
        /// The name of the text.
        name: String,
        /// The line, from 1.
        line: u64,
        /// Which bound was met.
        reason: TooManyTargets,
    },
}

#[cfg(test)]
mod tests;
