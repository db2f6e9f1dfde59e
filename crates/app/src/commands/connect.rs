//! `ports connect`: standard input to a peer, and what comes back to standard output.

mod in_hand;
mod tcp;
mod teller;
mod udp;
mod verdict;
mod wait;

use ports_core::Scheme;

use super::listen::plan;
use crate::args::{ConnectArgs, EventTarget};
use crate::commands::conversation::options::{
    self, address, check_interface, check_source, check_zone,
};
use crate::commands::conversation::session::Session;
use crate::commands::tls;
use crate::exit::{Exit, UsageError};
use crate::output::{Terminal, check_standard_output};
use crate::signals::Signals;

pub(crate) async fn run(
    args: ConnectArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    check(&args)?;
    if let Some(longest) = args.wait {
        return wait::run(&args, longest, terminal, signals).await;
    }
    check_standard_output()?;
    let Some(mut session) = Session::open(&args.report, terminal, signals).await? else {
        return Ok(signals.or_interrupted(Exit::Done));
    };
    let result = match args.endpoint.scheme() {
        Scheme::Udp => {
            session.look_for_kernel_drops();
            udp::run(&args, &session).await
        }
        _ => tcp::run(&args, &session).await,
    };
    session.end(result, signals).await
}

fn check(args: &ConnectArgs) -> Result<(), UsageError> {
    let endpoint = &args.endpoint;
    let given = endpoint.options();
    let senseless = |option, why| Err(options::senseless(option, endpoint, why));
    if args.report.events == Some(EventTarget::StandardOutput) {
        return Err(UsageError("--events -: standard output carries the data here".to_owned()));
    }
    if endpoint.port().number() == 0 {
        return Err(UsageError(format!("{endpoint}: 0 is not a port to connect to")));
    }
    if args.source.is_some() && given.source().is_some() {
        return senseless("source", "--source says it already");
    }
    check_zone(endpoint)?;
    check_source(args.source.or(given.source()), endpoint)?;
    tls::check(&args.tls, &[], Some(endpoint.scheme()))?;
    if endpoint.scheme() != Scheme::Udp {
        return match (given.ttl(), given.interface()) {
            (Some(_), _) => senseless("ttl", "it is for multicast"),
            (_, Some(_)) => senseless("iface", "it is for multicast and broadcasts"),
            (None, None) => Ok(()),
        };
    }
    plan::check_link(endpoint)?;
    for (option, given) in [
        ("--reconnect", args.reconnect),
        ("--wait", args.wait.is_some()),
        ("--connect-timeout", args.connect_timeout.is_some()),
        ("--keepalive", args.keepalive.is_some()),
        ("--no-shutdown", args.no_shutdown),
    ] {
        if given {
            return Err(UsageError(format!("{option}: {endpoint} has no connection")));
        }
    }
    check_interface(endpoint)?;
    let address = address(endpoint);
    if given.ttl().is_some() && !address.is_some_and(|ip| ip.is_multicast()) {
        return senseless("ttl", "it is for a multicast group, given by its address");
    }
    if given.interface().is_some() && !address.is_some_and(|ip| udp::may_be_many(ip, endpoint)) {
        return senseless("iface", "it is for a group or a broadcast, given by its address");
    }
    Ok(())
}
