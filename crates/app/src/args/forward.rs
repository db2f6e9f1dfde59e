//! Arguments of `ports forward`.

use std::net::SocketAddr;
use std::time::Duration;

use ports_core::Endpoint;

use super::scan::positive_duration;
use super::sockets::{EventTarget, loopback};

/// Arguments of `ports forward`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Endpoints: tcp://HOST:PORT, udp://HOST:PORT, HOST:PORT (TCP). Each end of a \
    stream is passed on as it is: an end of input as an end of input, a reset as a reset."
)]
pub(crate) struct ForwardArgs {
    /// Where to listen
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: Endpoint,
    /// Where to connect for each client
    #[arg(value_name = "TARGET")]
    pub(crate) target: Endpoint,
    /// Serve at most N clients at once: more TCP clients wait, for another UDP client the one
    /// silent for longest is forgotten
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: Option<u32>,
    /// End what has been silent for this long [default: TCP never, UDP 60s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Give up connecting to the target after this time [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) connect_timeout: Option<Duration>,
    /// Write events as JSON lines to FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<EventTarget>,
    /// Serve statistics for Prometheus at http://ADDR/metrics; ADDR is a loopback address
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Print statistics to standard error at the end
    #[arg(long)]
    pub(crate) stats: bool,
}
