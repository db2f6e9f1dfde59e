//! The element `host`.

use std::io::{self, Write};
use std::net::IpAddr;

use quick_xml::Writer;

use super::super::date::unix_seconds;
use super::super::host_rows::{HostRows, Rest};
use super::super::{nmap_words, service_name};
use crate::event::Method;
use crate::state::PortReport;

/// A host answered, but to none of the ports that are reported.
const UNKNOWN_ANSWER: &str = "unknown-response";

pub(super) fn write<W: Write>(
    writer: &mut Writer<W>,
    address: IpAddr,
    host: &HostRows,
    method: Method,
) -> io::Result<()> {
    writer
        .create_element("host")
        .with_attributes([
            ("starttime", unix_seconds(host.first).to_string().as_str()),
            ("endtime", &unix_seconds(host.last).to_string()),
        ])
        .write_inner_content(|writer| {
            status(writer, address, host, method)?;
            line_end(writer)?;
            let kind = nmap_words::address_type(address);
            writer
                .create_element("address")
                .with_attributes([("addr", address.to_string().as_str()), ("addrtype", kind)])
                .write_empty()?;
            line_end(writer)?;
            writer.create_element("hostnames").write_inner_content(|writer| {
                if let Some(name) = &host.name {
                    writer
                        .create_element("hostname")
                        .with_attributes([("name", &**name), ("type", "user")])
                        .write_empty()?;
                }
                Ok(())
            })?;
            line_end(writer)?;
            writer.create_element("ports").write_inner_content(|writer| {
                for rest in host.rest() {
                    extra_ports(writer, address, &rest, method)?;
                }
                host.rows.iter().try_for_each(|row| port(writer, row, method))
            })?;
            line_end(writer)?;
            if let Some([srtt, rttvar, timeout]) = host.times.micros() {
                writer
                    .create_element("times")
                    .with_attributes([
                        ("srtt", srtt.to_string().as_str()),
                        ("rttvar", &rttvar.to_string()),
                        ("to", &timeout.to_string()),
                    ])
                    .write_empty()?;
                line_end(writer)?;
            }
            Ok(())
        })?;
    line_end(writer)
}

fn status<W: Write>(
    writer: &mut Writer<W>,
    address: IpAddr,
    host: &HostRows,
    method: Method,
) -> io::Result<()> {
    let (state, reason) = match host.answer {
        Some(reason) => ("up", nmap_words::reason(reason, address, method)),
        None if host.is_up() => ("up", UNKNOWN_ANSWER),
        None => ("unknown", "no-response"),
    };
    let attributes = [("state", state), ("reason", reason), ("reason_ttl", "0")];
    writer.create_element("status").with_attributes(attributes).write_empty()?;
    Ok(())
}

fn extra_ports<W: Write>(
    writer: &mut Writer<W>,
    address: IpAddr,
    rest: &Rest,
    method: Method,
) -> io::Result<()> {
    writer
        .create_element("extraports")
        .with_attributes([
            ("state", nmap_words::state(rest.state)),
            ("count", &rest.count.to_string()),
        ])
        .write_inner_content(|writer| {
            for (reason, count) in &rest.reasons {
                writer
                    .create_element("extrareasons")
                    .with_attributes([
                        ("reason", nmap_words::reason(*reason, address, method)),
                        ("count", &count.to_string()),
                    ])
                    .write_empty()?;
            }
            Ok(())
        })?;
    line_end(writer)
}

fn port<W: Write>(writer: &mut Writer<W>, row: &PortReport, method: Method) -> io::Result<()> {
    let number = row.port.to_string();
    writer
        .create_element("port")
        .with_attributes([("protocol", row.transport.name()), ("portid", &number)])
        .write_inner_content(|writer| {
            writer
                .create_element("state")
                .with_attributes([
                    ("state", nmap_words::state(row.state())),
                    ("reason", nmap_words::reason(row.reason, row.address, method)),
                    ("reason_ttl", "0"),
                ])
                .write_empty()?;
            if let Some(name) = service_name(row) {
                writer
                    .create_element("service")
                    .with_attributes([("name", name), ("method", "table"), ("conf", "3")])
                    .write_empty()?;
            }
            Ok(())
        })?;
    line_end(writer)
}

fn line_end<W: Write>(writer: &mut Writer<W>) -> io::Result<()> {
    writer.get_mut().write_all(b"\n")
}
