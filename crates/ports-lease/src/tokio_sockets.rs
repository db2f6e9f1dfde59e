//! Leases in tokio programs: the feature `tokio`.

use std::io;

use tokio::task::{JoinError, spawn_blocking};

use crate::{BoundLease, Lease, LeaseError, Request, bind, lease};

/// Why no lease came from the pool of threads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There is none to be had.
    #[error("cannot lease")]
    Lease(#[from] LeaseError),
    /// The runtime is shutting down.
    #[error("the runtime did not run it")]
    Runtime(#[from] JoinError),
}

/// [`lease`] on the runtime's threads for blocking work: for wide ranges that are nearly full, where a
/// search takes long. Elsewhere `lease` itself is faster.
///
/// # Cancel safety
///
/// Nothing is held once it is dropped: the search goes to its end, and what it found is let go.
///
/// # Errors
///
/// [`PoolError`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn lease_on_pool(request: Request) -> Result<Lease, PoolError> {
    Ok(spawn_blocking(move || lease(&request)).await??)
}

/// [`bind`] on the runtime's threads for blocking work.
///
/// # Cancel safety
///
/// Nothing is held once it is dropped: the search goes to its end, and what it found is let go.
///
/// # Errors
///
/// [`PoolError`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn bind_on_pool(request: Request) -> Result<BoundLease, PoolError> {
    Ok(spawn_blocking(move || bind(&request)).await??)
}

impl BoundLease {
    /// The sockets as tokio's, and the lease that is to be kept as long as they are in use.
    ///
    /// # Errors
    ///
    /// What the system says of a socket that is to become non-blocking, or of one more to watch.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn into_tokio(
        self,
    ) -> io::Result<(Vec<tokio::net::TcpListener>, Vec<tokio::net::UdpSocket>, Lease)> {
        let (listeners, udp_sockets, lease) = self.into_parts();
        let listeners = listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let udp_sockets = udp_sockets.into_iter().map(|socket| {
            socket.set_nonblocking(true)?;
            tokio::net::UdpSocket::from_std(socket)
        });
        Ok((listeners.collect::<io::Result<_>>()?, udp_sockets.collect::<io::Result<_>>()?, lease))
    }
}
