//! Datagrams from standard input, replies to standard output.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use ports_core::{Endpoint, Transport};
use sockets_udp::{
    Datagram, Event, Events, Interface, MAX_PAYLOAD_V4, Outgoing, SendError, UdpSocket,
    is_broadcast,
};
use stats::Role;
use tokio::time::{Instant, sleep_until};

use crate::args::ConnectArgs;
use crate::commands::conversation::drain::{drain, more_came};
use crate::commands::conversation::events::tell_quietly;
use crate::commands::conversation::incoming::Incoming;
use crate::commands::conversation::options::is_of_many;
use crate::commands::conversation::resolve::{interface, targets};
use crate::commands::conversation::session::{Session, too_slow};
use crate::commands::conversation::streams::{Input, InputReader, Output};
use crate::commands::conversation::unreachable::Unreachable;
use crate::commands::conversation::ways::with_ways;
use crate::commands::listen::peers::Peers;
use crate::output::counted;

/// How long replies are waited for after the end of input: counted from the last datagram either
/// way.
pub(super) const REPLY_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &ConnectArgs, session: &Session) -> anyhow::Result<()> {
    let endpoint = &args.endpoint;
    let Some(resolved) = session.stop.run_until_cancelled(targets(endpoint)).await else {
        return Ok(());
    };
    let target = target(resolved?, source(args))
        .with_context(|| format!("{endpoint} has no address of the family of the source"))?;
    let way = Way::of_broadcast(args, target)?;
    let (socket, is_many) = open(args, target, session)?;
    let telling = session
        .events
        .is_on()
        .then(|| tokio::spawn(tell_quietly(socket.events(), session.events.clone())));
    let events = socket.events();
    let heard = Peers::new(session.terminal);
    let mut exchange =
        Exchange { socket: &socket, target, is_many, heard, way, events, told: None, session };
    let result = tokio::select! {
        result = exchange.run() => result,
        () = session.grace_over() => {
            Err(too_slow())
        }
    };
    if let Err(error) = &result
        && exchange.last_told().is_some_and(|told| told == format!("{error:#}"))
    {
        session.failure_was_told();
    }
    let names_no_way = endpoint.options().interface().is_none() && is_of_many(target.ip());
    let result = if names_no_way { result.map_err(with_ways) } else { result };
    socket.close();
    if let Some(telling) = telling {
        telling.await?;
    }
    result
}

/// The first address that can be sent to from `source`.
fn target(addresses: Vec<SocketAddr>, source: Option<IpAddr>) -> Option<SocketAddr> {
    let fits = |address: &SocketAddr| source.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
    addresses.into_iter().find(fits)
}

fn source(args: &ConnectArgs) -> Option<IpAddr> {
    args.source.or(args.endpoint.options().source())
}

/// How a broadcast is to leave, where an interface is named: only for a group that is an option of
/// the socket.
struct Way {
    /// The index of the interface.
    link: u32,
    /// The address that it was named by, unless another one is to be sent from.
    from: Option<IpAddr>,
}

impl Way {
    fn of_broadcast(args: &ConnectArgs, target: SocketAddr) -> anyhow::Result<Option<Self>> {
        let endpoint = &args.endpoint;
        if target.ip().is_multicast() || endpoint.options().interface().is_none() {
            return Ok(None);
        }
        let interface = interface(endpoint);
        let link = interface.index()?;
        let from = match interface {
            Interface::Address(address) if source(args).is_none() => Some(address),
            _ => None,
        };
        Ok(Some(Self { link, from: from.filter(|from| from.is_ipv4() == target.is_ipv4()) }))
    }
}

/// The socket, and whether several hosts may answer, or one from another address than is sent to.
fn open(
    args: &ConnectArgs,
    target: SocketAddr,
    session: &Session,
) -> anyhow::Result<(UdpSocket, bool)> {
    let options = args.endpoint.options();
    let any = match target {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let local = SocketAddr::new(source(args).unwrap_or(any), 0);
    let mut builder = UdpSocket::builder()
        .bind(local)
        .datagram_events(session.events.is_on())
        .stats(session.stats.clone());
    // Where it cannot be known, opening says why.
    if !is_many(target.ip(), source(args), &interface(&args.endpoint)).unwrap_or(false) {
        // Only a connected socket is told that nobody listens at its peer (udp(7), "Error handling").
        return Ok((builder.connect(target).open()?, false));
    }
    builder = builder.broadcast(true);
    if target.ip().is_multicast() {
        builder = builder.multicast_interface(interface(&args.endpoint));
    }
    if let Some(ttl) = options.ttl() {
        builder = builder.multicast_ttl(ttl);
    }
    Ok((builder.open()?, true))
}

/// Whether several hosts may answer, or one from another address than is sent to.
fn is_many(ip: IpAddr, source: Option<IpAddr>, interface: &Interface) -> io::Result<bool> {
    match ip {
        ip if ip.is_multicast() || ip.is_unspecified() => Ok(true),
        IpAddr::V4(ip) => is_broadcast(ip, source, interface),
        IpAddr::V6(_) => Ok(false),
    }
}

/// The same of an endpoint's own address; also where it cannot be known.
pub(super) fn may_be_many(ip: IpAddr, endpoint: &Endpoint) -> bool {
    is_many(ip, endpoint.options().source(), &interface(endpoint)).unwrap_or(true)
}

struct Exchange<'a> {
    socket: &'a UdpSocket,
    target: SocketAddr,
    /// Whoever answers is meant.
    is_many: bool,
    /// Who has, where several may.
    heard: Peers,
    /// How datagrams leave, whatever the routes say.
    way: Option<Way>,
    events: Events,
    /// What failed last, of what the events told.
    told: Option<String>,
    session: &'a Session,
}

impl Exchange<'_> {
    /// Both directions in turn: datagrams are independent, so neither has to wait for the other to
    /// go on.
    async fn run(&mut self) -> anyhow::Result<()> {
        let (mut input, mut output) = (InputReader::new(MAX_PAYLOAD_V4), Output::new());
        // A datagram's sender never ends; who reads what it says may.
        let incoming = Incoming::begin();
        let stop = &self.session.stop;
        let mut deadline = None;
        loop {
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                next = input.next(incoming.unread(), stop), if deadline.is_none() => match next? {
                    Input::Chunk(chunk) => self.send(&chunk).await?,
                    Input::End => deadline = Some(Instant::now() + REPLY_WAIT),
                    Input::Silent => {
                        incoming.tell_silence(self.session.terminal);
                        break;
                    }
                    Input::Stopped => break,
                },
                datagram = self.socket.recv() => {
                    self.write(&mut output, datagram?).await?;
                    deadline = deadline.map(|_| Instant::now() + REPLY_WAIT);
                }
                () = over => break,
                () = stop.cancelled() => break,
            }
        }
        let socket = self.socket;
        let write = async |datagram| self.write(&mut output, datagram).await;
        if drain(socket, write).await? {
            self.session.terminal.warn(&more_came());
        }
        self.check_arrival()
    }

    /// Whether anything that was sent got there, as far as it is known: an error where nobody answered,
    /// either.
    fn check_arrival(&mut self) -> anyhow::Result<()> {
        let undelivered = self.socket.peer_errors();
        if undelivered == 0 {
            return Ok(());
        }
        // So much may have come since that it is no longer among the events.
        let told = self.last_told();
        let unreachable = told.unwrap_or_else(|| format!("udp {} is unreachable", self.target));
        let counters = self.session.stats.snapshot().counters(Transport::Udp, Role::Peer);
        anyhow::ensure!(counters.messages_received > 0, "{unreachable}");
        let datagrams = counted(undelivered, "datagram", "datagrams");
        self.session.terminal.warn(&format!("{unreachable}: at least {datagrams} did not arrive"));
        Ok(())
    }

    /// What failed last, in the words of the events.
    fn last_told(&mut self) -> Option<String> {
        let told =
            std::iter::from_fn(|| self.events.try_recv().ok()).filter_map(|event| match event {
                Event::PeerUnreachable { peer, kind } => {
                    Some(Unreachable { peer, kind }.in_words())
                }
                Event::Error { text, .. } => Some(text),
                _ => None,
            });
        self.told = told.last().or(self.told.take());
        self.told.clone()
    }

    async fn send(&self, data: &[u8]) -> Result<(), SendError> {
        let Some(way) = &self.way else { return self.socket.send_to(data, self.target).await };
        let mut datagram = Outgoing::new(data, self.target).interface(way.link);
        if let Some(from) = way.from {
            datagram = datagram.source(from);
        }
        self.socket.send(&datagram).await
    }

    /// What the target says; from a group or a broadcast, whoever answers.
    async fn write(&mut self, output: &mut Output, datagram: Datagram) -> anyhow::Result<()> {
        if self.expects(datagram.source) {
            if self.is_many {
                self.heard.heard(datagram.return_path());
            }
            output.write(&datagram.data).await
        } else {
            tracing::debug!(source = %datagram.source, "a datagram from somebody else");
            Ok(())
        }
    }

    fn expects(&self, source: SocketAddr) -> bool {
        let same = |ip: IpAddr| ip.to_canonical() == self.target.ip().to_canonical();
        self.is_many || (same(source.ip()) && source.port() == self.target.port())
    }
}
