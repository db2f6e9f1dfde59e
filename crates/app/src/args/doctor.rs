//! Arguments of `ports doctor`.

use std::net::IpAddr;

use super::{HeldPort, OutputArgs};

/// Arguments of `ports doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It binds the port for a moment, to see what the system says. Exit code: 0 the port can be \
    bound; 1 it cannot."
)]
pub(crate) struct DoctorArgs {
    /// The port, in TCP (8080) or in a transport (53/udp)
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPort,
    /// At this local address; else at all of IPv4, and all of IPv6 where there is IPv6
    #[arg(long, value_name = "ADDR")]
    pub(crate) address: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
