//! Arguments of `ports sniff`.

mod expression;

use std::path::PathBuf;

use super::OutputArgs;

pub(crate) use expression::{Condition, Expression};

/// Arguments of `ports sniff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports sniff -i lo tcp port 8080\n\
    \x20 ports sniff tcp dst port 443 --count 10\n\
    \x20 ports sniff -i lo udp host ::1 port 53 --write dns.pcap\n\
    \n\
    Filter: [PROTOCOL] [[src|dst] host ADDRESS] [[src|dst] port PORTS] ...\n\
    All of it has to be met: there is no `or` and no `not`.\n\
    Protocols: ip, ip6, arp, tcp, udp, icmp, icmp6. Hosts are addresses. Ports: 53, 8000-8100, https.\n\n\
    Needs the capability CAP_NET_RAW. Ctrl-C ends it with a summary.")]
pub(crate) struct SniffArgs {
    /// What to show, such as `tcp dst port 443`: a protocol, hosts, ports; without it, all
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Only this interface, instead of all
    #[arg(long, short, value_name = "I")]
    pub(crate) interface: Option<String>,
    /// Also write the packets to this capture file, for tcpdump and Wireshark
    #[arg(long, short, value_name = "FILE.pcap")]
    pub(crate) write: Option<PathBuf>,
    /// End after this many packets
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
