//! A service by its name, or why there is none: one way for whatever takes a name where it takes a port.

use std::fmt;

use super::Service;
use crate::{ServiceTable, Transport};

impl ServiceTable {
    /// Everything with this name over these transports, in any case: by port, then by transport; at least
    /// one.
    ///
    /// ```
    /// use ports_core::{Port, ServiceTable, Transport};
    ///
    /// let named = ServiceTable.named("https", &[Transport::Tcp])?;
    /// assert_eq!(named[0].port, Port::new(443));
    /// let error = ServiceTable.named("htps", &[Transport::Tcp]).unwrap_err().to_string();
    /// assert!(error.starts_with("no tcp service is called `htps`; did you mean `https`"));
    /// # Ok::<(), ports_core::UnknownServiceError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`UnknownServiceError`] where none of the transports has it.
    pub fn named(
        self,
        name: &str,
        transports: &[Transport],
    ) -> Result<Vec<Service>, UnknownServiceError> {
        let is_meant = |service: &Service| transports.contains(&service.transport);
        let services: Vec<Service> = self.by_name(name).filter(is_meant).collect();
        if services.is_empty() {
            let (name, transports) = (name.to_owned(), transports.to_vec());
            return Err(UnknownServiceError { name, transports });
        }
        Ok(services)
    }
}

/// A name that no service of these transports has. Its text says which transports do have it, or which
/// names are near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownServiceError {
    name: String,
    transports: Vec<Transport>,
}

impl UnknownServiceError {
    /// The name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The transports that it was looked up for.
    pub fn transports(&self) -> &[Transport] {
        &self.transports
    }
}

impl std::error::Error for UnknownServiceError {}

impl fmt::Display for UnknownServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, transports } = self;
        f.write_str("no ")?;
        if transports.as_slice() != Transport::ALL {
            let names: Vec<&str> = transports.iter().map(|transport| transport.name()).collect();
            write!(f, "{} ", names.join(" or "))?;
        }
        write!(f, "service is called `{name}`{}", Meant { name, transports })
    }
}

/// `; there is one for udp, sctp`, `; did you mean ...?`, or nothing: the end of a message about a name
/// that these transports do not have.
pub(crate) struct Meant<'a> {
    pub(crate) name: &'a str,
    pub(crate) transports: &'a [Transport],
}

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, transports } = self;
        let others = ServiceTable.transports_of(name);
        if others.is_empty() {
            let similar = ServiceTable.similar_names(name, transports);
            let Some((last, before)) = similar.split_last() else { return Ok(()) };
            f.write_str("; did you mean ")?;
            for (index, name) in before.iter().enumerate() {
                write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
            }
            return write!(f, "{}`{last}`?", if before.is_empty() { "" } else { " or " });
        }
        for (index, other) in others.iter().enumerate() {
            write!(f, "{}{other}", if index == 0 { "; there is one for " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_ports_of_the_transports_that_are_meant() {
        let ports = |name: &str, transports: &[Transport]| {
            let services = ServiceTable.named(name, transports).unwrap();
            let port = |service: &Service| format!("{}/{}", service.port, service.transport);
            services.iter().map(port).collect::<Vec<_>>()
        };
        let both = [Transport::Tcp, Transport::Udp];
        assert_eq!(ports("Domain", &both), ["53/tcp", "53/udp"]);
        assert_eq!(ports("domain", &[Transport::Udp]), ["53/udp"]);
        assert_eq!(ports("syslog", &both), ["514/udp"]);
        assert_eq!(ports("http-alt", &[Transport::Tcp]), ["591/tcp", "8008/tcp", "8080/tcp"]);
    }

    #[test]
    fn an_unknown_name_says_what_may_be_meant() {
        for (name, transports, expected) in [
            (
                "syslog",
                &[Transport::Tcp][..],
                "no tcp service is called `syslog`; there is one for udp",
            ),
            (
                "postgresq",
                &[Transport::Tcp, Transport::Udp],
                "no tcp or udp service is called `postgresq`; did you mean `postgres` or `postgresql`?",
            ),
            ("no-such-thing", &Transport::ALL, "no service is called `no-such-thing`"),
        ] {
            let error = ServiceTable.named(name, transports).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!((error.name(), error.transports()), (name, transports));
        }
    }
}
