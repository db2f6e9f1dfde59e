//! Questions in text: SIP, SSDP, web services discovery, media gateways, memcached, the
//! `BitTorrent` DHT.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use super::Question;

/// What are you able to do (RFC 3261 section 11), to be answered where it came from (RFC 3581).
pub(super) const SIP_OPTIONS: Question = Question::built(|host, datagram| {
    let host = authority(host);
    let text = format!(
        "OPTIONS sip:{host} SIP/2.0\r\n\
         Via: SIP/2.0/UDP ports.invalid;branch=z9hG4bK-ports-1;rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:ports@ports.invalid>;tag=ports-1\r\n\
         To: <sip:{host}>\r\n\
         Call-ID: 1@ports.invalid\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:ports@ports.invalid>\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    );
    datagram.extend_from_slice(text.as_bytes());
});

/// Who is there, asked of one device (`UPnP` Device Architecture 1.1 section 1.3.2).
pub(super) const SSDP_SEARCH: Question = Question::built(|host, datagram| {
    let host = SocketAddr::new(host, 1900);
    let text = format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n"
    );
    datagram.extend_from_slice(text.as_bytes());
});

/// Any service (WS-Discovery 1.0, April 2005, section 5).
pub(super) const WS_DISCOVERY: Question = Question::fixed(
    b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\
      <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
      xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
      xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><s:Header>\
      <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>\
      <a:MessageID>urn:uuid:00005053-0000-4000-8000-000000000001</a:MessageID>\
      <a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>\
      <s:Body><d:Probe/></s:Body></s:Envelope>",
);

/// What a media gateway has (RFC 3435 section 2.3.8).
pub(super) const MGCP_AUDIT: Question = Question::built(|host, datagram| {
    let text = format!("AUEP 5053 *@{} MGCP 1.0\r\n", authority(host));
    datagram.extend_from_slice(text.as_bytes());
});

/// The version, behind the frame of a datagram: request, sequence, count, reserved (memcached's
/// protocol.txt, "UDP protocol").
pub(super) const MEMCACHED_VERSION: Question =
    Question::fixed(b"\x50\x53\x00\x00\x00\x01\x00\x00version\r\n");

/// A ping of a node (BEP 5).
pub(super) const DHT_PING: Question =
    Question::fixed(b"d1:ad2:id20:ports-ports-ports-01e1:q4:ping1:t2:ps1:y1:qe");

fn authority(host: IpAddr) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = match host {
        IpAddr::V4(v4) => write!(text, "{v4}"),
        IpAddr::V6(v6) => write!(text, "[{v6}]"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(question: Question, host: &str) -> String {
        String::from_utf8(question.bytes_for(host.parse().unwrap())).unwrap()
    }

    #[test]
    fn requests_name_the_host_and_end() {
        let sip = text(SIP_OPTIONS, "2001:db8::1");
        assert!(
            sip.starts_with("OPTIONS sip:[2001:db8::1] SIP/2.0\r\n") && sip.ends_with("\r\n\r\n")
        );
        for field in ["Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"] {
            assert!(sip.contains(&format!("\r\n{field}: ")), "{field} (RFC 3261 section 8.1.1)");
        }
        let ssdp = text(SSDP_SEARCH, "192.0.2.1");
        assert!(ssdp.contains("\r\nHOST: 192.0.2.1:1900\r\n") && ssdp.ends_with("\r\n\r\n"));
        assert_eq!(text(MGCP_AUDIT, "192.0.2.1"), "AUEP 5053 *@192.0.2.1 MGCP 1.0\r\n");
    }

    #[test]
    fn elements_are_closed_as_they_were_opened() {
        let text = text(WS_DISCOVERY, "192.0.2.1");
        let mut open = Vec::new();
        for tag in text.split('<').skip(2) {
            let (tag, _) = tag.split_once('>').unwrap();
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.extend(tag.split(' ').next()),
            }
        }
        assert!(open.is_empty());
    }

    #[test]
    fn the_dht_is_asked_in_bencoding() {
        let text = text(DHT_PING, "192.0.2.1");
        let (_, id) = text.split_once("2:id20:").unwrap();
        assert_eq!(&id[20..], "e1:q4:ping1:t2:ps1:y1:qe");
    }
}
