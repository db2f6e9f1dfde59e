//! Two hosts with kernels of their own, a cable between them: broadcast, multicast, the MTU.
#![cfg(test)]
#![forbid(unsafe_code)]

mod answers;
mod broadcast;
mod full_buffer;
mod hosts;
mod mtu;
mod multicast;
