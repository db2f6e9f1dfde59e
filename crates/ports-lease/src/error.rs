//! Why there is no lease, and why leases cannot be listed.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use ports_core::{ClaimError, Port, PortRange, Transport};

use crate::port_user::PortUser;
use crate::record::LeaseRecord;

/// Why no lease was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The request is for 0 ports.
    #[error("a lease has at least one port, and 0 were asked for")]
    NoPorts,
    /// The registry of this process refuses the port: it needs a privilege, another lease of this
    /// process has it, or it is no port that can be had.
    #[error("{transport} port {port} cannot be leased by this process")]
    Refused {
        /// The transport asked for.
        transport: Transport,
        /// The port asked for.
        port: Port,
        /// Why.
        #[source]
        source: ClaimError,
    },
    /// Another lease holds the port asked for.
    #[error("{transport} port {port} is leased by {}", WhoHolds(holder.as_deref()))]
    Leased {
        /// The transport asked for.
        transport: Transport,
        /// The port asked for.
        port: Port,
        /// Who holds it; none where the lease was gone before it could be looked at, or cannot be.
        holder: Option<Box<LeaseRecord>>,
    },
    /// A program that is no lease holds the abstract name that the lock of the port would have.
    #[error(
        "{transport} port {port} cannot be leased: its lock `@ports-lease/{transport}/{port}` is \
         held by {holder}, which is no lease"
    )]
    Squatted {
        /// The transport asked for.
        transport: Transport,
        /// The port asked for.
        port: Port,
        /// Who holds the name.
        holder: Box<LeaseRecord>,
    },
    /// The port asked for is bound by somebody who does not lease.
    #[error(
        "{transport} port {port} at {address} is in use{}",
        user.as_ref().map(|user| format!(" by {user}")).unwrap_or_default()
    )]
    InUse {
        /// The transport asked for.
        transport: Transport,
        /// The port asked for.
        port: Port,
        /// Where it could not be bound; `::` may stand for IPv4, too.
        address: IpAddr,
        /// Who has it; none where it was gone before it could be looked at.
        user: Option<Box<PortUser>>,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No port, or no run of neighbouring ports, of the range can be had.
    #[error("{}", NoneLeft { transports, range: *range, count: *count, longest: *longest, passed: [*leased, *squatted, *in_use, *privileged], squatter: squatter.as_deref() })]
    Exhausted {
        /// The transports asked for, for people.
        transports: &'static str,
        /// The range asked for.
        range: PortRange,
        /// The length of the run.
        count: u16,
        /// The longest run there of ports that may be leased at all, whoever has them; shorter than the
        /// one asked for where nothing was in the way.
        longest: u32,
        /// How many ports were in the way because they are leased.
        leased: u32,
        /// How many because a program that is no lease holds the name of their lock.
        squatted: u32,
        /// One of those, by the lowest port.
        squatter: Option<Box<LeaseRecord>>,
        /// How many because they are bound.
        in_use: u32,
        /// How many because they need a privilege.
        privileged: u32,
    },
    /// The port could not be tried.
    #[error("cannot bind {transport} port {port} at {address}")]
    Bind {
        /// The transport.
        transport: Transport,
        /// The port.
        port: Port,
        /// The address.
        address: IpAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The bound socket could not be made to listen.
    #[error("cannot listen at tcp port {port} of {address}")]
    Listen {
        /// The port.
        port: Port,
        /// The address.
        address: IpAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The lock could not be tried, which is not to say that somebody holds it.
    #[error("cannot take the abstract name `@{name}`")]
    Lock {
        /// The name of the lock or of the lease's label.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The lock file could not be tried, which is not to say that somebody holds it.
    #[error("cannot lock a port by `{}`", path.display())]
    LockFile {
        /// The file, or the directory that it would be in.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The user has no home directory for lock files: see
    /// [`Request::lock_directory`](crate::Request::lock_directory).
    #[error("there is no home directory for lock files")]
    NoHome,
    /// It is not known which ports the kernel hands out by itself.
    #[error("cannot tell which ports may be leased")]
    KernelPorts {
        /// The cause.
        #[from]
        source: KernelPortsError,
    },
}

/// Why a setting of the kernel is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelPortsError {
    /// It is there, and cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is not what the kernel writes.
    #[error("`{path}` holds `{text}`, which is not understood")]
    Parse {
        /// The file.
        path: &'static str,
        /// What is in it.
        text: String,
    },
}

/// Why leases cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The kernel does not tell which abstract names are held, neither by netlink nor there.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The lock files cannot be looked through.
    #[error("cannot look through the lock files in `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

struct WhoHolds<'a>(Option<&'a LeaseRecord>);

impl fmt::Display for WhoHolds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(record) => fmt::Display::fmt(record, f),
            None => f.write_str("somebody who cannot be seen, or is gone by now"),
        }
    }
}

const SQUATTED: &str = "with a lock that is held by a program that is no lease";

struct NoneLeft<'a> {
    transports: &'static str,
    range: PortRange,
    count: u16,
    longest: u32,
    passed: [u32; 4],
    squatter: Option<&'a LeaseRecord>,
}

impl fmt::Display for NoneLeft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transports, range, count, longest, passed, squatter } = self;
        match count {
            1 => write!(f, "no {transports} port of {range} can be leased")?,
            _ => write!(f, "no {count} neighbouring {transports} ports of {range} can be leased")?,
        }
        if *longest < u32::from(*count) {
            return match longest {
                0 => f.write_str(": no port there may be"),
                _ => write!(f, ": the longest run there that may be has {longest}"),
            };
        }
        let mut separator = ": ";
        for (number, what) in passed.iter().zip(["leased", SQUATTED, "in use", "privileged"]) {
            if *number > 0 {
                write!(f, "{separator}{number} {what}")?;
                separator = ", ";
            }
        }
        if let Some(LeaseRecord { transport, port, .. }) = squatter {
            let holder = WhoHolds(*squatter);
            write!(f, " (`@ports-lease/{transport}/{port}` by {holder})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_left_says_what_was_in_the_way() {
        let error = |count, longest, in_use| LeaseError::Exhausted {
            transports: "tcp",
            range: "20000-20003".parse().unwrap(),
            count,
            longest,
            leased: 3,
            squatted: 0,
            squatter: None,
            in_use,
            privileged: 0,
        };
        assert_eq!(
            error(1, 4, 1).to_string(),
            "no tcp port of 20000-20003 can be leased: 3 leased, 1 in use"
        );
        assert_eq!(
            error(2, 4, 0).to_string(),
            "no 2 neighbouring tcp ports of 20000-20003 can be leased: 3 leased"
        );
        assert_eq!(
            error(5, 4, 0).to_string(),
            "no 5 neighbouring tcp ports of 20000-20003 can be leased: the longest run there that may be has 4"
        );
    }
}
