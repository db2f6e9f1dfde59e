//! Policy rules (ip-rule(8)): whether routes depend on nothing but the destination.

use rustix::io::Errno;
use sockets_sys::{ExchangeError, Message};

use crate::rtnetlink::{QueryError, Rtnetlink, family, kind, split, word};

/// `struct fib_rule_hdr`
const HEADER: usize = 12;
/// `FRA_*`
const PRIORITY: u16 = 6;
const SUPPRESS_PREFIX_LENGTH: u16 = 14;
const TABLE: u16 = 15;
const PROTOCOL: u16 = 21;
/// `FR_ACT_TO_TBL`
const TO_TABLE: u8 = 1;
const NOT_SUPPRESSED: u32 = u32::MAX;

/// The tables of the rules that every machine begins with, in their order.
pub(super) const LOCAL: u32 = 255;
pub(super) const MAIN: u32 = 254;
pub(super) const DEFAULT: u32 = 253;
/// Priority and table (`fib_default_rules_init` in `net/ipv4/fib_rules.c`; IPv6 lacks the third).
const USUAL: [(u32, u32); 3] = [(0, LOCAL), (32766, MAIN), (32767, DEFAULT)];

/// Whether the rules of a family are those that every machine begins with.
pub(super) fn are_usual(netlink: &mut Rtnetlink, family: u8) -> Result<bool, QueryError> {
    let mut request = [0; HEADER];
    request[0] = family;
    let mut rules = Vec::new();
    let asked = netlink.dump("the policy rules", kind::GET_RULE, &request, |answer| match answer {
        None => rules.clear(),
        Some(answer) if answer.kind == kind::NEW_RULE => rules.push(read(&answer)),
        Some(_) => {}
    });
    match asked {
        Ok(()) => {}
        // A kernel without policy routing.
        Err(QueryError::Ask { source: ExchangeError::Refused { source, .. }, .. })
            if Errno::from_io_error(&source) == Some(Errno::OPNOTSUPP) =>
        {
            return Ok(true);
        }
        Err(error) => return Err(error),
    }
    rules.sort_unstable();
    let usual = if family == family::IPV4 { &USUAL[..] } else { &USUAL[..2] };
    Ok(rules.iter().copied().eq(usual.iter().copied().map(Some)))
}

/// Priority and table of a rule without conditions; `None` for any other rule.
fn read(message: &Message<'_>) -> Option<(u32, u32)> {
    let (header, attributes) = split::<HEADER>(message.payload)?;
    let [_, destination_length, source_length, service, table, _, _, action, ..] = *header;
    let conditions = (destination_length, source_length, service, word(header, 8));
    if conditions != (0, 0, 0, 0) || action != TO_TABLE {
        return None;
    }
    let (mut priority, mut table) = (0, u32::from(table));
    for attribute in attributes {
        match attribute.kind {
            PRIORITY => priority = attribute.u32()?,
            TABLE => table = attribute.u32()?,
            SUPPRESS_PREFIX_LENGTH if attribute.u32() == Some(NOT_SUPPRESSED) => {}
            PROTOCOL => {}
            _ => return None,
        }
    }
    Some((priority, table))
}
