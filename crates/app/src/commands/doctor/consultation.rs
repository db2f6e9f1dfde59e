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
        let findings = facts.findings();
        let mut lines = vec![Line::Verdict(Verdict::new(facts, &findings, attempt))];
        let is_insisting = advice::connections_insist(&findings, attempt);
        // By what is at this address: what is in the way elsewhere explains nothing here.
        let is_explained =
            is_insisting || findings.iter().any(|finding| advice::explains(finding, attempt));
        for finding in findings {
            // What could be bound has nothing in its way: what was seen there before is gone, or does
            // not count.
            let is_over = matches!(attempt, Attempt::Bound) && finding.blocks() != Blocks::Never;
            if is_over || self.found.contains(&finding) {
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
        let unexplained = Finding::unexplained(facts, attempt, is_explained);
        lines.extend(unexplained.map(Line::Finding));
        lines
    }

    /// What is good to know besides.
    pub(super) fn notes(self) -> Vec<Finding> {
        self.notes
    }
}

#[cfg(test)]
mod tests;
