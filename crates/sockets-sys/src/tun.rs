//! TUN devices: an interface whose far end is this process (Documentation/networking/tuntap.rst).

use std::ffi::{c_char, c_short, c_ulong};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;

/// The device that makes devices.
const CONTROL: &str = "/dev/net/tun";

/// The request of `TUNSETIFF`: a `struct ifreq` with its flags member.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: c_short,
    /// The rest of the union, so that the kernel copies no more than is ours.
    rest: [u8; size_of::<libc::ifreq>() - libc::IFNAMSIZ - size_of::<c_short>()],
}

/// A TUN device: the packets routed to the interface are read here, whole, from the network header;
/// what is written here arrives at the interface. Non-blocking and close-on-exec. The interface is
/// gone when the last descriptor of it is closed.
///
/// It has no address and is down: giving it one and setting it up is the caller's
/// (`ip addr add`, `ip link set up`).
#[derive(Debug)]
pub struct TunDevice {
    file: File,
    name: String,
}

impl TunDevice {
    /// The longest name of an interface, in bytes.
    pub const LONGEST_NAME: usize = libc::IFNAMSIZ - 1;

    /// Makes an interface named `name`, or attaches to a persistent one of that name; `tun%d` and
    /// an empty name let the kernel choose.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name that is too long or holds a zero byte. `PermissionDenied` without
    /// `CAP_NET_ADMIN`, `NotFound` where the system has no `/dev/net/tun`, `ResourceBusy` for a
    /// name that another process holds.
    pub fn open(name: &str) -> io::Result<Self> {
        Self::open_with(name, 0)
    }

    /// As [`open`](Self::open), for an interface with more than one queue: each call with the same
    /// name gives one more, and the kernel keeps each flow on one of them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); and `InvalidInput` where the interface exists with one queue.
    pub fn open_queue(name: &str) -> io::Result<Self> {
        Self::open_with(name, libc::IFF_MULTI_QUEUE as c_short)
    }

    fn open_with(name: &str, flags: c_short) -> io::Result<Self> {
        if name.len() > Self::LONGEST_NAME || name.contains('\0') {
            let reason = format!(
                "`{name}` is no interface name: at most {} bytes, none of them 0",
                Self::LONGEST_NAME
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(CONTROL)?;
        let mut request = Request {
            name: [0; libc::IFNAMSIZ],
            flags: (libc::IFF_TUN | libc::IFF_NO_PI) as c_short | flags,
            rest: [0; _],
        };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq` at the pointer; `Request` is one,
        // in layout and in size (asserted below), and lives through the call.
        let status =
            unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        let name = request.name.iter().take_while(|byte| **byte != 0).copied().collect();
        let name = String::from_utf8(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Self { file, name })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one packet that was routed to the interface, and returns its length in bytes. A packet
    /// larger than `buffer` is cut: give it the interface's MTU.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where none is there; what else the kernel says.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buffer)
    }

    /// Lets `packet`, an IPv4 or IPv6 packet, arrive at the interface.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what is neither, `EIO` while the interface is down; what else the kernel
    /// says.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        // The kernel takes a packet whole or not at all.
        (&self.file).write(packet).map(drop)
    }
}

impl AsFd for TunDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<TunDevice> for OwnedFd {
    fn from(device: TunDevice) -> Self {
        device.file.into()
    }
}

const _: () = {
    assert!(size_of::<Request>() == size_of::<libc::ifreq>());
    assert!(std::mem::offset_of!(Request, flags) == std::mem::offset_of!(libc::ifreq, ifr_ifru));
    assert!(size_of::<c_char>() == 1 && size_of::<c_ulong>() >= 4);
};

#[cfg(test)]
mod tests;
