//! Which sockets the user wants: what the kernel filters, and what is left to us.

use ports_core::Transport;
use stats::system::{Query, SocketRecord, SocketRow, StateSet, UserNames};

use crate::args::SocketFilterArgs;
use crate::exit::UsageError;

/// As many bytes of a process's name as the kernel keeps (`TASK_COMM_LEN` without its zero).
const SHORT_NAME: usize = 15;

/// Which sockets the user wants.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Filter {
    query: Query,
    /// Whether it is narrower than the transports.
    is_narrow: bool,
    pids: Vec<u32>,
    names: Vec<String>,
    uids: Vec<u32>,
}

impl Filter {
    /// Checks that the users are known.
    pub(in crate::commands) fn new(
        args: &SocketFilterArgs,
        users: &UserNames,
    ) -> anyhow::Result<Self> {
        let mut query = Query::none();
        let any = args.tcp || args.udp || args.unix;
        if args.tcp || !any {
            query = query.with_tcp();
        }
        if args.udp || !any {
            query = query.with_udp();
        }
        if args.unix {
            query = query.with_unix();
        }
        if args.listening {
            query = query.states(StateSet::LISTENING);
        } else if !args.state.is_empty() {
            query = query.states(args.state.iter().copied().collect());
        }
        if let Some(ports) = &args.port {
            let both = [(args.tcp, Transport::Tcp), (args.udp, Transport::Udp)];
            let is_shown = |shown: &(bool, Transport)| shown.0 || !(args.tcp || args.udp);
            let shown = both.into_iter().filter(is_shown).map(|(_, transport)| transport);
            query = query.ports(ports.of_any(&shown.collect::<Vec<_>>())?);
        }
        if let Some(address) = args.address {
            query = query.address(address);
        }
        let uid = |user: &String| {
            let uid = user.parse().ok().or_else(|| users.uid(user));
            uid.ok_or_else(|| UsageError(format!("there is no user `{user}` in /etc/passwd")))
        };
        let uids = args.user.iter().map(uid).collect::<Result<_, _>>()?;
        let names = args.process_name.iter().map(|name| short(name)).collect();
        let by_socket = args.listening || !args.state.is_empty();
        let by_end = args.port.is_some() || args.address.is_some();
        let by_process = !args.pid.is_empty() || !args.process_name.is_empty();
        let is_narrow = by_socket || by_end || by_process || !args.user.is_empty();
        Ok(Self { query, is_narrow, pids: args.pid.clone(), names, uids })
    }

    /// Whether there are sockets of its transports that it does not let through.
    pub(super) const fn is_narrow(&self) -> bool {
        self.is_narrow
    }

    /// What the kernel is asked.
    pub(in crate::commands) fn query(&self) -> Query {
        self.query.clone()
    }

    /// Whether it looks at processes.
    pub(in crate::commands) const fn needs_processes(&self) -> bool {
        !self.pids.is_empty() || !self.names.is_empty()
    }

    /// Whether it looks at whose a socket is.
    pub(super) const fn needs_holders(&self) -> bool {
        self.needs_processes() || !self.uids.is_empty()
    }

    /// Whether the user wants this one, of those that the query gave.
    pub(in crate::commands) fn keeps(&self, socket: &SocketRow<'_>) -> bool {
        self.keeps_user(socket.uid())
            && (!self.needs_processes()
                || socket.holdings().any(|holding| {
                    self.keeps_process(holding.process.pid(), holding.process.name())
                }))
    }

    /// The same of a socket in an event. One that was only heard to end has no process and no user:
    /// a filter on these lets none of them through.
    pub(in crate::commands) fn keeps_record(&self, socket: &SocketRecord) -> bool {
        self.keeps_user(socket.uid)
            && (!self.needs_processes()
                || socket
                    .processes
                    .iter()
                    .any(|process| self.keeps_process(process.pid, &process.name)))
    }

    fn keeps_user(&self, uid: Option<u32>) -> bool {
        self.uids.is_empty() || uid.is_some_and(|uid| self.uids.contains(&uid))
    }

    fn keeps_process(&self, pid: u32, name: &str) -> bool {
        (self.pids.is_empty() || self.pids.contains(&pid))
            && (self.names.is_empty() || self.names.iter().any(|known| known == name))
    }
}

/// The name as the kernel has it.
fn short(name: &str) -> String {
    String::from_utf8_lossy(&name.as_bytes()[..name.len().min(SHORT_NAME)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_names_or_numbers() {
        let users = UserNames::parse(b"root:x:0:0\nweb:x:33:33\n");
        let args = |user: &str| SocketFilterArgs {
            user: vec![user.to_owned()],
            ..SocketFilterArgs::default()
        };
        let filter = Filter::new(&args("web"), &users).unwrap();
        assert!(filter.keeps_user(Some(33)) && !filter.keeps_user(Some(0)));
        assert!(!filter.keeps_user(None));
        assert!(Filter::new(&args("1000"), &users).unwrap().keeps_user(Some(1000)));
        assert!(Filter::new(&args("nobody-here"), &users).is_err());
    }

    #[test]
    fn long_names_are_cut_as_the_kernel_cuts_them() {
        let args = SocketFilterArgs {
            process_name: vec!["a-very-long-process-name".to_owned()],
            ..SocketFilterArgs::default()
        };
        let filter = Filter::new(&args, &UserNames::default()).unwrap();
        assert!(filter.keeps_process(7, "a-very-long-pro") && !filter.keeps_process(7, "other"));
    }
}
