//! From targets to addresses: the names among them are asked of the system's resolver.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::target::{
    AddressSet, Family, ListedName, TargetList, TargetSpec, TooManyTargets, reached_by,
};

/// Names asked at the same time; one that does not resolve may take the resolver many seconds.
const LOOKUPS_AT_ONCE: usize = 8;
/// Failures that are kept; all are counted.
const MAX_FAILURES: usize = 16;

/// Addresses to scan, and the names some of them were given by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedTargets {
    /// Every address of every target.
    pub addresses: AddressSet,
    /// The name an address was given by.
    pub names: HashMap<IpAddr, Arc<str>>,
}

/// What came of a [`TargetList`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resolution {
    /// What can be scanned.
    pub targets: ResolvedTargets,
    /// Why targets have no address: the first 16 names that do not resolve, and as many targets of
    /// another family.
    pub failures: Vec<ResolveError>,
    /// How many targets have no address.
    pub failed: u64,
    /// How many addresses of prefixes and ranges are left out because they stand for many hosts or
    /// for none.
    pub left_out: u128,
}

/// Resolves the names among `targets`. A name means every address it resolves to, of the `family`
/// where one is given; so do prefixes and ranges. Blocks while the system's resolver works.
///
/// # Errors
///
/// [`ResolveError`] names the first target that has no address.
pub fn resolve(
    targets: &[TargetSpec],
    family: Option<Family>,
) -> Result<ResolvedTargets, ResolveError> {
    let mut list = TargetList::new(family);
    for target in targets {
        list.add(target).map_err(|reason| ResolveError::TooMany { reason })?;
    }
    let resolution = list.resolve(&AddressSet::new());
    match resolution.failures.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(resolution.targets),
    }
}

impl TargetList {
    /// Resolves the names, and puts all addresses together. Multicast, broadcast, reserved and
    /// unspecified addresses, and those of `skipped`, are left out of prefixes and ranges: they are
    /// scanned only where they are named exactly. Blocks while the system's resolver works.
    pub fn resolve(self, skipped: &AddressSet) -> Resolution {
        let mut resolution = Resolution { failed: self.other_families, ..Resolution::default() };
        let exact = self.exact.to_set();
        let ranges = self.ranges.to_set();
        let kept = ranges.clone().without_reserved().difference(skipped);
        resolution.left_out = ranges.difference(&kept).difference(&exact).len();

        let mut sets = vec![exact, kept];
        for (listed, found) in self.names.iter().zip(look_up_all(&self.names)) {
            let error = match found {
                Ok(found) => {
                    let wanted =
                        self.family.map_or_else(|| found.clone(), |family| found.only(family));
                    if let (Some(family), true) = (self.family, wanted.is_empty()) {
                        ResolveError::Family { target: listed.name.to_string(), family }
                    } else {
                        resolution.targets.names.extend(named(&wanted, &listed.name));
                        sets.push(wanted);
                        continue;
                    }
                }
                Err(error) => error,
            };
            resolution.failed += 1;
            if resolution.failures.len() < MAX_FAILURES {
                resolution.failures.push(error);
            }
        }
        if let Some(family) = self.family {
            let others = self.other_family.into_iter();
            let error = |target| ResolveError::Family { target, family };
            resolution.failures.extend(others.map(error));
        }
        resolution.targets.addresses = sets.iter().collect();
        resolution
    }

    /// The addresses that the targets exclude: of names those they resolve to, of prefixes and
    /// ranges all, reserved ones included. Blocks while the system's resolver works.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] names the target that has no address: an exclusion that cannot be kept.
    pub fn covered(self) -> Result<AddressSet, ResolveError> {
        let mut sets = vec![self.exact.to_set(), self.ranges.to_set()];
        for found in look_up_all(&self.names) {
            sets.push(found?);
        }
        Ok(sets.iter().collect())
    }
}

/// The addresses that `targets` exclude: of names those they resolve to, of prefixes and ranges all,
/// reserved ones included. Blocks while the system's resolver works.
///
/// # Errors
///
/// [`ResolveError`] names the target that has no address: an exclusion that cannot be kept.
pub fn resolve_excluded(targets: &[TargetSpec]) -> Result<AddressSet, ResolveError> {
    let mut list = TargetList::new(None);
    for target in targets {
        list.add(target).map_err(|reason| ResolveError::TooMany { reason })?;
    }
    list.covered()
}

fn named(set: &AddressSet, name: &Arc<str>) -> Vec<(IpAddr, Arc<str>)> {
    let index = set.index();
    (0..index.len()).map(|position| (index.address(position), Arc::clone(name))).collect()
}

/// One answer for each name, in their order.
fn look_up_all(names: &[ListedName]) -> Vec<Result<AddressSet, ResolveError>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(names.len()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = names.get(number) else { return };
            let answer = look_up(name);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((number, answer));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..names.len().min(LOOKUPS_AT_ONCE) {
            // Where a thread cannot be had, the others do its share.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn look_up(listed: &ListedName) -> Result<AddressSet, ResolveError> {
    let found = (&*listed.name, 0).to_socket_addrs().map_err(|source| {
        let origin = listed.origin.as_ref().map(|(file, line)| format!("`{file}` line {line}"));
        ResolveError::Name { name: listed.name.to_string(), origin, source }
    })?;
    Ok(found.map(|address| reached_by(address.ip())).collect())
}

/// Why a target has no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The resolver knows no such name, or could not be asked.
    #[error("cannot resolve `{name}`{}", origin.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
    Name {
        /// The name.
        name: String,
        /// The file and the line it is from, where it is from a file.
        origin: Option<String>,
        /// What the resolver said.
        source: io::Error,
    },
    /// The target has addresses, but none of the family asked for.
    #[error("`{target}` has no IPv{} address", match family { Family::Ipv4 => 4, Family::Ipv6 => 6 })]
    Family {
        /// The target as given.
        target: String,
        /// The family asked for.
        family: Family,
    },
    /// More targets than one list holds.
    #[error("{reason}")]
    TooMany {
        /// Which bound was met.
        reason: TooManyTargets,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(texts: &[&str]) -> Vec<TargetSpec> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn localhost_resolves_and_keeps_its_name() {
        let resolved = resolve(&specs(&["localhost", "127.0.0.9"]), Some(Family::Ipv4)).unwrap();
        let localhost: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(resolved.names.get(&localhost).map(AsRef::as_ref), Some("localhost"));
        assert!(resolved.addresses.contains("127.0.0.9".parse().unwrap()));
        assert_eq!(resolved.addresses.len(), 2);
    }

    #[test]
    fn a_family_that_a_target_lacks_is_an_error() {
        let error = resolve(&specs(&["127.0.0.1"]), Some(Family::Ipv6)).unwrap_err();
        assert_eq!(error.to_string(), "`127.0.0.1` has no IPv6 address");
    }
}
