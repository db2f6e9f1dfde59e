//! Echo, discard and relay: until the command is stopped.

use std::sync::Arc;

use bytes::Bytes;
use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{CutOff, Discard, Echo, Relay, TcpServer};
use sockets_udp::{Datagram, Service, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::peers::Peers;
use super::relay_udp::Relay as UdpRelay;
use super::unanswerable::{Unanswerable, can_be_answered};
use crate::args::{ListenArgs, SlowArg};
use crate::commands::conversation::bind::{Bound, Listener};
use crate::commands::conversation::events::{self, ServerTeller};
use crate::commands::conversation::few::few;
use crate::commands::conversation::session::{GRACE, Session};
use crate::commands::conversation::telling::Teller;
use crate::output::{Terminal, bytes, counted};

/// What is served until the command is stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Echo,
    Discard,
    Relay,
}

/// All TCP endpoints are one server, so that their clients are relayed to each other; each UDP
/// endpoint is on its own.
pub(super) async fn run(
    kind: Kind,
    bound: Bound,
    tls: Option<Arc<ServerConfig>>,
    args: &ListenArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let prefix = Bytes::from(args.prefix.clone());
    let mut telling = JoinSet::new();
    let mut serving = JoinSet::new();
    let server = if bound.tcp.is_empty() {
        None
    } else {
        let server = Arc::new(start(kind, bound.tcp, tls, args, &prefix, session).await?);
        reset_at_second(&server, session);
        let (log, terminal) = (session.events.clone(), session.terminal);
        let told = events::of_server(&server, &log);
        telling.spawn(ServerTeller::new(log, terminal).tell_all(told));
        Some(server)
    };
    let sockets = bound.udp.clone();
    for socket in bound.udp {
        if session.tells() {
            let (events, terminal) = (session.events.clone(), session.terminal);
            telling.spawn(events::tell_udp(socket.events(), events, terminal));
        }
        let (stop, terminal, prefix) = (session.stop.clone(), session.terminal, prefix.clone());
        if let Kind::Relay = kind {
            let teller = Teller::start(&session.events, terminal, &mut telling);
            let relay = UdpRelay::new(
                socket,
                prefix,
                args.limits.silence(),
                session.clients.clone(),
                teller,
            );
            serving.spawn(async move { relay.run(&stop).await });
        } else {
            serving.spawn(serve(socket, kind, prefix, stop, terminal));
        }
    }
    // Only a failure ends a service before it is told to end.
    let mut result = tokio::select! {
        () = session.stop.cancelled() => Ok(0),
        Some(ended) = serving.join_next() => ended?,
    };
    session.stop.cancel();
    if let Some(server) = &server {
        shut_down(server, session).await;
    }
    let rest = tokio::time::timeout(GRACE, async {
        while let Some(ended) = serving.join_next().await {
            result = match (std::mem::replace(&mut result, Ok(0)), ended) {
                (Ok(before), Ok(Ok(failed))) => Ok(before + failed),
                (Err(error), _) | (_, Ok(Err(error))) => Err(error),
                (_, Err(error)) => Err(error.into()),
            };
        }
    });
    if rest.await.is_err() {
        session.terminal.warn("a UDP socket takes no more datagrams: the last are not sent");
        serving.shutdown().await;
    }
    // Also those of a service that failed: their events end with this.
    for socket in sockets {
        socket.close();
    }
    while telling.join_next().await.is_some() {}
    let failed = result?;
    if failed > 0 {
        let datagrams = counted(failed, "datagram", "datagrams");
        session.terminal.warn(&format!("{datagrams} could not be sent"));
    }
    Ok(())
}

async fn start(
    kind: Kind,
    listeners: Vec<Listener>,
    tls: Option<Arc<ServerConfig>>,
    args: &ListenArgs,
    prefix: &Bytes,
    session: &Session,
) -> anyhow::Result<TcpServer> {
    let mut builder =
        TcpServer::builder().stats(session.stats.clone()).early_data_events(session.events.is_on());
    builder = builder
        .client_numbers(session.clients.clone())
        .event_capacity(events::capacity(&args.limits, session));
    for listener in listeners {
        builder = listener.give_to(builder);
    }
    if let Some(config) = tls {
        builder = builder.tls(config);
    }
    // They have nothing to finish: what a client sent is answered, or its answer is lost with it.
    builder = args.limits.apply(builder).reset_unfinished(false);
    if let Some(SlowArg(policy)) = args.slow {
        builder = builder.slow_policy(policy);
    }
    let started = match kind {
        Kind::Echo => builder.handler(Echo::new().prefix(prefix.clone())).start().await,
        Kind::Relay => builder.handler(Relay::new().prefix(prefix.clone())).start().await,
        Kind::Discard => builder.handler(Discard).start().await,
    };
    Ok(started?)
}

/// Echoes or discards. Ends when told to; says how many datagrams could not be sent.
async fn serve(
    socket: UdpSocket,
    kind: Kind,
    prefix: Bytes,
    stop: CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let served = if let Kind::Echo = kind {
        let mut unanswerable = Unanswerable::default();
        let echo = sockets_udp::Echo::new().prefix(prefix);
        let echo = to_who_can_be_answered(echo, &mut unanswerable, terminal);
        let served = socket.serve_until(noted(echo, terminal), &stop).await?;
        if let Some(text) = unanswerable.in_words().filter(|_| terminal.is_verbose()) {
            terminal.note(&text);
        }
        served
    } else {
        socket.serve_until(noted(sockets_udp::Discard, terminal), &stop).await?
    };
    Ok(served.failed)
}

/// The same service, without a word to who has no port: each would be an error.
fn to_who_can_be_answered(
    mut service: impl Service,
    unanswerable: &mut Unanswerable,
    terminal: Terminal,
) -> impl FnMut(Datagram) -> Option<Bytes> {
    move |datagram| {
        let path = datagram.return_path();
        if can_be_answered(&path) {
            return service.answer(datagram);
        }
        if let Some(text) = unanswerable.hear(path.peer().ip()).filter(|_| terminal.is_verbose()) {
            terminal.note(&text);
        }
        None
    }
}

/// The same service; with `-v` it is said who uses it.
fn noted(mut service: impl Service, terminal: Terminal) -> impl FnMut(Datagram) -> Option<Bytes> {
    let mut peers = terminal.is_verbose().then(|| Peers::new(terminal));
    move |datagram| {
        if let Some(peers) = &mut peers {
            peers.heard(datagram.return_path());
        }
        service.answer(datagram)
    }
}

/// The second signal resets the clients that are not done.
fn reset_at_second(server: &Arc<TcpServer>, session: &Session) {
    let (server, terminal) = (Arc::downgrade(server), session.terminal);
    session.at_second(move || {
        let Some(server) = server.upgrade() else { return };
        let report = server.cut_off();
        let missing = report.cut_off.iter().map(|cut| (cut.unsent_bytes, cut.unacknowledged_bytes));
        let (mut clients, mut unsent, mut held) = (0_usize, 0, 0);
        for (not_sent, not_acknowledged) in missing.filter(|missing| *missing != (0, 0)) {
            (clients, unsent, held) = (clients + 1, unsent + not_sent, held + not_acknowledged);
        }
        if clients > 0 {
            let clients = counted(clients, "client", "clients");
            terminal.warn(&format!(
                "stopped at once: for {clients} {} not sent, {held} not acknowledged",
                bytes(unsent),
            ));
        }
        let unread = report.unread.iter().map(|unread| unread.bytes);
        let cut_off = report.cut_off.iter().map(|cut| cut.discarded_bytes);
        tell_unread(unread.chain(cut_off), terminal);
    });
}

async fn shut_down(server: &TcpServer, session: &Session) {
    let report = server.shutdown(GRACE).await;
    session.unless_cut().await;
    let mut cut_off = report.cut_off;
    cut_off.sort_by_key(|cut| cut.client.number());
    for note in few(&cut_off, cut_off_in_words, all_cut_off_in_words) {
        session.terminal.warn(&note);
    }
    tell_unread(report.unread.iter().map(|unread| unread.bytes), session.terminal);
}

fn cut_off_in_words(cut: &CutOff) -> String {
    let unread = match cut.discarded_bytes {
        0 => String::new(),
        unread => format!("; {unread} that it sent not read"),
    };
    format!(
        "client {} ({}) was cut off ({}): {} not sent, {} not acknowledged{unread}",
        cut.client,
        cut.peer,
        cut.reason,
        bytes(cut.unsent_bytes),
        cut.unacknowledged_bytes
    )
}

fn all_cut_off_in_words(all: &[CutOff]) -> String {
    let sum = |of: fn(&CutOff) -> u64| all.iter().map(of).sum::<u64>();
    let unread = match sum(|cut| cut.discarded_bytes) {
        0 => String::new(),
        unread => format!("; {unread} that they sent not read"),
    };
    format!(
        "{} clients were cut off in all: {} not sent, {} not acknowledged{unread}",
        all.len(),
        bytes(sum(|cut| cut.unsent_bytes as u64)),
        sum(|cut| cut.unacknowledged_bytes as u64)
    )
}

/// What clients sent and nobody was to read any more, in one note: those who send all the time are many.
fn tell_unread(by_client: impl Iterator<Item = u64>, terminal: Terminal) {
    let (mut clients, mut unread) = (0_u64, 0);
    for of_client in by_client.filter(|unread| *unread > 0) {
        (clients, unread) = (clients + 1, unread + of_client);
    }
    if clients > 0 {
        let clients = counted(clients, "client was", "clients were");
        let unread = bytes(unread);
        terminal.warn(&format!("{clients} reset, with {unread} that came too late to be read"));
    }
}
