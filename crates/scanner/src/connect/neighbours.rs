//! Which neighbours the kernel has asked for in vain.

#[cfg(not(all(feature = "raw", target_os = "linux")))]
mod arp_table;
#[cfg(all(feature = "raw", target_os = "linux"))]
mod netlink;

#[cfg(not(all(feature = "raw", target_os = "linux")))]
pub(crate) use arp_table::Neighbours;
#[cfg(all(feature = "raw", target_os = "linux"))]
pub(crate) use netlink::Neighbours;
