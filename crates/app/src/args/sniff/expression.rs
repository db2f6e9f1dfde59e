//! The filter of `ports sniff`: words, made into conditions.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ports_core::{Port, PortRange, ServiceTable, Transport, UnknownServiceError};
use sockets_raw::{FilterProtocol, PacketEnd};

/// What a packet must meet; all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) protocol: Option<FilterProtocol>,
    pub(crate) conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Host(PacketEnd, IpAddr),
    Ports(PacketEnd, PortRange),
}

/// Why words are not a filter. Most name the word.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseExpressionError {
    #[error(
        "`{word}` is no word of a filter: expected a protocol ({PROTOCOLS}), src, dst, host or port"
    )]
    Word { word: String },
    #[error(
        "there is no `not` and no `or`: all conditions have to be met. `--write FILE.pcap` keeps what \
         others can filter"
    )]
    Logic,
    #[error("`{word}` is a second protocol: a packet has one")]
    SecondProtocol { word: String },
    #[error("behind `{after}` comes host or port, not {found}")]
    End { after: String, found: Found },
    #[error("behind `host` comes an address, not {found}: names are not looked up")]
    Host { found: Found },
    #[error("behind `port` comes a port, a range or a service, not {found}")]
    Ports { found: Found },
    #[error("behind `port` comes a port, a range or a service: {0}")]
    Service(UnknownServiceError),
    #[error("the service `{name}` has several ports: name one")]
    ManyPorts { name: String },
}

/// A word, or the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found(Option<String>);

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(word) => write!(f, "`{word}`"),
            None => f.write_str("the end"),
        }
    }
}

const PROTOCOLS: &str = "ip, ip6, arp, tcp, udp, icmp, icmp6";

impl Expression {
    /// Reads the words; an argument may hold several.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, ParseExpressionError> {
        let mut words = arguments.iter().flat_map(|argument| argument.split_whitespace());
        let mut expression = Self::default();
        let mut ports = Vec::new();
        while let Some(word) = words.next() {
            if let Some(protocol) = protocol(word) {
                if expression.protocol.replace(protocol).is_some() {
                    return Err(ParseExpressionError::SecondProtocol { word: word.to_owned() });
                }
                continue;
            }
            let (end, what) = match word {
                // What everybody types, and what holds anyway.
                "and" => continue,
                "src" => (PacketEnd::Source, words.next()),
                "dst" => (PacketEnd::Destination, words.next()),
                word => (PacketEnd::Either, Some(word)),
            };
            match what {
                Some("host") => {
                    let host = words.next();
                    let address = host.and_then(|host| host.parse().ok()).ok_or_else(|| {
                        ParseExpressionError::Host { found: Found(host.map(str::to_owned)) }
                    })?;
                    expression.conditions.push(Condition::Host(end, address));
                }
                Some("port") => {
                    let word = words.next();
                    let missing = || ParseExpressionError::Ports { found: Found(None) };
                    ports.push((end, word.ok_or_else(missing)?));
                }
                Some(word) if ["or", "not", "!", "||"].contains(&word) => {
                    return Err(ParseExpressionError::Logic);
                }
                Some(word) if end == PacketEnd::Either => {
                    return Err(ParseExpressionError::Word { word: word.to_owned() });
                }
                other => {
                    let found = Found(other.map(str::to_owned));
                    return Err(ParseExpressionError::End { after: word.to_owned(), found });
                }
            }
        }
        // Services by name depend on the protocol, which may stand behind them.
        for (end, word) in ports {
            let range = port_range(word, expression.protocol)?;
            expression.conditions.push(Condition::Ports(end, range));
        }
        Ok(expression)
    }
}

fn protocol(word: &str) -> Option<FilterProtocol> {
    Some(match word {
        "ip" | "ip4" | "ipv4" => FilterProtocol::Ipv4,
        "ip6" | "ipv6" => FilterProtocol::Ipv6,
        "arp" => FilterProtocol::Arp,
        "tcp" => FilterProtocol::Tcp,
        "udp" => FilterProtocol::Udp,
        "icmp" => FilterProtocol::Icmp,
        "icmp6" | "icmpv6" => FilterProtocol::Icmpv6,
        _ => return None,
    })
}

fn port_range(
    word: &str,
    protocol: Option<FilterProtocol>,
) -> Result<PortRange, ParseExpressionError> {
    if let Ok(range) = word.parse() {
        return Ok(range);
    }
    if !word.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Err(ParseExpressionError::Ports { found: Found(Some(word.to_owned())) });
    }
    let meant = match protocol {
        Some(FilterProtocol::Tcp) => &[Transport::Tcp][..],
        Some(FilterProtocol::Udp) => &[Transport::Udp],
        _ => &[Transport::Tcp, Transport::Udp],
    };
    let services = ServiceTable.named(word, meant).map_err(ParseExpressionError::Service)?;
    let ports: BTreeSet<Port> = services.iter().map(|service| service.port).collect();
    let (first, last) = (services[0].port, services[services.len() - 1].port);
    match PortRange::new(first, last) {
        Ok(range) if range.len() as usize == ports.len() => Ok(range),
        _ => Err(ParseExpressionError::ManyPorts { name: word.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Expression, ParseExpressionError> {
        Expression::parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_conditions() {
        use PacketEnd::{Destination, Either, Source};
        let host = |end, text: &str| Condition::Host(end, text.parse().unwrap());
        let ports = |end, text: &str| Condition::Ports(end, text.parse().unwrap());
        for (text, protocol, conditions) in [
            ("", None, vec![]),
            ("icmp6", Some(FilterProtocol::Icmpv6), vec![]),
            ("tcp port 80", Some(FilterProtocol::Tcp), vec![ports(Either, "80")]),
            ("port domain udp", Some(FilterProtocol::Udp), vec![ports(Either, "53")]),
            ("port x11", None, vec![ports(Either, "6000-6063")]),
            (
                "src host ::1 and dst port 8000-8100",
                None,
                vec![host(Source, "::1"), ports(Destination, "8000-8100")],
            ),
            (
                "host 192.0.2.1 host 192.0.2.2",
                None,
                vec![host(Either, "192.0.2.1"), host(Either, "192.0.2.2")],
            ),
        ] {
            assert_eq!(parse(text), Ok(Expression { protocol, conditions }), "{text}");
        }
        let one_argument = Expression::parse(&["udp port 53".to_owned()]);
        assert_eq!(one_argument, parse("udp port 53"));
    }

    #[test]
    fn the_wrong_word_is_named() {
        for (text, message) in [
            (
                "tpc",
                "`tpc` is no word of a filter: expected a protocol (ip, ip6, arp, tcp, udp, icmp, icmp6), src, dst, host or port",
            ),
            ("tcp udp", "`udp` is a second protocol: a packet has one"),
            ("src", "behind `src` comes host or port, not the end"),
            ("dst 80", "behind `dst` comes host or port, not `80`"),
            (
                "host example.com",
                "behind `host` comes an address, not `example.com`: names are not looked up",
            ),
            ("host", "behind `host` comes an address, not the end: names are not looked up"),
            ("port 65536", "behind `port` comes a port, a range or a service, not `65536`"),
            ("port 80-22", "behind `port` comes a port, a range or a service, not `80-22`"),
            ("port", "behind `port` comes a port, a range or a service, not the end"),
            (
                "not port 22",
                "there is no `not` and no `or`: all conditions have to be met. `--write FILE.pcap` keeps what others can filter",
            ),
            (
                "port 22 or port 80",
                "there is no `not` and no `or`: all conditions have to be met. `--write FILE.pcap` keeps what others can filter",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_words_are_a_filter_or_an_error(
            words in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec!["src", "dst", "host", "port", "tcp", "and", "1", "::1"])
                        .prop_map(str::to_owned),
                    ".{0,8}",
                ],
                0..8,
            )
        ) {
            let _ = Expression::parse(&words);
        }
    }
}
