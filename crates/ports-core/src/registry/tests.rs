//! The registry as its users see it.

mod model;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Barrier};

use super::*;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn tcp() -> ClaimRequest {
    ClaimRequest::new(Transport::Tcp)
}

fn range(text: &str) -> PortRange {
    text.parse().unwrap()
}

/// A registry whose dynamic range is this one.
fn small(text: &str) -> PortRegistry {
    PortRegistry::builder().dynamic_range(range(text)).build()
}

fn ports(claims: &[PortClaim]) -> Vec<u16> {
    claims.iter().map(|claim| claim.port().number()).collect()
}

#[test]
fn defect_2_a_port_of_another_process_is_not_free() {
    let registry = small("50000-50001");
    assert!(registry.mark_foreign(Transport::Tcp, LOOPBACK, 50000));
    assert!(!registry.is_available(Transport::Tcp, LOOPBACK, 50000));
    let error = registry.claim(&tcp().exact(50000)).unwrap_err();
    assert_eq!(error.to_string(), "tcp port 50000 at * is held by another process at 127.0.0.1");
    assert_eq!(registry.claim(&tcp()).unwrap().port(), Port::new(50001));

    assert_eq!(registry.clear_foreign(Transport::Tcp, LOOPBACK, 50000), 1);
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 50000));
}

#[test]
fn defect_3_transports_are_independent() {
    let registry = PortRegistry::new();
    let _claims = Transport::ALL
        .map(|transport| registry.claim(&ClaimRequest::new(transport).exact(8080)).unwrap());
    registry.mark_foreign(Transport::Udp, LOOPBACK, 9000);
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 9000));
}

#[test]
fn defect_6_a_claim_is_released_exactly_once() {
    let registry = PortRegistry::new();
    let first = registry.claim(&tcp().exact(8080).owner("first")).unwrap();
    first.release();
    let second = registry.claim(&tcp().exact(8080).owner("second")).unwrap();
    assert!(!registry.is_available(Transport::Tcp, LOOPBACK, 8080));
    assert_eq!(registry.snapshot().claims.len(), 1);
    drop(second);
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 8080));
}

#[test]
fn defect_6_an_early_return_releases() {
    fn fails(registry: &PortRegistry) -> Result<(), ClaimError> {
        let _held = registry.claim(&tcp().exact(8080))?;
        registry.claim(&tcp().exact(8080))?.release();
        Ok(())
    }
    let registry = PortRegistry::new();
    assert!(matches!(fails(&registry), Err(ClaimError::Held { .. })));
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 8080));
}

#[test]
fn defect_6_port_0_is_never_any_by_accident() {
    let registry = PortRegistry::builder().privileged(true).build();
    for request in [tcp().exact(0), tcp().preferred(0), tcp().within(range("0"))] {
        let error = registry.claim(&request).unwrap_err();
        assert!(matches!(error, ClaimError::PortZero { .. }), "{error}");
    }
    assert!(registry.adopt(Transport::Tcp, LOOPBACK, 0, "kernel").is_err());
    assert!(!registry.mark_foreign(Transport::Tcp, LOOPBACK, 0));
    let claim = registry.claim(&tcp().within(range("0-1"))).unwrap();
    assert_eq!(claim.port(), Port::new(1));
}

#[test]
fn defect_11_only_dynamic_ports_are_subtracted() {
    let registry = PortRegistry::new();
    let free = |registry: &PortRegistry| {
        let transports = registry.status().transports;
        (transports[0].free_dynamic, transports[1].free_dynamic)
    };
    let _user = registry.claim(&tcp().exact(8080)).unwrap();
    assert_eq!(free(&registry), (16384, 16384));
    let _one = registry.claim(&tcp().exact(50000).address(LOOPBACK)).unwrap();
    let _two = registry.claim(&tcp().exact(50000).address(Ipv6Addr::LOCALHOST)).unwrap();
    registry.mark_foreign(Transport::Tcp, LOOPBACK, 50001);
    assert_eq!(free(&registry), (16382, 16384));
}

#[test]
fn status_prints_ports_with_their_owners() {
    let registry = PortRegistry::new();
    let _claim = registry.claim(&tcp().exact(8080).address(LOOPBACK).owner("echo server"));
    registry.mark_foreign(Transport::Tcp, Ipv6Addr::UNSPECIFIED, 9000);
    assert_eq!(
        registry.status().to_string(),
        "\
=== Port Status ===
TCP ports used: 2
   8080  echo server      127.0.0.1
   9000  another process  *
TCP dynamic ports free: 16384 of 16384 (49152-65535)
UDP ports used: 0
UDP dynamic ports free: 16384 of 16384 (49152-65535)"
    );
}

#[test]
fn snapshot_is_plain_data() {
    let registry = PortRegistry::new();
    let _claim = registry.claim(&tcp().exact(8080).owner(String::from("echo server"))).unwrap();
    registry.mark_foreign(Transport::Udp, LOOPBACK, 53);
    assert_eq!(
        serde_json::to_value(registry.snapshot()).unwrap(),
        serde_json::json!({
            "dynamic_range": [49152, 65535],
            "claims":
                [{"transport": "tcp", "address": "*", "port": 8080, "owner": "echo server"}],
            "claims_omitted": 0,
            "foreign": [{"transport": "udp", "address": "127.0.0.1", "port": 53}],
            "foreign_omitted": 0,
            "foreign_refused": 0,
        })
    );
}

#[test]
fn lists_are_bounded_and_say_what_they_left_out() {
    let registry = PortRegistry::builder().list_limit(2).foreign_limit(3).build();
    let _claims = registry.claim_run(&tcp(), 5).unwrap();
    for port in 1..=4 {
        assert_eq!(registry.mark_foreign(Transport::Tcp, LOOPBACK, port), port <= 3);
    }
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.claims.len(), snapshot.claims_omitted), (2, 3));
    assert_eq!((snapshot.foreign.len(), snapshot.foreign_omitted), (2, 1));
    assert_eq!(snapshot.foreign_refused, 1);
    let printed = registry.status().to_string();
    assert!(printed.contains("TCP ports used: 8\n"), "{printed}");
    assert!(printed.contains("\n  and 4 more\n"), "{printed}");
    assert!(printed.contains("\n  1 ports of other processes not noted: no room\n"), "{printed}");
}

#[test]
fn errors_name_port_transport_address_and_holder() {
    let registry = small("50000-50001");
    let _held = registry.claim(&tcp().exact(50000).address(LOOPBACK).owner("web")).unwrap();
    let _other = registry.claim(&tcp().exact(50001)).unwrap();
    for (request, message) in [
        (tcp().exact(50000), "tcp port 50000 at * is held by `web` at 127.0.0.1"),
        (tcp().exact(80), "tcp port 80 at * needs privilege: ports below 1024 are reserved"),
        (
            tcp().within(range("80-90")),
            "every tcp port of 80-90 at * needs privilege: ports below 1024 are reserved",
        ),
        (tcp().address(LOOPBACK), "no tcp port of 50000-50001 is free at 127.0.0.1"),
    ] {
        assert_eq!(registry.claim(&request).unwrap_err().to_string(), message);
    }
    let _floor = registry.claim(&tcp().exact(1024)).unwrap();
    assert_eq!(
        registry.claim(&tcp().within(range("1000-1024"))).unwrap_err().to_string(),
        "no tcp port of 1000-1024 is free at * (searched: 1024)"
    );
    assert_eq!(
        registry.claim_run(&tcp(), 2).unwrap_err().to_string(),
        "no 2 neighbouring tcp ports of 50000-50001 are free at *"
    );
}

#[test]
fn a_claim_is_named_before_a_foreign_mark() {
    let registry = PortRegistry::new();
    let _claim = registry.claim(&tcp().exact(8080).owner("web")).unwrap();
    registry.mark_foreign(Transport::Tcp, LOOPBACK, 8080);
    match registry.check(Transport::Tcp, LOOPBACK, 8080) {
        Err(ClaimError::Held { holder, .. }) => {
            assert_eq!(holder.owner().map(Owner::as_str), Some("web"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn privilege_is_a_parameter() {
    let registry = PortRegistry::builder().privileged(true).build();
    assert_eq!(registry.claim(&tcp().exact(80)).unwrap().port(), Port::new(80));
    let registry = PortRegistry::builder().privileged_below(80).build();
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 80));
    assert!(!registry.is_available(Transport::Tcp, LOOPBACK, 79));
    let preferred = registry.claim(&tcp().preferred(79)).unwrap();
    assert!(PortRange::DYNAMIC.contains(preferred.port()));
}

#[test]
fn any_goes_round_before_a_port_comes_again() {
    let registry = small("50000-50009");
    let seen: Vec<_> =
        (0..20).map(|_| registry.claim(&tcp()).unwrap().port().number() - 50000).collect();
    assert_eq!(seen, (0..10).chain(0..10).collect::<Vec<_>>());
}

#[test]
fn the_seed_says_where_any_starts() {
    let registry = PortRegistry::builder().seed(16384 + 7).build();
    assert_eq!(registry.claim(&tcp()).unwrap().port(), Port::new(49152 + 7));
}

#[test]
fn any_hands_out_every_port_of_the_range_once() {
    let registry = PortRegistry::builder().seed(12345).build();
    let claims: Vec<_> = (0..16384).map(|_| registry.claim(&tcp()).unwrap()).collect();
    assert_eq!(ports(&claims).into_iter().collect::<BTreeSet<_>>().len(), 16384);
    assert!(matches!(registry.claim(&tcp()), Err(ClaimError::Exhausted { .. })));
    assert_eq!(registry.status().transports[0].free_dynamic, 0);
}

#[test]
fn any_at_one_address_finds_ports_held_at_others() {
    let registry = small("50000-50003");
    let other = tcp().address(Ipv4Addr::new(127, 0, 0, 2));
    let _others: Vec<_> = (0..4).map(|_| registry.claim(&other).unwrap()).collect();
    let request = tcp().address(LOOPBACK);
    let claims: Vec<_> = (0..4).map(|_| registry.claim(&request).unwrap()).collect();
    let found: BTreeSet<_> = ports(&claims).into_iter().collect();
    assert_eq!(found, (50000..=50003).collect());
    assert!(registry.claim(&request).is_err());
    assert!(registry.claim(&tcp().address(Ipv4Addr::UNSPECIFIED)).is_err());
    assert!(registry.claim(&tcp().address(Ipv6Addr::LOCALHOST)).is_ok());
}

#[test]
fn runs_are_contiguous_and_all_or_nothing() {
    let registry = small("50000-50009");
    let _hole = registry.claim(&tcp().exact(50003)).unwrap();
    let run = registry.claim_run(&tcp(), 6).unwrap();
    assert_eq!(ports(&run), [50004, 50005, 50006, 50007, 50008, 50009]);
    assert!(registry.claim_run(&tcp(), 4).is_err());
    assert!(registry.claim_run(&tcp().exact(50001), 3).is_err());
    assert!(registry.is_available(Transport::Tcp, LOOPBACK, 50001));
    assert_eq!(ports(&registry.claim_run(&tcp().exact(50000), 3).unwrap()), [50000, 50001, 50002]);
    assert!(registry.claim_run(&tcp(), 0).unwrap().is_empty());
}

#[test]
fn a_run_does_not_pass_the_last_port() {
    let registry = PortRegistry::new();
    let error = registry.claim_run(&tcp().exact(65534), 3).unwrap_err();
    assert!(matches!(error, ClaimError::NoRun { count: 3, .. }), "{error}");
    assert_eq!(ports(&registry.claim_run(&tcp().exact(65534), 2).unwrap()), [65534, 65535]);
    assert!(registry.claim_run(&tcp(), 70_000).is_err());
    assert!(registry.claim_run(&tcp(), usize::MAX).is_err());
}

#[test]
fn adopting_trusts_the_kernel() {
    let registry = PortRegistry::new();
    registry.mark_foreign(Transport::Udp, LOOPBACK, 700);
    let claim = registry.adopt(Transport::Udp, LOOPBACK, 700, "resolver").unwrap();
    assert_eq!(claim.to_string(), "udp port 700 at 127.0.0.1 (resolver)");
    assert!(registry.snapshot().foreign.is_empty());
    let error = registry.adopt(Transport::Udp, Ipv4Addr::UNSPECIFIED, 700, "late").unwrap_err();
    assert_eq!(error.to_string(), "udp port 700 at 0.0.0.0 is held by `resolver` at 127.0.0.1");
}

#[test]
fn a_foreign_mark_can_be_ignored_and_is_cleared_only_where_it_is_covered() {
    let registry = PortRegistry::new();
    let wildcard = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    registry.mark_foreign(Transport::Tcp, wildcard, 8080);
    registry.mark_foreign(Transport::Tcp, LOOPBACK, 8080);
    registry.mark_foreign(Transport::Tcp, LOOPBACK, 8080);
    assert_eq!(registry.snapshot().foreign.len(), 2);
    let claim = registry.claim(&tcp().exact(8080).address(LOOPBACK).ignore_foreign()).unwrap();
    assert_eq!(registry.clear_foreign(Transport::Tcp, claim.address(), claim.port()), 1);
    assert_eq!(registry.clear_foreign(Transport::Tcp, wildcard, 8080), 1);
}

#[test]
fn the_claim_limit_is_an_error_that_names_it() {
    let registry = PortRegistry::builder().claim_limit(2).build();
    let one = registry.claim(&tcp()).unwrap();
    assert!(matches!(registry.claim_run(&tcp(), 2), Err(ClaimError::TooMany { limit: 2, .. })));
    let _two = registry.claim(&tcp()).unwrap();
    for result in [
        registry.claim(&tcp()),
        registry.claim(&tcp().exact(8080)),
        registry.adopt(Transport::Tcp, LOOPBACK, 8080, "kernel"),
    ] {
        assert!(matches!(result, Err(ClaimError::TooMany { limit: 2, .. })));
    }
    one.release();
    assert!(registry.claim(&tcp()).is_ok());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "only the library must do without threads")]
fn threads_never_hold_one_port_twice() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 2_000;
    let registry = small("50000-50015");
    // A run of two from the last dynamic port reaches one port further.
    let held: Arc<[Mutex<bool>]> = (0..17).map(|_| Mutex::new(false)).collect();
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, held, start) = (registry.clone(), Arc::clone(&held), &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let request = match (thread + round) % 3 {
                        0 => tcp(),
                        1 => tcp().preferred(50000 + (round % 16) as u16),
                        _ => tcp().exact(50000 + (round % 16) as u16),
                    };
                    let count = 1 + round % 2;
                    let Ok(claims) = registry.claim_run(&request, count) else { continue };
                    let mine =
                        |claim: &PortClaim| &held[usize::from(claim.port().number() - 50000)];
                    for claim in &claims {
                        let twice = std::mem::replace(&mut *mine(claim).lock().unwrap(), true);
                        assert!(!twice, "{claim} is held twice");
                    }
                    for claim in claims {
                        *mine(&claim).lock().unwrap() = false;
                        claim.release();
                    }
                }
            });
        }
    });
    assert_eq!(registry.status().transports[0].free_dynamic, 16);
}
