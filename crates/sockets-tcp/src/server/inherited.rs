//! Listening sockets that the starter of this process passed to it, as systemd does.

use std::net::TcpListener as StdListener;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use socket2::{Domain, SockRef, Type};
use sockets_sys::{Inherited, inherited_descriptors};

/// A listening socket that was passed to this process.
#[derive(Debug)]
#[non_exhaustive]
pub struct InheritedListener {
    /// The socket, for [`TcpServerBuilder::listener`](crate::TcpServerBuilder::listener).
    pub listener: StdListener,
    /// What its passer calls it, where `LISTEN_FDNAMES` says so.
    pub name: Option<String>,
}

/// Why the sockets that were passed cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InheritError {
    /// They cannot be taken.
    #[error(transparent)]
    Descriptors(#[from] sockets_sys::InheritError),
    /// One is something else than a TCP socket that listens.
    #[error("descriptor {fd} ({}), passed by LISTEN_FDS, is no listening TCP socket", name.as_deref().unwrap_or("unnamed"))]
    NotAListener {
        /// The descriptor.
        fd: RawFd,
        /// What its passer calls it.
        name: Option<String>,
    },
}

/// The listening TCP sockets that the starter of this process passed to it by `LISTEN_FDS`,
/// `LISTEN_PID` and `LISTEN_FDNAMES` (`sd_listen_fds(3)`), in their order; none where it passed
/// none. They can be taken once in the life of a process. The variables are not unset: that is not
/// safe while other threads run, and they do not concern a process with another number.
///
/// Only what was open before `main` is taken, and not what this process has opened under those numbers.
///
/// # Errors
///
/// [`InheritError`]: also where any of them is something else, such as a UDP or UNIX socket; then
/// all are closed.
pub fn inherited_listeners() -> Result<Vec<InheritedListener>, InheritError> {
    inherited_descriptors()?.into_iter().map(listener).collect()
}

fn listener(Inherited { fd, name, .. }: Inherited) -> Result<InheritedListener, InheritError> {
    if is_tcp_listener(&fd) {
        Ok(InheritedListener { listener: fd.into(), name })
    } else {
        Err(InheritError::NotAListener { fd: fd.as_raw_fd(), name })
    }
}

fn is_tcp_listener(fd: &OwnedFd) -> bool {
    let socket = SockRef::from(fd);
    let domain = socket.domain().is_ok_and(|it| it == Domain::IPV4 || it == Domain::IPV6);
    domain
        && socket.r#type().is_ok_and(|it| it == Type::STREAM)
        && socket.is_listener().is_ok_and(|listens| listens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tcp_socket_that_listens_is_one() {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(is_tcp_listener(&listener.into()));
        assert!(!is_tcp_listener(&stream.into()));
        assert!(!is_tcp_listener(&datagrams.into()));
        assert!(!is_tcp_listener(&file.into()));
    }
}
