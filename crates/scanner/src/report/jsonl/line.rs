//! An event as one JSON object: of the JSON lines, and of whoever serialises an event.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde::{Serialize, Serializer};

use super::super::{rtt_us, service_name};
use crate::event::{HostReport, ScanEvent, ScanInfo, ScanSummary};
use crate::state::PortReport;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Scan {
        version: &'static str,
        /// Milliseconds since 1970-01-01 UTC.
        started_ms: u64,
        method: &'static str,
        transport: &'static str,
        targets: &'a [String],
        ports: &'a str,
        addresses: Option<&'a str>,
        show: Vec<&'static str>,
        hosts: u64,
        probes: u64,
        seed: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        shard: Option<String>,
    },
    Host {
        host: IpAddr,
        name: Option<&'a str>,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        rtt_us: u64,
    },
    Port {
        host: IpAddr,
        port: u16,
        transport: &'static str,
        state: &'static str,
        reason: &'static str,
        service: Option<&'static str>,
        rtt_us: Option<u64>,
        attempts: u32,
    },
    Summary {
        hosts: u64,
        hosts_up: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        not_scanned: Option<u64>,
        probes: u64,
        sent: u64,
        open: u64,
        closed: u64,
        filtered: u64,
        open_filtered: u64,
        errors: u64,
        unfinished: u64,
        kernel_drops: u64,
        elapsed_ms: u64,
        method: &'static str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    Tick,
}

impl<'a> Line<'a> {
    fn of(event: &'a ScanEvent) -> Self {
        match event {
            ScanEvent::Started(info) => Self::scan(info),
            ScanEvent::Host(host) => Self::host(host),
            ScanEvent::Port(report) => Self::port(report),
            ScanEvent::Finished(summary) => Self::summary(summary),
            ScanEvent::Tick => Self::Tick,
        }
    }

    fn scan(info: &'a ScanInfo) -> Self {
        let since = info.started.duration_since(UNIX_EPOCH);
        Self::Scan {
            version: env!("CARGO_PKG_VERSION"),
            started_ms: since.map_or(0, |since| since.as_millis() as u64),
            method: info.method.name(),
            transport: info.transport.name(),
            targets: &info.targets,
            ports: &info.ports,
            addresses: info.addresses.as_deref(),
            show: info.shown.iter().map(|state| state.name()).collect(),
            hosts: info.hosts,
            probes: info.probes,
            seed: info.seed,
            shard: (!info.shard.is_whole()).then(|| info.shard.to_string()),
        }
    }

    fn host(host: &'a HostReport) -> Self {
        Self::Host {
            host: host.address,
            name: host.name.as_deref(),
            state: "up",
            reason: host.reason.map(crate::state::Reason::name),
            rtt_us: host.rtt.as_micros() as u64,
        }
    }

    fn port(report: &PortReport) -> Self {
        Self::Port {
            host: report.address,
            port: report.port.number(),
            transport: report.transport.name(),
            state: report.state().name(),
            reason: report.reason.name(),
            service: service_name(report),
            rtt_us: rtt_us(report),
            attempts: report.attempts,
        }
    }

    fn summary(summary: &ScanSummary) -> Self {
        Self::Summary {
            hosts: summary.hosts,
            hosts_up: summary.hosts_up,
            not_scanned: summary.not_scanned,
            probes: summary.tally.probes,
            sent: summary.tally.sent,
            open: summary.tally.open,
            closed: summary.tally.closed,
            filtered: summary.tally.filtered,
            open_filtered: summary.tally.open_filtered,
            errors: summary.tally.errors,
            unfinished: summary.unfinished,
            kernel_drops: summary.kernel_drops,
            elapsed_ms: summary.elapsed.as_millis() as u64,
            method: summary.method.name(),
            resumed: summary.resumed,
        }
    }
}

impl Serialize for ScanEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::of(self).serialize(serializer)
    }
}

impl Serialize for ScanInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::scan(self).serialize(serializer)
    }
}

impl Serialize for HostReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::host(self).serialize(serializer)
    }
}

impl Serialize for PortReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::port(self).serialize(serializer)
    }
}

impl Serialize for ScanSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::summary(self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ports_core::{Port, Transport};

    use super::*;
    use crate::Reason;

    #[test]
    fn an_event_and_what_is_in_it_are_the_same_object() {
        let report = PortReport {
            address: Ipv4Addr::LOCALHOST.into(),
            port: Port::new(22),
            transport: Transport::Tcp,
            reason: Reason::SynAck,
            rtt: None,
            attempts: 1,
        };
        let object = serde_json::to_value(ScanEvent::Port(report)).unwrap();
        assert_eq!(serde_json::to_value(report).unwrap(), object);
        assert_eq!(object["type"], "port");
        assert_eq!((&object["service"], &object["state"]), (&"ssh".into(), &"open".into()));
        let tick = serde_json::to_value(ScanEvent::Tick).unwrap();
        assert_eq!(tick, serde_json::json!({ "type": "tick" }));
    }
}
