//! The multicast groups of `sock_diag` that tell of sockets as they are destroyed
//! (`net/core/sock_diag.c`).

use std::io;
use std::time::{Duration, SystemTime};

use sockets_sys::{
    Message, Messages, NetlinkProtocol, NetlinkReceiveError, NetlinkSocket, set_receive_buffer,
};

use super::diag::BY_FAMILY;
use super::inet;
use crate::system::{EndedSocket, EndingsError, Protocol, TcpDetails};

/// `SKNLGRP_INET_TCP_DESTROY`, `_UDP_`, `SKNLGRP_INET6_TCP_DESTROY`, `_UDP_`.
const GROUPS: [u32; 4] = [1, 2, 3, 4];
/// `INET_DIAG_INFO`, `INET_DIAG_PROTOCOL`
const TCP_INFO: u16 = 2;
const PROTOCOL: u16 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// A datagram tells of one socket.
const BUFFER: usize = 8 * 1024;

#[derive(Debug)]
pub(in crate::system) struct Listener {
    socket: NetlinkSocket,
    buffer: Vec<u8>,
    losses: u64,
}

impl Listener {
    pub(in crate::system) fn open(receive_buffer: usize) -> Result<Self, EndingsError> {
        let open = || -> io::Result<NetlinkSocket> {
            let socket = NetlinkSocket::open(NetlinkProtocol::SOCKET_DIAGNOSIS)?;
            set_receive_buffer(&socket, receive_buffer)?;
            for group in GROUPS {
                socket.join(group)?;
            }
            Ok(socket)
        };
        let socket = open().map_err(|source| EndingsError::Open { source })?;
        Ok(Self { socket, buffer: vec![0; BUFFER], losses: 0 })
    }

    pub(in crate::system) fn wait(
        &mut self,
        timeout: Duration,
        most: usize,
        ended: &mut Vec<EndedSocket>,
    ) -> Result<usize, EndingsError> {
        let before = ended.len();
        let mut patience = timeout;
        while ended.len() - before < most {
            match self.socket.receive(&mut self.buffer, patience) {
                Ok(datagram) => {
                    ended.extend(Messages::new(datagram).filter_map(|message| read(&message)));
                }
                Err(NetlinkReceiveError::TimedOut { .. }) => break,
                Err(NetlinkReceiveError::Overrun) => self.losses += 1,
                Err(error) => {
                    return Err(EndingsError::Receive { source: io::Error::other(error) });
                }
            }
            patience = Duration::ZERO;
        }
        Ok(ended.len() - before)
    }

    pub(in crate::system) const fn losses(&self) -> u64 {
        self.losses
    }
}

/// The socket of a message; `None` for what is none.
pub(super) fn read(message: &Message<'_>) -> Option<EndedSocket> {
    if message.kind != BY_FAMILY {
        return None;
    }
    let (row, attributes) = inet::header(Protocol::Udp, message.payload)?;
    let mut protocol = None;
    let mut tcp = None;
    for attribute in attributes {
        match (attribute.kind, attribute.payload.first()) {
            (PROTOCOL, Some(&TCP)) => protocol = Some(Protocol::Tcp),
            (PROTOCOL, Some(&UDP)) => protocol = Some(Protocol::Udp),
            (TCP_INFO, Some(_)) => tcp = TcpDetails::read(attribute.payload),
            _ => {}
        }
    }
    let protocol = protocol?;
    Some(EndedSocket {
        protocol,
        local: row.local,
        peer: row.peer,
        interface: Some(row.interface).filter(|interface| *interface != 0),
        cookie: Some(row.cookie).filter(|cookie| *cookie != 0),
        heard: SystemTime::now(),
        // One that was aborted from here has forgotten its peer and all counts (`tcp_disconnect`);
        // one that listened never had any.
        tcp: tcp.filter(|_| protocol == Protocol::Tcp && row.peer.port() != 0),
    })
}
