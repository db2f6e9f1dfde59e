//! A port number and the class RFC 6335 puts it in.

use std::fmt;
use std::num::IntErrorKind;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PortRange;

/// A port number, 0 to 65,535.
///
/// Every value of the 16-bit field is a port on the wire. What a value *means* depends on where it
/// stands: to `bind`, 0 says "the kernel chooses"; see [`Port::ANY`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Port(u16);

impl Port {
    /// Port 0: reserved by IANA, and to `bind` the request for any free port.
    pub const ANY: Self = Self(0);
    /// The highest port, 65,535.
    pub const MAX: Self = Self(u16::MAX);

    /// The port with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The class the port belongs to (RFC 6335 section 6).
    pub const fn class(self) -> PortClass {
        match self.0 {
            0..=1023 => PortClass::System,
            1024..=49151 => PortClass::User,
            49152..=65535 => PortClass::Dynamic,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Self(number)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.0
    }
}

/// Decimal digits only: no sign, no space, no other base.
impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = if text.is_empty() {
            ParsePortErrorKind::Empty
        } else if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            ParsePortErrorKind::NotANumber
        } else {
            match text.parse::<u16>() {
                Ok(number) => return Ok(Self(number)),
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
                    ParsePortErrorKind::TooLarge
                }
                Err(_) => ParsePortErrorKind::NotANumber,
            }
        };
        Err(ParsePortError { text: text.to_owned(), kind })
    }
}

/// The text that is not a port, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a port: {kind}")]
pub struct ParsePortError {
    text: String,
    kind: ParsePortErrorKind,
}

impl ParsePortError {
    /// The text as given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    pub const fn kind(&self) -> ParsePortErrorKind {
        self.kind
    }
}

/// What is wrong with a text that should be a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePortErrorKind {
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Something but decimal digits.
    #[error("it is not a decimal number")]
    NotANumber,
    /// A number past 65,535.
    #[error("the highest port is 65535")]
    TooLarge,
}

/// The three classes of RFC 6335 section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortClass {
    /// 0 to 1023, the "well-known" ports. Binding one needs privilege on most systems.
    System,
    /// 1024 to 49,151, the "registered" ports.
    User,
    /// 49,152 to 65,535, the "dynamic" or "private" ports, never assigned.
    Dynamic,
}

impl PortClass {
    /// All classes, in order of their ports.
    pub const ALL: [Self; 3] = [Self::System, Self::User, Self::Dynamic];

    /// The ports of the class.
    pub const fn range(self) -> PortRange {
        match self {
            Self::System => PortRange::SYSTEM,
            Self::User => PortRange::USER,
            Self::Dynamic => PortRange::DYNAMIC,
        }
    }

    /// The name RFC 6335 gives it, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Dynamic => "dynamic",
        }
    }
}

impl fmt::Display for PortClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_partition_all_ports() {
        for number in 0..=u16::MAX {
            let port = Port::new(number);
            let holding: Vec<_> =
                PortClass::ALL.into_iter().filter(|class| class.range().contains(port)).collect();
            assert_eq!(holding, [port.class()]);
        }
    }

    #[test]
    fn parse_takes_digits_only() {
        assert_eq!("0".parse(), Ok(Port::ANY));
        assert_eq!("00080".parse(), Ok(Port::new(80)));
        assert_eq!("65535".parse(), Ok(Port::MAX));
        for (text, kind) in [
            ("", ParsePortErrorKind::Empty),
            ("65536", ParsePortErrorKind::TooLarge),
            ("99999999999999999999", ParsePortErrorKind::TooLarge),
            ("+80", ParsePortErrorKind::NotANumber),
            ("-1", ParsePortErrorKind::NotANumber),
            (" 80", ParsePortErrorKind::NotANumber),
            ("0x50", ParsePortErrorKind::NotANumber),
            ("http", ParsePortErrorKind::NotANumber),
        ] {
            let error = text.parse::<Port>().unwrap_err();
            assert_eq!((error.kind(), error.text()), (kind, text));
        }
    }

    #[test]
    fn the_error_names_the_text() {
        let error = "65536".parse::<Port>().unwrap_err();
        assert_eq!(error.to_string(), "`65536` is not a port: the highest port is 65535");
    }
}
