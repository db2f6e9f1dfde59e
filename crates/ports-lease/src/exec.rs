//! Leases for programs that are started, or that this process becomes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use ports_core::Transport;

use crate::bound::BoundLease;
use crate::lease::Lease;

impl Lease {
    /// Tells the program that `command` starts its ports, and lets it hold the lease: in its
    /// environment `PORT` is the first port, `PORT1`, `PORT2` and so on are all of them.
    ///
    /// The lease then ends with the last process that keeps its descriptors open: this value, the
    /// command, the program, and what that starts in turn, unless it closes descriptors that it does
    /// not know. Other programs that this process starts do not get them.
    ///
    /// # Errors
    ///
    /// What the kernel says of another descriptor.
    pub fn pass_to(&self, command: &mut Command) -> io::Result<()> {
        sockets_sys::keep_open(command, self.descriptors()?);
        self.tell(command);
        Ok(())
    }

    /// Becomes the program of `command` (execve(2)), which holds the lease and has its ports in its
    /// environment as after [`pass_to`](Self::pass_to). The process keeps its number.
    ///
    /// # Errors
    ///
    /// Returns only where that failed, and the lease has ended then: `NotFound` where there is no
    /// such program.
    #[must_use = "there is a value only where it failed"]
    pub fn exec(self, command: &mut Command) -> io::Error {
        self.tell(command);
        match self.descriptors() {
            Ok(kept) => sockets_sys::exec_with(command, &kept, &[]),
            Err(error) => error,
        }
    }

    fn tell(&self, command: &mut Command) {
        command.env("PORT", self.number().to_string());
        for (index, port) in (1..).zip(self.ports()) {
            command.env(format!("PORT{index}"), port.to_string());
        }
    }

    fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.locks.iter().chain([&self.label]).map(OwnedFd::try_clone).collect()
    }
}

impl BoundLease {
    /// Becomes the program of `command` (execve(2)), which finds the sockets as `sd_listen_fds(3)`
    /// does: as descriptors from 3 on, `LISTEN_FDS` of them, all listeners first. `LISTEN_PID` is
    /// this process, which keeps its number; `LISTEN_FDNAMES` are the lease's name, or `lease`, and
    /// where there are several sockets, the transport and a number from 1: `web-tcp-1:web-tcp-2`.
    /// `PORT` and so on are as of [`Lease::exec`].
    ///
    /// # Errors
    ///
    /// Returns only where that failed, and the lease has ended then: `NotFound` where there is no
    /// such program.
    #[must_use = "there is a value only where it failed"]
    pub fn exec(self, command: &mut Command) -> io::Error {
        let names = self.names();
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
            .env("LISTEN_FDNAMES", names.join(":"));
        match lease.descriptors() {
            Ok(kept) => sockets_sys::exec_with(command, &kept, &passed),
            Err(error) => error,
        }
    }

    fn names(&self) -> Vec<String> {
        // A colon would separate names, a control character is not allowed (sd_listen_fds(3)).
        let plain = |c: char| if c == ':' || c.is_control() { '_' } else { c };
        let name: String = self.lease.name().unwrap_or("lease").chars().map(plain).collect();
        let (tcp, udp) = (self.listeners.len(), self.udp_sockets.len());
        if tcp + udp == 1 {
            return vec![name];
        }
        let numbered = |transport: Transport, count: usize| {
            let name = name.clone();
            (1..=count).map(move |index| format!("{name}-{transport}-{index}"))
        };
        numbered(Transport::Tcp, tcp).chain(numbered(Transport::Udp, udp)).collect()
    }
}
