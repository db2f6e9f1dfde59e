//! Arguments of `ports watch`.

use std::net::SocketAddr;
use std::time::Duration;

use super::duration::interval;
use super::ls::SocketFilterArgs;
use super::report::loopback;

/// Arguments of `ports watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports watch\n\
    \x20 ports watch -t --process-name node\n\
    \n\
    Keys: ? help, / search, s and r sort, p pauses, arrows move, Ctrl-Z suspends, q quits. Without a terminal: \
    ports ls --watch.")]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) filter: SocketFilterArgs,
    /// How often it looks
    #[arg(long, value_name = "D", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Serve counts of the sockets to Prometheus at this loopback address
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub(crate) metrics: Option<SocketAddr>,
}
