//! The options of an endpoint: `?iface=lo&ttl=1&source=A`.

use std::fmt;
use std::net::IpAddr;

use super::ParseEndpointErrorKind;

/// Longest interface taken: Linux names interfaces with 15 bytes, and gives them other names of 127.
const LONGEST_INTERFACE: usize = 127;

/// What an [`Endpoint`](crate::Endpoint) says after its `?`: for multicast, mostly.
///
/// Printed with the `?`, or as nothing where no option is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct EndpointOptions {
    interface: Option<String>,
    ttl: Option<u8>,
    source: Option<IpAddr>,
}

impl EndpointOptions {
    /// No option set.
    pub const fn new() -> Self {
        Self { interface: None, ttl: None, source: None }
    }

    /// The interface to send from and to join groups on (`iface`): its name, its index or one of
    /// its addresses, as the user wrote it.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The time to live, or hop limit, of what is sent (`ttl`), 0 to 255.
    pub const fn ttl(&self) -> Option<u8> {
        self.ttl
    }

    /// The address to send from, or for a multicast group the only sender to hear (`source`).
    pub const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Sets the interface.
    ///
    /// # Errors
    ///
    /// [`ParseEndpointErrorKind::OptionValue`] for a text that no endpoint could hold: empty, over
    /// 127 bytes, or with white space, control characters, `/` or `&`.
    pub fn with_interface(self, interface: &str) -> Result<Self, ParseEndpointErrorKind> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '&');
        if !(1..=LONGEST_INTERFACE).contains(&interface.len()) || interface.contains(refused) {
            return Err(bad_value("iface", interface));
        }
        Ok(Self { interface: Some(interface.to_owned()), ..self })
    }

    /// Sets the time to live.
    #[must_use]
    pub fn with_ttl(self, ttl: u8) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Sets the source address.
    #[must_use]
    pub fn with_source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Reads what stands after the `?`.
    pub(super) fn parse(text: &str) -> Result<Self, ParseEndpointErrorKind> {
        let mut options = Self::new();
        for option in text.split('&') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let repeated = match name {
                "iface" => options.interface.is_some(),
                "ttl" => options.ttl.is_some(),
                "source" => options.source.is_some(),
                _ => {
                    return Err(ParseEndpointErrorKind::UnknownOption { option: name.to_owned() });
                }
            };
            if repeated {
                return Err(ParseEndpointErrorKind::RepeatedOption { option: name.to_owned() });
            }
            options = match name {
                "iface" => options.with_interface(value)?,
                "ttl" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    options.with_ttl(value.parse().map_err(|_| bad_value(name, value))?)
                }
                "source" => options.with_source(value.parse().map_err(|_| bad_value(name, value))?),
                _ => return Err(bad_value(name, value)),
            };
        }
        Ok(options)
    }
}

fn bad_value(option: &str, value: &str) -> ParseEndpointErrorKind {
    ParseEndpointErrorKind::OptionValue { option: option.to_owned(), value: value.to_owned() }
}

impl fmt::Display for EndpointOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = '?';
        let mut option = |name: &str, value: Option<&dyn fmt::Display>| {
            let Some(value) = value else { return Ok(()) };
            write!(f, "{separator}{name}={value}")?;
            separator = '&';
            Ok(())
        };
        option("iface", self.interface.as_ref().map(|interface| interface as _))?;
        option("ttl", self.ttl.as_ref().map(|ttl| ttl as _))?;
        option("source", self.source.as_ref().map(|source| source as _))
    }
}
