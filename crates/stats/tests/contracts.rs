//! What callers build on and no signature shows: which types may go to another thread.

use std::error::Error;

use stats::{DeltaError, History, Inbound, Outbound, Recorder, Snapshot, SocketStats};

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn statistics_are_shared_and_recorders_are_one_tasks() {
    is_shared::<SocketStats>();
    is_shared::<Snapshot>();
    is_shared::<History>();
    // They go with the task that owns the socket.
    is_shared::<Recorder>();
    is_shared::<Inbound>();
    is_shared::<Outbound>();
    is_error::<DeltaError>();
}

#[test]
#[cfg(feature = "system")]
fn the_sockets_of_the_machine_may_be_read_on_another_thread() {
    use stats::system::{
        self, EndingsError, SnapshotError, SocketEvents, SocketWatch, SystemSockets, WatchError,
    };

    is_shared::<SystemSockets>();
    is_shared::<SocketWatch>();
    is_shared::<SocketEvents>();
    is_shared::<system::Snapshot>();
    is_error::<SnapshotError>();
    is_error::<EndingsError>();
    is_error::<WatchError>();
}
