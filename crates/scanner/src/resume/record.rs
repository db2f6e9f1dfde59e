//! The lines of a resume file: what is in them, and how they are written and checked.

use std::net::IpAddr;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::{Damage, Difference};
use crate::block::Blocks;
use crate::digest::Digest;
use crate::event::Method;
use crate::plan::ScanPlan;
use crate::state::{PortReport, PortState, Reason, Tally};

/// The version of the format.
pub(super) const VERSION: u32 = 1;
/// Targets that are written down for people.
const TARGETS_TOLD: usize = 16;
/// What stands before the digest of a line, and after it.
const CHECK: (&[u8], &[u8]) = (b",\"check\":\"", b"\"}");
const DIGEST_LEN: usize = 16;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Resume,
    Checkpoint,
}

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    r#type: Kind,
    version: u32,
    plan: String,
    pub(super) scan: Description,
}

/// What every version of the first line has.
#[derive(Debug, Deserialize)]
pub(super) struct AnyHeader {
    pub(super) r#type: Kind,
    pub(super) version: u32,
}

impl Header {
    pub(super) fn new(scan: &Description) -> Self {
        Self { r#type: Kind::Resume, version: VERSION, plan: scan.digest(), scan: scan.clone() }
    }
}

/// What a resume file is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    method: String,
    transport: String,
    targets: Vec<String>,
    addresses: String,
    hosts: u64,
    ports: String,
    seed: u64,
    shard: String,
    probes: u64,
    group_hosts: u32,
    block_len: u64,
    shown: Vec<PortState>,
}

impl Description {
    pub(crate) fn new(
        plan: &ScanPlan,
        blocks: &Blocks,
        method: Method,
        targets: &[String],
        ports: &str,
        shown: &[PortState],
    ) -> Self {
        let shown = PortState::ALL.into_iter().filter(|state| shown.contains(state));
        Self {
            method: method.name().to_owned(),
            transport: plan.transport().name().to_owned(),
            targets: targets.iter().take(TARGETS_TOLD).cloned().collect(),
            addresses: plan.addresses_digest().to_string(),
            hosts: plan.hosts(),
            ports: ports.to_owned(),
            seed: plan.seed(),
            shard: blocks.shard().to_string(),
            probes: blocks.probes(),
            group_hosts: plan.group_hosts(),
            block_len: blocks.block_len(),
            shown: shown.collect(),
        }
    }

    fn digest(&self) -> String {
        // A struct of numbers, strings and lists of them always has a JSON form.
        let text = serde_json::to_vec(self).unwrap_or_default();
        Digest::of(&text).to_string()
    }

    /// In what `here`, the scan that was asked for, differs from what the file is of.
    pub(super) fn differences(&self, here: &Self) -> Vec<Difference> {
        // The words of the targets may differ where the addresses do not.
        let addresses = |scan: &Self| {
            let targets = scan.targets.join(" ");
            (scan.addresses.clone(), format!("{targets} ({} addresses)", scan.hosts))
        };
        let plain = |value: String| (value.clone(), value);
        let cut = |scan: &Self| format!("{}/{}/{}", scan.group_hosts, scan.block_len, scan.probes);
        let shown =
            |scan: &Self| scan.shown.iter().map(|state| state.name()).collect::<Vec<_>>().join(",");
        let all = [
            ("method", plain(self.method.clone()), plain(here.method.clone())),
            ("transport", plain(self.transport.clone()), plain(here.transport.clone())),
            ("targets or exclusions", addresses(self), addresses(here)),
            ("ports", plain(self.ports.clone()), plain(here.ports.clone())),
            ("seed", plain(self.seed.to_string()), plain(here.seed.to_string())),
            ("shard", plain(self.shard.clone()), plain(here.shard.clone())),
            ("shown states", plain(shown(self)), plain(shown(here))),
            ("cut of the plan", plain(cut(self)), plain(cut(here))),
        ];
        let differ = |(_, there, here): &(_, (String, _), (String, _))| there.0 != here.0;
        let mut found: Vec<_> = all
            .into_iter()
            .filter(differ)
            .map(|(what, (_, there), (_, here))| Difference { what, there, here })
            .collect();
        // That one follows from the others, and says nothing to people.
        if found.len() > 1 {
            found.retain(|difference| difference.what != "cut of the plan");
        }
        found
    }
}

/// What was done since the checkpoint before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    r#type: Kind,
    /// Runs of positions, the last of each included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) cells: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deferred: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) judged: Vec<u64>,
    #[serde(default, skip_serializing_if = "Verdicts::is_empty")]
    pub(super) tally: Verdicts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_error: Option<Reason>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<StoredHost>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ports: Vec<StoredPort>,
    pub(crate) sent: u64,
    pub(crate) kernel_drops: u64,
}

impl Checkpoint {
    /// Nothing done since then; `sent` and `kernel_drops` of all runs so far.
    pub(crate) fn new(sent: u64, kernel_drops: u64) -> Self {
        Self {
            r#type: Kind::Checkpoint,
            cells: Vec::new(),
            deferred: Vec::new(),
            judged: Vec::new(),
            tally: Verdicts::default(),
            first_error: None,
            hosts: Vec::new(),
            ports: Vec::new(),
            sent,
            kernel_drops,
        }
    }

    /// Adds verdicts.
    pub(crate) fn add(&mut self, tally: &Tally, error: Option<Reason>) {
        let mut sum = self.tally.tally();
        sum.add(tally);
        self.tally = sum.into();
        self.first_error = self.first_error.or(error);
    }

    /// Adds runs of finished cells, by position.
    pub(crate) fn finish(&mut self, runs: impl Iterator<Item = Range<u64>>) {
        self.cells.extend(runs.map(|run| (run.start, run.end - 1)));
    }

    /// How many rows it has: what its size depends on.
    pub(crate) const fn rows(&self) -> usize {
        self.hosts.len() + self.ports.len() + self.deferred.len() + self.judged.len()
    }
}

/// Address, group, microseconds.
pub(crate) type StoredHost = (IpAddr, u64, u64);

/// Address, port, reason, microseconds, attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPort(
    pub(super) IpAddr,
    pub(super) u16,
    pub(super) Reason,
    pub(super) Option<u64>,
    pub(super) u32,
);

impl From<&PortReport> for StoredPort {
    fn from(report: &PortReport) -> Self {
        let PortReport { address, port, reason, rtt, attempts, .. } = *report;
        Self(address, port.number(), reason, rtt.map(|rtt| rtt.as_micros() as u64), attempts)
    }
}

/// Counts of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdicts {
    open: u64,
    closed: u64,
    filtered: u64,
    open_filtered: u64,
    errors: u64,
}

impl Verdicts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many; `None` where a file counts more than there can be.
    pub(super) fn count(&self) -> Option<u64> {
        let Self { open, closed, filtered, open_filtered, errors } = *self;
        let counts = [open, closed, filtered, open_filtered, errors];
        counts.into_iter().try_fold(0_u64, u64::checked_add)
    }

    /// The same without probes sent. The counts' sum must not overflow.
    pub(super) fn tally(self) -> Tally {
        let Self { open, closed, filtered, open_filtered, errors } = self;
        let probes = open + closed + filtered + open_filtered + errors;
        Tally { probes, sent: 0, open, closed, filtered, open_filtered, errors }
    }
}

impl From<Tally> for Verdicts {
    fn from(tally: Tally) -> Self {
        let Tally { open, closed, filtered, open_filtered, errors, .. } = tally;
        Self { open, closed, filtered, open_filtered, errors }
    }
}

/// A line with its digest and its newline.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    // Numbers, strings and lists of them always have a JSON form.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    // The closing brace comes after the digest.
    line.pop();
    let digest = Digest::of(&line).to_string();
    for part in [CHECK.0, digest.as_bytes(), CHECK.1, b"\n"] {
        line.extend_from_slice(part);
    }
    line
}

/// Whether a line, without its newline, has the digest that it says.
pub(super) fn check(line: &[u8]) -> Result<(), Damage> {
    let split = || {
        let line = line.strip_suffix(CHECK.1)?;
        let (line, digest) = line.split_at_checked(line.len().checked_sub(DIGEST_LEN)?)?;
        Some((line.strip_suffix(CHECK.0)?, digest))
    };
    match split() {
        Some((body, digest)) if Digest::of(body).to_string().as_bytes() == digest => Ok(()),
        _ => Err(Damage::Check),
    }
}
