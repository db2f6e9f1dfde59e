//! From targets to addresses: the names among them are asked of the system's resolver.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::target::{AddressSet, Family, TargetSpec, reached_by};

/// Addresses to scan, and the names some of them were given by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedTargets {
    /// Every address of every target.
    pub addresses: AddressSet,
    /// The name an address was given by.
    pub names: HashMap<IpAddr, Arc<str>>,
}

/// Resolves the names among `targets`. A name means every address it resolves to, of the `family`
/// where one is given; so do prefixes and ranges. Blocks while the system's resolver works.
///
/// # Errors
///
/// [`ResolveError`] names the target that has no address.
pub fn resolve(
    targets: &[TargetSpec],
    family: Option<Family>,
) -> Result<ResolvedTargets, ResolveError> {
    let mut names = HashMap::new();
    let mut sets = Vec::with_capacity(targets.len());
    for target in targets {
        let found = match target.name() {
            Some(name) => look_up(name)?,
            None => target.addresses().unwrap_or_default(),
        };
        let wanted = family.map_or_else(|| found.clone(), |family| found.only(family));
        if let Some(family) = family
            && wanted.is_empty()
            && !found.is_empty()
        {
            return Err(ResolveError::Family { target: target.text().to_owned(), family });
        }
        if let Some(name) = target.name() {
            let index = wanted.index();
            let name: Arc<str> = name.into();
            for position in 0..index.len() {
                names.insert(index.address(position), Arc::clone(&name));
            }
        }
        sets.push(wanted);
    }
    Ok(ResolvedTargets { addresses: sets.iter().collect(), names })
}

/// The addresses that `targets` exclude: of names those they resolve to, of prefixes and ranges all,
/// reserved ones included. Blocks while the system's resolver works.
///
/// # Errors
///
/// [`ResolveError`] names the target that has no address: an exclusion that cannot be kept.
pub fn resolve_excluded(targets: &[TargetSpec]) -> Result<AddressSet, ResolveError> {
    let sets = targets.iter().map(|target| match target.name() {
        Some(name) => look_up(name),
        None => Ok(target.covered().unwrap_or_default()),
    });
    Ok(sets.collect::<Result<Vec<_>, _>>()?.iter().collect())
}

fn look_up(name: &str) -> Result<AddressSet, ResolveError> {
    let failed = |source| ResolveError::Name { name: name.to_owned(), source };
    let found = (name, 0).to_socket_addrs().map_err(failed)?;
    Ok(found.map(|address| reached_by(address.ip())).collect())
}

/// Why a target has no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The resolver knows no such name, or could not be asked.
    #[error("cannot resolve `{name}`")]
    Name {
        /// The name.
        name: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The target has addresses, but none of the family asked for.
    #[error("`{target}` has no IPv{} address", match family { Family::V4 => 4, Family::V6 => 6 })]
    Family {
        /// The target as given.
        target: String,
        /// The family asked for.
        family: Family,
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
        let resolved = resolve(&specs(&["localhost", "127.0.0.9"]), Some(Family::V4)).unwrap();
        let localhost: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(resolved.names.get(&localhost).map(AsRef::as_ref), Some("localhost"));
        assert!(resolved.addresses.contains("127.0.0.9".parse().unwrap()));
        assert_eq!(resolved.addresses.len(), 2);
    }

    #[test]
    fn a_family_that_a_target_lacks_is_an_error() {
        let error = resolve(&specs(&["127.0.0.1"]), Some(Family::V6)).unwrap_err();
        assert_eq!(error.to_string(), "`127.0.0.1` has no IPv6 address");
    }
}
