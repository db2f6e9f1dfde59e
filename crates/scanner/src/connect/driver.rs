//! Drives one engine with non-blocking connects on one poller, on one thread.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use ports_core::Port;
use slab::Slab;
use socket2::SockAddr;

use super::DriverConfig;
use super::neighbours::{Admission, Neighbours};
use super::outcome::{Outcome, classify, has_source, open_error};
use super::socket::{ProbeSocket, REUSABLE_AFTER_REFUSAL, SocketKind};
use crate::engine::{Engine, LocalError, Probe, ProbeId, Reply};
use crate::prober::{WorkSource, feed, sleep_time, tell};

/// Probes sent before the poller is looked at again.
const SEND_BATCH: usize = 128;
/// Poll events taken at once.
const EVENT_BATCH: usize = 1_024;

/// How often the probes that wait are looked at.
const HELD_LOOK: Duration = Duration::from_millis(100);
/// Refused sockets kept for reuse, of all kinds together.
const MAX_IDLE_SOCKETS: usize = 256;

#[derive(Debug)]
pub(crate) struct ConnectDriver {
    engine: Engine,
    config: DriverConfig,
    poll: Poll,
    /// All answers that had come by then were looked at.
    looked: Instant,
    /// Sockets with a connect under way, keyed by their token.
    busy: Slab<Busy>,
    /// The token of each probe in flight, by [`ProbeId::index`].
    tokens: Vec<Option<usize>>,
    neighbours: Neighbours,
    /// Probes that wait for room in the kernel's table of neighbours; no more than are in flight.
    held: VecDeque<Probe>,
    held_seen: Instant,
    /// Refused sockets, free for the next probe of their kind.
    idle: HashMap<SocketKind, Vec<ProbeSocket>>,
    idle_sockets: usize,
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
            poll: Poll::new()?,
            looked: Instant::now(),
            busy: Slab::new(),
            tokens: Vec::new(),
            neighbours: Neighbours::new(&config.neighbours),
            held: VecDeque::new(),
            held_seen: Instant::now(),
            config,
            idle: HashMap::new(),
            idle_sockets: 0,
        })
    }

    /// Works until there is no more work, or until cancelled. Returns the engine, which knows what was
    /// put off.
    pub(crate) fn run(mut self, source: &mut dyn WorkSource) -> io::Result<Engine> {
        let mut events = Events::with_capacity(EVENT_BATCH);
        let mut more_work = true;
        while !source.is_cancelled() {
            self.expire();
            while let Some(id) = self.engine.poll_expired() {
                drop(self.take_busy(id));
            }
            self.launch_held();
            for _ in 0..SEND_BATCH {
                more_work = more_work && feed(&mut self.engine, source);
                let Some(probe) = self.engine.poll_probe(Instant::now()) else { break };
                self.launch(probe);
            }
            // An engine without work would sleep.
            more_work = more_work && feed(&mut self.engine, source);
            tell(&mut self.engine, source);
            if self.engine.is_idle() {
                break;
            }
            self.wait(&mut events)?;
        }
        // Answers taken before a cancellation was seen are findings like any other.
        tell(&mut self.engine, source);
        Ok(self.engine)
    }

    /// The kernel tells a connect of an unresolved neighbour only after three seconds, and of a link that
    /// went down never; its tables know before. What has come since the last look is no silence.
    fn expire(&mut self) {
        let Self { engine, config, neighbours, looked, .. } = self;
        let now = Instant::now();
        neighbours.look(now);
        engine.handle_timeout(*looked, |address| {
            if config.links.is_local(address) { None } else { neighbours.failure(now, address) }
        });
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let begun = Instant::now();
        let sleep = sleep_time(&self.engine, begun);
        if sleep.is_zero() && self.busy.is_empty() {
            self.looked = begun;
            return Ok(());
        }
        let mut sleep = sleep;
        loop {
            match self.poll.poll(events, Some(sleep)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                result => result?,
            }
            let taken = events.iter().count();
            for event in &*events {
                // An event may be for a socket that is gone, or for the one that has its place now:
                // the kernel is asked how far that one has come.
                let Token(token) = event.token();
                if self.busy.contains(token) {
                    let Busy { socket, probe } = self.busy.remove(token);
                    self.set_token(probe.id, None);
                    self.advance(socket, probe, false);
                }
            }
            // After a long pause every answer is looked at before any probe is given up.
            if taken < EVENT_BATCH {
                self.looked = begun;
                return Ok(());
            }
            sleep = Duration::ZERO;
        }
    }

    fn launch(&mut self, probe: Probe) {
        match self.admit(&probe) {
            Admission::Go => self.begin(probe),
            Admission::Wait => {
                self.engine.hold_for_room(probe.id);
                self.held.push_back(probe);
            }
            Admission::Refused(error) => self.local_error(probe.id, error),
        }
    }

    /// A place may be for another one than who waits longest.
    fn launch_held(&mut self) {
        let now = Instant::now();
        if self.held.is_empty() || now.saturating_duration_since(self.held_seen) < HELD_LOOK {
            return;
        }
        self.held_seen = now;
        for _ in 0..self.held.len() {
            let Some(probe) = self.held.pop_front() else { return };
            if !self.engine.is_held(probe.id) {
                continue;
            }
            match self.admit(&probe) {
                Admission::Wait => self.held.push_back(probe),
                Admission::Refused(error) => self.local_error(probe.id, error),
                Admission::Go if self.engine.release(now, probe.id) => self.begin(probe),
                // It comes again.
                Admission::Go => {}
            }
        }
    }

    fn admit(&mut self, probe: &Probe) -> Admission {
        let host = probe.target.ip();
        // Another lock for each probe would be felt.
        if self.neighbours.is_admitted(host)
            || self.config.links.is_local(host)
            || self.config.own.has_address(host)
        {
            return Admission::Go;
        }
        self.neighbours.admit(Instant::now(), host)
    }

    fn begin(&mut self, probe: Probe) {
        let target = probe.target;
        let source = self.config.source;
        let own = source.is_none_or(|source| source == target.ip())
            && self.config.own.has_address(target.ip());
        let source = if own { Some(target.ip()) } else { source };
        let socket = match self.take_socket(SocketKind { v6: target.is_ipv6(), source, own }) {
            Ok(socket) => socket,
            Err(error) => return self.local_error(probe.id, open_error(&error)),
        };
        // With the socket bound and entered, see `OwnSockets`.
        if own && self.config.own.has_socket(target.ip(), Port::new(target.port())) {
            self.keep(socket);
            return self.local_error(probe.id, LocalError::OwnSocket);
        }
        self.advance(socket, probe, true);
    }

    fn take_socket(&mut self, kind: SocketKind) -> io::Result<ProbeSocket> {
        if let Some(socket) = self.idle.get_mut(&kind).and_then(Vec::pop) {
            self.idle_sockets -= 1;
            return Ok(socket);
        }
        let interface = self.config.interface.as_deref();
        ProbeSocket::open(kind, &self.config.own, interface).or_else(|error| {
            if self.idle_sockets == 0 {
                return Err(error);
            }
            // Sockets kept for other kinds of targets may be what is missing.
            self.idle.clear();
            self.idle_sockets = 0;
            ProbeSocket::open(kind, &self.config.own, interface)
        })
    }

    /// Keeps an unconnected socket for the next probe of its kind.
    fn keep(&mut self, socket: ProbeSocket) {
        if REUSABLE_AFTER_REFUSAL && self.idle_sockets < MAX_IDLE_SOCKETS {
            self.idle.entry(socket.kind).or_default().push(socket);
            self.idle_sockets += 1;
        }
    }

    /// Starts a connect (`first`) or sees how far it has come, and acts on it.
    fn advance(&mut self, mut socket: ProbeSocket, probe: Probe, first: bool) {
        let target = SockAddr::from(probe.target);
        let ip = probe.target.ip();
        let mut outcome = classify(&socket.connect(&target), first);
        if first && outcome == Outcome::Pending && self.config.links.is_local(ip) {
            // On this machine the answer is there before the call returns.
            outcome = classify(&socket.connect(&target), false);
        }
        // With the queue on, the kernel may keep trying after an ICMP error, and only the queue tells.
        let may_be_icmp = match outcome {
            Outcome::Answered(_) | Outcome::Local(LocalError::NotPermitted) => true,
            Outcome::Pending => !first,
            _ => false,
        };
        if may_be_icmp {
            outcome = self.by_icmp(&socket, probe.target).unwrap_or(outcome);
        }
        match outcome {
            Outcome::Connected => self.connected(socket, &probe),
            Outcome::Answered(reply) => {
                if reply == Reply::Closed {
                    self.keep(socket);
                }
                self.engine.handle_reply(Instant::now(), probe.id, reply);
            }
            Outcome::NoSource if has_source(probe.target) => {
                self.local_error(probe.id, LocalError::Resources);
            }
            Outcome::NoSource => self.local_error(probe.id, LocalError::NoSourceAddress),
            Outcome::Pending => {
                let entry = self.busy.vacant_entry();
                let token = entry.key();
                let (registry, token_of) = (self.poll.registry(), Token(token));
                let registered = if socket.registered {
                    registry.reregister(&mut socket.stream, token_of, Interest::WRITABLE)
                } else {
                    registry.register(&mut socket.stream, token_of, Interest::WRITABLE)
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

    /// What the ICMP message says that failed a connect, where it was one and no reset.
    fn by_icmp(&mut self, socket: &ProbeSocket, target: SocketAddr) -> Option<Outcome> {
        let error = socket.icmp_error(target)?;
        let own_failure = error
            .sender
            .and_then(|sender| self.config.links.own_failure(sender, target.ip(), error.reply))
            .map(|error| self.neighbours.cause(Instant::now(), target.ip(), error));
        Some(own_failure.map_or(Outcome::Answered(error.reply), Outcome::Local))
    }

    /// Tells a service from a socket of our own.
    fn connected(&mut self, socket: ProbeSocket, probe: &Probe) {
        let trusted = match socket.ends() {
            Ok((local, peer)) if local == peer => false,
            // Unbound, yet from the address it went to: the address is this machine's in a way that
            // its interfaces do not show. Ask again from a socket that the others know of.
            Ok((local, peer)) if local.ip() == peer.ip() && socket.kind.source.is_none() => {
                self.config.own.add_address(probe.target.ip());
                false
            }
            // Without a peer any more, only a peer could have been there.
            Ok(_) | Err(_) => true,
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
