//! Arguments of `ports doctor`.

use std::net::{IpAddr, Ipv6Addr};

use ports_core::Host;

use super::{HeldPorts, OutputArgs};

/// Arguments of `ports doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports doctor 8080\n\
    \x20 ports doctor 443 --address 192.0.2.7\n\
    \n\
    It binds the port for a moment, to see what the system says. Exit code: 0 the port can be \
    bound; 1 it cannot.")]
pub(crate) struct DoctorArgs {
    /// The port, or the name of its service, in TCP (8080, https) or in a transport (53/udp, domain/udp)
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPorts,
    /// At this local address (a link-local one with its interface, by name or number: `fe80::1%eth0`); else at all of
    /// IPv4, and all of IPv6 where there is IPv6
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) address: Option<Host>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An address, or an IPv6 address with its zone (RFC 4007 section 11).
fn address(text: &str) -> Result<Host, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Address(address));
    }
    match text.split_once('%').map(|(address, zone)| (address.parse::<Ipv6Addr>(), zone)) {
        Some((Ok(address), zone)) if !zone.is_empty() => {
            Ok(Host::Zoned { address, zone: zone.to_owned() })
        }
        _ => Err("not an IP address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_a_zone() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        assert_eq!(address("fe80::1"), Ok(Host::Address(ip.into())));
        let zoned = Host::Zoned { address: ip, zone: "eth0".to_owned() };
        assert_eq!(address("fe80::1%eth0"), Ok(zoned));
        for text in ["fe80::1%", "127.0.0.1%eth0", "localhost", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
