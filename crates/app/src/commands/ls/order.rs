//! The order of sockets by a column: numbers by value, addresses by address and then port.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::net::IpAddr;

use stats::system::{Address, Protocol, SocketRow, TcpDetails, UserNames};

use crate::args::Column;

/// A column to sort sockets by.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Order<'a> {
    pub(in crate::commands) column: Column,
    pub(in crate::commands) reverse: bool,
    pub(in crate::commands) users: &'a UserNames,
}

impl<'a> Order<'a> {
    /// Puts them in this order. Those that are equal stay as they are.
    pub(in crate::commands) fn sort<T>(
        self,
        sockets: &mut [T],
        row: impl Fn(&T) -> Option<SocketRow<'a>>,
    ) {
        let key = |socket: &T| row(socket).map(|row| SortKey::of(self.column, &row, self.users));
        // Each is made once: to make one is to look far into memory.
        if self.reverse {
            sockets.sort_by_cached_key(|socket| Reverse(key(socket)));
        } else {
            sockets.sort_by_cached_key(key);
        }
    }
}

/// What a socket is sorted by. What is not there comes before what is; networks come before UNIX
/// names, users with a name before those without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey<'a> {
    Nothing,
    Number(u64),
    Transport(Protocol),
    Text(Cow<'a, str>),
    Network(IpAddr, u16),
    Unix(&'a [u8], u64),
    NamedUser(&'a str, u32),
    NamelessUser(u32),
}

impl<'a> SortKey<'a> {
    fn of(column: Column, row: &SocketRow<'a>, users: &'a UserNames) -> Self {
        let tcp =
            |of: fn(TcpDetails) -> Option<u64>| number(row.details().and_then(|it| of(it.tcp?)));
        match column {
            Column::Transport => Self::Transport(row.protocol()),
            Column::State => text(Some(row.state().name())),
            Column::Local => Self::of_address(Some(row.local())),
            Column::Peer => Self::of_address(row.peer()),
            Column::User => row.uid().map_or(Self::Nothing, |uid| match users.name(uid) {
                Some(name) => Self::NamedUser(name, uid),
                None => Self::NamelessUser(uid),
            }),
            Column::Process => text(row.holdings().next().map(|holding| holding.process.name())),
            Column::Workload => row
                .workload()
                .map_or(Self::Nothing, |workload| Self::Text(workload.to_string().into())),
            Column::Cgroup => text(row.cgroup_path()),
            Column::ReceiveQueue => number(row.receive_queue()),
            Column::SendQueue => number(row.send_queue()),
            Column::Uid => number(row.uid()),
            Column::Inode => number(row.inode()),
            Column::Cookie => number(row.cookie()),
            Column::Interface => number(row.interface()),
            Column::Pid => number(row.holdings().next().map(|holding| holding.process.pid())),
            Column::RttUs => tcp(|tcp| u64::try_from(tcp.rtt.as_micros()).ok()),
            Column::Retransmits => tcp(|tcp| Some(tcp.total_retrans.into())),
            Column::Received => tcp(|tcp| tcp.bytes_received),
            Column::Acknowledged => tcp(|tcp| tcp.bytes_acked),
            Column::Drops => number(row.details().and_then(|it| it.memory?.drops)),
        }
    }

    fn of_address(address: Option<Address<'a>>) -> Self {
        match address {
            None => Self::Nothing,
            Some(Address::Ip(end)) => Self::Network(end.ip(), end.port()),
            Some(Address::Unix(unix)) => Self::Unix(unix.name, unix.inode),
        }
    }
}

fn number<'a>(number: Option<impl Into<u64>>) -> SortKey<'a> {
    number.map_or(SortKey::Nothing, |number| SortKey::Number(number.into()))
}

fn text(text: Option<&str>) -> SortKey<'_> {
    text.map_or(SortKey::Nothing, |text| SortKey::Text(text.into()))
}
