//! Questions to what hosts serve each other: remote calls, files, routes, addresses, sessions.

use super::Question;

/// Nothing, of the port mapper (RFC 5531 section 9, RFC 1833 section 3): calls always may ask for it.
pub(super) const RPC_PORTMAP: Question = Question::fixed(const { &null_call(100_000, 2) });
/// Nothing, of NFS (RFC 1813 section 3.3.0).
pub(super) const RPC_NFS: Question = Question::fixed(const { &null_call(100_003, 3) });

const fn null_call(program: u32, version: u32) -> [u8; 40] {
    // Identifier, a call, version 2 of the protocol, program, version, procedure 0, no credentials.
    let fields = [0x5053, 0, 2, program, version, 0];
    let mut call = [0; 40];
    let mut place = 0;
    while place < fields.len() {
        let bytes = fields[place].to_be_bytes();
        call[4 * place + 1] = bytes[1];
        call[4 * place + 2] = bytes[2];
        call[4 * place + 3] = bytes[3];
        place += 1;
    }
    call
}

/// A file that hardly exists (RFC 1350 section 5): answered with an error.
pub(super) const TFTP_READ: Question = Question::fixed(b"\x00\x01ports-no-such-file\x00octet\x00");

/// The whole table (RFC 2453 section 3.9.1).
pub(super) const RIP_TABLE: Question = Question::fixed(
    const {
        &{
            let mut request = [0; 24];
            request[0] = 1;
            request[1] = 2;
            request[23] = 16;
            request
        }
    },
);
/// The same over IPv6 (RFC 2080 section 2.4.1).
pub(super) const RIPNG_TABLE: Question = Question::fixed(
    const {
        &{
            let mut request = [0; 24];
            request[0] = 1;
            request[1] = 1;
            request[23] = 16;
            request
        }
    },
);

/// The settings of the network, without an address (RFC 2131 section 3.4): unlike a discovery it takes
/// nothing. Many servers answer to port 68 only, which is then not seen here.
pub(super) const DHCP_INFORM: Question = Question::fixed(
    const {
        &{
            let mut message = [0; 300];
            // A request from Ethernet.
            message[0] = 1;
            message[1] = 1;
            message[2] = 6;
            message[6] = 0x50;
            message[7] = 0x53;
            // A locally administered address: nobody's.
            message[28] = 0x02;
            message[33] = 0x53;
            // The magic of RFC 1497; option 53, inform; option 55, mask and router; the end.
            let options = [99, 130, 83, 99, 53, 1, 8, 55, 2, 1, 3, 255];
            let mut place = 0;
            while place < options.len() {
                message[236 + place] = options[place];
                place += 1;
            }
            message
        }
    },
);

/// The address outside (RFC 6886 section 3.2).
pub(super) const NAT_PMP_ADDRESS: Question = Question::fixed(&[0, 0]);
/// An announcement, which every server answers (RFC 6887 sections 7.1 and 14.1).
pub(super) const PCP_ANNOUNCE: Question = Question::fixed(
    const {
        &{
            let mut request = [0; 24];
            request[0] = 2;
            request
        }
    },
);

/// Would you serve me a display (XDMCP 1.1 section 5): no authentication names.
pub(super) const XDMCP_QUERY: Question = Question::fixed(&[0, 1, 0, 2, 0, 1, 0]);

/// Which instances there are (MC-SQLR section 2.2.2).
pub(super) const SQL_SERVER_INSTANCES: Question = Question::fixed(&[3]);

/// What is my address (RFC 8489 sections 5 and 6).
pub(super) const STUN_BINDING: Question = Question::fixed(&[
    0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, // request, no attributes, the magic
    b'p', b'o', b'r', b't', b's', b'-', b's', b't', b'u', b'n', b'-', b'1', // transaction
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_well_formed() {
        let call = RPC_PORTMAP.bytes();
        let fields: Vec<_> =
            call.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        assert_eq!(fields, [0x5053, 0, 2, 100_000, 2, 0, 0, 0, 0, 0]);
        assert_eq!(RPC_NFS.bytes()[12..16], 100_003_u32.to_be_bytes());
    }

    #[test]
    fn fixed_fields_are_in_their_places() {
        let dhcp = DHCP_INFORM.bytes();
        assert_eq!(dhcp.len(), 300, "the smallest BOOTP message (RFC 1542 section 2.1)");
        assert_eq!(dhcp[236..243], [99, 130, 83, 99, 53, 1, 8]);
        assert_eq!((RIP_TABLE.bytes().len(), RIP_TABLE.bytes()[23]), (24, 16));
        assert_eq!(STUN_BINDING.bytes().len(), 20);
        assert_eq!(TFTP_READ.bytes().split(|byte| *byte == 0).count(), 4);
        assert_eq!(PCP_ANNOUNCE.bytes().len(), 24);
    }
}
