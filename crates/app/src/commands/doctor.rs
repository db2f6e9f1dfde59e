//! `ports doctor`: why a port cannot be bound, and what to do.

mod advice;
mod attempt;
mod consultation;
mod row;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ports_core::Transport;
use stats::system::{SystemSockets, UserNames};

use self::attempt::{Attempt, try_to_bind};
use self::consultation::Consultation;
use self::row::{Finding, Line};
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
    let mut consultation = Consultation::new(&users);
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
        for line in consultation.lines(&facts, &attempt) {
            rows.write(&line)?;
        }
    }
    // A lease does not keep anybody from binding, but those who lease count on it.
    let leases = leases_of(&[transport], port, terminal);
    for note in leases.iter().map(Finding::leased).chain(consultation.notes()) {
        rows.write(&Line::Finding(note))?;
    }
    rows.finish()?;
    Ok(exit)
}
