//! How many connections one address may hold at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use crate::events::lock;

/// Whom connections are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Ipv4(Ipv4Addr),
    /// The first 64 bits: what one subscriber gets at the least (RFC 6177), and can take any number
    /// of addresses from.
    Ipv6Network(u64),
    /// One host of a link, where all share the first 64 bits.
    LinkLocal(Ipv6Addr),
}

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Ipv4(address),
            IpAddr::V6(address) if address.is_unicast_link_local() => Self::LinkLocal(address),
            IpAddr::V6(address) => Self::Ipv6Network((address.to_bits() >> 64) as u64),
        }
    }
}

/// Counts the connections of each address, where there is a limit to them.
#[derive(Debug)]
pub(super) struct Admission {
    most: Option<usize>,
    counts: Mutex<HashMap<Origin, Count>>,
}

/// The connections of one origin.
#[derive(Debug, Default)]
struct Count {
    /// Those that have a place.
    served: usize,
    /// Those that have left theirs, and are not over: as many as places at most.
    ending: usize,
}

/// The address has as many connections as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Admission {
    pub(super) fn new(most: Option<usize>) -> Arc<Self> {
        Arc::new(Self { most, counts: Mutex::default() })
    }

    /// A place for one connection from this address; `None` where places are not counted.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Option<Place>, Full> {
        let Some(most) = self.most else { return Ok(None) };
        let origin = Origin::of(address);
        let mut counts = lock(&self.counts);
        let count = counts.entry(origin).or_default();
        // The limit is at least 1, so that a full address has an entry already.
        if count.served >= most {
            return Err(Full);
        }
        count.served += 1;
        Ok(Some(Place { admission: Arc::clone(self), origin, ending: false }))
    }
}

/// One connection's place. Free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    origin: Origin,
    ending: bool,
}

impl Place {
    /// The connection is about to end: its place is free for the next one, unless too many that are
    /// not over have left theirs.
    pub(super) fn leave(&mut self) {
        let most = self.admission.most.unwrap_or(usize::MAX);
        let mut counts = lock(&self.admission.counts);
        if let Some(count) = counts.get_mut(&self.origin)
            && !self.ending
            && count.ending < most
        {
            count.served -= 1;
            count.ending += 1;
            self.ending = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.admission.counts);
        if let Some(count) = counts.get_mut(&self.origin) {
            *(if self.ending { &mut count.ending } else { &mut count.served }) -= 1;
            if (count.served, count.ending) == (0, 0) {
                counts.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_one_of_ipv4_or_a_network_of_ipv6() {
        let same = |a, b| Origin::of(ip(a)) == Origin::of(ip(b));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:0:0:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(!same("fe80::1", "fe80::2"));
    }

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let admission = Admission::new(Some(2));
        let first = admission.enter(ip("192.0.2.1")).unwrap();
        let _second = admission.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.enter(ip("192.0.2.1")).unwrap_err(), Full);
        drop(admission.enter(ip("192.0.2.2")).unwrap());
        assert_eq!(lock(&admission.counts).len(), 1, "who left takes no memory");
        drop(first);
        assert!(admission.enter(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn as_many_as_there_are_places_may_be_left_before_the_end() {
        let admission = Admission::new(Some(1));
        let enter = || admission.enter(ip("192.0.2.1")).map(Option::unwrap);
        let mut first = enter().unwrap();
        assert_eq!(enter().unwrap_err(), Full);
        first.leave();
        first.leave();
        let mut second = enter().unwrap();
        second.leave();
        assert_eq!(enter().unwrap_err(), Full, "one that is not over has left its place already");
        drop(first);
        second.leave();
        drop(enter().unwrap());
        drop(second);
        assert!(lock(&admission.counts).is_empty(), "who left takes no memory");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let admission = Admission::new(None);
        assert!(admission.enter(ip("192.0.2.1")).unwrap().is_none());
        assert!(lock(&admission.counts).is_empty());
    }
}
