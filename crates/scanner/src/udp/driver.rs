//! Drives one engine with a few unconnected UDP sockets, on one thread.

mod receive;
mod send;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::asked::Asked;
use super::sockets::ProbeSockets;
use crate::connect::DriverConfig;
use crate::connect::neighbours::Neighbours;
use crate::engine::{Engine, EngineEvent, LocalError, Probe, Silence};
use crate::prober::{WorkSource, Worked, feed, sleep_time};
use crate::state::Reason;

/// Probes sent before the sockets are looked at again: their answers fit a small receive buffer.
const SEND_BATCH: usize = 64;

/// A probe that waits.
#[derive(Clone, Copy, Debug)]
struct Parked {
    probe: Probe,
    /// For its neighbour to be found; else for its turn to be looked for.
    for_neighbour: bool,
}

#[derive(Debug)]
pub(super) struct UdpDriver {
    engine: Engine,
    config: DriverConfig,
    sockets: ProbeSockets,
    /// All answers that had come by then were looked at.
    looked: Instant,
    asked: Asked,
    neighbours: Neighbours,
    /// Addresses of many hosts that are under way, by family and port: each of these answers from its own.
    many: HashMap<(bool, u16), Vec<SocketAddr>>,
    /// Probes that wait until their neighbour is found or may be looked for; no more than are in flight.
    parked: Vec<Parked>,
    parked_seen: Instant,
    datagram: Vec<u8>,
    oldest_group: u64,
    kernel_drops: u64,
}

impl UdpDriver {
    pub(super) fn new(engine: Engine, config: DriverConfig) -> Self {
        Self {
            engine,
            sockets: ProbeSockets::default(),
            looked: Instant::now(),
            asked: Asked::default(),
            neighbours: Neighbours::new(&config.neighbours),
            config,
            many: HashMap::new(),
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
        let kernel_drops = self.kernel_drops + self.sockets.last_drops();
        Ok(Worked { engine: self.engine, kernel_drops })
    }

    fn tell(&mut self, source: &mut dyn WorkSource) {
        while let Some(event) = self.engine.poll_event() {
            if let EngineEvent::Port { report, .. } = event {
                let target = SocketAddr::new(report.address, report.port.number());
                self.asked.end(target);
                if let Some(many) = self.many.get_mut(&(target.is_ipv6(), target.port())) {
                    many.retain(|other| *other != target);
                }
            }
            source.event(event);
        }
        source.flush(&self.engine);
        let oldest_group = self.engine.oldest_group();
        if oldest_group > self.oldest_group {
            self.oldest_group = oldest_group;
            self.asked.forget_groups_before(oldest_group);
        }
    }

    fn expire(&mut self) {
        let Self { engine, config, neighbours, asked, looked, .. } = self;
        let now = Instant::now();
        neighbours.look(now);
        // What has come since the last look is no silence.
        engine.handle_silence(*looked, |target| {
            let host = target.ip();
            // The kernel tells a datagram of an unresolved neighbour only after three seconds, and of a
            // link that went down never; its tables know before.
            if !config.links.is_local(host)
                && let Some(error) = neighbours.failure(now, host)
                // That everybody on a link is no neighbour is no failure: they were asked.
                && error != LocalError::InvalidAddress
            {
                return Silence::Local(error);
            }
            asked.note_silence(target);
            if asked.is_limited(host) {
                Silence::Remote(Reason::IcmpRateLimited)
            } else {
                Silence::Remote(Reason::NoResponse)
            }
        });
        // No socket waits for a single probe.
        while engine.poll_expired().is_some() {}
    }

    /// Sleeps until there is something to read or to do, and reads all there is.
    fn wait(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let sleep = sleep_time(&self.engine, begun);
        for name in self.sockets.wait(sleep)? {
            // Errors first: one that is left over fails the reading of datagrams.
            self.take_errors(name);
            self.take_datagrams(name);
        }
        self.looked = begun;
        Ok(())
    }
}
