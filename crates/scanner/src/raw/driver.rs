//! Drives one engine with raw packets, on one thread.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sockets_raw::wire::{AddressPair, TcpSynTemplate, parse};
use sockets_raw::{ReceiveBatch, Received, Source};

use super::Shared;
use super::answer::{self, Answer};
use super::echo;
use super::filter::Traffic;
use super::links::Links;
use super::neighbours::{EthernetAddress, Hop, Neighbour, Standing};
use super::outbox::Unsent;
use super::parked::Parked;
use super::paths::{Path, Paths, Way};
use super::question;
use super::source_ports::SourcePorts;
use crate::engine::{Engine, LocalError, Probe, Reply};
use crate::prober::{ProbeError, WorkSource, Worked, feed, sleep_time, tell};

mod hops;

/// The shortest sleep: what becomes due in it goes together, in one system call.
const SHORTEST_SLEEP: Duration = Duration::from_micros(200);
/// Probes sent before answers are looked at again.
const SEND_BATCH: usize = 256;
/// Packets received in one system call.
const RECEIVE_BATCH: usize = 256;
/// System calls for one channel before other things are looked at.
const MOST_RECEIVES: usize = 16;
/// After so many turns all that was waiting before has been read: more than a receive buffer holds.
const MOST_TURNS_BEHIND: u32 = 8;
/// Enough for any answer with its options, and for the quoted part of an ICMP error.
const RECEIVE_SIZE: usize = 256;
/// For so long a worker trusts what it knows of a neighbour without looking what the others know.
const KNOWN_HOLDS: Duration = Duration::from_secs(1);
/// Neighbours that a worker knows without asking the others; past that it asks for all of them again.
const MOST_KNOWN: usize = 1 << 16;
/// How often the kernel is asked what it dropped.
const DROPS_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct RawDriver<'a> {
    engine: Engine,
    shared: &'a Shared,
    ports: SourcePorts,
    paths: Paths,
    links: Links,
    template: TcpSynTemplate,
    echo: Vec<u8>,
    /// Neighbours that this worker knows, without a lock, and since when.
    known: HashMap<Hop, (Instant, Neighbour)>,
    parked: Parked,
    /// All answers that had come by then were looked at, but for a flood.
    looked: Instant,
    /// Turns one after the other in which there was more to receive than one turn takes.
    turns_behind: u32,
    drops: u64,
    drops_asked: Instant,
}

impl<'a> RawDriver<'a> {
    pub(super) fn new(engine: Engine, shared: &'a Shared) -> Result<Self, ProbeError> {
        let ports = SourcePorts::reserve().map_err(ProbeError::of("hold ports to send from"))?;
        let paths = Paths::load(shared.interface, shared.source)?;
        Ok(Self {
            engine,
            shared,
            links: Links::new(ports.range()),
            ports,
            paths,
            template: TcpSynTemplate::default(),
            echo: Vec::new(),
            known: HashMap::new(),
            parked: Parked::default(),
            looked: Instant::now(),
            turns_behind: 0,
            drops: 0,
            drops_asked: Instant::now(),
        })
    }

    /// Works until there is no more work, or until cancelled.
    pub(super) fn run(mut self, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        let mut received = ReceiveBatch::new(RECEIVE_BATCH, RECEIVE_SIZE);
        let mut more_work = true;
        while !source.is_cancelled() {
            self.receive(&mut received)?;
            // Every answer is looked at before a probe is given up; a flood only puts that off.
            if self.turns_behind == 0 || self.turns_behind >= MOST_TURNS_BEHIND {
                self.turns_behind = 0;
                self.expire();
            }
            self.repeat_questions();
            for _ in 0..SEND_BATCH {
                more_work = more_work && feed(&mut self.engine, source);
                let now = Instant::now();
                let Some(probe) = self.engine.poll_probe(now) else { break };
                self.launch(now, probe);
            }
            let sent = self.flush();
            more_work = more_work && feed(&mut self.engine, source);
            tell(&mut self.engine, source);
            if self.engine.is_idle() {
                break;
            }
            if !sent {
                self.wait()?;
            }
        }
        self.note_drops(Instant::now());
        tell(&mut self.engine, source);
        Ok(Worked { engine: self.engine, kernel_drops: self.drops })
    }

    /// Finds the probe's way out; where its neighbour is not known yet, it has to wait.
    fn launch(&mut self, now: Instant, probe: Probe) {
        if let Err(error) = self.try_launch(now, probe) {
            self.parked.forget(probe.id);
            self.engine.handle_local_error(now, probe.id, error);
        }
    }

    fn try_launch(&mut self, now: Instant, probe: Probe) -> Result<(), LocalError> {
        let path = self.paths.to(probe.target.ip())?;
        let Way::Ethernet { hop, own } = path.way else {
            return self.send(now, &path, None, probe);
        };
        if let Some((since, neighbour)) = self.known.get(&hop)
            && now.saturating_duration_since(*since) < KNOWN_HOLDS
        {
            return self.reached(now, &path, hop, *neighbour, probe);
        }
        // First to listen, then to look: another worker may hear the answer in between.
        self.links.listen(hop)?;
        let standing = self.shared.neighbours().standing(now, hop, probe.target.ip());
        match standing {
            Standing::Resolved { neighbour, ask } => {
                self.know(now, hop, neighbour);
                if ask {
                    // Where that fails, it is asked the next time; what is known serves as before.
                    let _ = self.ask(now, hop, own, path.source);
                }
                self.reached(now, &path, hop, neighbour, probe)
            }
            Standing::Silent => Err(LocalError::NeighbourUnresolved),
            Standing::Waiting { ask } => {
                self.parked.park(now, hop, probe);
                self.engine.hold_for_neighbour(now, probe.id);
                if ask { self.ask(now, hop, own, path.source) } else { Ok(()) }
            }
        }
    }

    pub(super) fn know(&mut self, now: Instant, hop: Hop, neighbour: Neighbour) {
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(hop, (now, neighbour));
    }

    /// The neighbour is known: the probe goes, unless that was all it is for.
    fn reached(
        &mut self,
        now: Instant,
        path: &Path,
        hop: Hop,
        neighbour: Neighbour,
        probe: Probe,
    ) -> Result<(), LocalError> {
        if neighbour.is_confirmed && self.shared.is_discovered(hop, probe.target) {
            self.engine.handle_reply(now, probe.id, Reply::Neighbour);
            return Ok(());
        }
        self.send(now, path, Some(neighbour.address), probe)
    }

    fn send(
        &mut self,
        now: Instant,
        path: &Path,
        link: Option<EthernetAddress>,
        probe: Probe,
    ) -> Result<(), LocalError> {
        let Probe { id, target } = probe;
        let addresses =
            AddressPair::new(path.source, target.ip()).ok_or(LocalError::NoSourceAddress)?;
        let source_port = self.ports.of_attempt(id.attempt());
        let sequence = self.shared.cookie.seal(id.index(), target, source_port);
        let packet = if self.shared.is_echo(target) {
            echo::write(&mut self.echo, addresses, source_port, sequence)
        } else {
            self.template.fill(addresses, source_port, target.port(), sequence)
        };
        let Self { engine, paths, links, .. } = self;
        links.push(path, link, target.ip(), packet, id, |one| unsent(engine, paths, now, one))
    }

    /// Sends what waits. `false` where nothing did.
    fn flush(&mut self) -> bool {
        let (Self { engine, paths, links, .. }, now) = (self, Instant::now());
        links.flush(|one| unsent(engine, paths, now, one))
    }

    fn receive(&mut self, received: &mut ReceiveBatch) -> Result<(), ProbeError> {
        self.looked = Instant::now();
        let mut is_behind = false;
        for place in 0..self.links.channels.len() {
            for turn in 1..=MOST_RECEIVES {
                let channel = &self.links.channels[place];
                let traffic = channel.traffic;
                let count = channel.receive(received).map_err(ProbeError::of("receive packets"))?;
                let now = Instant::now();
                for packet in received.iter() {
                    self.packet(now, traffic, &packet);
                }
                if count < received.capacity() {
                    break;
                }
                is_behind |= turn == MOST_RECEIVES;
            }
        }
        self.turns_behind = if is_behind { self.turns_behind + 1 } else { 0 };
        let now = Instant::now();
        if now.saturating_duration_since(self.drops_asked) >= DROPS_INTERVAL {
            self.note_drops(now);
        }
        Ok(())
    }

    fn packet(&mut self, now: Instant, traffic: Traffic, received: &Received<'_>) {
        let (bytes, Source::Link(source)) = (received.bytes, received.source) else { return };
        let interface = source.address.interface;
        if traffic == Traffic::Arp {
            if let Some((address, link)) = question::heard_by_arp(bytes) {
                self.heard(now, Hop { interface, address }, link);
            }
            return;
        }
        let Some(packet) = parse(bytes) else { return };
        if let Some(answer) = answer::read(&packet).or_else(|| echo::read(&packet)) {
            self.answer(now, &answer);
        } else if let Some((address, link)) = question::heard_by_ipv6(&packet) {
            self.heard(now, Hop { interface, address }, link);
        }
    }

    fn answer(&mut self, now: Instant, answer: &Answer) {
        let Answer { target, source_port, sequence, reply, sender } = *answer;
        let Some(mut attempt) = self.ports.attempt_of(source_port) else { return };
        let index = self.shared.cookie.open(sequence, target, source_port);
        let Some(mut id) = self.engine.find(index, target, attempt) else { return };
        // Where there were more attempts than ports, the latest one from this port.
        while let Some(later) = self.engine.find(index, target, attempt + SourcePorts::RUN) {
            attempt += SourcePorts::RUN;
            id = later;
        }
        if let Some(error) = self.shared.links.own_failure(sender, target.ip(), reply) {
            return self.engine.handle_local_error(now, id, error);
        }
        if sender == target.ip() {
            // Also where what it says is a refusal.
            self.engine.note_host(id);
        }
        self.engine.handle_reply(now, id, reply);
    }

    fn expire(&mut self) {
        let Self { engine, paths, links, shared, parked, looked, .. } = self;
        let now = Instant::now();
        // What has come since the last look is no silence.
        engine.handle_timeout(*looked, |address| {
            let path = match paths.failure(now, address) {
                Ok(path) => path,
                Err(error) => return Some(error),
            };
            let Way::Ethernet { hop, .. } = path.way else { return None };
            if links.is_refusing(path.interface) {
                return Some(LocalError::Refused);
            }
            let silent = shared.neighbours().is_silent_at_last(now, hop);
            silent.then_some(LocalError::NeighbourUnresolved)
        });
        while let Some(id) = engine.poll_expired() {
            parked.forget(id);
        }
    }

    fn note_drops(&mut self, now: Instant) {
        self.drops_asked = now;
        let new = self.links.new_drops();
        self.drops += new;
        if new > 0 {
            self.engine.handle_kernel_drops();
        }
    }

    /// Sleeps until an answer comes, or the engine has something to do.
    fn wait(&self) -> Result<(), ProbeError> {
        let sleep = sleep_time(&self.engine, Instant::now()).max(SHORTEST_SLEEP);
        // Below a second it always converts.
        let timeout = Timespec { tv_sec: 0, tv_nsec: sleep.subsec_nanos().into() };
        let mut descriptors: Vec<PollFd<'_>> = self
            .links
            .descriptors()
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .collect();
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(ProbeError::of("wait for packets")(error.into())),
        }
    }
}

/// A packet was refused. That its interface takes none for long may be for want of a carrier.
fn unsent(engine: &mut Engine, paths: &mut Paths, now: Instant, one: Unsent) {
    let Unsent { probe, interface, error } = one;
    let is_down = error == LocalError::Refused && {
        paths.look(now);
        paths.is_down(now, interface)
    };
    engine.handle_local_error(now, probe, if is_down { LocalError::NetworkDown } else { error });
}
