//! Where the tests listen.

use std::net::SocketAddr;

/// Any free port, at an address of loopback that no other test has: who connects in vain to a port
/// that was another one's a moment ago, or scans 127.0.0.1, does not come here.
#[cfg(target_os = "linux")]
pub(crate) fn any_port() -> SocketAddr {
    use std::sync::atomic::{AtomicU8, Ordering};

    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed).clamp(1, 254);
    SocketAddr::from(([127, 128 | high, low, last], 0))
}

/// Elsewhere loopback has one address.
#[cfg(not(target_os = "linux"))]
pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
