//! `ports forward`: what comes to one endpoint goes to another, and back.

mod balance;
mod ends;
mod ledger;
mod mapping;
mod mappings;
mod quiet;
mod said;
mod streams;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};

use ports_core::{Endpoint, Scheme};

use self::tcp::Targets;
use super::conversation::bind::{self, Bound, Passed, UdpTelling};
use super::conversation::options::{address, check_source, check_zone, is_of_many, senseless};
use super::conversation::resolve;
use super::conversation::session::Session;
use crate::args::ForwardArgs;
use crate::commands::metrics::Metrics;
use crate::commands::tls;
use crate::exit::{Exit, UsageError};
use crate::output::{EventLine, Terminal};
use crate::signals::Signals;

pub(crate) async fn run(
    args: ForwardArgs,
    passed: Passed,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    check(&args)?;
    let Some(mut session) = Session::open(&args.report, terminal, signals).await? else {
        return Ok(signals.or_interrupted(Exit::Done));
    };
    if args.target.scheme() == Scheme::Udp {
        session.look_for_kernel_drops();
    }
    let result = serve(&args, passed, &session).await;
    session.end(result, signals).await
}

async fn serve(args: &ForwardArgs, passed: Passed, session: &Session) -> anyhow::Result<()> {
    let _metrics =
        Metrics::of_stats(args.metrics.metrics, &session.stats, session.terminal).await?;
    let speaks_tls = args.listen.scheme() == Scheme::Tls;
    let opening = session.opening(&args.tls);
    let tls = if speaks_tls { Some(tls::server(&args.tls)?) } else { None };
    drop(opening);
    // Before any client can come: whoever resolves no target forwards to nobody.
    let resolving = resolve::targets(&args.target);
    let Some(resolved) = session.stop.run_until_cancelled(resolving).await else { return Ok(()) };
    let resolved = resolved?;
    let is_udp = args.target.scheme() == Scheme::Udp;
    let udp_target = is_udp.then(|| udp::Target::choose(&resolved, args)).transpose()?;
    // Datagrams go to one of them; of the others each is tried for each client.
    let reached = udp_target.map_or(resolved, |target| vec![target.address]);
    let targets = Targets::new(args, session)?;
    // What each client sends is told in order with its coming and going, not by the socket.
    let telling = UdpTelling { datagrams: false, peer_errors: false };
    let opening = bind::open(std::slice::from_ref(&args.listen), passed, telling, session);
    let Some(bound) = session.stop.run_until_cancelled(opening).await else { return Ok(()) };
    let Bound { tcp, udp, endpoints, .. } = bound?;
    for at in endpoints.iter().filter_map(Endpoint::socket_addr) {
        refuse_itself(at, reached.iter().copied(), &args.target)?;
    }
    for endpoint in endpoints {
        session.terminal.warn(&format!("forwarding {endpoint} to {}", args.target));
        session.events.send(EventLine::Listening { endpoint }).await;
    }
    match udp_target {
        Some(target) => udp::run(udp, target, args, session).await,
        // Each connection resolves the target anew.
        None => tcp::run(tcp, tls, targets, args, session).await,
    }
}

fn check(args: &ForwardArgs) -> Result<(), UsageError> {
    let ForwardArgs { listen, target, .. } = args;
    if listen.scheme().transport() != target.transport() {
        return Err(UsageError(format!(
            "{listen} to {target}: a stream has no datagrams, and datagrams make no stream; both \
             ends are TCP or both UDP"
        )));
    }
    if target.port().number() == 0 {
        return Err(UsageError(format!("{target}: 0 is not a port to connect to")));
    }
    if listen.scheme() == Scheme::Udp {
        let timeout = args.connect_timeout.map(|_| "--connect-timeout");
        if let Some(option) = timeout.or(args.limits.given_for_tcp()) {
            return Err(UsageError(format!("{option} is for TCP: UDP has no connections")));
        }
    }
    tls::check(&args.tls, &[listen.scheme()], Some(target.scheme()))?;
    tls::check_listener(&args.tls, listen)?;
    if let Some(listen) = listen.endpoint() {
        check_endpoint(listen)?;
        if let Some(at) = listen.socket_addr() {
            refuse_itself(at, target.target_addrs(), target)?;
        }
        if listen.options().interface().is_some() || listen.options().source().is_some() {
            return Err(UsageError(format!("{listen}: iface and source are for groups")));
        }
    }
    if args.source.is_some() && target.options().source().is_some() {
        return Err(senseless("source", target, "--source says it already"));
    }
    if target.options().interface().is_some() {
        return Err(UsageError(format!("{target}: iface is for groups and broadcasts")));
    }
    check_source(args.source.or(target.options().source()), target)?;
    check_endpoint(target)
}

/// Refuses a target of which an address is where it listens, as far as the addresses tell.
fn refuse_itself(
    at: SocketAddr,
    mut reached: impl Iterator<Item = SocketAddr>,
    target: &Endpoint,
) -> Result<(), UsageError> {
    let Some(itself) = reached.find(|to| is_itself(at, *to)) else { return Ok(()) };
    let meant = Endpoint::from((target.scheme(), itself));
    let which = if meant.host() == target.host() { "is".into() } else { format!("is {meant},") };
    Err(UsageError(format!(
        "{target} {which} where it listens itself: it would forward to itself for ever"
    )))
}

/// Whether what goes to `to` comes in at `at`.
fn is_itself(at: SocketAddr, to: SocketAddr) -> bool {
    let (at_ip, to_ip) = (at.ip().to_canonical(), to.ip().to_canonical());
    let is_here = || to_ip.is_loopback() || to_ip.is_unspecified() || is_own(to_ip);
    at.port() == to.port() && (at_ip == to_ip || bind::takes_in(at_ip, to_ip) && is_here())
}

/// Whether it is an address of one of this machine's interfaces, as far as they can be read.
fn is_own(ip: IpAddr) -> bool {
    scanner::own_addresses().is_ok_and(|own| own.contains(ip))
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), UsageError> {
    check_zone(endpoint)?;
    if address(endpoint).is_some_and(is_of_many) {
        return Err(many(endpoint));
    }
    if endpoint.options().ttl().is_some() {
        return Err(UsageError(format!("{endpoint}: ttl is for groups")));
    }
    Ok(())
}

fn many(endpoint: &Endpoint) -> UsageError {
    UsageError(format!("{endpoint}: a group or a broadcast has no one way back to forward"))
}
