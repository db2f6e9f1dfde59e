//! The columns of `ports ls`.

use clap::ValueEnum;

/// What can be told of a socket. Its name on the command line is that of comma-separated values and of JSON
/// lines; what heads it in a table is understood, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Column {
    /// tcp, udp, unix-stream and so on
    #[value(alias = "proto")]
    Transport,
    /// The state
    State,
    /// Bytes that are not read, or connections that are not accepted
    #[value(aliases = ["receive-queue", "recv-q"])]
    ReceiveQueue,
    /// Bytes that are not acknowledged, or how many connections may wait
    #[value(aliases = ["send-queue", "send-q"])]
    SendQueue,
    /// The address here
    Local,
    /// The peer's address
    Peer,
    /// The user, by number
    Uid,
    /// The user, by name
    User,
    /// The number that /proc/PID/fd shows
    Inode,
    /// The kernel's own number
    Cookie,
    /// The interface that it is bound to, by number
    #[value(alias = "ifindex")]
    Interface,
    /// The processes that hold it, by number
    Pid,
    /// Their names
    Process,
    /// The container or systemd unit
    Workload,
    /// The control group
    Cgroup,
    /// The round-trip time in microseconds
    #[value(alias = "rtt-us")]
    RttUs,
    /// Segments sent again
    #[value(alias = "retrans")]
    Retransmits,
    /// Bytes received
    #[value(name = "bytes_received", aliases = ["bytes-received", "received"])]
    Received,
    /// Bytes that the peer acknowledged
    #[value(name = "bytes_acknowledged", aliases = ["bytes-acknowledged", "acknowledged", "acked"])]
    Acknowledged,
    /// Packets dropped for want of room
    Drops,
}

impl Column {
    /// Without --columns, of a list without processes.
    pub(crate) const DEFAULT: &[Self] = &[
        Self::Transport,
        Self::State,
        Self::ReceiveQueue,
        Self::SendQueue,
        Self::Local,
        Self::Peer,
        Self::User,
    ];

    /// The header of comma-separated values: its name.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::State => "state",
            Self::ReceiveQueue => "receive_queue",
            Self::SendQueue => "send_queue",
            Self::Local => "local",
            Self::Peer => "peer",
            Self::Uid => "uid",
            Self::User => "user",
            Self::Inode => "inode",
            Self::Cookie => "cookie",
            Self::Interface => "interface",
            Self::Pid => "pid",
            Self::Process => "process",
            Self::Workload => "workload",
            Self::Cgroup => "cgroup",
            Self::RttUs => "rtt_us",
            Self::Retransmits => "retransmits",
            Self::Received => "bytes_received",
            Self::Acknowledged => "bytes_acknowledged",
            Self::Drops => "drops",
        }
    }

    /// The header of the table.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Transport => "PROTO",
            Self::State => "STATE",
            Self::ReceiveQueue => "RECV-Q",
            Self::SendQueue => "SEND-Q",
            Self::Local => "LOCAL",
            Self::Peer => "PEER",
            Self::Uid => "UID",
            Self::User => "USER",
            Self::Inode => "INODE",
            Self::Cookie => "COOKIE",
            Self::Interface => "IFINDEX",
            Self::Pid => "PID",
            Self::Process => "PROCESS",
            Self::Workload => "WORKLOAD",
            Self::Cgroup => "CGROUP",
            Self::RttUs => "RTT-US",
            Self::Retransmits => "RETRANS",
            Self::Received => "RECEIVED",
            Self::Acknowledged => "ACKED",
            Self::Drops => "DROPS",
        }
    }

    /// Whether it needs the processes to be read.
    pub(crate) const fn is_of_processes(self) -> bool {
        matches!(self, Self::Pid | Self::Process)
    }

    /// Whether it needs the paths of control groups.
    pub(crate) const fn is_of_cgroups(self) -> bool {
        matches!(self, Self::Workload | Self::Cgroup)
    }

    /// Whether it needs `TCP_INFO` and the like.
    pub(crate) const fn is_of_details(self) -> bool {
        matches!(
            self,
            Self::RttUs | Self::Retransmits | Self::Received | Self::Acknowledged | Self::Drops
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_format_calls_a_column_names_it() {
        for column in Column::value_variants() {
            let name = column.to_possible_value().unwrap();
            assert_eq!(name.get_name(), column.field());
            let kebab = column.field().replace('_', "-");
            for text in [column.field(), column.heading(), &kebab] {
                assert_eq!(Column::from_str(text, true), Ok(*column), "{text}");
            }
        }
    }
}
