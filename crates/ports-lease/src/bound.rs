//! A lease with its sockets.

use std::net::{TcpListener, UdpSocket};

use crate::lease::Lease;

/// A lease whose ports are bound: held against everybody, not only against those who lease.
#[derive(Debug)]
#[must_use = "the ports are let go when the lease is dropped"]
pub struct BoundLease {
    // Closed before the lease ends, so that whoever leases the port next can bind it.
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) udp_sockets: Vec<UdpSocket>,
    pub(crate) lease: Lease,
}

impl BoundLease {
    /// The lease: which ports they are, and so on.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The TCP listeners, by port, then by address: one for each port, unless the request was for
    /// [`loopback`](crate::Request::loopback) addresses of both families; none of a UDP lease.
    pub fn listeners(&self) -> &[TcpListener] {
        &self.listeners
    }

    /// The UDP sockets, in the same order; none of a TCP lease.
    pub fn udp_sockets(&self) -> &[UdpSocket] {
        &self.udp_sockets
    }

    /// The sockets, and the lease that is to be kept as long as they are in use.
    ///
    /// Where the lease ends before, the ports are still bound, and so nobody leases them; only
    /// `ports leases` no longer shows who has them.
    pub fn into_parts(self) -> (Vec<TcpListener>, Vec<UdpSocket>, Lease) {
        (self.listeners, self.udp_sockets, self.lease)
    }
}
