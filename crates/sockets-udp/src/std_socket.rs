//! The kernel's socket, for who wants of it what is not offered here.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsFd as _;

use crate::socket::UdpSocket;

impl UdpSocket {
    /// Whom it is [connected](crate::UdpSocketBuilder::connect) to; `None` where it is to nobody, and
    /// after closing.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.open().as_ref()?.peer
    }

    /// A second descriptor of the same socket (`F_DUPFD_CLOEXEC`), for options that are not offered
    /// here: `SO_MARK`, `SO_PRIORITY`, a filter. It does not block.
    ///
    /// What is sent and received by it is in no statistics and no event. The port stays taken until it
    /// is dropped, also after [`close`](Self::close). To hand a socket over for good, close this one
    /// then: what the kernel holds for it is the other's.
    ///
    /// ```
    /// use sockets_udp::UdpSocket;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = UdpSocket::builder().bind("127.0.0.1:0".parse()?).open()?;
    /// let same = socket.to_std()?;
    /// assert_eq!(same.local_addr()?, socket.local_addr());
    /// same.set_ttl(7)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotConnected` where the socket is closed; what the kernel says where descriptors run out.
    pub fn to_std(&self) -> io::Result<StdSocket> {
        match &*self.open() {
            Some(open) => open.socket.as_fd().try_clone_to_owned().map(StdSocket::from),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn what_is_left_of_a_closed_socket_is_the_second_descriptors() {
        let socket = UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        let local = socket.local_addr();
        assert_eq!(socket.peer_addr(), None);
        let same = socket.to_std().unwrap();
        socket.send_to(b"left", local).await.unwrap();
        socket.close();
        let mut buffer = [0; 8];
        assert_eq!(same.recv_from(&mut buffer).unwrap(), (4, local));
        assert_eq!(socket.to_std().unwrap_err().kind(), io::ErrorKind::NotConnected);
    }

    #[tokio::test]
    async fn a_connected_socket_names_its_peer() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let peer = UdpSocket::builder().bind(any).open().unwrap().local_addr();
        let socket = UdpSocket::builder().bind(any).connect(peer).open().unwrap();
        assert_eq!(socket.peer_addr(), Some(peer));
        socket.close();
        assert_eq!(socket.peer_addr(), None);
    }
}
