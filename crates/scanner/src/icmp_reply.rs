//! What an ICMP error says of the target of a probe: by the table of [`sockets_raw::wire`], and without
//! it by a small one.

use crate::engine::Reply;

#[cfg(all(feature = "raw", target_os = "linux"))]
pub(crate) use with_raw::{of_icmp, of_icmpv6, of_kind};
#[cfg(not(all(feature = "raw", target_os = "linux")))]
pub(crate) use without_raw::{of_icmp, of_icmpv6};

#[cfg(all(feature = "raw", target_os = "linux"))]
mod with_raw {
    use sockets_raw::wire::IcmpErrorKind;

    use super::Reply;

    /// What a message of IPv4's ICMP with this type and code says, if it says that a probe will not
    /// arrive.
    pub(crate) fn of_icmp(message_type: u8, code: u8) -> Option<Reply> {
        IcmpErrorKind::of_icmp(message_type, code).and_then(of_kind)
    }

    /// As [`of_icmp`], for IPv6's.
    pub(crate) fn of_icmpv6(message_type: u8, code: u8) -> Option<Reply> {
        IcmpErrorKind::of_icmpv6(message_type, code).and_then(of_kind)
    }

    /// Only what says that the packet will not arrive is an answer; a hop limit that ran out in a
    /// loop, or advice to the sender, is not. "Packet too big" is of the path, and the kernel heeds
    /// it.
    pub(crate) const fn of_kind(kind: IcmpErrorKind) -> Option<Reply> {
        Some(match kind {
            IcmpErrorKind::NetworkUnreachable => Reply::NetworkUnreachable,
            IcmpErrorKind::HostUnreachable => Reply::HostUnreachable,
            IcmpErrorKind::ProtocolUnreachable => Reply::ProtocolUnreachable,
            IcmpErrorKind::PortUnreachable => Reply::PortUnreachable,
            IcmpErrorKind::AdministrativelyProhibited => Reply::AdminProhibited,
            _ => return None,
        })
    }
}

/// The same, where `sockets-raw` is left out.
#[cfg(any(test, not(all(feature = "raw", target_os = "linux"))))]
mod without_raw {
    use super::Reply;

    /// RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
    pub(crate) const fn of_icmp(message_type: u8, code: u8) -> Option<Reply> {
        Some(match (message_type, code) {
            (3, 0 | 6 | 11) => Reply::NetworkUnreachable,
            (3, 1 | 5 | 7 | 8 | 12) => Reply::HostUnreachable,
            (3, 2) => Reply::ProtocolUnreachable,
            (3, 3) => Reply::PortUnreachable,
            (3, 9 | 10 | 13..=15) => Reply::AdminProhibited,
            _ => return None,
        })
    }

    /// RFC 4443 sections 3.1 and 3.4.
    pub(crate) const fn of_icmpv6(message_type: u8, code: u8) -> Option<Reply> {
        Some(match (message_type, code) {
            (1, 0) => Reply::NetworkUnreachable,
            (1, 2 | 3) => Reply::HostUnreachable,
            (1, 4) => Reply::PortUnreachable,
            (1, 1 | 5 | 6) => Reply::AdminProhibited,
            (4, 1) => Reply::ProtocolUnreachable,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_standards_say() {
        for (message_type, code, reply) in [
            (3, 0, Some(Reply::NetworkUnreachable)),
            (3, 1, Some(Reply::HostUnreachable)),
            (3, 2, Some(Reply::ProtocolUnreachable)),
            (3, 3, Some(Reply::PortUnreachable)),
            (3, 4, None),
            (3, 13, Some(Reply::AdminProhibited)),
            (3, 14, Some(Reply::AdminProhibited)),
            (3, 15, Some(Reply::AdminProhibited)),
            (3, 16, None),
            // Time exceeded says nothing of the target.
            (11, 0, None),
        ] {
            assert_eq!(of_icmp(message_type, code), reply, "type {message_type} code {code}");
        }
        for (message_type, code, reply) in [
            (1, 0, Some(Reply::NetworkUnreachable)),
            (1, 1, Some(Reply::AdminProhibited)),
            (1, 3, Some(Reply::HostUnreachable)),
            (1, 4, Some(Reply::PortUnreachable)),
            (1, 7, None),
            (3, 0, None),
            (4, 0, None),
            (4, 1, Some(Reply::ProtocolUnreachable)),
        ] {
            assert_eq!(of_icmpv6(message_type, code), reply, "type {message_type} code {code}");
        }
    }

    #[test]
    fn both_tables_say_the_same() {
        for message_type in 0..=u8::MAX {
            for code in 0..=u8::MAX {
                let about = (message_type, code);
                let (other, other6) = (without_raw::of_icmp, without_raw::of_icmpv6);
                assert_eq!(of_icmp(message_type, code), other(message_type, code), "{about:?}");
                assert_eq!(of_icmpv6(message_type, code), other6(message_type, code), "{about:?}");
            }
        }
    }
}
