//! Arguments of `ports lease`, `ports leases` and `ports free`.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;

use ports_core::{Port, PortRange};

use super::address::address;
use super::port::certain_port;
use super::{Format, OutputArgs};

/// Arguments of `ports lease`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports lease -- sh -c 'exec python3 -m http.server \"$PORT\"'\n\
    \x20 ports lease --count 2 --name web -- make test\n\
    \x20 ports lease -- sh -c 'WEB_PORT=$PORT exec docker compose up'\n\
    \n\
    CMD has the ports in its environment: PORT is the first, PORT1, PORT2 and so on are \
    all of them. The lease ends with CMD and with all that CMD started.\n\n\
    Exit code: that of CMD; 125 ports lease itself failed; 126 CMD cannot be run; 127 there is no CMD.")]
pub(crate) struct LeaseArgs {
    #[command(flatten)]
    pub(crate) ports: PortArgs,
    /// For whom; the same name in the same project tends to get the same port
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// This port or none, by its number or the name of its service; of several, the first
    #[arg(long, value_name = "PORT", conflicts_with = "range", value_parser = certain_port)]
    pub(crate) port: Option<Port>,
    /// Bind the ports and pass the sockets from descriptor 3 on, as systemd does; at the loopback
    /// address of IPv4, or with -6 of IPv6, unless --address says otherwise
    #[arg(long)]
    pub(crate) fd: bool,
    /// The command, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// Which ports.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct PortArgs {
    /// How many neighbouring ports
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) count: u16,
    /// Where to look, instead of from 10000 up without the ports of usual services
    #[arg(long, value_name = "A-B")]
    pub(crate) range: Option<PortRange>,
    /// TCP: what it is without --udp; with it, a port that is free in both
    #[arg(long)]
    pub(crate) tcp: bool,
    /// UDP
    #[arg(long)]
    pub(crate) udp: bool,
    /// IPv4 only
    #[arg(long, short = '4', conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// IPv6 only
    #[arg(long, short = '6')]
    pub(crate) ipv6: bool,
    /// Free at this local address, instead of at all
    #[arg(long, value_name = "ADDR", value_parser = address, conflicts_with_all = ["ipv4", "ipv6"])]
    pub(crate) address: Option<IpAddr>,
}

/// Arguments of `ports leases`.
#[derive(Debug, clap::Args)]
pub(crate) struct LeasesArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `ports free`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports free\n\
    \x20 WEB_PORT=$(ports free -q) docker compose up\n\
    \n\
    It holds nothing: somebody else may take it before you do. `ports lease` holds it.")]
pub(crate) struct FreeArgs {
    #[command(flatten)]
    pub(crate) ports: PortArgs,
    /// Format of standard output: one number a line, or with more around it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

/// Whether a command line is one of `ports lease`, also where it cannot be parsed.
pub(crate) fn is_lease(args: impl IntoIterator<Item = OsString>) -> bool {
    let mut args = args.into_iter().skip(1);
    while let Some(arg) = args.next() {
        if arg == OsStr::new("--color") {
            args.next();
        } else if !arg.to_string_lossy().starts_with('-') {
            return arg == OsStr::new("lease");
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_first_word() {
        for (line, expected) in [
            ("ports lease", true),
            ("ports lease --count x -- cmd", true),
            ("ports -q --color never lease --bad", true),
            ("ports --color=never lease", true),
            ("ports leases", false),
            ("ports lookup lease", false),
            ("ports --color lease", false),
            ("ports", false),
        ] {
            assert_eq!(is_lease(line.split(' ').map(OsString::from)), expected, "{line}");
        }
    }
}
