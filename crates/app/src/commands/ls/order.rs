//! The order of sockets by a column: numbers by value, addresses by address and then port.

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use stats::system::{Address, SocketRow, TcpDetails, UserNames};

use crate::args::Column;

/// Which comes first. What is not there comes before what is.
pub(in crate::commands) fn compare(
    column: Column,
    a: &SocketRow<'_>,
    b: &SocketRow<'_>,
    users: &UserNames,
) -> Ordering {
    let by = |key: &dyn Fn(&SocketRow<'_>) -> Option<u64>| key(a).cmp(&key(b));
    let tcp = |row: &SocketRow<'_>, of: fn(&TcpDetails) -> Option<u64>| {
        row.details().and_then(|details| details.tcp.as_ref()).and_then(of)
    };
    match column {
        Column::Transport => a.protocol().cmp(&b.protocol()),
        Column::State => a.state().name().cmp(b.state().name()),
        Column::Local => addresses(Some(a.local()), Some(b.local())),
        Column::Peer => addresses(a.peer(), b.peer()),
        Column::User => {
            let name = |row: &SocketRow<'_>| {
                let uid = row.uid()?;
                // Those without a name last, by number.
                Some((users.name(uid).is_none(), users.name(uid).unwrap_or_default(), uid))
            };
            name(a).cmp(&name(b))
        }
        Column::Process => {
            let name = |row: &SocketRow<'_>| {
                row.holdings().next().map(|holding| holding.process.name().to_owned())
            };
            name(a).cmp(&name(b))
        }
        Column::Workload => {
            let workload = |row: &SocketRow<'_>| row.workload().map(|w| w.to_string());
            workload(a).cmp(&workload(b))
        }
        Column::Cgroup => a.cgroup_path().cmp(&b.cgroup_path()),
        Column::ReceiveQueue => a.receive_queue().cmp(&b.receive_queue()),
        Column::SendQueue => a.send_queue().cmp(&b.send_queue()),
        Column::Uid => a.uid().cmp(&b.uid()),
        Column::Inode => a.inode().cmp(&b.inode()),
        Column::Cookie => a.cookie().cmp(&b.cookie()),
        Column::Interface => a.interface().cmp(&b.interface()),
        Column::Pid => by(&|row| row.holdings().next().map(|holding| holding.process.pid().into())),
        Column::RttUs => by(&|row| tcp(row, |tcp| u64::try_from(tcp.rtt.as_micros()).ok())),
        Column::Retransmits => by(&|row| tcp(row, |tcp| Some(tcp.total_retrans.into()))),
        Column::Received => by(&|row| tcp(row, |tcp| tcp.bytes_received)),
        Column::Acknowledged => by(&|row| tcp(row, |tcp| tcp.bytes_acked)),
        Column::Drops => by(&|row| Some(row.details()?.memory.as_ref()?.drops?.into())),
    }
}

fn addresses(a: Option<Address<'_>>, b: Option<Address<'_>>) -> Ordering {
    let key = |address: &Address<'_>| -> Option<(IpAddr, u16)> {
        match address {
            Address::Ip(end) => Some((SocketAddr::ip(end), end.port())),
            Address::Unix(_) => None,
        }
    };
    match (a, b) {
        (Some(Address::Unix(a)), Some(Address::Unix(b))) => {
            (a.name, a.inode).cmp(&(b.name, b.inode))
        }
        // Networks first, then UNIX names; nothing before both.
        (Some(a), Some(b)) => match (key(&a), key(&b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}
