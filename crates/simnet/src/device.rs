//! Where the packets come from and go to.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use sockets_sys::TunDevice;

/// Something that gives and takes whole packets without blocking: a TUN device, or one end of a
/// pair of datagram sockets that stands for one.
pub trait Device: AsFd + Send + 'static {
    /// Takes one packet and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where none is there; what else the system says.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Gives one packet.
    ///
    /// # Errors
    ///
    /// What the system says. The packet is gone then.
    fn send(&self, packet: &[u8]) -> io::Result<()>;
}

impl Device for TunDevice {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Self::receive(self, buffer)
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        Self::send(self, packet)
    }
}

/// A connected socket in non-blocking mode: what its peer sends are the packets.
impl Device for UnixDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv(buffer)
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        Self::send(self, packet).map(drop)
    }
}
