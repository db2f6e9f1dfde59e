//! A socket, as a row of the columns that were chosen.

use serde::{Serialize, Serializer};
use stats::system::{Holding, SocketRow, UserNames};

use super::json::Socket;
use super::text::{address, number};
use crate::args::{Column, LsArgs};
use crate::output::{Cells, Row};

/// A socket, and what is to be shown of it.
pub(in crate::commands) struct SocketLine<'a> {
    pub(in crate::commands) socket: SocketRow<'a>,
    pub(in crate::commands) columns: &'a [Column],
    pub(in crate::commands) users: &'a UserNames,
}

/// Those asked for, or else those that tell what was asked.
pub(super) fn columns(args: &LsArgs) -> Vec<Column> {
    if !args.columns.is_empty() {
        return args.columns.clone();
    }
    let mut columns = Column::DEFAULT.to_vec();
    if args.process || !args.filter.pid.is_empty() || !args.filter.process_name.is_empty() {
        columns.extend([Column::Pid, Column::Process]);
    }
    if args.details {
        let of_details = [Column::RttUs, Column::Retransmits, Column::Received];
        columns.extend(of_details);
        columns.extend([Column::Acknowledged, Column::Drops]);
    }
    columns
}

/// Each process once, however many descriptors it has for the socket.
pub(super) fn distinct<'a>(socket: &SocketRow<'a>) -> impl Iterator<Item = Holding<'a>> {
    let mut before = None;
    // By pid in the snapshot.
    socket.holdings().filter(move |holding| {
        let pid = Some(holding.process.pid());
        std::mem::replace(&mut before, pid) != pid
    })
}

impl SocketLine<'_> {
    /// Adds what stands in a column; nothing where there is nothing to tell.
    fn write(&self, column: Column, text: &mut String, between: char) {
        let socket = &self.socket;
        let details = socket.details();
        let tcp = details.and_then(|details| details.tcp.as_ref());
        let optional = match column {
            Column::Transport => return text.push_str(socket.protocol().name()),
            Column::State => return text.push_str(socket.state().name()),
            Column::Local => return address(text, &socket.local()),
            Column::Peer => {
                if let Some(peer) = socket.peer() {
                    address(text, &peer);
                }
                return;
            }
            Column::User => {
                let Some(uid) = socket.uid() else { return };
                match self.users.name(uid) {
                    Some(name) => text.push_str(name),
                    None => number(text, uid.into()),
                }
                return;
            }
            Column::Pid | Column::Process => {
                let before = text.len();
                for Holding { process, .. } in distinct(socket) {
                    if text.len() > before {
                        text.push(between);
                    }
                    if column == Column::Pid {
                        number(text, process.pid().into());
                    } else {
                        text.push_str(process.name());
                    }
                }
                return;
            }
            Column::Workload => {
                if let Some(workload) = socket.workload() {
                    text.push_str(workload.kind.name());
                    text.push(' ');
                    text.push_str(workload.short_id());
                }
                return;
            }
            Column::Cgroup => {
                return text.push_str(socket.cgroup_path().unwrap_or_default());
            }
            Column::ReceiveQueue => socket.receive_queue().map(u64::from),
            Column::SendQueue => socket.send_queue().map(u64::from),
            Column::Uid => socket.uid().map(u64::from),
            Column::Inode => socket.inode(),
            Column::Cookie => socket.cookie(),
            Column::Interface => socket.interface().map(u64::from),
            Column::RttUs => tcp.and_then(|tcp| u64::try_from(tcp.rtt.as_micros()).ok()),
            Column::Retransmits => tcp.map(|tcp| tcp.total_retrans.into()),
            Column::Received => tcp.and_then(|tcp| tcp.bytes_received),
            Column::Acknowledged => tcp.and_then(|tcp| tcp.bytes_acked),
            Column::Drops => {
                let memory = details.and_then(|details| details.memory.as_ref());
                memory.and_then(|memory| memory.drops).map(u64::from)
            }
        };
        if let Some(value) = optional {
            number(text, value);
        }
    }

    /// Adds what people see in a column.
    pub(in crate::commands) fn show(&self, column: Column, text: &mut String) {
        let before = text.len();
        self.write(column, text, ',');
        if text.len() == before {
            text.push_str(self.absent(column));
        }
    }

    /// What people see where there is nothing to tell.
    fn absent(&self, column: Column) -> &'static str {
        match column {
            // Everybody: the peer of a socket without one.
            Column::Peer => "*",
            Column::Pid | Column::Process => {
                match self.socket.no_process().and_then(super::no_process) {
                    Some("released") | None => "-",
                    // Somebody has it who cannot be seen.
                    Some(_) => "?",
                }
            }
            _ => "-",
        }
    }
}

impl Row for SocketLine<'_> {
    // They are chosen at run time.
    const FIELDS: &'static [&'static str] = &[];
    const HEADINGS: &'static [&'static str] = &[];

    fn fields(&self, fields: &mut Cells) {
        for column in self.columns {
            fields.push_with(|text| self.write(*column, text, ' '));
        }
    }

    fn cells(&self, cells: &mut Cells) {
        for column in self.columns {
            cells.push_with(|text| self.show(*column, text));
        }
    }
}

/// All that was read, whatever the columns.
impl Serialize for SocketLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Socket::of(self.socket, self.users).serialize(serializer)
    }
}
