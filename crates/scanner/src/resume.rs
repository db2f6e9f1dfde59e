//! Long scans that may be cut short: what is done is kept in a file, and the next run goes on from
//! it.
//!
//! [`ScanBuilder::resume`](crate::ScanBuilder::resume) names the file. It belongs to one plan: the
//! same addresses, ports, method, seed, shard and shown states; where one of them differs the file
//! is refused ([`ResumeError::OtherPlan`] says which). Pace, timeout and retries may differ.
//!
//! A port that could not be asked has no verdict in the file: each further run asks it again, last,
//! until it has an answer. Of more than 262,144 such ports the rest stay errors.
//!
//! The file is written at least every second and whenever a run ends in order. A run that is killed
//! loses its last second, and the ports that still waited for an answer. While a run has the file,
//! no other run can.
//!
//! # The file
//!
//! Lines of JSON, each ended by a newline. The last field of each line, `check`, is the 64-bit
//! FNV-1a digest, as 16 hexadecimal digits, of all bytes of the line before `,"check"`. A last line
//! without a newline was cut off as it was written; it is left out and overwritten. Anything else
//! that is not as described here is damage: the file is refused, its line is named, and nothing is
//! written to it.
//!
//! The first line says what is scanned:
//!
//! | field | |
//! |---|---|
//! | `type` | `resume` |
//! | `version` | of this format: 1 |
//! | `plan` | the digest of `scan` as it is written |
//! | `scan` | `method`, `transport`; `targets` as given, the first few, for people; `addresses`, a digest, and `hosts`, their number; `ports`; `seed`; `shard`; `probes`, those of the shard; `group_hosts` and `block_len`, how the plan is cut; `shown`, the states whose findings are kept |
//!
//! Each further line is a checkpoint, and adds to those before. Fields that say nothing are left
//! out.
//!
//! | field | |
//! |---|---|
//! | `type` | `checkpoint` |
//! | `cells` | runs of finished cells, `[first, last]`, by position in the shard from 0 |
//! | `deferred` | indices in these cells that still want a verdict: this machine could not ask, or only a socket of the scanner's own was met there |
//! | `judged` | such indices of earlier lines that have their verdict now |
//! | `tally` | verdicts on the ports of these cells, and on those judged: `open`, `closed`, `filtered`, `open_filtered`, `errors` |
//! | `first_error` | the reason of the first of the errors |
//! | `hosts` | hosts that answered for the first time: `[address, group, rtt_us]` |
//! | `ports` | findings on the ports that `tally` counts: `[address, port, reason, rtt_us, attempts]` |
//! | `sent`, `kernel_drops` | as in [`ScanSummary`](crate::ScanSummary), of all runs up to here |
//!
//! A cell is sixteen indices of the plan in a row, only the plan's last may be shorter. The blocks
//! of a shard, put one after the other, are cut into cells. A cell is finished once each of its
//! ports has its verdict, could not be asked, or was put off; a run hands out as many cells at once as it works off in
//! about half a second, and they are finished together. What was found in a cell that is not
//! finished is not kept: the next run finds it again. Probes sent there are counted all the same. A
//! file of very many checkpoints is rewritten with few when it is opened.

mod error;
mod file;
mod record;
mod standing;

pub use error::{Damage, Difference, ResumeError};
pub(crate) use file::{ResumeFile, Stored};
pub(crate) use record::{Checkpoint, Description, StoredPort};
pub(crate) use standing::Standing;

/// What earlier runs of a scan had done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Resumed {
    /// How many (address, port) pairs have their verdict.
    pub done: u64,
    /// How many there are.
    pub probes: u64,
}

impl Resumed {
    /// Whether nothing is left to do.
    pub const fn is_finished(&self) -> bool {
        self.done == self.probes
    }
}

#[cfg(test)]
mod tests;
