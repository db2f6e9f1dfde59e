//! The kernel's answers about sockets, and the files of `/proc/net`: all that a snapshot then gives
//! out can be asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stats::system::{Protocol, Snapshot, Workload};

fn walk(snapshot: &Snapshot) {
    for row in snapshot.iter() {
        let _ = (row.local().to_string(), row.peer().map(|peer| peer.to_string()));
        let _ = (row.timer(), row.details(), row.no_process(), row.holdings().count());
    }
    assert!(snapshot.changes_since(snapshot).is_empty());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let protocol = Protocol::ALL[usize::from(*first) % Protocol::ALL.len()];
    walk(&Snapshot::from_netlink(protocol, rest));
    walk(&Snapshot::from_proc_net(protocol, rest));
    if let Ok(path) = str::from_utf8(rest) {
        let _ = Workload::of_path(path);
    }
});
