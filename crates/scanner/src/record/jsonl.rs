//! The JSON lines of a scan.

use std::io::{self, BufRead};
use std::net::IpAddr;

use ports_core::{Port, PortSet, Transport};
use serde::Deserialize;

use super::bounded::Bounded;
use super::read::{Refused, host_name};
use super::{Part, ReadRecordError, ScanRecord, SeenStates};
use crate::block::Shard;
use crate::digest::Digest;

/// A line, as far as it is used here. Others are skipped, as docs/json-lines.md asks for.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Scan {
        transport: Transport,
        targets: Vec<String>,
        ports: String,
        addresses: Option<String>,
        #[serde(default)]
        show: Vec<String>,
        hosts: u64,
        shard: Option<String>,
    },
    Host {
        host: IpAddr,
        name: Option<String>,
    },
    Port {
        host: IpAddr,
        port: Port,
        transport: Transport,
        state: String,
    },
    Summary {
        #[serde(default)]
        unfinished: u64,
        #[serde(default)]
        errors: u64,
        #[serde(default)]
        not_scanned: u64,
    },
    #[serde(other)]
    Other,
}

pub(super) fn read<R: BufRead>(
    name: &str,
    mut reader: Bounded<R>,
) -> Result<ScanRecord, ReadRecordError> {
    let mut record = ScanRecord::default();
    let mut bytes = Vec::new();
    let mut any = false;
    loop {
        let line = reader.line();
        let whole = match reader.read_line(&mut bytes) {
            Ok(Some(whole)) => whole,
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Refused::Reason(error.to_string()).at(name, line));
            }
            Err(source) => return Err(ReadRecordError::Read { name: name.to_owned(), source }),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match take_line(&mut record, &bytes) {
            Ok(known) => any |= known,
            // A last line without its end is what a scan that was killed leaves.
            Err(Refused::Reason(_)) if !whole => record.truncated = true,
            Err(refused) => return Err(refused.at(name, line)),
        }
    }
    if !any && !record.truncated {
        let reason = "no line has the type `scan`, `host` or `port`";
        return Err(ReadRecordError::NoScan { name: name.to_owned(), reason });
    }
    Ok(record)
}

/// Adds what a line says; whether it was of a scan.
pub(super) fn take_line(record: &mut ScanRecord, bytes: &[u8]) -> Result<bool, Refused> {
    let wrong =
        |error: serde_json::Error| Refused::Reason(format!("not a line of a scan: {error}"));
    match serde_json::from_slice(bytes).map_err(wrong)? {
        Line::Scan { transport, targets, ports, addresses, show, hosts, shard } => {
            let bad = |error: &dyn std::fmt::Display| Refused::Reason(error.to_string());
            let ports = PortSet::parse(&ports, transport).map_err(|error| bad(&error))?;
            let addresses = addresses.map(|text| text.parse()).transpose();
            let shard = shard.map(|text| text.parse::<Shard>()).transpose();
            let shown = show.iter().filter_map(|word| SeenStates::named(word));
            record.add_part(Part {
                addresses: addresses.map_err(|error| bad(&error))?,
                targets: (Digest::of(targets.join(" ").as_bytes()), hosts),
                ports: vec![(transport, ports)],
                shard: shard.map_err(|error| bad(&error))?.unwrap_or_default(),
                unlisted: SeenStates::other_than(shown.fold(SeenStates::NONE, SeenStates::with)),
                ..Part::default()
            })?;
        }
        Line::Host { host, name } => {
            let name = name.map(|name| host_name(&name)).transpose()?;
            let part = record.part();
            let host = record.add_host(host)?;
            host.up = Some(part);
            host.name = name.or(host.name.take());
        }
        Line::Port { host, port, transport, state } => {
            // A state that is not known yet says nothing.
            let states = SeenStates::named(&state).unwrap_or(SeenStates::ERROR);
            record.add_row(host, (transport, port), states)?;
        }
        Line::Summary { unfinished, errors, not_scanned } => {
            if let Some(part) = record.parts.last_mut() {
                part.finished = true;
                part.unfinished = unfinished;
                part.errors = errors;
                part.not_scanned = not_scanned;
            }
        }
        Line::Other => return Ok(false),
    }
    Ok(true)
}
