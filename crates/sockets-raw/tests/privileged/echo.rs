//! Hosts that answer, hosts that do not, and hosts that cannot be asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sockets_raw::{EchoMethod, EchoOpenError, EchoSocket, PingConfig, PingOutcome, ping};

use super::own_network::{in_own_network, ip, link_to_nobody};

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Long enough for loopback under any load, and not waited for.
fn patient() -> PingConfig {
    PingConfig::new().timeout(Duration::from_secs(30))
}

#[test]
#[ignore = "needs root: network namespaces"]
fn this_machine_answers() {
    in_own_network(|| {
        // Whoever's group is 0 may ask without privilege.
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
        for method in [EchoMethod::Raw, EchoMethod::Datagram] {
            for hosts in [&["127.0.0.1", "127.9.9.9", "127.0.0.1"][..], &["::1"]] {
                let hosts = addresses(hosts);
                let mut socket = if hosts[0].is_ipv4() {
                    EchoSocket::open_v4(method)
                } else {
                    EchoSocket::open_v6(method)
                }
                .unwrap();
                assert_eq!(socket.method(), method);
                let results = ping(&mut socket, &hosts, &patient()).unwrap();
                let asked: Vec<_> = results.iter().map(|result| result.host).collect();
                assert_eq!(asked, hosts);
                assert!(
                    results.iter().all(|result| result.is_up() && result.sent == 1),
                    "{results:?}"
                );
            }
        }
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn thousands_of_hosts_answer_one_socket() {
    in_own_network(|| {
        let hosts: Vec<IpAddr> =
            (0..4096u32).map(|host| Ipv4Addr::from(0x7f01_0000 + host).into()).collect();
        let mut socket = EchoSocket::v4().unwrap();
        let config = patient().rate(50_000);
        let results = ping(&mut socket, &hosts, &config).unwrap();
        assert_eq!(results.iter().filter(|result| result.is_up()).count(), hosts.len());
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn silence_and_refusal_are_two_things() {
    in_own_network(|| {
        link_to_nobody();
        // Somebody who never answers: the link has an address for it, and nobody is there.
        ip("neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev va nud permanent");
        ip("-6 neigh add fd77::9 lladdr 02:00:00:00:00:09 dev va nud permanent");
        // Silence is a time that passes: short here, so nobody is asked who is to answer in it.
        let config = PingConfig::new().timeout(Duration::from_millis(50)).attempts(3);
        let mut socket = EchoSocket::v4().unwrap();
        let hosts = addresses(&["10.77.0.9", "192.0.2.1", "::1"]);
        let results = ping(&mut socket, &hosts, &config).unwrap();
        assert_eq!((results[0].outcome, results[0].sent), (PingOutcome::Silent, 3));
        let no_route = PingOutcome::NotSent { error: io::ErrorKind::NetworkUnreachable };
        assert_eq!((results[1].outcome, results[1].sent), (no_route, 0));
        let other_version = PingOutcome::NotSent { error: io::ErrorKind::InvalidInput };
        assert_eq!(results[2].outcome, other_version);
        let results = ping(&mut socket, &addresses(&["127.0.0.1"]), &patient()).unwrap();
        assert!(results[0].is_up());

        let mut socket = EchoSocket::v6().unwrap();
        let results = ping(&mut socket, &addresses(&["fd77::9"]), &config).unwrap();
        assert_eq!((results[0].outcome, results[0].sent), (PingOutcome::Silent, 3));
        let results = ping(&mut socket, &addresses(&["fd77::1"]), &patient()).unwrap();
        assert!(results[0].is_up());
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_neighbour_that_is_not_there_is_not_asked_at_all() {
    in_own_network(|| {
        link_to_nobody();
        // The kernel asks for a neighbour three times: not a second apart here.
        for family in ["ipv4", "ipv6"] {
            let setting = format!("/proc/sys/net/{family}/neigh/va/retrans_time_ms");
            std::fs::write(setting, "10").unwrap();
        }
        for host in ["10.77.0.9", "fd77::9"] {
            let hosts = addresses(&[host]);
            let socket = if hosts[0].is_ipv4() { EchoSocket::v4() } else { EchoSocket::v6() };
            let results = ping(&mut socket.unwrap(), &hosts, &patient()).unwrap();
            assert_eq!(results[0].outcome, PingOutcome::Unresolved, "{host}");
        }
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn after_the_deadline_nobody_is_asked() {
    in_own_network(|| {
        let mut socket = EchoSocket::v4().unwrap();
        let config = patient().deadline(Duration::ZERO);
        let results = ping(&mut socket, &addresses(&["127.0.0.1"]), &config).unwrap();
        assert_eq!((results[0].outcome, results[0].sent), (PingOutcome::NotAsked, 0));
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_group_that_may_not_ask_is_told_what_to_do() {
    in_own_network(|| {
        // The range that every network begins with: nobody.
        let error = EchoSocket::open_v4(EchoMethod::Datagram).unwrap_err();
        assert!(matches!(error, EchoOpenError::NotPermitted { method: EchoMethod::Datagram, .. }));
        assert!(error.to_string().contains("net.ipv4.ping_group_range"), "{error}");
    });
}
