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

    /// How many packets it dropped because nobody took them in time; `None` where it does not tell.
    fn dropped(&self) -> Option<u64> {
        None
    }
}

impl Device for TunDevice {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Self::receive(self, buffer)
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        Self::send(self, packet)
    }

    /// By the counters of this thread's network namespace (proc(5)).
    fn dropped(&self) -> Option<u64> {
        let table = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
        transmit_drops(&table, self.name())
    }
}

/// The interface's `drop` among those of transmission: a line has eight counters of each direction.
fn transmit_drops(table: &str, interface: &str) -> Option<u64> {
    const PLACE: usize = 8 + 3;
    let line = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().nth(PLACE)?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_are_the_interfaces_own() {
        let table = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:    1000      10    0    1    0     0          0         0     2000      20    0    2    0
 sim01:    1000      10    0    3    0     0          0         0     2000      20    0    4    0
  sim0:    1000      10    0    5    0     0          0         0     2000      20    0    6    0
";
        assert_eq!(transmit_drops(table, "sim0"), Some(6));
        assert_eq!(transmit_drops(table, "lo"), Some(2));
        assert_eq!(transmit_drops(table, "sim"), None);
    }
}
