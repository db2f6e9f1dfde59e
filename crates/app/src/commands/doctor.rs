//! `ports doctor`: why a port cannot be bound, and what to do.

mod advice;
mod attempt;
mod consultation;
mod place;
mod row;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ports_core::{Host, Transport};
use sockets_udp::{Interface, InterfaceError};
use stats::system::{SystemSockets, UserNames};

use self::attempt::{Attempt, try_to_bind};
use self::consultation::Consultation;
use self::row::{Finding, Line};
use super::keeper::Keeper;
use super::leases::leases_of;
use crate::args::{DoctorArgs, HeldPort};
use crate::exit::{Exit, UsageError};
use crate::output::{RowOutputs, Terminal};

pub(crate) fn run(args: &DoctorArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut rows = RowOutputs::open::<Line>(&args.output, terminal.stdout()?)?;
    let mut examination = Examination {
        users: UserNames::read(),
        sockets: SystemSockets::new(),
        own: Keeper::own()?,
        terminal,
    };
    let mut exit = Exit::Done;
    for held in args.port.iter() {
        if !examination.examine(held, args.address.as_ref(), &mut rows)? {
            exit = Exit::No;
        }
    }
    rows.finish()?;
    Ok(exit)
}

/// What is the same for each port.
struct Examination {
    users: UserNames,
    sockets: SystemSockets,
    own: Option<Keeper>,
    terminal: Terminal,
}

impl Examination {
    /// Tells all of one port; whether it can be bound.
    fn examine(
        &mut self,
        held: HeldPort,
        at: Option<&Host>,
        rows: &mut RowOutputs,
    ) -> anyhow::Result<bool> {
        let transport = held.transport.unwrap_or(Transport::Tcp);
        let number = held.port.number();
        let wanted = match at {
            Some(address) => vec![local(address, number)?],
            None => vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, number)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, number)),
            ],
        };
        let mut can_bind = true;
        let mut consultation = Consultation::new(&self.users);
        for address in wanted {
            // Before the attempt: the facts are about others.
            let mut facts = self.sockets.bind_facts(transport, address)?;
            if self.own.is_some() {
                for socket in &mut facts.sockets {
                    socket.cgroups.retain(|path| Keeper::of_path(path) != self.own);
                }
            }
            let attempt = try_to_bind(transport, address);
            if at.is_none() && address.is_ipv6() && matches!(attempt, Attempt::NoFamily) {
                continue;
            }
            can_bind &= attempt.can_bind();
            for line in consultation.lines(&facts, &attempt) {
                rows.write(&line)?;
            }
        }
        // A lease does not keep anybody from binding, but those who lease count on it.
        let leases = leases_of(&[transport], held.port, self.terminal);
        for note in leases.iter().map(Finding::leased).chain(consultation.notes()) {
            rows.write(&Line::Finding(note))?;
        }
        Ok(can_bind)
    }
}

/// Where it is to be bound.
fn local(address: &Host, port: u16) -> anyhow::Result<SocketAddr> {
    match address {
        Host::Address(ip) => Ok(SocketAddr::new(*ip, port)),
        Host::Zoned { address, zone } => {
            let interface = match zone.parse::<u32>() {
                Ok(index) => Interface::Index(index),
                Err(_) => Interface::from(zone.as_str()),
            };
            let scope = interface.index().map_err(|error| match error {
                error @ InterfaceError::Unknown { .. } => {
                    anyhow::Error::from(UsageError(error.to_string()))
                }
                error => error.into(),
            })?;
            Ok(SocketAddrV6::new(*address, port, 0, scope).into())
        }
        // The argument takes addresses only.
        Host::Any | Host::Name(_) => Err(UsageError(format!("{address} is not an address")).into()),
    }
}
