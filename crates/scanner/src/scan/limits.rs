//! How many sockets this process may still open.

/// Descriptors left to the rest of the process: files it may open while the scan runs.
const RESERVED: usize = 16;
/// Taken as open where the system does not say.
const ASSUMED_OPEN: usize = 32;

/// The most sockets a scan may hold at once under the soft descriptor limit. At least 1: the engine
/// finds out itself when even that is too much.
pub(super) fn socket_budget() -> usize {
    free_descriptors().saturating_sub(RESERVED).max(1)
}

/// Descriptors that this process may still open.
pub(super) fn free_descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let open = std::fs::read_dir("/proc/self/fd").map_or(ASSUMED_OPEN, Iterator::count);
    limit.saturating_sub(open)
}
