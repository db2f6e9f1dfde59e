//! Whose word an ICMP error is, and of whom.

use std::net::IpAddr;

use crate::connect::error_queue::IcmpError;
use crate::engine::{LocalError, Reply};
use crate::links::Links;

/// What an ICMP message about a probe to `target` says: of the target, or of this machine.
pub(super) fn meaning(
    error: IcmpError,
    target: IpAddr,
    links: &Links,
) -> Result<Reply, LocalError> {
    let IcmpError { reply, sender } = error;
    let itself = sender == Some(target);
    let here = sender.is_some_and(|sender| links.is_local(sender));
    match reply {
        // The kernel tells its own failure to resolve a neighbour in the form of a message from itself
        // (`ipv4_link_failure` in `net/ipv4/route.c`), and so does its filter where it refuses.
        Reply::HostUnreachable if here && !links.is_local(target) => {
            Err(LocalError::NeighbourUnresolved)
        }
        _ if here && !itself && !links.is_local(target) => Err(LocalError::NotPermitted),
        // Only the host itself knows its ports.
        Reply::PortUnreachable if !itself && !here => Ok(Reply::AdminProhibited),
        reply => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn said(reply: Reply, sender: IpAddr, target: IpAddr) -> Result<Reply, LocalError> {
        meaning(IcmpError { reply, sender: Some(sender) }, target, &Links::read().unwrap())
    }

    #[test]
    fn only_the_host_itself_says_that_a_port_is_closed() {
        let unreachable = Reply::PortUnreachable;
        assert_eq!(said(unreachable, HOST, HOST), Ok(unreachable));
        assert_eq!(said(unreachable, ROUTER, HOST), Ok(Reply::AdminProhibited));
        assert_eq!(said(Reply::HostUnreachable, ROUTER, HOST), Ok(Reply::HostUnreachable));
        assert_eq!(said(Reply::AdminProhibited, HOST, HOST), Ok(Reply::AdminProhibited));
    }

    #[test]
    fn what_this_machine_says_of_others_is_its_own_failure() {
        let own = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(said(Reply::HostUnreachable, own, HOST), Err(LocalError::NeighbourUnresolved));
        assert_eq!(said(Reply::PortUnreachable, own, HOST), Err(LocalError::NotPermitted));
        assert_eq!(said(Reply::PortUnreachable, own, own), Ok(Reply::PortUnreachable));
        let other = IpAddr::from([127, 0, 0, 2]);
        assert_eq!(said(Reply::PortUnreachable, own, other), Ok(Reply::PortUnreachable));
    }
}
