//! Endpoints: what they mean, what is refused, and that printing is the way back.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Endpoint {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn refuse(text: &str) -> String {
    let message = text.parse::<Endpoint>().unwrap_err().to_string();
    let before = format!("`{text}` is not an endpoint: ");
    message.strip_prefix(&before).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[test]
fn texts_and_what_they_print_as() {
    for (text, printed) in [
        ("tcp://127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("UDP://[::1]:53", "udp://[::1]:53"),
        ("tls://example.org:443", "tls://example.org:443"),
        ("example.org.:0", "tcp://example.org.:0"),
        ("_srv.my-host.local:1", "tcp://_srv.my-host.local:1"),
        ("4chan:1", "tcp://4chan:1"),
        ("tcp://:8080", "tcp://*:8080"),
        ("*:8080", "tcp://*:8080"),
        ("tcp://127.0.0.1:80/", "tcp://127.0.0.1:80"),
        ("udp://:53/?ttl=1", "udp://*:53?ttl=1"),
        (":http", "tcp://*:80"),
        ("tcp://localhost:HTTP", "tcp://localhost:80"),
        ("tls://localhost:https", "tls://localhost:443"),
        ("udp://localhost:syslog", "udp://localhost:514"),
        ("[0:0::0001]:65535", "tcp://[::1]:65535"),
        ("[fe80::1%eth0]:22", "tcp://[fe80::1%eth0]:22"),
        ("udp://239.1.2.3:5000?ttl=1&iface=lo", "udp://239.1.2.3:5000?iface=lo&ttl=1"),
        ("udp://[ff02::fb]:5353?source=fe80::1", "udp://[ff02::fb]:5353?source=fe80::1"),
        (":1?source=10.0.0.1&ttl=255&iface=e?h", "tcp://*:1?iface=e?h&ttl=255&source=10.0.0.1"),
    ] {
        let endpoint = parse(text);
        assert_eq!(endpoint.to_string(), printed, "{text}");
        assert_eq!(parse(printed), endpoint);
    }
}

#[test]
fn a_path_is_refused() {
    for path in ["/index.html", "//", "/a/"] {
        let said = format!("path `{path}`: an endpoint ends with its port, and options");
        assert_eq!(refuse(&format!("tcp://[::1]:80{path}")), said);
    }
    // Without a scheme it is no URL.
    assert!(refuse("127.0.0.1:80/").contains("port `80/`"));
}

#[test]
fn whom_to_connect_to() {
    let targets =
        |text: &str| parse(text).target_addrs().map(|a| a.to_string()).collect::<Vec<_>>();
    for text in [":80", "*:80", "udp://:80"] {
        assert_eq!(targets(text), ["[::1]:80", "127.0.0.1:80"], "{text}");
    }
    assert_eq!(targets("127.0.0.2:80"), ["127.0.0.2:80"]);
    assert_eq!(targets("[::]:80"), ["[::]:80"]);
    assert_eq!(targets("[fe80::1%2]:80"), ["[fe80::1%2]:80"]);
    assert_eq!(targets("[fe80::1%lo]:80"), [""; 0]);
    assert_eq!(targets("localhost:80"), [""; 0]);
}

#[test]
fn parts() {
    let endpoint = parse("udp://239.1.2.3:5000?iface=lo&ttl=0&source=127.0.0.1");
    assert_eq!((endpoint.scheme(), endpoint.transport()), (Scheme::Udp, Transport::Udp));
    assert_eq!(endpoint.host(), &Host::Address("239.1.2.3".parse().unwrap()));
    assert_eq!(endpoint.port(), Port::new(5000));
    let options = endpoint.options();
    assert_eq!(options.interface(), Some("lo"));
    assert_eq!(options.ttl(), Some(0));
    assert_eq!(options.source(), Some("127.0.0.1".parse().unwrap()));
    assert_eq!(parse("tls://h:1").transport(), Transport::Tcp);
    assert_eq!(parse("h:1").options(), &EndpointOptions::default());
}

#[test]
fn built_is_as_parsed() {
    let options = EndpointOptions::new().with_interface("lo").unwrap().with_ttl(3);
    let options = options.with_source(IpAddr::from([127, 0, 0, 1]));
    let endpoint = Endpoint::new(Scheme::Udp, Host::Name("group".to_owned()), Port::ANY)
        .with_options(options)
        .with_port(Port::new(9));
    assert_eq!(endpoint, parse("udp://group:9?iface=lo&ttl=3&source=127.0.0.1"));
    assert!(EndpointOptions::new().with_interface("a&ttl=1").is_err());
}

#[test]
fn addresses_that_need_no_resolver() {
    for (text, address, name) in [
        ("127.0.0.1:80", Some("127.0.0.1:80"), None),
        ("[::1]:80", Some("[::1]:80"), None),
        ("*:80", Some("[::]:80"), None),
        ("[fe80::1%3]:80", Some("[fe80::1%3]:80"), None),
        ("[fe80::1%eth0]:80", None, Some("fe80::1%eth0")),
        ("[fe80::1%+3]:80", None, Some("fe80::1%+3")),
        ("localhost:80", None, Some("localhost")),
    ] {
        let endpoint = parse(text);
        assert_eq!(endpoint.socket_addr(), address.map(|a| a.parse().unwrap()), "{text}");
        assert_eq!(endpoint.host().name_to_resolve().as_deref(), name, "{text}");
    }
}

#[test]
fn an_address_becomes_an_endpoint() {
    for (scheme, address) in [
        (Scheme::Tcp, "127.0.0.1:80"),
        (Scheme::Udp, "[::1]:53"),
        (Scheme::Tls, "[fe80::1%7]:443"),
        (Scheme::Tcp, "[::]:0"),
    ] {
        let address: SocketAddr = address.parse().unwrap();
        let endpoint = Endpoint::from((scheme, address));
        assert_eq!(endpoint.socket_addr(), Some(address));
        assert_eq!(endpoint.to_string(), format!("{scheme}://{address}"));
    }
}

#[test]
fn errors_name_the_part() {
    for (text, message) in [
        ("http://h:80", "unknown scheme `http`: expected tcp, udp or tls"),
        ("", "no port: expected `HOST:PORT`"),
        ("localhost", "no port: expected `HOST:PORT`"),
        ("tcp://[::1]", "no port: expected `HOST:PORT`"),
        ("h:", "port ``: it is empty"),
        ("h:65536", "port `65536`: the highest port is 65535"),
        ("h:80/", "port `80/` is neither a number nor the name of a tcp service"),
        ("h:-1", "port `-1` is neither a number nor the name of a tcp service"),
        (
            "h:dhcp",
            "port `dhcp` is neither a number nor the name of a tcp service; there is one for udp",
        ),
        ("h:x11", "port `x11` could be 6000, 6001 or 62 more: write the number"),
        ("::1:80", "host `::1` has a colon: an IPv6 address stands in brackets, `[::1]:80`"),
        ("1.2.3:80", "host `1.2.3` is neither a name nor an address"),
        ("256.1.1.1:80", "host `256.1.1.1` is neither a name nor an address"),
        ("a b:80", "host `a b` is neither a name nor an address"),
        ("a..b:80", "host `a..b` is neither a name nor an address"),
        ("-a:80", "host `-a` is neither a name nor an address"),
        ("[127.0.0.1]:80", "host `[127.0.0.1]` is neither a name nor an address"),
        ("[::1%]:80", "host `[::1%]` is neither a name nor an address"),
        ("user@h:80", "host `user@h` is neither a name nor an address"),
        ("h:1?colour=red", "unknown option `colour`: expected iface, ttl or source"),
        ("h:1?", "unknown option ``: expected iface, ttl or source"),
        ("h:1?ttl=1&ttl=1", "option `ttl` is given twice"),
        ("h:1?ttl=256", "option `ttl` cannot be `256`: expected 0 to 255"),
        ("h:1?ttl=+1", "option `ttl` cannot be `+1`: expected 0 to 255"),
        ("h:1?ttl", "option `ttl` cannot be ``: expected 0 to 255"),
        ("h:1?source=h", "option `source` cannot be `h`: expected an IP address"),
        ("h:1?iface=", "option `iface` cannot be ``: expected an interface"),
        ("h:1?iface=a b", "option `iface` cannot be `a b`: expected an interface"),
    ] {
        assert_eq!(refuse(text), message, "{text}");
    }
    assert!(refuse(&format!("{}:80", "a".repeat(64))).starts_with("host"));
    assert!(refuse(&format!("{}a:80", "a.".repeat(127))).starts_with("host"));
}

#[test]
fn serde_is_the_text() {
    let endpoint: Endpoint = serde_json::from_str("\"localhost:http\"").unwrap();
    assert_eq!(serde_json::to_string(&endpoint).unwrap(), "\"tcp://localhost:80\"");
    assert!(serde_json::from_str::<Endpoint>("\"localhost\"").is_err());
}

/// Text that looks like an endpoint more often than random text does.
fn almost_an_endpoint() -> impl Strategy<Value = String> {
    let scheme = prop_oneof!["", "(tcp|udp|tls|x)://", "\\PC{0,3}"];
    let host = prop_oneof![
        "[a-z0-9.*_-]{0,6}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
        "\\[[0-9a-f:]{0,6}(%[a-z0-9]{0,3})?\\]",
        "\\PC{0,4}",
    ];
    let port = prop_oneof!["(:[0-9]{0,5})?", "(:[a-z]{0,5})?", Just(":http".to_owned())];
    let options = prop_oneof![
        "",
        "\\?(ttl=[0-9]{0,3})?(&iface=\\PC{0,3})?(&source=[0-9a-f:.]{0,8})?",
        "\\PC{0,4}",
    ];
    (scheme, host, port, options).prop_map(|(a, b, c, d)| a + &b + &c + &d)
}

proptest! {
    #[test]
    fn any_text_is_refused_or_printed_back(text in almost_an_endpoint()) {
        match text.parse::<Endpoint>() {
            Ok(endpoint) => {
                prop_assert_eq!(
                    endpoint.socket_addr().is_none(),
                    endpoint.host().name_to_resolve().is_some()
                );
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
            Err(error) => prop_assert!(error.to_string().contains(&text)),
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = String::from_utf8_lossy(&bytes).parse::<Endpoint>();
    }

    #[test]
    fn every_address_prints_back(ip: IpAddr, port: u16, scope: u32) {
        let mut address = SocketAddr::new(ip, port);
        if let SocketAddr::V6(v6) = &mut address {
            v6.set_scope_id(scope);
        }
        for scheme in Scheme::ALL {
            let endpoint = Endpoint::from((scheme, address));
            prop_assert_eq!(endpoint.socket_addr(), Some(address));
            prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }
}
