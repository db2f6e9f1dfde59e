//! Descriptors of a lease for another program.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use ports_core::{Port, Transport};

use crate::bound::BoundLease;
use crate::lease::Lease;
use crate::lock::lease_name;

impl Lease {
    /// [Tells](Self::tell) the program that `command` starts its ports, and lets it hold the lease.
    ///
    /// The lease then ends with the last process that keeps its descriptors open: this value, the
    /// command, the program, and what that starts in turn, unless it closes descriptors that it does
    /// not know. Other programs that this process starts do not get them.
    ///
    /// # Errors
    ///
    /// What the kernel says of another descriptor.
    pub fn pass_to(&self, command: &mut Command) -> io::Result<()> {
        sockets_sys::keep_open(command, self.locks.descriptors()?);
        self.tell(command);
        Ok(())
    }

    /// Becomes the program of `command` (execve(2)), which holds the lease and has its ports in its
    /// environment as after [`pass_to`](Self::pass_to). The process keeps its number.
    ///
    /// # Errors
    ///
    /// Returns only where that failed, and the lease ends with `command` then.
    #[must_use = "there is a value only where it failed"]
    pub fn exec(self, command: &mut Command) -> ExecError {
        self.tell(command);
        become_it(command, self.locks.into_descriptors(), Vec::new())
    }
}

impl BoundLease {
    /// Becomes the program of `command` (execve(2)), which finds the sockets as `sd_listen_fds(3)`
    /// does: as descriptors from 3 on, `LISTEN_FDS` of them, all listeners first. `LISTEN_PID` is
    /// this process, which keeps its number. `PORT` and so on are as of [`Lease::exec`].
    ///
    /// `LISTEN_FDNAMES` has a name for each socket, `NAME-TRANSPORT-INDEX`: the first 48 bytes of the
    /// lease's name as lists show it, or `lease` if it has none, without colons; `tcp` or `udp`; and which of the ports it is,
    /// from 1 as in `PORT1`. The sockets of one port at two addresses have one name.
    ///
    /// # Errors
    ///
    /// Returns only where that failed, and the lease ends with `command` then.
    #[must_use = "there is a value only where it failed"]
    pub fn exec(self, command: &mut Command) -> ExecError {
        let names = match self.names() {
            Ok(names) => names,
            Err(source) => return ExecError::Descriptors { source },
        };
        let (listeners, udp_sockets, lease) = self.into_parts();
        let passed: Vec<OwnedFd> = listeners
            .into_iter()
            .map(OwnedFd::from)
            .chain(udp_sockets.into_iter().map(OwnedFd::from))
            .collect();
        lease.tell(command);
        command
            .env("LISTEN_FDS", passed.len().to_string())
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            // Tells two processes of one number apart, and would be of another handover.
            .env_remove("LISTEN_PIDFDID");
        become_it(command, lease.locks.into_descriptors(), passed)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let of = |transport| {
            move |address: io::Result<std::net::SocketAddr>| {
                let port = Port::new(address?.port());
                Ok(self.name_of(transport, port))
            }
        };
        let listeners = self.listeners.iter().map(std::net::TcpListener::local_addr);
        let udp_sockets = self.udp_sockets.iter().map(std::net::UdpSocket::local_addr);
        listeners.map(of(Transport::Tcp)).chain(udp_sockets.map(of(Transport::Udp))).collect()
    }

    fn name_of(&self, transport: Transport, port: Port) -> String {
        // A colon would separate names (sd_listen_fds(3)).
        let name = lease_name::shown(self.lease.name().unwrap_or("lease"));
        let name = lease_name::parts(&name).0.replace(':', "_");
        // It is one of the lease's.
        let index = port.number().saturating_sub(self.lease.number()) + 1;
        format!("{name}-{transport}-{index}")
    }
}

/// Why a process did not become a program that holds its lease.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The descriptors could not be made ready for it, as where there are too few of them. The program
    /// was not tried.
    #[error("cannot pass the lease on")]
    Descriptors {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It could not be run.
    #[error("cannot run `{}`", program.display())]
    Program {
        /// The program.
        program: OsString,
        /// The cause, of execve(2): `NotFound` where there is no such program.
        #[source]
        source: io::Error,
    },
}

fn become_it(command: &mut Command, kept: Vec<OwnedFd>, passed: Vec<OwnedFd>) -> ExecError {
    match sockets_sys::exec_with(command, kept, passed) {
        sockets_sys::ExecError::Program(source) => {
            ExecError::Program { program: command.get_program().to_owned(), source }
        }
        sockets_sys::ExecError::Descriptors(source) => ExecError::Descriptors { source },
        other => ExecError::Descriptors { source: io::Error::other(other) },
    }
}
