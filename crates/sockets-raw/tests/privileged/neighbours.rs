//! Neighbours that answer, and neighbours that do not.

use std::net::{IpAddr, UdpSocket};

use sockets_raw::{Interface, NeighbourState, Neighbours};

use super::own_network::{in_own_network, ip, link_to_nobody};

#[test]
#[ignore = "needs root: network namespaces"]
fn nobody_is_unresolved_and_somebody_is_not() {
    in_own_network(|| {
        link_to_nobody();
        let va = Interface::by_name("va").unwrap();
        ip("neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev va nud permanent");
        ip("-6 neigh add fd77::2 lladdr 02:00:00:00:00:02 dev va nud permanent");
        for (bound, known, nobody) in
            [("10.77.0.1:0", "10.77.0.2", "10.77.0.9"), ("[fd77::1]:0", "fd77::2", "fd77::9")]
        {
            let (known, nobody): (IpAddr, IpAddr) =
                (known.parse().unwrap(), nobody.parse().unwrap());
            let mut neighbours = Neighbours::load().unwrap();
            assert_eq!(neighbours.find(va.index, nobody), None);
            assert!(!neighbours.is_unresolved(va.index, nobody), "not asked yet");
            // The kernel asks for the neighbour before the call returns.
            UdpSocket::bind(bound).unwrap().send_to(b"?", (nobody, 9)).unwrap();
            neighbours.refresh().unwrap();
            assert!(neighbours.is_unresolved(va.index, nobody), "{neighbours:?}");
            assert_eq!(neighbours.find(va.index, nobody).unwrap().link_address, None);

            assert!(!neighbours.is_unresolved(va.index, known));
            let found = neighbours.find(va.index, known).unwrap();
            assert_eq!(found.state, NeighbourState::Permanent);
            assert_eq!(found.link_address, Some([2, 0, 0, 0, 0, 2]));
            assert!(
                neighbours.iter().any(|(index, address, _)| (index, address) == (va.index, known))
            );
        }
    });
}
