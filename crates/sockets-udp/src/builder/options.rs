//! The socket options that the settings stand for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::Socket;

use super::UdpSocketBuilder;
use crate::bind::BindError;
use crate::multicast_source;
use crate::send::Family;

impl UdpSocketBuilder {
    /// Sets what the socket is to be like; before it is bound, where it is not handed in.
    pub(super) fn set_options(
        &self,
        socket: &Socket,
        address: SocketAddr,
        family: Family,
        interface: u32,
    ) -> Result<(), BindError> {
        let set = |option, result: io::Result<()>| {
            result.map_err(|source| BindError::Option { address, option, source })
        };
        set("SO_BROADCAST", socket.set_broadcast(self.broadcast))?;
        if let Some(bytes) = self.receive_buffer {
            set("SO_RCVBUF", socket.set_recv_buffer_size(bytes))?;
        }
        if let Some(bytes) = self.send_buffer {
            set("SO_SNDBUF", socket.set_send_buffer_size(bytes))?;
        }
        set("SO_RXQ_OVFL", crate::arrival::report_drops(socket))?;
        crate::arrival::report_destinations(socket, family)
            .or_else(|(option, source)| set(option, Err(source)))?;
        if self.peer_errors {
            crate::error_queue::keep(socket, family)
                .or_else(|(option, source)| set(option, Err(source)))?;
        }
        if self.dont_fragment {
            crate::mtu::forbid_fragments(socket, family)
                .or_else(|(option, source)| set(option, Err(source)))?;
        }
        let hops = u32::from(self.multicast_ttl);
        if family != Family::V6 {
            // Without this Linux hands every socket on the port what any socket of the machine
            // has joined (ip(7), IP_MULTICAST_ALL).
            set("IP_MULTICAST_ALL", socket.set_multicast_all_v4(false))?;
            set("IP_MULTICAST_TTL", socket.set_multicast_ttl_v4(hops))?;
            set("IP_MULTICAST_LOOP", socket.set_multicast_loop_v4(self.multicast_loop))?;
            if interface != 0 {
                let from = multicast_source::address_v4(&self.multicast_interface);
                let any = Ipv4Addr::UNSPECIFIED;
                let result = rustix::net::sockopt::set_ip_multicast_if_with_ifindex(
                    socket, &any, &from, interface,
                );
                set("IP_MULTICAST_IF", result.map_err(io::Error::from))?;
            }
        }
        if family != Family::V4 {
            set("IPV6_MULTICAST_ALL", socket.set_multicast_all_v6(false))?;
            set("IPV6_MULTICAST_HOPS", socket.set_multicast_hops_v6(hops))?;
            set("IPV6_MULTICAST_LOOP", socket.set_multicast_loop_v6(self.multicast_loop))?;
            if interface != 0 {
                set("IPV6_MULTICAST_IF", socket.set_multicast_if_v6(interface))?;
            }
        }
        Ok(())
    }
}
