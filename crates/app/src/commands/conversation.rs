//! What `listen`, `connect` and `forward` have in common: how they begin and end, their sockets, and
//! what they tell.

mod accepting;
pub(crate) mod bind;
pub(in crate::commands) mod crowd;
pub(in crate::commands) mod drain;
pub(in crate::commands) mod events;
pub(in crate::commands) mod few;
pub(in crate::commands) mod incoming;
pub(in crate::commands) mod kernel_drops;
pub(in crate::commands) mod losses;
pub(in crate::commands) mod memberships;
pub(in crate::commands) mod options;
pub(in crate::commands) mod resolve;
pub(in crate::commands) mod session;
pub(in crate::commands) mod stillness;
pub(in crate::commands) mod streams;
pub(in crate::commands) mod telling;
pub(in crate::commands) mod unreachable;
pub(in crate::commands) mod ways;
