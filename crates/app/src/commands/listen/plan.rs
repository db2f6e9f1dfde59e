//! Which command lines of `ports listen` make sense.

use std::net::SocketAddr;

use ports_core::{Endpoint, Scheme};

use crate::commands::conversation::bind::{self, Passed};
use crate::commands::conversation::memberships;

use crate::args::{EventTarget, ListenArgs, Place, ServiceKind};
use crate::commands::conversation::options::{
    address, check_interface, check_source, check_zone, is_of_many, senseless,
};
use crate::commands::conversation::ways::which;
use crate::commands::tls;
use crate::exit::UsageError;

pub(super) fn check(args: &ListenArgs, passed: &Passed) -> Result<(), UsageError> {
    check_passed(args, passed)?;
    args.places.iter().filter_map(Place::endpoint).try_for_each(check_endpoint)?;
    check_schemes(args)?;
    check_service(args)
}

/// A pipe is for one peer. Two sockets were most likely passed to be served both, and whoever came to
/// the other one would wait for ever: the starter holds it open.
fn check_passed(args: &ListenArgs, passed: &Passed) -> Result<(), UsageError> {
    if args.service != ServiceKind::Pipe {
        return Ok(());
    }
    for place in &args.places {
        let sockets = bind::named(place, passed);
        if sockets > 1 {
            return Err(UsageError(format!(
                "{place} is {sockets} sockets, and a pipe takes one: name one (fd:NAME), or take \
                 --service echo, discard or relay"
            )));
        }
    }
    Ok(())
}

fn check_service(args: &ListenArgs) -> Result<(), UsageError> {
    let usage = |text: &str| Err(UsageError(text.to_owned()));
    if args.service == ServiceKind::Pipe {
        if args.places.len() > 1 {
            return usage(
                "a pipe takes one endpoint; --service echo, discard and relay take several",
            );
        }
        if args.report.events == Some(EventTarget::StandardOutput) {
            return usage("--events -: the standard output of a pipe carries the data");
        }
        if args.limits.max_connections.is_some_and(|most| most > 1) {
            return usage("--max-connections: a pipe serves one connection");
        }
        if args.limits.max_connections_per_address.is_some() {
            return usage("--max-connections-per-address: a pipe serves one connection");
        }
    }
    if !args.prefix.is_empty() && !matches!(args.service, ServiceKind::Echo | ServiceKind::Relay) {
        return usage(
            "--prefix is for --service echo and relay: a pipe and discard send nothing on",
        );
    }
    if args.slow.is_some() && args.service != ServiceKind::Relay {
        return usage("--slow is for --service relay: the others wait for who reads slowly");
    }
    Ok(())
}

fn check_schemes(args: &ListenArgs) -> Result<(), UsageError> {
    let any = |scheme| args.places.iter().any(|place| place.scheme() == scheme);
    if any(Scheme::Tcp) && any(Scheme::Tls) {
        return Err(UsageError(
            "TCP and TLS are served by one command each: all clients of one are alike".to_owned(),
        ));
    }
    let schemes: Vec<Scheme> = args.places.iter().map(Place::scheme).collect();
    tls::check(&args.tls, &schemes, None)?;
    args.places.iter().try_for_each(|place| tls::check_listener(&args.tls, place))?;
    if any(Scheme::Tcp) || any(Scheme::Tls) {
        return Ok(());
    }
    let limits = &args.limits;
    let given = [
        ("--max-connections", limits.max_connections.is_some()),
        ("--idle-timeout", limits.idle_timeout.is_some() && args.service != ServiceKind::Relay),
        ("--slow", args.slow.is_some()),
    ];
    let given = given.into_iter().find_map(|(option, given)| given.then_some(option));
    match given.or(limits.given_for_tcp()) {
        Some(option) => Err(UsageError(format!("{option} is for TCP: UDP has no connections"))),
        None => Ok(()),
    }
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), UsageError> {
    check_zone(endpoint)?;
    let options = endpoint.options();
    let is_udp = endpoint.scheme() == Scheme::Udp;
    let group = is_udp && address(endpoint).is_some_and(|address| address.is_multicast());
    if options.interface().is_some() && !group {
        return Err(senseless("iface", endpoint, "it says where to join a multicast group"));
    }
    if !is_udp && address(endpoint).is_some_and(is_of_many) {
        return Err(UsageError(format!(
            "{endpoint}: nobody connects to a group or a broadcast; what is sent there comes by udp://"
        )));
    }
    if is_udp {
        check_link(endpoint)?;
        check_interface(endpoint)?;
    }
    if options.ttl().is_some() {
        return Err(senseless("ttl", endpoint, "a listener sends to no group"));
    }
    if options.source().is_some() && !group {
        return Err(senseless(
            "source",
            endpoint,
            "only of a multicast group one sender can be heard",
        ));
    }
    if options.source().is_some_and(|source| source.is_unspecified()) {
        return Err(senseless("source", endpoint, "it is the one sender to hear"));
    }
    check_source(options.source(), endpoint)
}

/// Refuses a group of one link without the link: the system would choose one.
pub(in crate::commands) fn check_link(endpoint: &Endpoint) -> Result<(), UsageError> {
    if endpoint.options().interface().is_none() && endpoint.socket_addr().is_some_and(is_unscoped) {
        return Err(UsageError(format!(
            "{endpoint}: each link has such a group of its own; {}",
            which()
        )));
    }
    Ok(())
}

fn is_unscoped(address: SocketAddr) -> bool {
    memberships::is_bound_to_link(address)
        && matches!(address, SocketAddr::V6(group) if group.scope_id() == 0)
}
