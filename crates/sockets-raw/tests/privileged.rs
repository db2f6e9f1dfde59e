//! What needs root: routes, neighbours, echo and sniffing in networks that each test makes for
//! itself, and that nothing leaves.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod privileged {
    mod echo;
    mod neighbours;
    mod own_network;
    mod routes;
    mod sniffer;
}
