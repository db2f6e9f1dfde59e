//! What a host, or the router before it, does with a packet: the decision, without time or limits.

use std::net::IpAddr;

use crate::answer::{Answer, Unreachable};
use crate::behaviour::{Behaviour, Transport};
use crate::query::{Query, Question, Segment};
use crate::random::keyed;
use crate::rule::HostRule;
use crate::tcp;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The host that was asked.
    Host,
    /// The router before it.
    Router,
}

/// An answer, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reaction<'a> {
    pub(crate) sender: Sender,
    pub(crate) answer: Answer<'a>,
}

/// What comes back, if anything does.
pub(crate) fn reaction<'a>(rule: &HostRule, seed: u64, query: &Query<'a>) -> Option<Reaction<'a>> {
    let host = query.destination;
    match query.question {
        Question::Tcp(segment) => {
            let port = segment.destination_port;
            let behaviour = rule.behaviour(seed, Transport::Tcp, host, port);
            let answer = match behaviour {
                Behaviour::Answer => {
                    tcp::open(&segment, initial(seed, query.source, host, &segment))
                }
                Behaviour::Refuse => tcp::closed(&segment),
                // No ICMP error about what closes (RFC 1122 section 3.2.2 asks to be sparing).
                _ if segment.flags.rst => None,
                _ => return refusal(behaviour, query.packet),
            };
            Some(of_host(Answer::Tcp(answer?)))
        }
        Question::Udp { source_port, destination_port, payload } => {
            match rule.behaviour(seed, Transport::Udp, host, destination_port) {
                Behaviour::Answer => Some(of_host(Answer::Udp {
                    source_port: destination_port,
                    destination_port: source_port,
                    payload,
                })),
                Behaviour::Refuse => refusal(Behaviour::PortUnreachable, query.packet),
                behaviour => refusal(behaviour, query.packet),
            }
        }
        Question::Echo { .. } if !rule.is_up(seed, host) => refusal(rule.when_down(), query.packet),
        Question::Echo { identifier, sequence, payload } => rule
            .answers_ping()
            .then_some(of_host(Answer::EchoReply { identifier, sequence, payload })),
        Question::Statement => None,
    }
}

const fn of_host(answer: Answer<'_>) -> Reaction<'_> {
    Reaction { sender: Sender::Host, answer }
}

/// The ICMP error that goes with a behaviour.
const fn refusal(behaviour: Behaviour, quoted: &[u8]) -> Option<Reaction<'_>> {
    let (sender, what) = match behaviour {
        Behaviour::PortUnreachable => (Sender::Host, Unreachable::Port),
        Behaviour::HostUnreachable => (Sender::Router, Unreachable::Host),
        Behaviour::Prohibited => (Sender::Router, Unreachable::Prohibited),
        Behaviour::Answer | Behaviour::Refuse | Behaviour::Silent => return None,
    };
    Some(Reaction { sender, answer: Answer::Unreachable { what, quoted } })
}

/// The initial sequence number of a connection: a hash of its four parts, as a SYN cookie is.
fn initial(seed: u64, scanner: IpAddr, host: IpAddr, segment: &Segment) -> u32 {
    let ports = u64::from(segment.source_port) << 16 | u64::from(segment.destination_port);
    keyed(keyed(seed, scanner, ports), host, ports) as u32
}
