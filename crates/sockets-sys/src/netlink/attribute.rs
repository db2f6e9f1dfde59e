//! Attributes: type, length, value (`struct nlattr`, `struct rtattr`).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::after;

/// Length and type, two bytes each.
const HEADER: usize = 4;
/// The two upper bits of the type are flags: nested, network byte order (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// One attribute of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type, without the flags in its two upper bits.
    pub kind: u16,
    /// Its value, without padding.
    pub payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value as a number in this machine's order; `None` unless it has 4 bytes.
    pub fn u32(&self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.payload.try_into().ok()?))
    }

    /// The value as an address; `None` unless it has 4 or 16 bytes.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.payload.len() {
            4 => Some(Ipv4Addr::from(*self.payload.first_chunk::<4>()?).into()),
            16 => Some(Ipv6Addr::from(*self.payload.first_chunk::<16>()?).into()),
            _ => None,
        }
    }

    /// The value as text, up to its zero byte; `None` where that is not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        let text = self.payload.split(|byte| *byte == 0).next()?;
        str::from_utf8(text).ok()
    }

    /// The value as text, up to its zero byte, with a replacement character for what is not UTF-8: the
    /// kernel allows any bytes in a name.
    pub fn lossy_text(&self) -> Cow<'a, str> {
        let text = self.payload.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text)
    }

    /// The attributes nested in the value.
    pub const fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.payload)
    }
}

/// The attributes in a run of bytes. Total: ends at the first that is not whole.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`: the payload of a message after its fixed header.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not read yet: after the last `None`, what was no whole attribute.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (header, _) = self.rest.split_first_chunk::<HEADER>()?;
        let [length_0, length_1, kind_0, kind_1] = *header;
        let length = usize::from(u16::from_ne_bytes([length_0, length_1]));
        let payload = self.rest.get(HEADER..length)?;
        self.rest = after(self.rest, length);
        Some(Attribute { kind: u16::from_ne_bytes([kind_0, kind_1]) & TYPE_MASK, payload })
    }
}

impl std::iter::FusedIterator for Attributes<'_> {}

#[cfg(test)]
mod tests;
