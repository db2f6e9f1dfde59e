//! What callers build on and no signature shows: which types may go to another thread.

use std::error::Error;

use ports_lease::{
    BoundLease, KernelPortsError, Lease, LeaseError, LeaseRecord, ListError, Request,
};

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn leases_may_go_to_another_thread_and_be_shared() {
    is_shared::<Lease>();
    is_shared::<BoundLease>();
    is_shared::<Request>();
    is_shared::<LeaseRecord>();
    is_error::<LeaseError>();
    is_error::<ListError>();
    is_error::<KernelPortsError>();
}

#[cfg(feature = "tokio")]
#[test]
fn the_pools_futures_may_go_to_another_thread() {
    fn is_sent<T: Send>(_: T) {}
    is_error::<ports_lease::PoolError>();
    is_sent(ports_lease::lease_on_pool(Request::tcp()));
    is_sent(ports_lease::bind_on_pool(Request::tcp()));
}
