//! nmap's XML, written by nmap or by [`crate::report::NmapXmlReport`].

use std::io::{self, BufRead};
use std::net::IpAddr;

use ports_core::{Port, PortSet, Transport};
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};

use super::bounded::Bounded;
use super::jsonl::{Refused, take_line};
use super::{Part, ReadRecordError, ScanRecord, SeenStates};
use crate::report::INSTRUCTION;

/// What an element may be nested in at most; nmap's own are five deep.
const MAX_DEPTH: usize = 64;

pub(super) fn read<R: BufRead>(
    name: &str,
    reader: Bounded<R>,
) -> Result<ScanRecord, ReadRecordError> {
    let mut reader = Reader::from_reader(reader);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document::default();
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    loop {
        buffer.clear();
        reader.get_mut().renew();
        let event = reader.read_event_into(&mut buffer);
        let taken = match event {
            Ok(Event::Start(start)) => {
                depth += 1;
                let element = start.local_name();
                if depth == 1 && element.as_ref() != "nmaprun" {
                    let reason = "its outermost element is not `nmaprun`";
                    return Err(ReadRecordError::NoScan { name: name.to_owned(), reason });
                }
                if depth > MAX_DEPTH {
                    Err(Refused::Reason("elements are nested too deep".to_owned()))
                } else {
                    document.element(element.as_ref(), &start)
                }
            }
            Ok(Event::End(end)) => {
                depth = depth.saturating_sub(1);
                if end.local_name().as_ref() == "host" { document.host_ends() } else { Ok(()) }
            }
            Ok(Event::PI(instruction)) if instruction.target() == INSTRUCTION => {
                take_line(&mut document.record, instruction.content().trim().as_bytes()).map(drop)
            }
            Ok(Event::Eof) => {
                document.record.truncated = depth > 0 || document.root.is_none();
                break;
            }
            Ok(_) => Ok(()),
            Err(Error::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                let source = io::Error::new(error.kind(), error.to_string());
                return Err(ReadRecordError::Read { name: name.to_owned(), source });
            }
            // The end of the file in the middle of an element.
            Err(Error::Syntax(_)) if reader.get_mut().is_at_end() => {
                document.record.truncated = true;
                break;
            }
            Err(error) => Err(Refused::Reason(error.to_string())),
        };
        let line = reader.get_mut().line();
        taken.map_err(|refused| match refused {
            Refused::Reason(reason) => {
                ReadRecordError::Line { name: name.to_owned(), line, reason }
            }
            Refused::TooManyRows => ReadRecordError::TooManyRows { name: name.to_owned(), line },
        })?;
    }
    // Too many rows would have been seen at the end of an earlier host.
    let _ = document.host_ends();
    Ok(document.finish())
}

#[derive(Default)]
struct Document {
    record: ScanRecord,
    /// Nmap's own account of the scan; where our instructions are there, they say more.
    root: Option<Part>,
    host: Option<Host>,
}

#[derive(Default)]
struct Host {
    address: Option<IpAddr>,
    name: Option<String>,
    up: bool,
    /// Up because the user said so, not because it answered.
    user_set: bool,
    unlisted: SeenStates,
    port: Option<(Transport, Port)>,
    rows: Vec<((Transport, Port), SeenStates)>,
}

impl Document {
    fn element(&mut self, element: &str, start: &BytesStart<'_>) -> Result<(), Refused> {
        match element {
            "nmaprun" => {
                self.root = Some(Part {
                    targets: (targets_of(&attribute(start, "args")?.unwrap_or_default()), 0),
                    // A host that is not listed is down.
                    unlisted: SeenStates::other_than(SeenStates::OPEN).without(SeenStates::ERROR),
                    ..Part::default()
                });
            }
            "scaninfo" => {
                let transport = attribute(start, "protocol")?.and_then(|word| word.parse().ok());
                let services = attribute(start, "services")?;
                if let (Some(transport), Some(services), Some(root)) =
                    (transport, services, &mut self.root)
                    && !services.is_empty()
                {
                    let ports = PortSet::parse(&services, transport)
                        .map_err(|error| Refused::Reason(error.to_string()))?;
                    root.ports.push((transport, ports));
                }
            }
            "finished" => {
                let exit = attribute(start, "exit")?;
                if let Some(root) = &mut self.root {
                    root.finished = exit.is_none_or(|exit| exit == "success");
                }
            }
            "hosts" => {
                let total = attribute(start, "total")?.and_then(|count| count.parse().ok());
                if let (Some(root), Some(total)) = (&mut self.root, total) {
                    root.targets.1 = total;
                }
            }
            "host" => self.host = Some(Host::default()),
            _ => {
                if let Some(host) = &mut self.host {
                    host.element(element, start)?;
                }
            }
        }
        Ok(())
    }

    fn host_ends(&mut self) -> Result<(), Refused> {
        let Some(Host { address: Some(address), name, up, user_set, unlisted, rows, .. }) =
            self.host.take()
        else {
            return Ok(());
        };
        let host = self.record.add_host(address).ok_or(Refused::TooManyRows)?;
        host.up |= up && (!user_set || unlisted.may_be_an_answer());
        host.unlisted = Some(host.unlisted.unwrap_or_default().with(unlisted));
        if let Some(name) = name {
            host.name = Some(name.into());
        }
        for (port, states) in rows {
            self.record.add_row(address, port, states).ok_or(Refused::TooManyRows)?;
        }
        Ok(())
    }

    fn finish(mut self) -> ScanRecord {
        if self.record.parts.is_empty() {
            self.record.parts.extend(self.root);
        }
        self.record
    }
}

impl Host {
    fn element(&mut self, element: &str, start: &BytesStart<'_>) -> Result<(), Refused> {
        match element {
            "status" => {
                self.up = attribute(start, "state")?.as_deref() == Some("up");
                self.user_set = attribute(start, "reason")?.as_deref() == Some("user-set");
            }
            "address" if self.address.is_none() => {
                // A link address is of another kind.
                let text = attribute(start, "addr")?;
                self.address = text.and_then(|text| text.parse().ok());
            }
            "hostname" if self.name.is_none() => self.name = attribute(start, "name")?,
            "extraports" => {
                let states = state_of(start)?;
                self.unlisted = self.unlisted.with(states);
            }
            "port" => {
                let transport = attribute(start, "protocol")?.and_then(|word| word.parse().ok());
                let port = attribute(start, "portid")?.map(|text| text.parse());
                let port = port.transpose().map_err(|error: ports_core::ParsePortError| {
                    Refused::Reason(error.to_string())
                })?;
                self.port = transport.zip(port);
            }
            "state" => {
                let states = state_of(start)?;
                if let Some(port) = self.port.take() {
                    self.rows.push((port, states));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The state an element names. One that is not known says nothing.
fn state_of(start: &BytesStart<'_>) -> Result<SeenStates, Refused> {
    let word = attribute(start, "state")?.unwrap_or_default();
    Ok(SeenStates::named(&word).unwrap_or(SeenStates::ERROR))
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Refused> {
    let wrong = |error: &dyn std::fmt::Display| Refused::Reason(error.to_string());
    let found = start.try_get_attribute(name).map_err(|error| wrong(&error))?;
    let value = found.map(|found| unescape(&found.value).map(std::borrow::Cow::into_owned));
    value.transpose().map_err(|error| wrong(&error))
}

/// The arguments without the files that were written: two scans of the same are told by it.
fn targets_of(args: &str) -> String {
    let mut words = args.split_whitespace();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "-oX" | "-oN" | "-oG" | "-oA" | "-oS") {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept.join(" ")
}
