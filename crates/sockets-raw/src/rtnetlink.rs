//! Questions to the kernel about interfaces, routes and neighbours (rtnetlink(7)).

use std::time::Duration;

use sockets_sys::{
    ExchangeError, Message, NetlinkFlags, NetlinkProtocol, NetlinkReceiveError, NetlinkRequest,
    NetlinkSocket,
};

/// The kinds of messages asked for and got (`linux/rtnetlink.h`).
pub(crate) mod kind {
    pub(crate) const NEW_LINK: u16 = 16;
    pub(crate) const GET_LINK: u16 = 18;
    pub(crate) const NEW_ADDRESS: u16 = 20;
    pub(crate) const GET_ADDRESS: u16 = 22;
    pub(crate) const NEW_ROUTE: u16 = 24;
    pub(crate) const GET_ROUTE: u16 = 26;
    pub(crate) const NEW_NEIGHBOUR: u16 = 28;
    pub(crate) const GET_NEIGHBOUR: u16 = 30;
    pub(crate) const NEW_RULE: u16 = 32;
    pub(crate) const GET_RULE: u16 = 34;
}

/// Address families as the kernel numbers them (`AF_*`).
pub(crate) mod family {
    pub(crate) const UNSPECIFIED: u8 = 0;
    pub(crate) const IPV4: u8 = 2;
    pub(crate) const IPV6: u8 = 10;
}

/// The kernel answers at once; longer than this and it never will.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Larger than any datagram of a dump (`netlink_dump` in `net/netlink/af_netlink.c`).
const BUFFER: usize = 64 * 1024;
/// How often a dump is begun again that changed under way.
const MOST_DUMPS: u32 = 8;

/// Why the kernel did not tell something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No netlink socket.
    #[error("cannot open a netlink socket to ask for {what}")]
    Open {
        /// What was to be asked for.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// No answer, or no complete one.
    #[error("cannot ask the kernel for {what}")]
    Ask {
        /// What was asked for.
        what: &'static str,
        /// The cause.
        source: ExchangeError,
    },
}

/// A connection to the kernel.
#[derive(Debug)]
pub(crate) struct Rtnetlink {
    socket: NetlinkSocket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Rtnetlink {
    pub(crate) fn open(what: &'static str) -> Result<Self, QueryError> {
        let socket = NetlinkSocket::open(NetlinkProtocol::ROUTE)
            .map_err(|source| QueryError::Open { what, source })?;
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    /// All objects of a kind, of one moment: where they change under way, the dump is begun again,
    /// which `on_message` is told by `None`.
    pub(crate) fn dump(
        &mut self,
        what: &'static str,
        kind: u16,
        body: &[u8],
        mut on_message: impl FnMut(Option<Message<'_>>),
    ) -> Result<(), QueryError> {
        let mut attempt = 1;
        loop {
            on_message(None);
            let request = self.request(kind, NetlinkFlags::DUMP, body);
            match self.exchange(&request, |message| on_message(Some(message))) {
                Err(
                    ExchangeError::Changed | ExchangeError::Receive(NetlinkReceiveError::Overrun),
                ) if attempt < MOST_DUMPS => attempt += 1,
                result => return result.map_err(|source| QueryError::Ask { what, source }),
            }
        }
    }

    /// One object.
    pub(crate) fn ask(
        &mut self,
        kind: u16,
        body: &[u8],
        attributes: &[(u16, &[u8])],
        on_message: impl FnMut(Message<'_>),
    ) -> Result<(), ExchangeError> {
        let mut request = self.request(kind, NetlinkFlags::GET, body);
        for (kind, payload) in attributes {
            request.attribute(*kind, payload);
        }
        self.exchange(&request, on_message)
    }

    fn request(&mut self, kind: u16, flags: NetlinkFlags, body: &[u8]) -> NetlinkRequest {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkRequest::new(kind, flags, self.sequence);
        request.body(body);
        request
    }

    fn exchange(
        &mut self,
        request: &NetlinkRequest,
        on_message: impl FnMut(Message<'_>),
    ) -> Result<(), ExchangeError> {
        self.socket.exchange(request, &mut self.buffer, TIMEOUT, on_message)
    }
}

/// The fixed header of a message, and the attributes behind it.
pub(crate) fn split<const N: usize>(
    payload: &[u8],
) -> Option<(&[u8; N], sockets_sys::Attributes<'_>)> {
    let (header, rest) = payload.split_first_chunk::<N>()?;
    Some((header, sockets_sys::Attributes::new(rest)))
}

/// A number of 32 bits in a fixed header. `AT + 4` is at most `N`: both are constants of ours.
pub(crate) fn word<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    header.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}
