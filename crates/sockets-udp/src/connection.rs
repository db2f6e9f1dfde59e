//! Connecting a socket to one peer.

use std::net::SocketAddr;

use socket2::Socket;
use sockets_sys::SendControl;

use crate::bind::BindError;
use crate::outgoing::Message;
use crate::path::Path;
use crate::send::{Family, SendError};

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
    if let Err(error) = socket.connect(&kernel_target.into()) {
        let error = SendError::from_kernel(error, &message);
        let path = || Path::of(socket, &message, local, 0);
        return Err(BindError::Connect(error.explained(&message, may_broadcast, path)));
    }
    // It has one, as it is bound.
    Ok(socket.local_addr().ok().and_then(|address| address.as_socket()).unwrap_or(local))
}
