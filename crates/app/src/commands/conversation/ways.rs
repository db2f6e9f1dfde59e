//! By which interfaces a group or a broadcast may go, where no route says it and the user has to.

use std::io;

use sockets_udp::{Interface, JoinError, SendError};

/// How many are named.
const MOST: usize = 8;

/// What is to be written behind the endpoint, with the names that will do here.
pub(in crate::commands) fn which() -> String {
    in_words(Interface::for_multicast())
}

/// Without a way the error says by which there may be one.
pub(in crate::commands) fn with_ways(error: anyhow::Error) -> anyhow::Error {
    if is_without_way(&error) { anyhow::anyhow!("{error:#}; {}", which()) } else { error }
}

/// Whether it was left to the routes, and they lead nowhere.
fn is_without_way(error: &anyhow::Error) -> bool {
    let join = error.downcast_ref::<JoinError>();
    let send = error.downcast_ref::<SendError>();
    matches!(join, Some(JoinError::Io { interface: Interface::Default, .. }))
        || matches!(send, Some(SendError::Unreachable { .. }))
}

fn in_words(names: io::Result<Vec<String>>) -> String {
    let names = names.unwrap_or_else(|error| {
        tracing::debug!(%error, "interfaces");
        Vec::new()
    });
    match names.len() {
        0 => "say which by ?iface=NAME; none here is up and for multicast but lo".to_owned(),
        len => {
            let more = if len > MOST { format!(" and {} more", len - MOST) } else { String::new() };
            format!("say which by ?iface=NAME: {}{more}", names[..len.min(MOST)].join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_will_do() {
        let named = |names: &[&str]| in_words(Ok(names.iter().map(ToString::to_string).collect()));
        assert_eq!(named(&["eth0", "wlan0"]), "say which by ?iface=NAME: eth0, wlan0");
        assert!(named(&["veth"; 10]).ends_with(", veth and 2 more"));
        assert!(named(&[]).ends_with("but lo"));
    }

    #[test]
    fn only_where_the_routes_lead_nowhere_is_an_interface_asked_for() {
        let group = [239, 1, 2, 3].into();
        let source = || io::Error::from_raw_os_error(19);
        let of = |interface| JoinError::Io { group, interface, source: source() };
        let said = format!("{:#}", with_ways(of(Interface::Default).into()));
        assert!(
            said.contains("default interface: No such device (os error 19); say which"),
            "{said}"
        );
        let named = format!("{:#}", with_ways(of(Interface::from("lo")).into()));
        assert!(!named.contains("say which"), "{named}");
    }
}
