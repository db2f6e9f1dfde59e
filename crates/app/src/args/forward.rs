//! Arguments of `ports forward`.

use std::net::IpAddr;
use std::time::Duration;

use ports_core::Endpoint;

use super::address::address;
use super::duration::positive_duration;
use super::limits::LimitArgs;
use super::place::Place;
use super::report::{MetricsArgs, ReportArgs};
use super::tls::TlsArgs;

/// Arguments of `ports forward`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports forward 127.0.0.1:5432 db.example:5432\n\
    \x20 ports forward tls://:443 127.0.0.1:8080 --cert server.pem --key server.key\n\
    \x20 ports forward udp://127.0.0.1:5300 udp://192.0.2.53:53\n\
    \n\
    Endpoints: tcp://HOST:PORT, udp://HOST:PORT, tls://HOST:PORT, HOST:PORT (TCP); \
    LISTEN may be fd: or fd:NAME, a TCP listener that the starter passed (LISTEN_FDS), or tls+fd: to \
    speak TLS on it. TLS begins or ends here: tls://... tcp://... takes it off, tcp://... tls://... puts it on.\n\
    Each end of a stream is passed on as it is: an end of input as an end of input, a reset as a \
    reset. A client whose target cannot be reached is reset.\n\
    Ctrl-C: what has come is passed on, for 5 s at most. A client is done once both sides have \
    acknowledged all and nothing came for 0.5 s, or for 2 s where the last bytes went to TARGET, whose \
    answer may be due; a stream that is not over by then is reset on both sides. A second Ctrl-C \
    resets at once.\n\
    A client has its place (--max-connections) until TARGET, too, has acknowledged all, or has taken \
    nothing for 5 s: so long both connections stand.\n\
    UDP: a client silent for --idle-timeout [default: 2m] is forgotten, and beyond \
    --max-connections [default: 1024] the one silent for longest.")]
pub(crate) struct ForwardArgs {
    /// Where to listen
    #[arg(value_name = "LISTEN")]
    pub(crate) listen: Place,
    /// Where to connect for each client
    #[arg(value_name = "TARGET")]
    pub(crate) target: Endpoint,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Connect to the target from this local address
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) source: Option<IpAddr>,
    /// Give up connecting to the target after this time [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) connect_timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}
