//! Filters that the kernel runs on each socket of a dump (`INET_DIAG_REQ_BYTECODE`).
//!
//! A program is a chain of operations, each with two jumps, in bytes forward: `yes` where its test
//! holds, `no` where it does not. A socket is told of where the jumps end at the program's end, and
//! is not where they end four bytes behind it. Every jump must lead to the begin of an operation
//! on the chain of the `yes` ones (`inet_diag_bc_audit` in `net/ipv4/inet_diag.c`).

use std::net::IpAddr;

use ports_core::PortSet;

use crate::system::Query;

/// Ports at most as many ranges as this are tested by the kernel: a longer program costs it more
/// than the sockets that it saves.
const MOST_RANGES: usize = 32;
/// `struct inet_diag_bc_op`
const OPERATION: usize = 4;
/// The codes of operations (`INET_DIAG_BC_*`).
const JUMP: u8 = 1;
const LOCAL_AT_LEAST: u8 = 2;
const LOCAL_AT_MOST: u8 = 3;
const PEER_AT_LEAST: u8 = 4;
const PEER_AT_MOST: u8 = 5;
const LOCAL_ADDRESS: u8 = 7;
const PEER_ADDRESS: u8 = 8;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// "Any port" in a test of an address.
const ANY_PORT: i32 = -1;

/// One test of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// A port against a bound.
    Port { code: u8, bound: u16 },
    /// An address.
    Address { code: u8, ip: IpAddr },
}

impl Test {
    const fn len(&self) -> usize {
        match self {
            // The bound is in a second operation.
            Self::Port { .. } => 2 * OPERATION,
            Self::Address { ip: IpAddr::V4(_), .. } => OPERATION + 8 + 4,
            Self::Address { ip: IpAddr::V6(_), .. } => OPERATION + 8 + 16,
        }
    }

    /// Adds the test, which jumps `no` bytes forward where it does not hold.
    fn write(&self, no: usize, program: &mut Vec<u8>) {
        let code = match self {
            Self::Port { code, .. } | Self::Address { code, .. } => *code,
        };
        program.extend_from_slice(&[code, self.len() as u8]);
        program.extend_from_slice(&(no as u16).to_ne_bytes());
        match self {
            Self::Port { bound, .. } => {
                program.extend_from_slice(&[0, 0]);
                program.extend_from_slice(&bound.to_ne_bytes());
            }
            // `struct inet_diag_hostcond`: family, prefix length, padding, port, address.
            Self::Address { ip, .. } => {
                let (family, bits) = if ip.is_ipv4() { (IPV4, 32) } else { (IPV6, 128) };
                program.extend_from_slice(&[family, bits, 0, 0]);
                program.extend_from_slice(&ANY_PORT.to_ne_bytes());
                match ip {
                    IpAddr::V4(ip) => program.extend_from_slice(&ip.octets()),
                    IpAddr::V6(ip) => program.extend_from_slice(&ip.octets()),
                }
            }
        }
    }
}

/// Tests that must all hold.
type All = Vec<Test>;
/// Of these, one must hold.
type Any = Vec<All>;

/// Sockets by the higher one of their two ports: clients and servers have one ephemeral port each,
/// and these are spread evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Lower,
    Upper,
}

impl Half {
    /// The middle of the range of ephemeral ports as Linux has it. Where it is another, the halves
    /// are not even, and that is all.
    const MIDDLE: u16 = 46_884;

    fn clause(self) -> Any {
        let test = |code, bound| Test::Port { code, bound };
        match self {
            Self::Lower => {
                let last = Self::MIDDLE - 1;
                vec![vec![test(LOCAL_AT_MOST, last), test(PEER_AT_MOST, last)]]
            }
            Self::Upper => {
                [LOCAL_AT_LEAST, PEER_AT_LEAST].map(|code| vec![test(code, Self::MIDDLE)]).into()
            }
        }
    }
}

/// The program of a query, or of a half of its sockets; `None` where it filters on nothing that the
/// kernel can test. It lets through at least what the query asks for.
pub(super) fn compile(query: &Query, half: Option<Half>) -> Option<Vec<u8>> {
    let mut clauses: Vec<Any> = half.map(Half::clause).into_iter().collect();
    let local = |ports: &PortSet| within(ports, LOCAL_AT_LEAST, LOCAL_AT_MOST);
    let peer = |ports: &PortSet| within(ports, PEER_AT_LEAST, PEER_AT_MOST);
    clauses.extend(query.ports.local.as_ref().and_then(local));
    clauses.extend(query.ports.peer.as_ref().and_then(peer));
    if let Some(ports) = &query.ports.either
        && let (Some(mut ends), Some(others)) = (local(ports), peer(ports))
    {
        ends.extend(others);
        clauses.push(ends);
    }
    // An IPv4 address matches where it is mapped, too (`inet_diag_bc_run`).
    clauses.extend(query.wants_address().map(|ip| {
        [LOCAL_ADDRESS, PEER_ADDRESS].map(|code| vec![Test::Address { code, ip }]).into()
    }));
    if clauses.is_empty() { None } else { Some(assemble(&clauses)) }
}

/// A port in one of the ranges of `ports`; `None` where they are too many, or none: an empty
/// program would let everything through.
fn within(ports: &PortSet, at_least: u8, at_most: u8) -> Option<Any> {
    let ranges = ports.ranges().take(MOST_RANGES + 1);
    let any: Any = ranges
        .map(|range| {
            let (first, last) = (range.first().number(), range.last().number());
            vec![
                Test::Port { code: at_least, bound: first },
                Test::Port { code: at_most, bound: last },
            ]
        })
        .collect();
    (1..=MOST_RANGES).contains(&any.len()).then_some(any)
}

/// Each alternative of a clause is followed by a jump to the clause's end, but for the last; where
/// a test does not hold, the next alternative's turn comes, and behind the last one it is over.
fn assemble(clauses: &[Any]) -> Vec<u8> {
    let len_of = |all: &All| all.iter().map(Test::len).sum::<usize>();
    let clause_len =
        |any: &Any| any.iter().map(len_of).sum::<usize>() + (any.len() - 1) * OPERATION;
    let total: usize = clauses.iter().map(clause_len).sum();
    let mut program = Vec::with_capacity(total);
    for any in clauses {
        let clause_end = program.len() + clause_len(any);
        for (index, all) in any.iter().enumerate() {
            let is_last = index + 1 == any.len();
            let alternative_end = program.len() + len_of(all);
            let otherwise = if is_last { total } else { alternative_end } + OPERATION;
            for test in all {
                test.write(otherwise - program.len(), &mut program);
            }
            if !is_last {
                program.extend_from_slice(&[JUMP, OPERATION as u8]);
                let jump = (clause_end - alternative_end) as u16;
                program.extend_from_slice(&jump.to_ne_bytes());
            }
        }
    }
    program
}

#[cfg(test)]
mod tests;
