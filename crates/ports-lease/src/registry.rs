//! The claims of this process: one registry for all of its leases.

use std::sync::OnceLock;

use ports_core::PortRegistry;

use crate::kernel_ports::{KernelPorts, may_bind_privileged};

/// The registry, made at the first lease. The privilege floor is the one of that moment.
///
/// It sees what threads of this process lease before any lock is tried, refuses what needs a
/// privilege, and limits how much is held at once. What other processes hold, the locks say.
pub(crate) fn claims(kernel: &KernelPorts) -> &'static PortRegistry {
    static CLAIMS: OnceLock<PortRegistry> = OnceLock::new();
    CLAIMS.get_or_init(|| {
        PortRegistry::builder()
            .privileged_below(kernel.privileged_below)
            .privileged(may_bind_privileged())
            .build()
    })
}
