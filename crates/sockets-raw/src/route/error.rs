//! Why there is no route.

use std::net::IpAddr;

use crate::rtnetlink::QueryError;

/// Why nothing can be sent to an address. Each of these is this machine's doing: none says anything
/// about the other one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No route matches (`ENETUNREACH`).
    #[error("this machine has no route to {address}")]
    NoRoute {
        /// The address.
        address: IpAddr,
    },
    /// A route of the type `unreachable` says no (`EHOSTUNREACH`).
    #[error("this machine's routes say that {address} is unreachable")]
    Unreachable {
        /// The address.
        address: IpAddr,
    },
    /// A route of the type `prohibit` says no (`EACCES`).
    #[error("this machine's routes prohibit sending to {address}")]
    Prohibited {
        /// The address.
        address: IpAddr,
    },
    /// A route of the type `blackhole` drops it without a word (`EINVAL`).
    #[error("this machine's routes drop what is sent to {address}")]
    Blackhole {
        /// The address.
        address: IpAddr,
    },
    /// There is a route, but no address to send from: the interface has none of that family.
    #[error("this machine has a route to {address}, but no address to send from")]
    NoSource {
        /// The address.
        address: IpAddr,
    },
    /// The interface of the route is not there any more, or never was.
    #[error("the interface of the route to {address} is not there")]
    NoInterface {
        /// The address.
        address: IpAddr,
    },
    /// The kernel was not asked, or did not tell.
    #[error("cannot find the route to {address}")]
    Query {
        /// The address.
        address: IpAddr,
        /// The cause.
        source: QueryError,
    },
}
