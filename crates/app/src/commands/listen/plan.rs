//! Which command lines of `ports listen` make sense.

use ports_core::{Endpoint, Scheme};

use crate::args::{EventTarget, ListenArgs, ServiceKind};
use crate::commands::connect::resolve::{no_tls, senseless};
use crate::exit::UsageError;

pub(super) fn check(args: &ListenArgs) -> Result<(), UsageError> {
    args.endpoints.iter().try_for_each(check_endpoint)?;
    let usage = |text: &str| Err(UsageError(text.to_owned()));
    let pipe = args.service == ServiceKind::Pipe;
    if pipe && args.endpoints.len() > 1 {
        return usage("a pipe takes one endpoint; --service echo, discard and relay take several");
    }
    if pipe && args.events == Some(EventTarget::StandardOutput) {
        return usage("--events -: the standard output of a pipe carries the data");
    }
    if pipe && args.max_connections.is_some_and(|most| most > 1) {
        return usage("--max-connections: a pipe serves one connection");
    }
    if !args.prefix.is_empty() && !matches!(args.service, ServiceKind::Echo | ServiceKind::Relay) {
        return usage(
            "--prefix is for --service echo and relay: a pipe and discard send nothing on",
        );
    }
    if args.slow.is_some() && args.service != ServiceKind::Relay {
        return usage("--slow is for --service relay: the others wait for who reads slowly");
    }
    let connections = args.endpoints.iter().any(|endpoint| endpoint.scheme() == Scheme::Tcp);
    for (option, given) in [
        ("--max-connections", args.max_connections.is_some()),
        ("--idle-timeout", args.idle_timeout.is_some()),
        ("--slow", args.slow.is_some()),
    ] {
        if given && !connections {
            return Err(UsageError(format!("{option} is for TCP: UDP has no connections")));
        }
    }
    Ok(())
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), UsageError> {
    let options = endpoint.options();
    let group = endpoint.scheme() == Scheme::Udp
        && endpoint.socket_addr().is_some_and(|address| address.ip().is_multicast());
    match endpoint.scheme() {
        Scheme::Tls => return Err(no_tls(endpoint)),
        Scheme::Tcp | Scheme::Udp => {}
    }
    if options.interface().is_some() && !group {
        return Err(senseless("iface", endpoint, "it says where to join a multicast group"));
    }
    if options.ttl().is_some() {
        return Err(senseless("ttl", endpoint, "a listener sends to no group"));
    }
    if options.source().is_some() {
        let why = if group {
            "hearing one sender of a group only is not built in yet"
        } else {
            "a listener hears whoever sends"
        };
        return Err(senseless("source", endpoint, why));
    }
    Ok(())
}
