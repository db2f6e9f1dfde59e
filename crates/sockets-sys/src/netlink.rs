//! Netlink (netlink(7), RFC 3549): a socket to the kernel, and the framing of what passes it.

mod attribute;
mod exchange;
mod message;
mod request;
mod socket;

pub use attribute::{Attribute, Attributes};
pub use exchange::ExchangeError;
pub use message::{Message, Messages};
pub use request::{NetlinkFlags, NetlinkRequest};
pub use socket::{NetlinkProtocol, NetlinkReceiveError, NetlinkSocket};

/// Everything in a netlink datagram begins at a multiple of this (`NLMSG_ALIGNTO`,
/// `NLA_ALIGNTO`).
const ALIGNMENT: usize = 4;

/// Bytes of `rest` after an item of `length` and its padding; nothing where it was the last.
fn after(rest: &[u8], length: usize) -> &[u8] {
    let next = length.next_multiple_of(ALIGNMENT);
    rest.get(next..).unwrap_or_default()
}
