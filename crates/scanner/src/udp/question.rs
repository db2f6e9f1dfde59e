//! What to ask a UDP port: datagrams that its usual services answer, written from their specifications.

mod asn1;
mod directory;
mod hosts;
mod keys;
mod management;
mod names;
mod text;
mod things;
mod tunnels;

use std::net::IpAddr;

use ports_core::Port;

/// One question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    datagram: Datagram,
}

#[derive(Clone, Copy, Debug)]
enum Datagram {
    /// These bytes, whoever is asked.
    Fixed(&'static [u8]),
    /// Built for the host that is asked.
    Built(fn(IpAddr, &mut Vec<u8>)),
}

impl Question {
    const fn fixed(bytes: &'static [u8]) -> Self {
        Self { datagram: Datagram::Fixed(bytes) }
    }

    const fn built(build: fn(IpAddr, &mut Vec<u8>)) -> Self {
        Self { datagram: Datagram::Built(build) }
    }

    /// Appends the datagram that asks `host`.
    pub(super) fn write(&self, host: IpAddr, datagram: &mut Vec<u8>) {
        match self.datagram {
            Datagram::Fixed(bytes) => datagram.extend_from_slice(bytes),
            Datagram::Built(build) => build(host, datagram),
        }
    }
}

/// For services that answer anything (RFC 862 to RFC 868), and whatever nobody knows of.
const EMPTY: Question = Question::fixed(b"");
/// For services that read lines.
const LINES: Question = Question::fixed(b"\r\n\r\n");

/// The questions for a port, each for one attempt in turn; never none.
pub(super) fn questions(port: Port) -> &'static [Question] {
    match port.number() {
        53 => &[names::ROOT_SERVERS, names::VERSION_BIND],
        67 => &[hosts::DHCP_INFORM],
        69 => &[hosts::TFTP_READ],
        88 => &[directory::KERBEROS_TICKET],
        111 => &[hosts::RPC_PORTMAP],
        123 => &[management::NTP],
        137 => &[names::NETBIOS_STATUS],
        161 => &[management::SNMP_2C, management::SNMP_1, management::SNMP_3],
        177 => &[hosts::XDMCP_QUERY],
        389 => &[directory::CLDAP_ROOT],
        427 => &[directory::SLP_TYPES],
        443 => &[keys::QUIC_VERSIONS, keys::DTLS_HELLO, tunnels::OPENVPN_RESET],
        500 => &[keys::IKE_2, keys::IKE_1],
        520 => &[hosts::RIP_TABLE],
        521 => &[hosts::RIPNG_TABLE],
        623 => &[management::RMCP_PING, management::IPMI_CAPABILITIES],
        853 => &[keys::QUIC_VERSIONS, keys::DTLS_HELLO],
        784 | 8443 | 8853 => &[keys::QUIC_VERSIONS],
        1194 => &[tunnels::OPENVPN_RESET],
        1434 => &[hosts::SQL_SERVER_INSTANCES],
        1645 | 1646 | 1812 | 1813 => &[management::RADIUS_STATUS],
        1701 => &[tunnels::L2TP_START],
        1900 => &[text::SSDP_SEARCH],
        2049 => &[hosts::RPC_NFS],
        2083 | 3391 | 4433 | 5349 | 5684 | 10_161 => &[keys::DTLS_HELLO],
        2123 => &[tunnels::GTP_ECHO_2, tunnels::GTP_ECHO_1],
        2152 => &[tunnels::GTP_ECHO_1],
        2427 => &[text::MGCP_AUDIT],
        3478 | 3479 | 19_302 => &[hosts::STUN_BINDING],
        3702 => &[text::WS_DISCOVERY],
        4500 => &[keys::IKE_2_MARKED, keys::IKE_1_MARKED],
        5060 => &[text::SIP_OPTIONS],
        5351 => &[hosts::NAT_PMP_ADDRESS, hosts::PCP_ANNOUNCE],
        5353 => &[names::MDNS_SERVICES, names::ROOT_SERVERS],
        5355 => &[names::LLMNR_NAME],
        5683 => &[things::COAP_RESOURCES],
        6881..=6889 => &[text::DHT_PING],
        10_001 => &[things::UBIQUITI_DISCOVERY],
        11_211 => &[text::MEMCACHED_VERSION],
        19_132 | 19_133 => &[things::RAKNET_PING],
        25_565 => &[things::MINECRAFT_QUERY],
        27_015..=27_020 => &[things::SOURCE_INFO],
        27_960 => &[things::QUAKE_STATUS],
        44_818 => &[things::ETHERNET_IP_IDENTITY],
        47_808 => &[things::BACNET_NAME],
        64_738 => &[things::MUMBLE_PING],
        // What nobody answers is asked once a round: traps, logs and flows are only taken in, and
        // WireGuard answers no one it does not know.
        162 | 514 | 2055 | 4739 | 6343 | 8125 | 51_820 => &[EMPTY],
        _ => &[EMPTY, LINES],
    }
}

#[cfg(test)]
impl Question {
    /// The datagram for some host.
    fn bytes(self) -> Vec<u8> {
        self.bytes_for([192, 0, 2, 1].into())
    }

    fn bytes_for(self, host: IpAddr) -> Vec<u8> {
        let mut datagram = Vec::new();
        self.write(host, &mut datagram);
        datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_has_a_question_that_fits_one_packet() {
        for port in (0..=u16::MAX).map(Port::new) {
            let questions = questions(port);
            assert!(!questions.is_empty());
            for question in questions {
                for host in
                    [IpAddr::from([192, 0, 2, 1]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])]
                {
                    let datagram = question.bytes_for(host);
                    // The smallest link of IPv6, less the headers (RFC 8200 section 5).
                    assert!(datagram.len() <= 1_280 - 48, "port {port}: {}", datagram.len());
                }
            }
        }
    }

    #[test]
    fn each_question_of_a_port_differs() {
        for port in (0..=u16::MAX).map(Port::new) {
            let written: Vec<Vec<u8>> =
                questions(port).iter().map(|question| question.bytes()).collect();
            let different: std::collections::HashSet<_> = written.iter().collect();
            assert_eq!(different.len(), written.len(), "port {port}");
        }
    }
}
