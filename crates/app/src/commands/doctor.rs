//! `ports doctor`: why a port cannot be bound, and what to do.

mod advice;
mod attempt;
mod row;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ports_core::Transport;
use stats::system::{BindFinding, Blocks, SystemSockets, UserNames};

use self::attempt::{Attempt, try_to_bind};
use self::row::{Finding, Line, Verdict};
use super::leases::leases_of;
use crate::args::DoctorArgs;
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &DoctorArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<Line>(&args.output, terminal.stdout()?)?;
    let transport = args.port.transport.unwrap_or(Transport::Tcp);
    let port = args.port.port;
    let users = UserNames::read();
    let wanted: &[IpAddr] = match &args.address {
        Some(address) => std::slice::from_ref(address),
        None => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
    };
    let mut sockets = SystemSockets::new();
    let mut exit = Exit::Done;
    let mut found: Vec<BindFinding> = Vec::new();
    // What does not keep it from being bound comes after all that does.
    let mut notes = Vec::new();
    for ip in wanted {
        let address = SocketAddr::new(*ip, port.number());
        // Before the attempt: the facts are about others.
        let facts = sockets.bind_facts(transport, address)?;
        let attempt = try_to_bind(transport, address);
        if args.address.is_none() && ip.is_ipv6() && matches!(attempt, Attempt::NoFamily) {
            continue;
        }
        if !attempt.can_bind() {
            exit = Exit::No;
        }
        rows.write(&Line::Verdict(Verdict::new(transport, address, &attempt)))?;
        let findings = facts.findings();
        let is_insisting = advice::connections_insist(&findings, &attempt);
        for finding in findings {
            // What holds for both families is said once.
            if !found.contains(&finding) {
                let advice = advice::of(&facts, &finding, &users, is_insisting);
                let told = Finding::new(&facts, &finding, advice);
                if finding.blocks() == Blocks::Never {
                    notes.push(told);
                } else {
                    rows.write(&Line::Finding(told))?;
                }
                found.push(finding);
            }
        }
        let is_explained =
            is_insisting || found.iter().any(|finding| advice::explains(finding, &attempt));
        if let Some(finding) = Finding::unexplained(transport, address, &attempt, is_explained) {
            rows.write(&Line::Finding(finding))?;
        }
    }
    // A lease does not keep anybody from binding, but those who lease count on it.
    let leases = leases_of(&[transport], port, terminal);
    for note in leases.iter().map(Finding::leased).chain(notes) {
        rows.write(&Line::Finding(note))?;
    }
    rows.finish()?;
    Ok(exit)
}
