//! Specs: what they mean, what is refused, and that printing is the way back.

use proptest::prelude::*;

use super::*;
use crate::{Port, top_ports};

fn print(text: &str) -> String {
    text.parse::<PortSet>().unwrap().to_string()
}

fn refuse(text: &str, transport: Transport) -> String {
    PortSet::parse(text, transport).unwrap_err().to_string()
}

#[test]
fn items_and_their_ports() {
    for (text, printed) in [
        ("22", "22"),
        ("22,80,8000-8100", "22,80,8000-8100"),
        ("80,22,80", "22,80"),
        ("20-22,22-25,26", "20-26"),
        ("49152-", "49152-65535"),
        ("-1024", "1-1024"),
        ("-", "1-65535"),
        ("all", "1-65535"),
        ("ALL,0", "0-65535"),
        ("0", "0"),
        (" 22 ,\t80 ", "22,80"),
        ("http", "80"),
        ("HTTPS,http", "80,443"),
        ("x11", "6000-6063"),
        ("dns,domain", "53"),
        ("none", "none"),
        ("none,22", "22"),
        ("top:3", "22,80,443"),
        ("Top:1", "80"),
    ] {
        assert_eq!(print(text), printed, "{text}");
    }
}

#[test]
fn names_and_rankings_are_per_transport() {
    let udp = |text| PortSet::parse(text, Transport::Udp).unwrap();
    assert_eq!(udp("syslog").to_string(), "514");
    assert_eq!(udp("top:1").to_string(), "53");
    assert!(udp("top:1000").is_disjoint(&PortSet::from(Port::ANY)));
    for transport in [Transport::Tcp, Transport::Udp] {
        let ranked = top_ports(transport).len();
        assert_eq!(PortSet::parse(&format!("top:{ranked}"), transport).unwrap().len(), ranked);
    }
}

#[test]
fn errors_name_the_item() {
    let ranked = top_ports(Transport::Tcp).len();
    for (text, message) in [
        ("", "item 1 of the ports is empty".to_owned()),
        ("22,,80", "item 2 of the ports is empty".to_owned()),
        ("22,80, ", "item 3 of the ports is empty".to_owned()),
        (
            "22,80-70000",
            "`80-70000` in the ports: `70000` is not a port: the highest port is 65535".to_owned(),
        ),
        ("80-22", "`80-22` in the ports: range `80-22` is backwards: write `22-80`".to_owned()),
        ("22,htpp", "`htpp` is neither a port nor the name of a tcp service; did you mean `http` or `htcp`?".to_owned()),
        ("80 - 90", "`80 - 90` is neither a port nor the name of a tcp service".to_owned()),
        ("bootp,22", "`bootp` is neither a port nor the name of a tcp service; did you mean `bootps` or `bootpc`?".to_owned()),
        (
            "syslog",
            "`syslog` is neither a port nor the name of a tcp service; there is one for udp"
                .to_owned(),
        ),
        ("top:0", format!("`top:0` in the ports: for tcp, N of `top:N` is 1 to {ranked}")),
        ("top:", format!("`top:` in the ports: for tcp, N of `top:N` is 1 to {ranked}")),
        ("top:+5", format!("`top:+5` in the ports: for tcp, N of `top:N` is 1 to {ranked}")),
        ("top:65536", format!("`top:65536` in the ports: for tcp, N of `top:N` is 1 to {ranked}")),
    ] {
        assert_eq!(refuse(text, Transport::Tcp), message, "{text}");
    }
    assert_eq!(
        refuse("top:1", Transport::Sctp),
        "`top:1` in the ports: there is no ranking for sctp"
    );
}

#[test]
fn serde_is_the_text() {
    let set: PortSet = serde_json::from_str("\"http,22\"").unwrap();
    assert_eq!(serde_json::to_string(&set).unwrap(), "\"22,80\"");
    assert_eq!(serde_json::to_string(&PortSet::new()).unwrap(), "\"none\"");
    let error = serde_json::from_str::<PortSet>("\"22,x y\"").unwrap_err();
    assert!(error.to_string().contains("`x y`"), "{error}");
}

/// Text that looks like a spec more often than random text does.
fn almost_a_spec() -> impl Strategy<Value = String> {
    let item = prop_oneof![
        "[0-9]{0,6}",
        "[0-9]{0,5}-[0-9]{0,5}",
        "[tT][oO][pP]:?[0-9]{0,5}",
        "[ \t\u{a0}]{0,2}[a-z0-9-]{0,5}[ ]{0,2}",
        Just("http".to_owned()),
        Just("all".to_owned()),
        "\\PC{0,4}",
    ];
    prop::collection::vec(item, 0..6).prop_map(|items| items.join(","))
}

proptest! {
    #[test]
    fn no_text_panics(text in almost_a_spec(), bytes: Vec<u8>, transport in prop::sample::select(&Transport::ALL[..])) {
        if let Ok(set) = PortSet::parse(&text, transport) {
            prop_assert_eq!(set.to_string().parse::<PortSet>(), Ok(set));
        }
        let _ = PortSet::parse(&String::from_utf8_lossy(&bytes), transport).map_err(|e| e.to_string());
    }

    #[test]
    fn printing_is_the_way_back(ports in prop::collection::vec((any::<u16>(), 0_u16..50), 0..40)) {
        let set: PortSet = ports
            .into_iter()
            .map(|(first, more)| PortRange::new(first, first.saturating_add(more)).unwrap())
            .collect();
        for transport in Transport::ALL {
            prop_assert_eq!(PortSet::parse(&set.to_string(), transport), Ok(set.clone()));
        }
    }
}
