//! Taking a lease: claim, label, lock, then look whether the port can be bound.

mod attempt;

use std::net::{TcpListener, UdpSocket};

use ports_core::Transport;
use socket2::Socket;

use self::attempt::{Attempt, Obstacle, Reason, Taken};
use crate::bound::BoundLease;
use crate::error::LeaseError;
use crate::kernel_ports::KernelPorts;
use crate::lease::{Lease, PassedPorts};
use crate::lock::Locker;
use crate::place::Place;
use crate::pool::{Pool, default_range};
use crate::port_user;
use crate::preference;
use crate::request::Request;
use crate::search::Search;

/// Connections that may wait to be accepted; the kernel caps it (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;

/// Leases ports for a program to bind. That they can be bound is looked at once, when the lock is
/// held, at the addresses of the request.
///
/// # Errors
///
/// [`LeaseError`]: of a port asked for by its number, who holds it.
pub fn lease(request: &Request) -> Result<Lease, LeaseError> {
    acquire(request, false).map(|(lease, _)| lease)
}

/// Leases ports and binds them: TCP sockets listen, with a backlog of up to 1,024 connections.
///
/// The sockets have no options but `IPV6_V6ONLY`, said either way, and are close-on-exec.
///
/// # Errors
///
/// [`LeaseError`]: of a port asked for by its number, who holds it.
pub fn bind(request: &Request) -> Result<BoundLease, LeaseError> {
    let (lease, sockets) = acquire(request, true)?;
    let (mut listeners, mut udp_sockets) = (Vec::new(), Vec::new());
    for Bound { socket, transport, port, place } in sockets {
        if transport == Transport::Udp {
            udp_sockets.push(UdpSocket::from(socket));
            continue;
        }
        let address = place.address;
        socket.listen(BACKLOG).map_err(|source| LeaseError::Listen { port, address, source })?;
        listeners.push(TcpListener::from(socket));
    }
    Ok(BoundLease { listeners, udp_sockets, lease })
}

/// A socket at a leased port.
struct Bound {
    socket: Socket,
    transport: Transport,
    port: ports_core::Port,
    place: Place,
}

fn acquire(request: &Request, binds: bool) -> Result<(Lease, Vec<Bound>), LeaseError> {
    if request.count == 0 {
        return Err(LeaseError::NoPorts);
    }
    let kernel = KernelPorts::read()?;
    let mut attempt = Attempt::new(request, &kernel, binds)?;
    let finish = |taken: Taken, is_ephemeral, passed| {
        let lease = Lease {
            first: taken.first,
            count: request.count,
            protocols: request.protocols,
            name: request.name.clone(),
            is_ephemeral,
            passed,
            locks: taken.locks,
            claims: taken.claims,
        };
        (lease, taken.sockets)
    };

    if let Some(first) = request.exact {
        let taken = attempt.take(first).map_err(|obstacle| explain(obstacle, attempt.locker()))?;
        let run = first.number()..=first.number() + (request.count - 1);
        let is_ephemeral = run.into_iter().any(|port| kernel.is_ephemeral(port.into()));
        return Ok(finish(taken, is_ephemeral, PassedPorts::default()));
    }

    let pool = Pool::new(request.range, request.count, &kernel);
    let range = request.range.unwrap_or_else(default_range);
    let number = match &request.name {
        Some(name) => preference::of_name(request.project.as_deref(), name),
        None => preference::anywhere(),
    };
    let mut passed = PassedPorts::default();
    for ports in [&pool.ports, &pool.rest] {
        let start = preference::port(number, range, ports);
        let mut search = Search::new(ports, request.count, start);
        while let Some(first) = search.next_run() {
            match attempt.take(first) {
                Ok(taken) => return Ok(finish(taken, pool.is_ephemeral, passed)),
                Err(obstacle) => match obstacle.passed_over() {
                    Some(over) => {
                        tracing::debug!(transport = %over.transport, port = %over.port, reason = ?over.reason, "passed over");
                        search.skip_past(over.port.number());
                        passed.add(over);
                    }
                    None => return Err(explain(obstacle, attempt.locker())),
                },
            }
        }
    }
    let mut squatters = Vec::new();
    if passed.locked > 0 {
        squatters = attempt.locker().squatters();
        squatters.retain(|record| {
            (pool.ports.contains(record.port) || pool.rest.contains(record.port))
                && request.protocols.contains(record.transport)
        });
    }
    // Not more than were in the way: of two transports of a port, one is met first.
    let squatted = u32::try_from(squatters.len()).unwrap_or(u32::MAX).min(passed.locked);
    Err(LeaseError::Exhausted {
        transports: request.protocols.words(),
        range,
        count: request.count,
        longest: pool.longest(),
        leased: passed.locked - squatted,
        squatted,
        squatter: squatters.into_iter().next().map(Box::new),
        in_use: passed.in_use,
        privileged: passed.privileged,
    })
}

/// What was in the way, as an error that says who.
fn explain(obstacle: Obstacle, locker: &Locker) -> LeaseError {
    let (transport, port, reason) = match obstacle {
        Obstacle::Port { transport, port, reason } => (transport, port, reason),
        Obstacle::Failure(error) => return error,
    };
    match reason {
        Reason::Claim(source) => LeaseError::Refused { transport, port, source },
        Reason::Locked => match locker.holder_of(transport, port).map(Box::new) {
            Some(holder) if holder.lease.is_none() => {
                LeaseError::Squatted { transport, port, holder }
            }
            holder => LeaseError::Leased { transport, port, holder },
        },
        Reason::NotPermitted { address, source } => {
            LeaseError::Bind { transport, port, address, source }
        }
        Reason::InUse { address, source } => {
            let user = port_user::find(transport, port).map(Box::new);
            LeaseError::InUse { transport, port, address, user, source }
        }
    }
}
