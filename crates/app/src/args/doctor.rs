//! Arguments of `ports doctor`.

use ports_core::Host;

use super::address::zoned_address;
use super::{HeldPorts, OutputArgs};

/// Arguments of `ports doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports doctor 8080\n\
    \x20 ports doctor 80 443 --address 192.0.2.7\n\
    \n\
    It binds the port for a moment, to see what the system says. Exit code: 0 the port can be \
    bound, or all of them; 1 it cannot, or one of them.")]
pub(crate) struct DoctorArgs {
    /// The ports, or names of services, in TCP (8080, :8080, https) or in a transport (53/udp, domain/udp)
    #[arg(required = true, value_name = "PORT[/TRANSPORT]")]
    pub(crate) ports: Vec<HeldPorts>,
    /// At this local address (a link-local one with its interface, by name or number: `fe80::1%eth0`); else at all of
    /// IPv4, and all of IPv6 where there is IPv6
    #[arg(long, value_name = "ADDR", value_parser = zoned_address)]
    pub(crate) address: Option<Host>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
