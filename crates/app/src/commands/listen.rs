//! `ports listen`: open listening sockets and serve them.

pub(in crate::commands) mod peers;
mod pipe;
mod pipe_udp;
pub(in crate::commands) mod plan;
mod relay_udp;
mod services;
mod unanswerable;

use std::pin::pin;
use std::sync::Arc;

use ports_core::Scheme;
use sockets_tcp::rustls::ServerConfig;

use crate::args::{ListenArgs, ServiceKind};
use crate::commands::conversation::bind::{self, Bound, Passed, UdpTelling};
use crate::commands::conversation::memberships;
use crate::commands::conversation::session::Session;
use crate::commands::metrics::Metrics;
use crate::commands::tls;
use crate::exit::Exit;
use crate::output::{EventLine, Terminal, check_standard_output};
use crate::signals::Signals;

pub(crate) async fn run(
    args: ListenArgs,
    passed: Passed,
    terminal: Terminal,
    signals: &Signals,
) -> anyhow::Result<Exit> {
    plan::check(&args, &passed)?;
    if args.service == ServiceKind::Pipe {
        check_standard_output()?;
    }
    let Some(mut session) = Session::open(&args.report, terminal, signals).await? else {
        return Ok(signals.or_interrupted(Exit::Done));
    };
    if args.places.iter().any(|place| place.scheme() == Scheme::Udp) {
        session.look_for_kernel_drops();
    }
    let result = serve(&args, passed, &session).await;
    session.end(result, signals).await
}

async fn serve(args: &ListenArgs, passed: Passed, session: &Session) -> anyhow::Result<()> {
    let _metrics =
        Metrics::of_stats(args.metrics.metrics, &session.stats, session.terminal).await?;
    let speaks_tls = args.places.iter().any(|place| place.scheme() == Scheme::Tls);
    let opening = session.opening(&args.tls);
    let tls = if speaks_tls { Some(tls::server(&args.tls)?) } else { None };
    drop(opening);
    // A relay tells what each client sends in order with its coming and going.
    let tells_datagrams = session.events.is_on() && args.service != ServiceKind::Relay;
    // Only the user of a pipe says something to somebody; a service's clients come and go.
    let peer_errors = args.service == ServiceKind::Pipe;
    let telling = UdpTelling { datagrams: tells_datagrams, peer_errors };
    let opening = bind::open(&args.places, passed, telling, session);
    let Some(bound) = session.stop.run_until_cancelled(opening).await else { return Ok(()) };
    let mut bound = bound?;
    for endpoint in &bound.endpoints {
        session.terminal.warn(&format!("listening on {endpoint}"));
        session.events.send(EventLine::Listening { endpoint: endpoint.clone() }).await;
    }
    let groups = std::mem::take(&mut bound.groups);
    let mut serving = pin!(serve_bound(bound, tls, args, session));
    tokio::select! {
        result = &mut serving => result,
        error = memberships::keep(groups, session) => {
            session.stop.cancel();
            serving.await.and(Err(error))
        }
    }
}

async fn serve_bound(
    bound: Bound,
    tls: Option<Arc<ServerConfig>>,
    args: &ListenArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let kind = match args.service {
        ServiceKind::Pipe => {
            let Bound { tcp, mut udp, .. } = bound;
            if let Some(socket) = udp.pop() {
                return pipe_udp::run(socket, udp, session).await;
            }
            let tcp = tcp.into_iter().map(|listener| listener.socket).collect();
            return pipe::run(tcp, tls, &args.limits, session).await;
        }
        ServiceKind::Echo => services::Kind::Echo,
        ServiceKind::Discard => services::Kind::Discard,
        ServiceKind::Relay => services::Kind::Relay,
    };
    services::run(kind, bound, tls, args, session).await
}
