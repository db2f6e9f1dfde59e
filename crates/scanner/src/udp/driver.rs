//! Drives one engine with a few unconnected UDP sockets, on one thread.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::Port;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::SockAddr;

use super::asked::{Asked, attempt_by, socket_of};
use super::icmp_meaning::meaning;
use super::question::questions;
use super::send_error::classify;
use super::socket::{Arrival, HEAD, ProbeSocket, unspecified};
use crate::connect::error_queue::IcmpError;
use crate::connect::neighbours::Neighbours;
use crate::connect::outcome::open_error;
use crate::connect::own::OwnSockets;
use crate::engine::{Engine, EngineEvent, LocalError, Probe, ProbeId, Reply, Silence};
use crate::links::Links;
use crate::prober::{WorkSource, Worked, feed};
use crate::state::Reason;

/// The longest sleep: how late a cancellation may be seen.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Probes sent before the sockets are looked at again: their answers fit a small receive buffer.
const SEND_BATCH: usize = 64;
/// How often one datagram is tried: each try may meet the error of another one.
const SEND_TRIES: usize = 16;
/// How often the probes that wait for a neighbour are looked at.
const PARKED_LOOK: Duration = Duration::from_millis(100);
/// Messages taken from one socket before the others have their turn.
const RECEIVE_BATCH: usize = 4_096;

/// What all drivers of a scan share.
#[derive(Clone, Debug)]
pub(super) struct DriverConfig {
    pub(super) own: Arc<OwnSockets>,
    pub(super) links: Arc<Links>,
    /// The source address asked for.
    pub(super) source: Option<IpAddr>,
    /// The interface asked for.
    pub(super) interface: Option<Arc<str>>,
}

/// Names a socket: whether it is of IPv6, and its place among those of its family.
type SocketName = (bool, u32);

#[derive(Debug)]
pub(super) struct UdpDriver {
    engine: Engine,
    config: DriverConfig,
    /// Opened on first use.
    sockets: Vec<(SocketName, ProbeSocket)>,
    asked: Asked,
    neighbours: Neighbours,
    /// Probes that wait until their neighbour is found; no more than are in flight.
    parked: Vec<Probe>,
    parked_seen: Instant,
    datagram: Vec<u8>,
    oldest_group: u64,
    kernel_drops: u64,
}

impl UdpDriver {
    pub(super) fn new(engine: Engine, config: DriverConfig) -> Self {
        Self {
            engine,
            config,
            sockets: Vec::new(),
            asked: Asked::default(),
            neighbours: Neighbours::default(),
            parked: Vec::new(),
            parked_seen: Instant::now(),
            datagram: Vec::new(),
            oldest_group: 0,
            kernel_drops: 0,
        }
    }

    /// Works until there is no more work, or until cancelled.
    pub(super) fn run(mut self, source: &mut dyn WorkSource) -> io::Result<Worked> {
        let mut more_work = true;
        while !source.is_cancelled() {
            self.expire();
            self.send_parked();
            for _ in 0..SEND_BATCH {
                more_work = more_work && feed(&mut self.engine, source);
                let Some(probe) = self.engine.poll_probe(Instant::now()) else { break };
                self.launch(&probe);
            }
            // An engine without work would sleep.
            more_work = more_work && feed(&mut self.engine, source);
            self.tell(source);
            if self.engine.is_idle() {
                break;
            }
            self.wait()?;
        }
        // Answers taken before a cancellation was seen are findings like any other.
        self.tell(source);
        let last_drops = self.sockets.iter().map(|(_, socket)| u64::from(socket.drops_since()));
        let kernel_drops = self.kernel_drops + last_drops.sum::<u64>();
        Ok(Worked { engine: self.engine, kernel_drops })
    }

    fn tell(&mut self, source: &mut dyn WorkSource) {
        while let Some(event) = self.engine.poll_event() {
            if let EngineEvent::Port { report, .. } = event {
                self.asked.end(SocketAddr::new(report.address, report.port.number()));
            }
            source.event(event);
        }
        source.flush(&self.engine);
        let oldest_group = self.engine.oldest_group();
        if oldest_group > self.oldest_group {
            self.oldest_group = oldest_group;
            self.asked.forget_idle_hosts();
        }
    }

    fn expire(&mut self) {
        let Self { engine, config, neighbours, asked, .. } = self;
        let now = Instant::now();
        engine.handle_silence(now, |target| {
            let host = target.ip();
            // The kernel tells a datagram of an unresolved neighbour only after three seconds; its
            // table knows before.
            if is_missing(neighbours, &config.links, now, host) {
                Silence::Local(LocalError::NeighbourUnresolved)
            } else if asked.is_limited(host) {
                Silence::Remote(Reason::IcmpRateLimited)
            } else {
                Silence::Remote(Reason::NoResponse)
            }
        });
        // No socket waits for a single probe.
        while engine.poll_expired().is_some() {}
    }

    fn launch(&mut self, probe: &Probe) {
        let target = probe.target;
        if self.is_own_socket(target) {
            self.asked.end(target);
            return self.local_error(probe.id, LocalError::OwnSocket);
        }
        let name = (target.is_ipv6(), socket_of(probe.id.attempt()));
        if let Err(error) = self.open(name) {
            return self.local_error(probe.id, open_error(&error));
        }
        self.asked.ask(probe);
        let Self { config, neighbours, asked, .. } = self;
        let now = Instant::now();
        if is_missing(neighbours, &config.links, now, target.ip())
            && !asked.may_knock(now, target.ip())
        {
            self.parked.push(*probe);
            return;
        }
        self.ask(name, probe);
    }

    /// Sends the probes whose neighbours were found meanwhile.
    fn send_parked(&mut self) {
        let now = Instant::now();
        if self.parked.is_empty() || now.saturating_duration_since(self.parked_seen) < PARKED_LOOK {
            return;
        }
        self.parked_seen = now;
        for probe in std::mem::take(&mut self.parked) {
            let Probe { id, target } = probe;
            let is_latest = self.asked.latest(target) == Some(id);
            if !is_latest || self.engine.find(id.index(), target, id.attempt()).is_none() {
                continue;
            }
            if is_missing(&mut self.neighbours, &self.config.links, now, target.ip()) {
                self.parked.push(probe);
            } else {
                self.engine.note_departed(now, id);
                self.ask((target.is_ipv6(), socket_of(id.attempt())), &probe);
            }
        }
    }

    /// Puts the question whose turn it is.
    fn ask(&mut self, name: SocketName, probe: &Probe) {
        let target = probe.target;
        let questions = questions(Port::new(target.port()));
        let turn = probe.id.attempt().wrapping_sub(1) as usize % questions.len();
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        questions[turn].write(target.ip(), &mut datagram);
        if let Err(error) = self.send(name, &datagram, probe) {
            self.local_error(probe.id, error);
        }
        self.datagram = datagram;
    }

    fn open(&mut self, name: SocketName) -> io::Result<()> {
        if self.socket(name).is_none() {
            let DriverConfig { source, own, interface, .. } = &self.config;
            let socket = ProbeSocket::open(name.0, *source, own, interface.as_deref())?;
            self.sockets.push((name, socket));
        }
        Ok(())
    }

    fn socket(&mut self, name: SocketName) -> Option<&mut ProbeSocket> {
        self.sockets.iter_mut().find(|(other, _)| *other == name).map(|(_, socket)| socket)
    }

    /// Sends one datagram. The kernel reports an error that an earlier one met by failing a later call
    /// (udp(7)), once for each; so only an error that comes again, and that no message explains, is
    /// this datagram's own.
    fn send(&mut self, name: SocketName, datagram: &[u8], probe: &Probe) -> Result<(), LocalError> {
        let target = SockAddr::from(probe.target);
        let mut last = None;
        for _ in 0..SEND_TRIES {
            let Some(socket) = self.socket(name) else { return Err(LocalError::Resources) };
            let error = match socket.send(datagram, &target) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => return Err(classify(Errno::AGAIN)),
                Err(error) => error,
            };
            let explained = self.take_errors(name) > 0;
            if self.engine.find(probe.id.index(), probe.target, probe.id.attempt()).is_none() {
                // One of the messages was about an earlier attempt at this very port.
                return Ok(());
            }
            // No datagram is refused while it is sent.
            if !explained && last == Some(error) && error != Errno::CONNREFUSED {
                return Err(classify(error));
            }
            last = Some(error);
        }
        Err(LocalError::Resources)
    }

    /// Sleeps until there is something to read or to do, and reads all there is.
    fn wait(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let sleep = self
            .engine
            .poll_timeout()
            .map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(now).min(LONGEST_SLEEP));
        let mut entries: Vec<PollFd<'_>> =
            self.sockets.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::IN)).collect();
        // Above zero and far below a second: never out of range.
        let sleep = Timespec { tv_sec: 0, tv_nsec: sleep.subsec_nanos().into() };
        match poll(&mut entries, Some(&sleep)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            result => result?,
        };
        let ready: Vec<SocketName> = std::iter::zip(&self.sockets, &entries)
            .filter(|(_, entry)| !entry.revents().is_empty())
            .map(|((name, _), _)| *name)
            .collect();
        for name in ready {
            // Errors first: one that is left over fails the reading of datagrams.
            self.take_errors(name);
            self.take_datagrams(name);
        }
        Ok(())
    }

    fn take_datagrams(&mut self, name: SocketName) {
        let mut buffer = [0; HEAD];
        for _ in 0..RECEIVE_BATCH {
            let arrival = self.socket(name).and_then(|socket| socket.receive(&mut buffer));
            let Some(Arrival { sender, len, drops }) = arrival else { return };
            if drops > 0 {
                self.kernel_drops += u64::from(drops);
                self.engine.handle_kernel_drops();
            }
            self.datagram(name, sender, &buffer[..len.min(HEAD)]);
        }
    }

    fn datagram(&mut self, name: SocketName, sender: SocketAddr, datagram: &[u8]) {
        let Some((target, latest)) = self.asked.answered_by(sender, datagram) else { return };
        if self.is_own_socket(sender) {
            // One of ours asked one of ours, before that was known as such: no service.
            return;
        }
        if let Some(id) = self.answered_attempt(name, target, latest) {
            self.asked.note_open(target);
            self.engine.handle_reply(Instant::now(), id, Reply::Datagram);
        }
    }

    /// Reads the error queue to its end; returns how many messages it held.
    fn take_errors(&mut self, name: SocketName) -> usize {
        for taken in 0..RECEIVE_BATCH {
            let next = self.socket(name).and_then(|socket| socket.next_error());
            let Some((about, error)) = next else { return taken };
            if let (Some(target), Some(error)) = (about, error) {
                self.error(name, target, error);
            }
        }
        RECEIVE_BATCH
    }

    fn error(&mut self, name: SocketName, target: SocketAddr, error: IcmpError) {
        let latest = self.asked.latest(target);
        let Some(id) = latest.and_then(|latest| self.answered_attempt(name, target, latest)) else {
            return;
        };
        let Self { engine, config, asked, .. } = self;
        let now = Instant::now();
        match meaning(error, target.ip(), &config.links) {
            Ok(reply) => {
                if reply == Reply::PortUnreachable {
                    asked.note_closed(target, id.attempt());
                }
                engine.handle_reply(now, id, reply);
            }
            Err(error) => engine.handle_local_error(now, id, error),
        }
    }

    /// Which attempt at a port that is under way is answered by what came to that socket.
    fn answered_attempt(
        &self,
        (_, socket): SocketName,
        target: SocketAddr,
        latest: ProbeId,
    ) -> Option<ProbeId> {
        let attempt = attempt_by(socket, latest.attempt())?;
        self.engine.find(latest.index(), target, attempt)
    }

    /// Whether `address` is a socket of this scan.
    fn is_own_socket(&self, address: SocketAddr) -> bool {
        let DriverConfig { own, links, .. } = &self.config;
        let (host, port) = (address.ip(), Port::new(address.port()));
        own.has_socket(host, port)
            || (own.has_socket(unspecified(address.is_ipv6()), port)
                && (links.is_local(host) || is_asked_from_itself(address)))
    }

    fn local_error(&mut self, id: ProbeId, error: LocalError) {
        self.engine.handle_local_error(Instant::now(), id, error);
    }
}

/// Whether `host`, or the gateway to it, is on a link of this machine and was not found there.
fn is_missing(neighbours: &mut Neighbours, links: &Links, now: Instant, host: IpAddr) -> bool {
    !links.is_local(host) && neighbours.is_unresolved(now, host)
}

/// Whether the address is this machine's in a way that its interfaces do not show: then it is asked
/// from that very address. Sends nothing.
fn is_asked_from_itself(target: SocketAddr) -> bool {
    let local = UdpSocket::bind((unspecified(target.is_ipv6()), 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    local.is_ok_and(|local| local.ip() == target.ip())
}
