//! Requests to the kernel: header, body, attributes.

use super::{ALIGNMENT, message};

/// Flags of a request (`NLM_F_*`); `NLM_F_REQUEST` is always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetlinkFlags(u16);

impl NetlinkFlags {
    /// One object is asked for: the answer is one message, or an error.
    pub const GET: Self = Self(libc::NLM_F_REQUEST as u16);
    /// All objects are asked for: the answer is any number of messages.
    pub const DUMP: Self = Self((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16);
    /// Something is to be done: the answer is an acknowledgement.
    pub const ACKNOWLEDGE: Self = Self((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16);

    /// With these `NLM_F_*` bits as well.
    #[must_use]
    pub const fn with(self, bits: u16) -> Self {
        Self(self.0 | bits)
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }
}

/// A request, built front to back: header, then [`body`](Self::body), then attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetlinkRequest {
    bytes: Vec<u8>,
    flags: NetlinkFlags,
    sequence: u32,
}

impl NetlinkRequest {
    /// A request of this kind (`RTM_GETROUTE` and so on) and number; the answers carry the number.
    pub fn new(kind: u16, flags: NetlinkFlags, sequence: u32) -> Self {
        let mut bytes = vec![0; message::HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.bits().to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        // The last four bytes, the port, stay 0: the kernel fills in the socket's own.
        let mut request = Self { bytes, flags, sequence };
        request.set_length();
        request
    }

    /// Adds the fixed header of the family (`struct rtmsg` and so on), padded.
    pub fn body(&mut self, body: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(body);
        self.pad();
        self
    }

    /// Adds an attribute, padded.
    ///
    /// # Panics
    ///
    /// Where `payload` is longer than an attribute can be, 65,531 bytes.
    pub fn attribute(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let length = u16::try_from(payload.len() + 4);
        assert!(length.is_ok(), "an attribute of {} bytes is too long", payload.len());
        self.bytes.extend_from_slice(&length.unwrap_or_default().to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        self.pad();
        self
    }

    /// The flags.
    pub const fn flags(&self) -> NetlinkFlags {
        self.flags
    }

    /// The number.
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The request as it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        self.set_length();
    }

    fn set_length(&mut self) {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
    }
}
