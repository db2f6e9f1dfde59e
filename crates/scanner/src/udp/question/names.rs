//! Questions to name services: DNS, multicast DNS, LLMNR, `NetBIOS`.

use std::net::IpAddr;

use super::Question;

/// Who serves the root: every DNS server answers or refuses (RFC 1035 section 4.1).
pub(super) const ROOT_SERVERS: Question = Question::built(|_, datagram| {
    query(datagram, Query { id: 0x5053, flags: RECURSION, kind: NS, class: INTERNET }, &[]);
});

/// The server's version (RFC 4892 section 2.1).
pub(super) const VERSION_BIND: Question = Question::built(|_, datagram| {
    let question = Query { id: 0x5054, flags: 0, kind: TXT, class: CHAOS };
    query(datagram, question, &[b"version", b"bind"]);
});

/// Which services there are (RFC 6763 section 9), answered by unicast (RFC 6762 section 5.4).
pub(super) const MDNS_SERVICES: Question = Question::built(|_, datagram| {
    let question = Query { id: 0, flags: 0, kind: PTR, class: INTERNET | UNICAST_RESPONSE };
    query(datagram, question, &[b"_services", b"_dns-sd", b"_udp", b"local"]);
});

/// The name of the host that is asked, by its address (RFC 4795 section 2.4).
pub(super) const LLMNR_NAME: Question = Question::built(|host, datagram| {
    let question = Query { id: 0x5055, flags: 0, kind: PTR, class: INTERNET };
    let labels = reverse_name(host);
    let labels: Vec<&[u8]> = labels.iter().map(String::as_bytes).collect();
    query(datagram, question, &labels);
});

/// The names that the node holds (RFC 1002 section 4.2.17): of "*", padded with zeros, in the encoding
/// of RFC 1001 section 14.1.
pub(super) const NETBIOS_STATUS: Question = Question::built(|_, datagram| {
    let question = Query { id: 0x5056, flags: 0, kind: NODE_STATUS, class: INTERNET };
    query(datagram, question, &[b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
});

const NS: u16 = 2;
const PTR: u16 = 12;
const TXT: u16 = 16;
const NODE_STATUS: u16 = 0x21;
const INTERNET: u16 = 1;
const CHAOS: u16 = 3;
const UNICAST_RESPONSE: u16 = 0x8000;
const RECURSION: u16 = 0x0100;

#[derive(Clone, Copy)]
struct Query {
    id: u16,
    flags: u16,
    kind: u16,
    class: u16,
}

fn query(datagram: &mut Vec<u8>, query: Query, labels: &[&[u8]]) {
    let Query { id, flags, kind, class } = query;
    // One question, no records.
    for field in [id, flags, 1, 0, 0, 0] {
        datagram.extend(field.to_be_bytes());
    }
    for label in labels {
        // No label here is longer than the 63 bytes that one may have.
        datagram.push(label.len() as u8);
        datagram.extend_from_slice(label);
    }
    datagram.push(0);
    datagram.extend(kind.to_be_bytes());
    datagram.extend(class.to_be_bytes());
}

/// RFC 1035 section 3.5, RFC 3596 section 2.5.
fn reverse_name(host: IpAddr) -> Vec<String> {
    let (mut labels, zone): (Vec<String>, _) = match host {
        IpAddr::V4(v4) => (v4.octets().iter().rev().map(ToString::to_string).collect(), "in-addr"),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            (nibbles.map(|nibble| format!("{nibble:x}")).collect(), "ip6")
        }
    };
    labels.extend([zone.to_owned(), "arpa".to_owned()]);
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of the one question, its type and its class.
    fn decode(question: Question, host: &str) -> (Vec<String>, u16, u16) {
        let bytes = question.bytes_for(host.parse().unwrap());
        assert_eq!(bytes[4..12], [0, 1, 0, 0, 0, 0, 0, 0]);
        let mut rest = &bytes[12..];
        let mut labels = Vec::new();
        loop {
            let (length, tail) = (usize::from(rest[0]), &rest[1..]);
            if length == 0 {
                rest = tail;
                break;
            }
            labels.push(String::from_utf8(tail[..length].to_vec()).unwrap());
            rest = &tail[length..];
        }
        let [kind_high, kind_low, class_high, class_low] = rest else { panic!("{rest:?} is left") };
        let kind = u16::from_be_bytes([*kind_high, *kind_low]);
        (labels, kind, u16::from_be_bytes([*class_high, *class_low]))
    }

    #[test]
    fn queries_are_well_formed() {
        let host = "192.0.2.7";
        assert_eq!(decode(ROOT_SERVERS, host), (vec![], 2, 1));
        let version = vec!["version".to_owned(), "bind".to_owned()];
        assert_eq!(decode(VERSION_BIND, host), (version, 16, 3));
        let (labels, kind, class) = decode(MDNS_SERVICES, host);
        assert_eq!(
            (labels.join("."), kind, class),
            ("_services._dns-sd._udp.local".to_owned(), 12, 0x8001)
        );
        let (labels, kind, class) = decode(NETBIOS_STATUS, host);
        assert_eq!((labels[0].len(), labels.len(), kind, class), (32, 1, 0x21, 1));
    }

    #[test]
    fn the_name_of_the_host_asked() {
        let (labels, ..) = decode(LLMNR_NAME, "192.0.2.7");
        assert_eq!(labels.join("."), "7.2.0.192.in-addr.arpa");
        let (labels, ..) = decode(LLMNR_NAME, "2001:db8::1");
        assert_eq!(labels.len(), 34);
        assert_eq!(labels[..2], ["1", "0"]);
        assert_eq!(labels[24..].join("."), "8.b.d.0.1.0.0.2.ip6.arpa");
    }
}
