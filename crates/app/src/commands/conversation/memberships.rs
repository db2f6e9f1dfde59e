//! The groups of UDP listeners, joined again when an interface that went away is back.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sockets_udp::{Interface, JoinError, UdpSocket};
use tokio::time::{MissedTickBehavior, interval};

use crate::commands::conversation::session::Session;
use crate::output::Terminal;

/// How often the interfaces are looked for: the kernel tells a socket nothing when one goes away, and
/// the socket hears no more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A group, as the user named it, and the socket that hears it.
#[derive(Debug)]
pub(in crate::commands) struct Group {
    socket: UdpSocket,
    address: IpAddr,
    source: Option<IpAddr>,
    interface: Interface,
    /// It is to be joined again as soon as there is its interface.
    lost: bool,
    /// Its interface is back, but joining failed, which was said.
    failed: bool,
}

impl Group {
    /// Joins it.
    pub(in crate::commands) fn join(
        socket: &UdpSocket,
        source: Option<IpAddr>,
        interface: Interface,
    ) -> Result<Self, JoinError> {
        // The socket is bound to the group.
        let address = socket.local_addr().ip();
        let socket = socket.clone();
        let group = Self { socket, address, source, interface, lost: false, failed: false };
        group.join_again().map(|()| group)
    }

    fn join_again(&self) -> Result<(), JoinError> {
        match self.source {
            None => self.socket.join(self.address, &self.interface),
            Some(source) => self.socket.join_source(self.address, source, &self.interface),
        }
    }

    /// Looks once; an error where it will not be heard any more, whatever comes back.
    fn look(&mut self, terminal: Terminal) -> anyhow::Result<()> {
        let (group, interface) = (self.address, &self.interface);
        let report = self.socket.refresh_memberships();
        let back = if self.lost { self.join_again().is_ok() } else { !report.rejoined.is_empty() };
        if back {
            (self.lost, self.failed) = (false, false);
            anyhow::ensure!(!is_bound_to_link(self.socket.local_addr()), Gone(group));
            terminal.warn(&format!("joined {group} again: {interface} is back"));
        } else if !report.lost.is_empty() {
            self.lost = true;
            anyhow::ensure!(!is_bound_to_link(self.socket.local_addr()), Gone(group));
            terminal.warn(&format!("{interface} is gone: {group} is joined again when it is back"));
        } else if let Some((_, error)) = report.failed.into_iter().next()
            && !std::mem::replace(&mut self.failed, true)
        {
            terminal.warn(&format!("{:#}; it is tried again", anyhow::Error::from(error)));
        }
        Ok(())
    }
}

/// A group that is heard on one link only is a part of the socket's address, link and all.
#[derive(Debug, thiserror::Error)]
#[error("the interface of {0} is gone, and its socket belongs to it: listen again when it is back")]
struct Gone(IpAddr);

/// Whether the kernel binds a socket with this address to its interface (`__ipv6_addr_needs_scope_id` in
/// include/net/ipv6.h): another of the same name is not the same.
pub(in crate::commands) fn is_bound_to_link(local: SocketAddr) -> bool {
    let of_link = |group: &Ipv6Addr| matches!(group.segments()[0] & 0xff0f, 0xff01 | 0xff02);
    matches!(local, SocketAddr::V6(group) if of_link(group.ip()))
}

/// Looks again and again; ends only with an error.
pub(in crate::commands) async fn keep(mut groups: Vec<Group>, session: &Session) -> anyhow::Error {
    if groups.is_empty() {
        return std::future::pending().await;
    }
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        for group in &mut groups {
            if let Err(error) = group.look(session.terminal) {
                return error;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_link_are_told_from_wider_ones() {
        for (group, of_link) in [
            ("[ff02::fb%1]:5353", true),
            ("[ff12::1%1]:1", true),
            ("[ff11::1%1]:1", true),
            ("[ff05::1]:1", false),
            ("[ff35::8000:1]:1", false),
            ("224.0.0.251:5353", false),
        ] {
            assert_eq!(is_bound_to_link(group.parse().unwrap()), of_link, "{group}");
        }
    }
}
