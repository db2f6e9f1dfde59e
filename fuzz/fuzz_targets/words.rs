//! What people, files and environments write: any text is a value or an error, and what a value is
//! printed as is that value.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use ports_core::{ClaimAddress, Endpoint, Port, PortRange, PortSet, Transport};
use scanner::{AddressSet, Shard, TargetList, TargetSpec};
use sockets_tcp::Target;

/// Reads `text`, and what it is printed as.
fn round<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            assert_eq!(printed.parse::<T>().ok(), Some(value), "{text:?} is printed as {printed:?}");
        }
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut list = TargetList::new(None);
    let _ = list.read("fuzz", bytes);
    let Ok(text) = str::from_utf8(bytes) else { return };
    round::<Port>(text);
    round::<PortRange>(text);
    round::<PortSet>(text);
    round::<Transport>(text);
    round::<Endpoint>(text);
    round::<ClaimAddress>(text);
    round::<AddressSet>(text);
    round::<Shard>(text);
    let _ = text.parse::<Target>().map(|target| target.to_string());
    if let Ok(target) = text.parse::<TargetSpec>() {
        let _ = (target.text().len(), target.name().map(str::len), target.addresses());
        let _ = list.add(&target);
    }
    for transport in Transport::ALL {
        let _ = PortSet::parse(text, transport);
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let _ = (endpoint.socket_addr(), endpoint.target_addrs().count());
    }
});
