//! An address set as text: `127.0.0.1,192.0.2.0-192.0.2.255`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::set::AddressSet;

/// What the empty set prints as.
const NONE: &str = "none";

/// The set as its runs, ascending, IPv4 first, with commas between them: one address, or the first
/// and the last with a hyphen; `none` where it is empty.
impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        for (number, (first, last)) in self.runs().enumerate() {
            f.write_str(if number == 0 { "" } else { "," })?;
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// Reads what [`AddressSet`] prints.
impl FromStr for AddressSet {
    type Err = ParseAddressSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == NONE {
            return Ok(Self::new());
        }
        let run = |item: &str| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
            (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
        };
        let runs = text.split(',').map(|item| {
            run(item).ok_or_else(|| ParseAddressSetError { item: item.chars().take(80).collect() })
        });
        Ok(Self::from_ranges(runs.collect::<Result<Vec<_>, _>>()?))
    }
}

/// The item of a text that is no address and no run of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{item}` is not an address, nor a first and a last one with a hyphen between them")]
pub struct ParseAddressSetError {
    item: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_its_runs_and_reads_them_back() {
        for text in
            ["none", "127.0.0.1", "10.0.0.0-10.0.0.255,192.0.2.1,::1,2001:db8::-2001:db8::ff"]
        {
            let set: AddressSet = text.parse().unwrap();
            assert_eq!(set.to_string(), text);
        }
        let joined: AddressSet = "10.0.0.1,10.0.0.0-10.0.0.0,10.0.0.2".parse().unwrap();
        assert_eq!(joined.to_string(), "10.0.0.0-10.0.0.2");
    }

    #[test]
    fn what_is_no_set_is_named() {
        for text in ["", "10.0.0.1,", "10.0.0.2-10.0.0.1", "10.0.0.1-::1", "localhost"] {
            assert!(text.parse::<AddressSet>().is_err(), "{text}");
        }
    }
}
