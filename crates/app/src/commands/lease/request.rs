//! A request from arguments.

use ports_lease::{Family, Request};

use crate::args::PortArgs;

/// What the arguments ask for.
pub(in crate::commands) fn request(args: &PortArgs) -> Request {
    let request = match (args.tcp, args.udp) {
        (true, true) => Request::tcp_and_udp(),
        (false, true) => Request::udp(),
        (_, false) => Request::tcp(),
    };
    let mut request = request.count(args.count).family(family(args));
    if let Some(range) = args.range {
        request = request.within(range);
    }
    match args.address {
        Some(address) => request.address(address),
        None => request,
    }
}

/// For sockets that are bound here: one for each port, and nobody else's business.
pub(super) fn at_loopback(request: Request, args: &PortArgs) -> Request {
    let family = if args.ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    request.loopback().family(family)
}

fn family(args: &PortArgs) -> Family {
    match (args.ipv4, args.ipv6) {
        (true, _) => Family::Ipv4,
        (_, true) => Family::Ipv6,
        _ => Family::Both,
    }
}
