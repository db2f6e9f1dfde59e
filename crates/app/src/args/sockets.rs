//! Arguments of `ports listen` and `ports connect`.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use ports_core::Endpoint;
use sockets_tcp::{SlowPolicy, TcpServerBuilder};

use super::address::address;
use super::duration::{duration, positive_duration};
use super::limits::LimitArgs;
use super::place::Place;
use super::report::{MetricsArgs, ReportArgs};
use super::tls::TlsArgs;

/// Arguments of `ports listen`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports listen :5000 > copy\n\
    \x20 ports listen 127.0.0.1:8080 --service echo\n\
    \x20 ports listen tls://:5001 --cert server.pem --key server.key > copy\n\
    \x20 ports listen 'udp://239.1.2.3:5000?iface=lo'\n\
    \n\
    Endpoints: tcp://HOST:PORT, udp://HOST:PORT, tls://HOST:PORT, HOST:PORT (TCP); an \
    empty host or * is every address, port 0 is any free port.\n\
    Multicast: udp://239.1.2.3:5000?iface=lo joins the group on that interface; &source=ADDR hears \
    that sender only.\n\
    A pipe that --idle-timeout or --first-byte-timeout ends before its input has ended resets its peer and \
    exits with 4 (</dev/null where there is no input); else, and where input is typed, it exits with 0.\n\
    Ctrl-C: nothing new is accepted, and what was accepted is sent, for 5 s at most. Who goes on sending \
    is reset once it has all that was sent to it; what it sent is counted apart. A second Ctrl-C resets \
    at once.\n\
    A relay over UDP: a client that sends nothing for --idle-timeout [default: 2m] is forgotten, and \
    beyond 256 the one silent for longest.\n\
    fd: is the TCP listeners that the starter passed (LISTEN_FDS: systemd, ports lease --fd), \
    fd:NAME those of that name; tls+fd: and tls+fd:NAME speak TLS on them. A pipe takes one of them.")]
pub(crate) struct ListenArgs {
    /// Where to listen; may be repeated, except with pipe
    #[arg(required = true, value_name = "ENDPOINT")]
    pub(crate) places: Vec<Place>,
    /// What to do with what comes in
    #[arg(long, value_name = "SERVICE", default_value = "pipe")]
    pub(crate) service: ServiceKind,
    /// Put TEXT before each line (TCP) or datagram (UDP) that is sent back or on; an echo ends a
    /// connection whose line has no end within 1 MiB
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) prefix: String,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// What a relay does with a client that reads too slowly: block, block=TIME, drop-newest,
    /// drop-oldest or disconnect
    #[arg(long, value_name = "POLICY")]
    pub(crate) slow: Option<SlowArg>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// Arguments of `ports connect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports connect localhost:5000 < original\n\
    \x20 ports connect --wait 30s localhost:5432\n\
    \x20 ports connect tls://localhost:5001 --ca server.pem\n\
    \x20 echo hello | ports connect udp://127.0.0.1:8125\n\
    \n\
    Endpoints: tcp://HOST:PORT, udp://HOST:PORT, tls://HOST:PORT, HOST:PORT (TCP); an \
    empty host or * is this machine, by [::1] and 127.0.0.1. \
    Of a name, all addresses are tried, IPv6 first, each 250 ms after the one before.\n\
    Multicast and broadcast: udp://239.1.2.3:5000?iface=lo&ttl=1, udp://255.255.255.255:5000?iface=eth0.")]
pub(crate) struct ConnectArgs {
    /// Where to connect
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: Endpoint,
    /// Connect from this local address
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) source: Option<IpAddr>,
    /// Give up a try to connect after this time [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) connect_timeout: Option<Duration>,
    /// Ask whether a peer that was silent for this long is still there, and then every 10 s; what
    /// does not answer 6 times is gone
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) keepalive: Option<Duration>,
    /// At the end of input, leave our side of the stream open until the peer ends its own: for peers
    /// that take our end for their own, as servers may over TLS
    #[arg(long)]
    pub(crate) no_shutdown: bool,
    /// Only wait until it can be reached, for TIME at most (0s: one try): exit code 0 once it is up, 4
    /// where it is not. No data is moved; over TLS the handshake has to succeed
    #[arg(long, value_name = "TIME", value_parser = duration,
          conflicts_with_all = ["reconnect", "events", "stats", "keepalive", "no_shutdown"])]
    pub(crate) wait: Option<Duration>,
    /// Connect again when the connection breaks, with growing random pauses. Input waits meanwhile;
    /// the chunk that was being sent is lost, and so is what the peer's system had not acknowledged:
    /// that is said; what it had acknowledged and the peer never read is lost unseen
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// The first pause is at most this long, each next one twice as long [default: 100ms]
    #[arg(long, value_name = "TIME", requires = "reconnect", value_parser = positive_duration)]
    pub(crate) reconnect_base: Option<Duration>,
    /// No pause is longer than this [default: 30s]
    #[arg(long, value_name = "TIME", requires = "reconnect", value_parser = positive_duration)]
    pub(crate) reconnect_max: Option<Duration>,
    /// Give up after N tries in a row [default: never]
    #[arg(long, value_name = "N", requires = "reconnect", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) reconnect_tries: Option<u32>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// What a listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceKind {
    /// One connection: it to standard output, standard input to it
    Pipe,
    /// Sends everything back
    Echo,
    /// Reads and forgets
    Discard,
    /// Sends what one client says to all the others
    Relay,
}

/// `--slow`: what happens to a client that reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowArg(pub(crate) SlowPolicy);

impl FromStr for SlowArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let policy = match text.split_once('=') {
            Some(("block", time)) => SlowPolicy::Block(positive_duration(time)?),
            None => match text {
                "block" => TcpServerBuilder::DEFAULT_SLOW_POLICY,
                "drop-newest" => SlowPolicy::DropNewest,
                "drop-oldest" => SlowPolicy::DropOldest,
                "disconnect" => SlowPolicy::Disconnect,
                _ => return Err(unknown_policy()),
            },
            Some(_) => return Err(unknown_policy()),
        };
        Ok(Self(policy))
    }
}

fn unknown_policy() -> String {
    "expected block, block=TIME, drop-newest, drop-oldest or disconnect".to_owned()
}
