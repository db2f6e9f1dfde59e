//! What the tour did, checked against what the statistics say, and as the last JSON line.

use ports_core::{Port, PortRange, Transport};
use scanner::PortReport;
use serde::Serialize;
use stats::{Counters, Role, Snapshot};

use crate::network_app::{Exchange, Started};

pub(super) struct Outcome {
    pub(super) tcp: ServiceOutcome,
    pub(super) udp: ServiceOutcome,
    pub(super) scan: ScanOutcome,
}

pub(super) struct ServiceOutcome {
    pub(super) started: Started,
    pub(super) exchange: Exchange,
}

pub(super) struct ScanOutcome {
    pub(super) range: PortRange,
    pub(super) open: Vec<PortReport>,
}

/// The last line of `ports demo --format jsonl`.
#[derive(Serialize)]
#[serde(tag = "type", rename = "demo")]
pub(super) struct DemoLine<'a> {
    ok: bool,
    tcp: ServiceLine,
    udp: ServiceLine,
    scan: ScanLine,
    stats: StatsLine<'a>,
}

#[derive(Serialize)]
struct StatsLine<'a> {
    totals: Counters,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

#[derive(Serialize)]
struct ServiceLine {
    endpoint: String,
    requested_port: Port,
    refused: Option<String>,
    sent_bytes: usize,
    received_bytes: usize,
    reply: String,
}

#[derive(Serialize)]
struct ScanLine {
    range: String,
    probes: u32,
    open: Vec<Port>,
}

impl Outcome {
    /// Whether both echoes came back whole, the scan saw the server, and each side's statistics hold
    /// exactly the bytes that the sockets carried.
    pub(super) fn is_as_expected(&self, stats: &Snapshot) -> bool {
        let (tcp, udp) = (&self.tcp.exchange, &self.udp.exchange);
        let server = stats.counters(Transport::Tcp, Role::Server);
        let client = stats.counters(Transport::Tcp, Role::Client);
        let peers = stats.counters(Transport::Udp, Role::Peer);
        // Both UDP sockets are peers, so each byte is sent once and received once.
        let datagrams = udp.sent.len() + udp.received.len();
        let counted = [
            (server.bytes_received, tcp.sent.len()),
            (server.bytes_sent, tcp.received.len()),
            (client.bytes_sent, tcp.sent.len()),
            (client.bytes_received, tcp.received.len()),
            (peers.bytes_sent, datagrams),
            (peers.bytes_received, datagrams),
        ];
        let seen = |report: &PortReport| report.port.number() == self.tcp.started.address.port();
        tcp.is_echo()
            && udp.is_echo()
            && self.scan.open.iter().any(seen)
            && counted.into_iter().all(|(counted, carried)| counted == carried as u64)
            && [server.active, client.active, peers.active] == [0; 3]
    }

    pub(super) fn to_line<'a>(&self, ok: bool, stats: &'a Snapshot) -> DemoLine<'a> {
        DemoLine {
            ok,
            tcp: self.tcp.to_line(Transport::Tcp),
            udp: self.udp.to_line(Transport::Udp),
            scan: ScanLine {
                range: self.scan.range.to_string(),
                probes: self.scan.range.len(),
                open: self.scan.open.iter().map(|report| report.port).collect(),
            },
            stats: StatsLine { totals: stats.totals(), snapshot: stats },
        }
    }
}

impl ServiceOutcome {
    fn to_line(&self, transport: Transport) -> ServiceLine {
        let address = self.started.address;
        ServiceLine {
            endpoint: format!("{transport}://{address}"),
            requested_port: self.started.requested,
            refused: self.started.refused.clone(),
            sent_bytes: self.exchange.sent.len(),
            received_bytes: self.exchange.received.len(),
            reply: String::from_utf8_lossy(&self.exchange.received).into_owned(),
        }
    }
}
