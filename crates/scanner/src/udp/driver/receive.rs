//! Taking in answers and errors, and finding out which attempt each is about.

use std::net::SocketAddr;
use std::time::Instant;

use super::UdpDriver;
use crate::connect::error_queue::IcmpError;
use crate::engine::{ProbeId, Reply};
use crate::udp::icmp_meaning::meaning;
use crate::udp::socket::{Arrival, ProbeSocket};
use crate::udp::socket_name::SocketName;

/// Messages taken from one socket before the others have their turn.
const RECEIVE_BATCH: usize = 4_096;

impl UdpDriver {
    pub(super) fn take_datagrams(&mut self, name: SocketName) {
        for _ in 0..RECEIVE_BATCH {
            let arrival = self.sockets.at(name).and_then(ProbeSocket::receive);
            let Some(Arrival { sender, drops }) = arrival else { return };
            if drops > 0 {
                self.kernel_drops += u64::from(drops);
                self.engine.handle_kernel_drops();
            }
            self.datagram(name, sender);
        }
    }

    fn datagram(&mut self, name: SocketName, sender: SocketAddr) {
        let Some(target) = name.answered_by(sender) else { return };
        let Some((target, id)) = self.answered(name, target) else { return };
        if self.config.is_own_socket(sender) {
            // One of ours asked one of ours, before that was known as such: no service.
            return;
        }
        self.asked.note_answer(target, id.attempt(), false);
        self.engine.handle_reply(Instant::now(), id, Reply::Datagram);
    }

    /// Reads the error queue to its end; returns how many messages it held.
    pub(super) fn take_errors(&mut self, name: SocketName) -> usize {
        for taken in 0..RECEIVE_BATCH {
            let next = self.sockets.at(name).and_then(|socket| socket.next_error());
            let Some((about, error)) = next else { return taken };
            if let (Some(target), Some(error)) = (about, error) {
                self.error(name, target, error);
            }
        }
        RECEIVE_BATCH
    }

    fn error(&mut self, name: SocketName, target: SocketAddr, error: IcmpError) {
        let Some(id) = self.answered_attempt(name, target) else { return };
        let Self { engine, config, asked, neighbours, .. } = self;
        let now = Instant::now();
        match meaning(error, target.ip(), &config.links) {
            Ok(reply) => {
                asked.note_answer(target, id.attempt(), reply == Reply::PortUnreachable);
                engine.handle_reply(now, id, reply);
            }
            Err(error) => {
                let cause = neighbours.cause(now, target.ip(), error);
                engine.handle_local_error(now, id, cause);
            }
        }
    }

    /// What a datagram from there answers: a question to it, or else one to many hosts, of which it is one.
    fn answered(&self, name: SocketName, from: SocketAddr) -> Option<(SocketAddr, ProbeId)> {
        if let Some(id) = self.answered_attempt(name, from) {
            return Some((from, id));
        }
        // Of two it cannot be told which it answers.
        let [many] = self.many.get(&(from.is_ipv6(), from.port()))?[..] else { return None };
        Some((many, self.answered_attempt(name, many)?))
    }

    /// Which attempt at a port that is under way is answered by what came to that socket.
    fn answered_attempt(&self, name: SocketName, target: SocketAddr) -> Option<ProbeId> {
        let latest = self.asked.latest(target)?;
        let attempt = name.latest_attempt(latest.attempt())?;
        self.engine.find(latest.index(), target, attempt)
    }
}
