//! Drives one engine with non-blocking connects on one poller, on one thread.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use ports_core::Port;
use slab::Slab;
use socket2::SockAddr;

use super::neighbours::Neighbours;
use super::outcome::{Context, Outcome, classify};
use super::own::{OwnSockets, Reach};
use super::socket::{ProbeSocket, REUSABLE_AFTER_REFUSAL, SocketKind};
use crate::engine::{Engine, EngineEvent, LocalError, Probe, ProbeId, Reply};
use crate::links::Links;

/// The longest sleep: how late a cancellation may be seen.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Probes sent before the poller is looked at again.
const SEND_BATCH: usize = 128;
/// Poll events taken at once.
const EVENT_BATCH: usize = 1_024;

/// Where a driver gets its work and leaves its findings.
pub(crate) trait WorkSource {
    /// More indices for the engine; `None` once there are no more.
    fn next_work(&mut self) -> Option<std::ops::Range<u64>>;
    /// A finding, as soon as it is known.
    fn event(&mut self, event: EngineEvent);
    /// The engine has nothing more to say for now: pass on what was kept back.
    fn flush(&mut self, engine: &Engine);
    /// Whether to stop now.
    fn is_cancelled(&self) -> bool;
}

/// What all drivers of a scan share.
#[derive(Clone, Debug)]
pub(crate) struct DriverConfig {
    pub(crate) own: Arc<OwnSockets>,
    pub(crate) links: Arc<Links>,
    /// The source address asked for.
    pub(crate) source: Option<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct ConnectDriver {
    engine: Engine,
    config: DriverConfig,
    poll: Poll,
    /// Sockets with a connect under way, keyed by their token.
    busy: Slab<Busy>,
    /// The token of each probe in flight, by [`ProbeId::index`].
    tokens: Vec<Option<usize>>,
    neighbours: Neighbours,
    /// Refused sockets, free for the next probe of their kind.
    idle: HashMap<SocketKind, Vec<ProbeSocket>>,
}

#[derive(Debug)]
struct Busy {
    socket: ProbeSocket,
    probe: Probe,
}

impl ConnectDriver {
    pub(crate) fn new(engine: Engine, config: DriverConfig) -> io::Result<Self> {
        Ok(Self {
            engine,
            config,
            poll: Poll::new()?,
            busy: Slab::new(),
            tokens: Vec::new(),
            neighbours: Neighbours::default(),
            idle: HashMap::new(),
        })
    }

    /// Works until there is no more work, or until cancelled. Returns the engine, which knows what was
    /// put off.
    pub(crate) fn run(mut self, source: &mut impl WorkSource) -> io::Result<Engine> {
        let mut events = Events::with_capacity(EVENT_BATCH);
        let mut more_work = true;
        while !source.is_cancelled() {
            self.engine.handle_timeout(Instant::now());
            while let Some(id) = self.engine.poll_expired() {
                drop(self.take_busy(id));
            }
            for _ in 0..SEND_BATCH {
                more_work = more_work && self.feed(source);
                let Some(probe) = self.engine.poll_probe(Instant::now()) else { break };
                self.launch(probe);
            }
            // An engine without work would sleep.
            more_work = more_work && self.feed(source);
            while let Some(event) = self.engine.poll_event() {
                source.event(event);
            }
            source.flush(&self.engine);
            if self.engine.is_idle() {
                break;
            }
            self.wait(&mut events)?;
        }
        Ok(self.engine)
    }

    /// Gives the engine work as long as it wants some; `false` once there is no more.
    fn feed(&mut self, source: &mut impl WorkSource) -> bool {
        while self.engine.wants_work() {
            let Some(indices) = source.next_work() else { return false };
            self.engine.add_work(indices);
        }
        true
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = Instant::now();
        let sleep = self
            .engine
            .poll_timeout()
            .map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(now).min(LONGEST_SLEEP));
        if sleep.is_zero() && self.busy.is_empty() {
            return Ok(());
        }
        match self.poll.poll(events, Some(sleep)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &*events {
            // An event may be for a socket that is gone, or for the one that has its place now: the
            // kernel is asked how far that one has come.
            let Token(token) = event.token();
            if self.busy.contains(token) {
                let Busy { socket, probe } = self.busy.remove(token);
                self.set_token(probe.id, None);
                self.advance(socket, probe, false);
            }
        }
        Ok(())
    }

    fn launch(&mut self, probe: Probe) {
        let target = probe.target;
        let reach = self.config.own.look_up(target.ip(), Port::new(target.port()));
        if reach == Reach::OwnSocket {
            return self.local_error(probe.id, LocalError::OwnSocket);
        }
        // The kernel tells a connect of an unresolved neighbour only after three seconds; its table
        // knows by the last attempt.
        let links = &self.config.links;
        if probe.is_last
            && probe.attempt > 1
            && links.is_on_link(target.ip())
            && !links.is_local(target.ip())
            && self.neighbours.is_unresolved(Instant::now(), target.ip())
        {
            return self.local_error(probe.id, LocalError::NeighbourUnresolved);
        }
        let own = reach == Reach::OwnAddress
            && self.config.source.is_none_or(|source| source == target.ip());
        let source = if own { Some(target.ip()) } else { self.config.source };
        let kind = SocketKind { v6: target.is_ipv6(), source, own };
        match self.take_socket(kind) {
            Ok(socket) => self.advance(socket, probe, true),
            Err(error) => {
                let context = Context { immediate: true, on_link: false };
                let error = match classify(&Err(error), context) {
                    Outcome::Local(error) => error,
                    _ => LocalError::Resources,
                };
                self.local_error(probe.id, error);
            }
        }
    }

    fn take_socket(&mut self, kind: SocketKind) -> io::Result<ProbeSocket> {
        if let Some(socket) = self.idle.get_mut(&kind).and_then(Vec::pop) {
            return Ok(socket);
        }
        ProbeSocket::open(kind, &self.config.own).or_else(|error| {
            // Sockets kept for other kinds of targets may be what is missing.
            let held = self.idle.values().any(|sockets| !sockets.is_empty());
            self.idle.clear();
            if held { ProbeSocket::open(kind, &self.config.own) } else { Err(error) }
        })
    }

    /// Starts a connect (`first`) or sees how far it has come, and acts on it.
    fn advance(&mut self, mut socket: ProbeSocket, probe: Probe, first: bool) {
        let target = SockAddr::from(probe.target);
        let on_link = self.config.links.is_on_link(probe.target.ip());
        let mut outcome = classify(&socket.connect(&target), Context { immediate: first, on_link });
        if first && outcome == Outcome::Pending && self.config.links.is_local(probe.target.ip()) {
            // On this machine the answer is there before the call returns.
            outcome = classify(&socket.connect(&target), Context { immediate: false, on_link });
        }
        match outcome {
            Outcome::Connected => self.connected(socket, &probe),
            Outcome::Answered(reply) => {
                if reply == Reply::Closed && REUSABLE_AFTER_REFUSAL {
                    self.idle.entry(socket.kind).or_default().push(socket);
                }
                self.engine.handle_reply(Instant::now(), probe.id, reply);
            }
            Outcome::Pending => {
                let entry = self.busy.vacant_entry();
                let token = entry.key();
                let registered = if socket.registered {
                    self.poll.registry().reregister(
                        &mut socket.stream,
                        Token(token),
                        Interest::WRITABLE,
                    )
                } else {
                    self.poll.registry().register(
                        &mut socket.stream,
                        Token(token),
                        Interest::WRITABLE,
                    )
                };
                if registered.is_err() {
                    // The watch limit of the poller; epoll_ctl(2) ENOSPC, ENOMEM.
                    return self.local_error(probe.id, LocalError::Resources);
                }
                socket.registered = true;
                entry.insert(Busy { socket, probe });
                self.set_token(probe.id, Some(token));
            }
            Outcome::Local(error) => self.local_error(probe.id, error),
            Outcome::Silent => {}
        }
    }

    /// Tells a service from a socket of our own.
    fn connected(&mut self, socket: ProbeSocket, probe: &Probe) {
        let target = probe.target;
        let itself = socket.reached_itself(target);
        let trusted = match itself {
            Ok(true) => false,
            Ok(false) if socket.kind.own => true,
            // Unbound, yet from the address it went to: the address is this machine's in a way that
            // its interfaces do not show. Ask again from a socket that the others know of.
            Ok(false) => match socket.reached_own_address(target) {
                Ok(true) if socket.kind.source.is_none() => {
                    self.config.own.add_address(target.ip());
                    false
                }
                _ => true,
            },
            // The peer is gone already, and only a peer could have been there.
            Err(_) => true,
        };
        socket.abort();
        if trusted {
            self.engine.handle_reply(Instant::now(), probe.id, Reply::Open);
        } else {
            self.local_error(probe.id, LocalError::OwnSocket);
        }
    }

    fn local_error(&mut self, id: ProbeId, error: LocalError) {
        self.engine.handle_local_error(Instant::now(), id, error);
    }

    fn take_busy(&mut self, id: ProbeId) -> Option<ProbeSocket> {
        let token = self.tokens.get_mut(id.index() as usize)?.take()?;
        Some(self.busy.try_remove(token)?.socket)
    }

    fn set_token(&mut self, id: ProbeId, token: Option<usize>) {
        let index = id.index() as usize;
        if index >= self.tokens.len() {
            self.tokens.resize(index + 1, None);
        }
        self.tokens[index] = token;
    }
}
