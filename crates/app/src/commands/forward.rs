//! `ports forward`: what comes to one endpoint goes to another, and back.

mod sessions;
mod tcp;
mod udp;

use ports_core::{Endpoint, Scheme, Transport};

use super::connect::session::Session;
use super::listen::bind::{self, Bound};
use crate::args::ForwardArgs;
use crate::commands::metrics::Metrics;
use crate::exit::{Exit, UsageError};
use crate::output::{EventLine, Terminal};
use crate::signals::Signals;

pub(crate) async fn run(
    args: ForwardArgs,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    check(&args)?;
    let session = Session::open(args.events.as_ref(), args.stats, terminal, signals)?;
    let result = serve(&args, &session).await;
    session.end(result, signals).await
}

async fn serve(args: &ForwardArgs, session: &Session) -> anyhow::Result<()> {
    let _metrics = Metrics::of_stats(args.metrics, &session.stats, session.terminal).await?;
    let opening = bind::open(std::slice::from_ref(&args.listen), session);
    let Some(bound) = session.stop.run_until_cancelled(opening).await else { return Ok(()) };
    let Bound { tcp, udp, endpoints } = bound?;
    for endpoint in endpoints {
        session.terminal.warn(&format!("forwarding {endpoint} to {}", args.target));
        session.events.send(EventLine::Listening { endpoint }).await;
    }
    match args.listen.transport() {
        Transport::Udp => udp::run(udp, args, session).await,
        _ => tcp::run(tcp, args, session).await,
    }
}

fn check(args: &ForwardArgs) -> Result<(), UsageError> {
    let ForwardArgs { listen, target, .. } = args;
    if listen.transport() != target.transport() {
        return Err(UsageError(format!(
            "{listen} to {target}: a stream has no datagrams, and datagrams make no stream; both \
             ends are TCP or both UDP"
        )));
    }
    if target.port().number() == 0 {
        return Err(UsageError(format!("{target}: 0 is not a port to connect to")));
    }
    if listen.scheme() == Scheme::Udp && args.connect_timeout.is_some() {
        return Err(UsageError("--connect-timeout is for TCP: UDP does not connect".to_owned()));
    }
    [listen, target].into_iter().try_for_each(check_endpoint)
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), UsageError> {
    let many = endpoint.socket_addr().is_some_and(|address| address.ip().is_multicast());
    if many {
        return Err(UsageError(format!("{endpoint}: a group has no one way back to forward")));
    }
    Ok(())
}
