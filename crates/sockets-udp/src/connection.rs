//! Connecting a socket to one peer.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::Socket;
use sockets_sys::SendControl;

use crate::bind::BindError;
use crate::outgoing::Message;
use crate::path::Path;
use crate::send::{Family, SendError};

/// Why a socket that was to be connected could not be bound: where it cannot send from.
pub(crate) fn not_bound(error: BindError, target: SocketAddr) -> BindError {
    match error {
        BindError::AddressNotAvailable { address, source } => {
            let from = address.ip();
            BindError::Connect(SendError::SourceNotAvailable { target, from, source })
        }
        error => error,
    }
}

/// Connects a socket that is bound to `local`; the address that it has from then on.
pub(crate) fn connect(
    socket: &Socket,
    peer: SocketAddr,
    local: SocketAddr,
    family: Family,
    may_broadcast: bool,
) -> Result<SocketAddr, BindError> {
    let kernel_target = family.check_target(0, peer, local).map_err(BindError::Connect)?;
    let control = SendControl::default();
    let message = Message { data: &[], target: peer, kernel_target, control };
    if peer.ip().to_canonical() == Ipv4Addr::BROADCAST && !may_broadcast {
        return Err(BindError::Connect(SendError::BroadcastNotEnabled { target: peer }));
    }
    if let Err(error) = socket.connect(&kernel_target.into()) {
        let error = SendError::from_kernel(error, &message);
        let path = || Path::of(socket, &message, local, 0);
        return Err(BindError::Connect(error.explained(&message, may_broadcast, path)));
    }
    // It has one, as it is bound.
    Ok(socket.local_addr().ok().and_then(|address| address.as_socket()).unwrap_or(local))
}
