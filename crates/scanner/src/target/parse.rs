//! From the text of a target to its addresses. Total: any text gives a target or a clear error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::TargetKind;
use super::set::AddressSet;
use crate::interval_set::IntervalSet;

/// Octet ranges multiply; past this many separate runs a target is refused.
const MAX_RUNS: usize = 65_536;
/// RFC 1035 section 2.3.4.
const MAX_NAME_LENGTH: usize = 255;
/// RFC 1035 section 2.3.4.
const MAX_LABEL_LENGTH: usize = 63;

/// Why a text is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTargetError {
    /// Nothing at all.
    #[error("a target is empty: give a host, an address, a prefix or a range")]
    Empty,
    /// No address before the slash, or no prefix length of its family behind it.
    #[error(
        "`{text}` is not a prefix: an address (no leading zeros), `/`, and 0 to 32 for IPv4, 128 for IPv6"
    )]
    Prefix {
        /// The target as given.
        text: String,
    },
    /// A range that ends before it starts, or mixes families.
    #[error("`{text}` is not a range of addresses: {reason}")]
    Range {
        /// The target as given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An octet range that makes too many separate runs.
    #[error("`{text}` makes more than {MAX_RUNS} separate runs of addresses: use prefixes")]
    TooManyRuns {
        /// The target as given.
        text: String,
    },
    /// An IPv6 address with a zone.
    #[error("`{text}` has a zone: link-local addresses with a zone cannot be scanned yet")]
    Zone {
        /// The target as given.
        text: String,
    },
    /// Neither an address nor a name that DNS could hold.
    #[error("`{text}` is neither an address nor a host name")]
    Name {
        /// The target as given.
        text: String,
    },
}

pub(super) fn parse(text: &str) -> Result<TargetKind, ParseTargetError> {
    if text.is_empty() {
        return Err(ParseTargetError::Empty);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(TargetKind::Address(address));
    }
    if let Some((address, _)) = bare.split_once('%')
        && address.parse::<Ipv6Addr>().is_ok()
    {
        return Err(ParseTargetError::Zone { text: text.to_owned() });
    }
    if let Some((address, length)) = text.split_once('/') {
        let net = prefix(address, length)
            .ok_or_else(|| ParseTargetError::Prefix { text: text.to_owned() })?;
        return Ok(TargetKind::Addresses(AddressSet::from_range(net.network(), net.broadcast())));
    }
    if let Some((first, last)) = text.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<IpAddr>(), last.parse::<IpAddr>())
    {
        return address_range(text, first, last);
    }
    if let Some(octets) = octet_ranges(text) {
        return octets.and_then(|octets| octet_product(text, octets)).map(TargetKind::Addresses);
    }
    name(text)
}

/// Stricter than `IpNet`'s own reader, which takes octets with leading zeros.
fn prefix(address: &str, length: &str) -> Option<IpNet> {
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    IpNet::new(address.parse().ok()?, length.parse().ok().filter(|_| is_number)?).ok()
}

fn address_range(text: &str, first: IpAddr, last: IpAddr) -> Result<TargetKind, ParseTargetError> {
    let wrong = |reason| ParseTargetError::Range { text: text.to_owned(), reason };
    if first.is_ipv4() != last.is_ipv4() {
        return Err(wrong("its ends are of different families"));
    }
    if first > last {
        return Err(wrong("it ends before it starts"));
    }
    Ok(TargetKind::Addresses(AddressSet::from_range(first, last)))
}

type OctetRange = (u8, u8);

/// Four octets, each a number, a range or `*`; `None` where the text does not have that shape at all.
fn octet_ranges(text: &str) -> Option<Result<[OctetRange; 4], ParseTargetError>> {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'*');
    let parts: Vec<&str> = text.split('.').collect();
    if !text.bytes().all(numeric) || parts.len() != 4 {
        return None;
    }
    let mut octets = [(0, 0); 4];
    for (octet, part) in octets.iter_mut().zip(parts) {
        let wrong = |reason| ParseTargetError::Range { text: text.to_owned(), reason };
        match octet_range(part) {
            Ok((first, last)) if first > last => {
                return Some(Err(wrong("an octet's range ends before it starts")));
            }
            Ok(range) => *octet = range,
            Err(reason) => return Some(Err(wrong(reason))),
        }
    }
    Some(Ok(octets))
}

fn octet_range(part: &str) -> Result<OctetRange, &'static str> {
    match part.split_once('-') {
        None if part == "*" => Ok((0, 255)),
        None => octet(part).map(|number| (number, number)),
        Some(("", "")) => Err("a range of octets has at least one end; all of them are `*`"),
        Some(("", last)) => Ok((0, octet(last)?)),
        Some((first, "")) => Ok((octet(first)?, 255)),
        Some((first, last)) => Ok((octet(first)?, octet(last)?)),
    }
}

fn octet(text: &str) -> Result<u8, &'static str> {
    if text.is_empty() {
        return Err("an octet is missing");
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err("an octet has no leading zero: to some programs it is octal then");
    }
    text.parse().map_err(|_| "an octet goes from 0 to 255")
}

fn octet_product(text: &str, octets: [OctetRange; 4]) -> Result<AddressSet, ParseTargetError> {
    // Octets behind the last partial one are whole, so runs stay long where they can.
    let mut runs = vec![(0_u32, 0_u32)];
    let mut whole_below = true;
    for (position, (first, last)) in octets.into_iter().enumerate().rev() {
        let shift = 8 * (3 - position as u32);
        if whole_below {
            runs = vec![(u32::from(first) << shift, u32::from(last) << shift | ((1 << shift) - 1))];
            whole_below = first == 0 && last == 255;
            continue;
        }
        if runs.len() * (usize::from(last - first) + 1) > MAX_RUNS {
            return Err(ParseTargetError::TooManyRuns { text: text.to_owned() });
        }
        runs = (first..=last)
            .flat_map(|octet| {
                let base = u32::from(octet) << shift;
                runs.iter().map(move |run| (base | run.0, base | run.1))
            })
            .collect();
    }
    let runs = runs.into_iter().map(|(first, last)| (u128::from(first), u128::from(last)));
    Ok(AddressSet::from_v4_runs(IntervalSet::from_runs(runs.collect())))
}

fn name(text: &str) -> Result<TargetKind, ParseTargetError> {
    let label_fits = |label: &str| {
        (1..=MAX_LABEL_LENGTH).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let rooted = text.strip_suffix('.').unwrap_or(text);
    let all_numeric = rooted.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text.len() <= MAX_NAME_LENGTH
        && !all_numeric
        && !text.starts_with('-')
        && rooted.split('.').all(label_fits)
    {
        return Ok(TargetKind::Name);
    }
    Err(ParseTargetError::Name { text: text.to_owned() })
}

/// Addresses that stand for many hosts or for none, and so are scanned only by name.
pub(super) fn reserved_v4() -> IntervalSet {
    let run = |first: Ipv4Addr, last: Ipv4Addr| {
        (u128::from(u32::from(first)), u128::from(u32::from(last)))
    };
    IntervalSet::from_runs(vec![
        // "This network" (RFC 791 section 3.2), multicast (RFC 5771), reserved and broadcast (RFC
        // 1112 section 4, RFC 919).
        run(Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(0, 255, 255, 255)),
        run(Ipv4Addr::new(224, 0, 0, 0), Ipv4Addr::BROADCAST),
    ])
}

/// The IPv6 counterpart of [`reserved_v4`]: the unspecified address and `ff00::/8` (RFC 4291).
pub(super) fn reserved_v6() -> IntervalSet {
    let multicast = u128::from(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0));
    IntervalSet::from_runs(vec![(0, 0), (multicast, u128::MAX)])
}
