//! Arguments of `ports ls`, and the filters that it shares with `ports watch`.

mod column;

use std::net::SocketAddr;
use std::time::Duration;

use ports_core::Host;
use stats::system::State;

pub(crate) use self::column::Column;
use super::OutputArgs;
use super::address::zoned_address;
use super::duration::interval;
use super::port::PortsArg;
use super::report::loopback;

/// Arguments of `ports ls`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n\
    \x20 ports ls -tlp\n\
    \x20 ports ls --port 5432 --summary\n\
    \x20 ports ls --process-name node --state ESTAB,CLOSE-WAIT\n\
    \x20 ports ls -tlp --format jsonl | jq -r '.processes[].name'\n\
    \x20 ports ls --watch --port 8080\n\
    \n\
    Without --tcp, --udp and --unix: TCP and UDP. All filters must hold. JSON lines hold \
    everything that was read, whatever --columns says.\n\n\
    The processes of other users are seen by root only; whose a socket is, everybody may see.",
    mut_arg("format", |format| format.default_value_if("watch", "true", "jsonl"))
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    pub(crate) filter: SocketFilterArgs,
    /// With the processes that hold each socket
    #[arg(long, short)]
    pub(crate) process: bool,
    /// With what TCP knows of each connection, and what was dropped (JSON lines, or --columns)
    #[arg(long)]
    pub(crate) details: bool,
    /// These columns, in this order
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', ignore_case = true)]
    pub(crate) columns: Vec<Column>,
    /// Sort by this column, the smallest first; else in the kernel's order
    #[arg(long, value_name = "COLUMN", ignore_case = true)]
    pub(crate) sort: Option<Column>,
    /// The largest first
    #[arg(long, requires = "sort")]
    pub(crate) reverse: bool,
    /// Only how many sockets are in each state
    #[arg(long, conflicts_with_all = ["columns", "sort", "watch"])]
    pub(crate) summary: bool,
    /// Go on, and tell what is opened, changed and closed, as JSON lines
    #[arg(long, conflicts_with_all = ["columns", "sort"])]
    pub(crate) watch: bool,
    /// How often --watch looks
    #[arg(long, value_name = "D", default_value = "1s", requires = "watch", value_parser = interval)]
    pub(crate) interval: Duration,
    /// With --watch: serve counts of the sockets to Prometheus at this loopback address
    #[arg(long, value_name = "ADDR", requires = "watch", value_parser = loopback)]
    pub(crate) metrics: Option<SocketAddr>,
    /// What `ss` and `netstat` have to be told, and it does anyway
    #[arg(short = 'n', short_alias = 'a', hide = true, action = clap::ArgAction::Count)]
    pub(crate) anyway: u8,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which sockets.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct SocketFilterArgs {
    /// TCP sockets
    #[arg(long, short = 't')]
    pub(crate) tcp: bool,
    /// UDP sockets
    #[arg(long, short = 'u')]
    pub(crate) udp: bool,
    /// UNIX sockets
    #[arg(long, short = 'x')]
    pub(crate) unix: bool,
    /// Only those that wait for whoever comes: that listen, or have no peer (UDP, UNIX)
    #[arg(long, short, conflicts_with = "state")]
    pub(crate) listening: bool,
    /// Only in one of these states, as they are printed: LISTEN, ESTAB, TIME-WAIT and so on
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<State>,
    /// Only with one of these ports at either end: 443, 8000-8999, https;
    /// a name is its ports over the transports that are shown
    #[arg(long, value_name = "PORTS")]
    pub(crate) port: Option<PortsArg>,
    /// Only with this address at either end; with an interface, by name or number (`fe80::1%eth0`), not those
    /// that are bound to another one
    #[arg(long, value_name = "ADDR", value_parser = zoned_address)]
    pub(crate) address: Option<Host>,
    /// IPv4 sockets; with -6 both. UNIX sockets are neither
    #[arg(short = '4')]
    pub(crate) ipv4: bool,
    /// IPv6 sockets, also those that take IPv4, too
    #[arg(short = '6')]
    pub(crate) ipv6: bool,
    /// Only held by one of these processes
    #[arg(long, value_name = "PID", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Vec<u32>,
    /// Only held by a process of one of these names; * stands for any letters: 'python*'
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) process_name: Vec<String>,
    /// Only of one of these users, by name or number
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    pub(crate) user: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::{Args, Command};

    #[test]
    fn letters_of_ss_and_netstat_mean_the_same() {
        let Ok(Args { command: Command::Ls(ls), .. }) =
            Args::try_parse_from(["ports", "ls", "-tuxlnpa46"])
        else {
            panic!("not a line of `ports ls`")
        };
        let filter = ls.filter;
        assert!(filter.tcp && filter.udp && filter.unix && filter.listening && ls.process);
        assert!(filter.ipv4 && filter.ipv6);
    }
}
