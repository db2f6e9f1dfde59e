//! What is told of one address after the other: what holds for several, once.

use stats::system::{BindFacts, BindFinding, Blocks, UserNames};

use super::advice;
use super::attempt::Attempt;
use super::row::{Finding, Line, Verdict};

/// See the module's first line.
pub(super) struct Consultation<'a> {
    users: &'a UserNames,
    /// All that was told.
    found: Vec<BindFinding>,
    /// What does not keep it from being bound comes after all that does.
    notes: Vec<Finding>,
}

impl<'a> Consultation<'a> {
    pub(super) const fn new(users: &'a UserNames) -> Self {
        Self { users, found: Vec::new(), notes: Vec::new() }
    }

    /// The verdict on an address, and what stands in the way there.
    pub(super) fn lines(&mut self, facts: &BindFacts, attempt: &Attempt) -> Vec<Line> {
        let (transport, address) = (facts.transport, facts.address);
        let mut lines = vec![Line::Verdict(Verdict::new(transport, address, attempt))];
        let findings = facts.findings();
        let is_insisting = advice::connections_insist(&findings, attempt);
        // By what is at this address: what is in the way elsewhere explains nothing here.
        let is_explained =
            is_insisting || findings.iter().any(|finding| advice::explains(finding, attempt));
        for finding in findings {
            if self.found.contains(&finding) {
                continue;
            }
            let advice = advice::of(facts, &finding, self.users, is_insisting);
            let told = Finding::new(facts, &finding, advice);
            if finding.blocks() == Blocks::Never {
                self.notes.push(told);
            } else {
                lines.push(Line::Finding(told));
            }
            self.found.push(finding);
        }
        let unexplained = Finding::unexplained(transport, address, attempt, is_explained);
        lines.extend(unexplained.map(Line::Finding));
        lines
    }

    /// What is good to know besides.
    pub(super) fn notes(self) -> Vec<Finding> {
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use ports_core::{Port, PortRange, PortSet, Transport};
    use serde_json::Value;
    use stats::system::{NoProcess, PortRules, PortSocket, State};

    use super::*;

    fn facts(address: &str, sockets: Vec<PortSocket>) -> BindFacts {
        BindFacts {
            transport: Transport::Tcp,
            address: address.parse().unwrap(),
            sockets,
            rules: PortRules {
                first_unprivileged: Port::new(1024),
                is_privileged: false,
                ephemeral: "8000-9000".parse::<PortRange>().unwrap(),
                reserved: PortSet::new(),
            },
        }
    }

    fn holder(local: &str) -> PortSocket {
        PortSocket {
            local: local.parse::<SocketAddr>().unwrap(),
            peer: None,
            state: State::Listen,
            uid: Some(0),
            only_ipv6: None,
            processes: Vec::new(),
            no_process: Some(NoProcess::NotPermitted),
        }
    }

    fn kinds(lines: &[Line]) -> Vec<String> {
        let value = |line| serde_json::to_value(line).unwrap();
        let kind = |value: Value| value["finding"].as_str().unwrap_or("verdict").to_owned();
        lines.iter().map(|line| kind(value(line))).collect()
    }

    fn in_use() -> Attempt {
        Attempt::Refused(io::ErrorKind::AddrInUse.into())
    }

    #[test]
    fn what_is_at_one_address_explains_nothing_at_another() {
        let users = UserNames::default();
        let mut consultation = Consultation::new(&users);
        let first = facts("0.0.0.0:8080", vec![holder("127.0.0.1:8080")]);
        assert_eq!(kinds(&consultation.lines(&first, &in_use())), ["verdict", "held"]);
        let second = facts("[::]:8080", Vec::new());
        assert_eq!(kinds(&consultation.lines(&second, &in_use())), ["verdict", "not-seen"]);
    }

    #[test]
    fn what_holds_for_both_is_said_once_and_explains_both() {
        let users = UserNames::default();
        let mut consultation = Consultation::new(&users);
        let of_both = holder("[::]:8080");
        let first = facts("0.0.0.0:8080", vec![of_both.clone()]);
        assert_eq!(kinds(&consultation.lines(&first, &in_use())), ["verdict", "held"]);
        let second = facts("[::]:8080", vec![of_both]);
        assert_eq!(kinds(&consultation.lines(&second, &in_use())), ["verdict"]);
        let notes: Vec<Line> = consultation.notes().into_iter().map(Line::Finding).collect();
        assert_eq!(kinds(&notes), ["ephemeral"]);
    }
}
