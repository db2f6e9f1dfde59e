//! Messages of a received datagram (`struct nlmsghdr`).

use super::after;

/// The length of a message's header, in bytes.
pub(super) const HEADER: usize = 16;

/// One message of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is: `RTM_NEWLINK` and so on; below 16 the four below.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// The number of the request it answers.
    pub sequence: u32,
    /// The netlink port of the request's socket.
    pub port: u32,
    /// What follows the header, without padding.
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The kind of a message that says nothing (`NLMSG_NOOP`).
    pub const NOOP: u16 = 1;
    /// The kind of an acknowledgement or error (`NLMSG_ERROR`).
    pub const ERROR: u16 = 2;
    /// The kind that ends a dump (`NLMSG_DONE`).
    pub const DONE: u16 = 3;
    /// The kind that says messages were lost (`NLMSG_OVERRUN`).
    pub const OVERRUN: u16 = 4;
}

/// The messages in a datagram. Total: ends at the first that is not whole.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in `datagram`.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    /// What is not read yet: after the last `None`, what was no whole message.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let header: &[u8; HEADER] = self.rest.first_chunk()?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let length = usize::try_from(word(0)).ok()?;
        let payload = self.rest.get(HEADER..length)?;
        self.rest = after(self.rest, length);
        let (kind, flags, sequence, port) = (half(4), half(6), word(8), word(12));
        Some(Message { kind, flags, sequence, port, payload })
    }
}

impl std::iter::FusedIterator for Messages<'_> {}

#[cfg(test)]
mod tests;
