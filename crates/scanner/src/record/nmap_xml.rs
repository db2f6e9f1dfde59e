//! nmap's XML, written by nmap or by [`crate::report::NmapXmlReport`].

use std::io::{self, BufRead};
use std::net::IpAddr;
use std::sync::Arc;

use ports_core::{Port, PortSet, Transport};
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};

use super::bounded::Bounded;
use super::jsonl::take_line;
use super::read::{Refused, host_name};
use super::{Part, ReadRecordError, ScanRecord, SeenStates};
use crate::digest::Digest;
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
                document.instruction(instruction.content().trim().as_bytes())
            }
            Ok(Event::Eof) => {
                document.record.truncated = depth > 0 || document.record.parts.is_empty();
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
        taken.map_err(|refused| refused.at(name, line))?;
    }
    // Too many rows would have been seen at the end of an earlier host.
    let _ = document.host_ends();
    Ok(document.record)
}

#[derive(Default)]
struct Document {
    record: ScanRecord,
    /// The part that is nmap's own account of the scan; where our instructions are there, they say
    /// more, and take its place.
    root: Option<usize>,
    host: Option<Host>,
}

#[derive(Default)]
struct Host {
    address: Option<IpAddr>,
    name: Option<Arc<str>>,
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
                let targets = targets_of(&attribute(start, "args")?.unwrap_or_default());
                self.record.add_part(Part {
                    targets: (Digest::of(targets.as_bytes()), 0),
                    // A host that is not listed is down.
                    unlisted: SeenStates::other_than(SeenStates::OPEN).without(SeenStates::ERROR),
                    ..Part::default()
                })?;
                self.root = Some(self.record.parts.len() - 1);
            }
            "scaninfo" => {
                let transport = attribute(start, "protocol")?.and_then(|word| word.parse().ok());
                let services = attribute(start, "services")?;
                if let (Some(transport), Some(services), Some(root)) =
                    (transport, services, self.root())
                    && !services.is_empty()
                {
                    let ports = PortSet::parse(&services, transport)
                        .map_err(|error| Refused::Reason(error.to_string()))?;
                    root.add_ports(transport, ports);
                }
            }
            "finished" => {
                let exit = attribute(start, "exit")?;
                if let Some(root) = self.root() {
                    root.finished = exit.is_none_or(|exit| exit == "success");
                }
            }
            "hosts" => {
                let total = attribute(start, "total")?.and_then(|count| count.parse().ok());
                if let (Some(root), Some(total)) = (self.root(), total) {
                    root.targets.1 = total;
                }
            }
            "host" => self.host = Some(Host::default()),
            _ => {
                let room = self.record.room();
                if let Some(host) = &mut self.host {
                    host.element(element, start, room)?;
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
        let part = self.record.part();
        let host = self.record.add_host(address)?;
        if up && (!user_set || unlisted.may_be_an_answer()) {
            host.up = Some(part);
        }
        // Of a host in several elements, those of this scan.
        let before = host.unlisted.filter(|(number, _)| *number == part);
        host.unlisted = Some((part, before.map_or(unlisted, |(_, states)| states.with(unlisted))));
        host.name = name.or(host.name.take());
        for (port, states) in rows {
            self.record.add_row(address, port, states)?;
        }
        Ok(())
    }

    fn instruction(&mut self, line: &[u8]) -> Result<(), Refused> {
        let before = self.record.parts.len();
        take_line(&mut self.record, line)?;
        if self.record.parts.len() > before
            && let Some(root) = self.root.take()
        {
            self.record.parts.remove(root);
        }
        Ok(())
    }

    fn root(&mut self) -> Option<&mut Part> {
        self.record.parts.get_mut(self.root?)
    }
}

impl Host {
    /// Takes an element of the host, and as many rows as there is `room` for.
    fn element(
        &mut self,
        element: &str,
        start: &BytesStart<'_>,
        room: usize,
    ) -> Result<(), Refused> {
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
            "hostname" if self.name.is_none() => {
                let name = attribute(start, "name")?;
                self.name = name.map(|name| host_name(&name)).transpose()?;
            }
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
                    if self.rows.len() >= room {
                        return Err(Refused::TooManyRows);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Before the host ends: until then they are held, too.
    #[test]
    fn rows_are_counted_as_they_come() {
        let port = r#"<port protocol="tcp" portid="1"><state state="open"/></port>"#;
        let xml = format!("<host><address addr=\"10.0.0.1\"/>{}", port.repeat(3));
        let mut reader = Reader::from_str(&xml);
        reader.config_mut().expand_empty_elements = true;
        let mut document = Document::default();
        document.record.runs = ScanRecord::MAX_ROWS - 2;
        let mut taken = Vec::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    taken.push(document.element(start.local_name().as_ref(), &start).is_ok());
                }
                Ok(Event::End(_)) => {}
                _ => break,
            }
        }
        assert_eq!(taken, [true, true, true, true, true, true, true, false]);
    }
}
