//! The lock of a port: a bound abstract UNIX socket.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// A socket for a lock or a label: close-on-exec, and not listening. So nothing can be sent to it or
/// queued at it, whoever tries.
pub(crate) fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// The number that the kernel lists the socket under.
pub(crate) fn inode(socket: &OwnedFd) -> io::Result<u64> {
    Ok(fstat(socket)?.st_ino)
}

/// Takes an abstract name, unless somebody has it: then `false`, and the socket is as it was.
pub(crate) fn take(socket: &OwnedFd, name: &str) -> io::Result<bool> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    match rustix::net::bind(socket, &address) {
        Ok(()) => Ok(true),
        Err(Errno::ADDRINUSE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_holder_until_it_is_closed() {
        let name = format!("ports-lease-test/{}", std::process::id());
        let (first, second) = (socket().unwrap(), socket().unwrap());
        assert!(take(&first, &name).unwrap());
        assert!(!take(&second, &name).unwrap());
        drop(first);
        // The same socket can try again.
        assert!(take(&second, &name).unwrap());
    }
}
