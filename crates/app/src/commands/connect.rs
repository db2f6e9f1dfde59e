//! `ports connect`: standard input to a peer, and what comes back to standard output.

pub(in crate::commands) mod resolve;
pub(in crate::commands) mod session;
pub(in crate::commands) mod streams;
mod tcp;
mod udp;

use ports_core::Scheme;

use self::session::Session;
use crate::args::{ConnectArgs, EventTarget};
use crate::exit::{Exit, UsageError};
use crate::output::Terminal;
use crate::signals::Signals;

pub(crate) async fn run(
    args: ConnectArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    check(&args)?;
    let session = Session::open(args.events.as_ref(), args.stats, terminal, signals)?;
    let result = match args.endpoint.scheme() {
        Scheme::Udp => udp::run(&args.endpoint, &session).await,
        _ => tcp::run(&args.endpoint, args.reconnect, &session).await,
    };
    session.end(result, signals).await
}

fn check(args: &ConnectArgs) -> Result<(), UsageError> {
    let endpoint = &args.endpoint;
    let options = endpoint.options();
    let senseless = |option, why| Err(resolve::senseless(option, endpoint, why));
    if args.events == Some(EventTarget::StandardOutput) {
        return Err(UsageError("--events -: standard output carries the data here".to_owned()));
    }
    if endpoint.port().number() == 0 {
        return Err(UsageError(format!("{endpoint}: 0 is not a port to connect to")));
    }
    match endpoint.scheme() {
        Scheme::Tls => return Err(resolve::no_tls(endpoint)),
        Scheme::Tcp if options.interface().is_some() => {
            return senseless("iface", "it is for multicast; TCP goes where the routes say");
        }
        Scheme::Tcp if options.ttl().is_some() => return senseless("ttl", "it is for multicast"),
        Scheme::Udp if args.reconnect => {
            return Err(UsageError(format!("--reconnect: {endpoint} has no connection")));
        }
        Scheme::Udp if !endpoint.socket_addr().is_some_and(|group| group.ip().is_multicast()) => {
            if options.interface().is_some() {
                return senseless("iface", "it is for a multicast group, given by its address");
            }
            if options.ttl().is_some() {
                return senseless("ttl", "it is for a multicast group, given by its address");
            }
        }
        Scheme::Tcp | Scheme::Udp => {}
    }
    Ok(())
}
