//! `ports demo`.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use super::program::run;

#[test]
fn the_tour_ends_well_and_its_bytes_are_exact() {
    let demo = run(&["demo", "--tcp-port", "0", "--udp-port", "0", "--format", "jsonl"]);
    demo.assert_code(0);
    let lines = demo.json();
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["ok"]), (&"demo".into(), &true.into()));
    assert_eq!(last["tcp"]["reply"], "Echo: Hello from client!\n");
    assert_eq!(last["udp"]["reply"], "Echo: Hello over UDP!");
    // 19 and 25 bytes of TCP, 15 and 21 of UDP, each counted at both ends.
    let totals = &last["stats"]["totals"];
    assert_eq!((&totals["bytes_sent"], &totals["bytes_received"]), (&80.into(), &80.into()));
    assert_eq!(totals["active"], 0);
    let port = last["tcp"]["endpoint"].as_str().unwrap().rsplit(':').next().unwrap();
    let port: u16 = port.parse().unwrap();
    assert!(last["scan"]["open"].as_array().unwrap().contains(&port.into()), "{last}");
}

/// Defect 2 of the reference: a taken port killed it.
#[test]
fn defect_2_taken_ports_are_told_and_replaced() {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tcp_port = tcp.local_addr().unwrap().port().to_string();
    let udp_port = udp.local_addr().unwrap().port().to_string();
    let demo = run(&["demo", "--tcp-port", &tcp_port, "--udp-port", &udp_port]);
    demo.assert_code(0);
    for port in [&tcp_port, &udp_port] {
        let told = format!("port {port} cannot be had, so another one is taken");
        assert!(demo.stdout.contains(&told), "{}", demo.stdout);
    }
    for title in ["=== Socket Statistics ===", "=== Connection History ===", "=== Port Status ==="]
    {
        assert!(demo.stdout.contains(title), "{}", demo.stdout);
    }
}
