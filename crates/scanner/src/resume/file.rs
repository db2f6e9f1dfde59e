//! The resume file itself: opened, locked, read, added to.

mod compact;
mod lines;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lines::Lines;
use ports_core::{Port, Transport};

use super::Resumed;
use super::error::{Damage, ResumeError};
use super::record::{
    AnyHeader, Checkpoint, Description, Header, Kind, StoredPort, VERSION, check, encode,
};
use super::standing::Standing;
use crate::block::Blocks;
use crate::state::PortReport;

/// How often the file may turn out to be another one while it is opened.
const OPEN_TRIES: usize = 8;

/// A resume file that this process has for itself.
#[derive(Debug)]
pub(crate) struct ResumeFile {
    path: PathBuf,
    file: File,
    blocks: Blocks,
    standing: Standing,
    /// How many whole lines are in it, and how long they are together.
    lines: u64,
    len: u64,
    /// Whether an earlier run has begun it.
    begun_earlier: bool,
}

/// What a resume file keeps of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Host { address: IpAddr, group: u64, rtt: Duration },
    Port(PortReport),
}

impl ResumeFile {
    /// Opens the file of a scan, or begins it. Takes it for this process alone.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; the file is as it was then.
    pub(crate) fn open(
        path: &Path,
        scan: &Description,
        blocks: Blocks,
    ) -> Result<Self, ResumeError> {
        let file = open_alone(path)?;
        let len = file.metadata().map_err(|source| read_error(path, source))?.len();
        let mut opened = Self {
            path: path.to_owned(),
            file,
            blocks,
            standing: Standing::default(),
            lines: 0,
            len: 0,
            begun_earlier: len > 0,
        };
        if len == 0 {
            opened.write(&encode(&Header::new(scan)))?;
            opened.sync()?;
            return Ok(opened);
        }
        opened.read(scan)?;
        if opened.len < len {
            // A line that was cut off as it was written.
            opened.file.set_len(opened.len).map_err(|source| opened.write_error(source))?;
        }
        compact::compact(&mut opened, scan);
        Ok(opened)
    }

    /// How far the scan is.
    pub(crate) const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether an earlier run has begun it.
    pub(crate) const fn begun_earlier(&self) -> bool {
        self.begun_earlier
    }

    /// What earlier runs had done; `None` where there was none.
    pub(crate) fn resumed(&self) -> Option<Resumed> {
        let (done, probes) = (self.standing.tally.probes, self.blocks.probes());
        self.begun_earlier.then_some(Resumed { done, probes })
    }

    /// Adds what was done.
    pub(crate) fn append(&mut self, checkpoint: &Checkpoint) -> Result<(), ResumeError> {
        self.write(&encode(checkpoint))?;
        let counted = self.standing.add(checkpoint, &self.blocks);
        debug_assert_eq!(counted, Ok(()), "what a scan writes can be read");
        Ok(())
    }

    /// Waits until what was written is on the disk.
    pub(crate) fn sync(&self) -> Result<(), ResumeError> {
        self.file.sync_data().map_err(|source| self.write_error(source))
    }

    /// Everything found so far, in the order in which it was written.
    pub(crate) fn replay(
        &self,
        transport: Transport,
        mut tell: impl FnMut(Stored),
    ) -> Result<(), ResumeError> {
        self.checkpoints(|_, checkpoint| {
            for (address, group, rtt_us) in checkpoint.hosts {
                tell(Stored::Host { address, group, rtt: Duration::from_micros(rtt_us) });
            }
            for StoredPort(address, port, reason, rtt_us, attempts) in checkpoint.ports {
                let (port, rtt) = (Port::new(port), rtt_us.map(Duration::from_micros));
                let report = PortReport { address, port, transport, reason, rtt, attempts };
                tell(Stored::Port(report));
            }
            Ok(())
        })?;
        Ok(())
    }

    fn read(&mut self, scan: &Description) -> Result<(), ResumeError> {
        let mut lines = self.lines()?;
        let first = lines.next().map_err(|source| read_error(&self.path, source))?;
        self.check_header(first.unwrap_or_default(), scan)?;
        let mut standing = Standing::default();
        let (count, len) = self.checkpoints(|line, checkpoint| {
            standing.add(&checkpoint, &self.blocks).map_err(|damage| self.damaged(line, damage))
        })?;
        (self.lines, self.len) = (count, len);
        self.standing = standing;
        Ok(())
    }

    fn check_header(&self, line: &[u8], scan: &Description) -> Result<(), ResumeError> {
        let ours = line.starts_with(b"{\"type\":\"resume\",");
        check(line)
            .map_err(|damage| self.damaged(1, if ours { damage } else { Damage::Foreign }))?;
        let foreign = |_| self.damaged(1, Damage::Foreign);
        let any: AnyHeader = serde_json::from_slice(line).map_err(foreign)?;
        if any.r#type != Kind::Resume {
            return Err(self.damaged(1, Damage::Foreign));
        }
        if any.version != VERSION {
            return Err(ResumeError::Version { path: self.path.clone(), version: any.version });
        }
        let header: Header = serde_json::from_slice(line).map_err(foreign)?;
        let differences = header.scan.differences(scan);
        if differences.is_empty() {
            return Ok(());
        }
        Err(ResumeError::OtherPlan { path: self.path.clone(), differences })
    }

    /// Calls `each` with every checkpoint and the number of its line. Returns the number of whole lines
    /// and their length.
    fn checkpoints(
        &self,
        mut each: impl FnMut(u64, Checkpoint) -> Result<(), ResumeError>,
    ) -> Result<(u64, u64), ResumeError> {
        let mut lines = self.lines()?;
        let (mut count, mut len) = (0, 0);
        while let Some(line) = lines.next().map_err(|source| read_error(&self.path, source))? {
            count += 1;
            len += line.len() as u64 + 1;
            if count == 1 {
                continue;
            }
            check(line).map_err(|damage| self.damaged(count, damage))?;
            let checkpoint: Option<Checkpoint> = serde_json::from_slice(line).ok();
            let checkpoint = checkpoint.ok_or_else(|| self.damaged(count, Damage::Syntax))?;
            each(count, checkpoint)?;
        }
        Ok((count, len))
    }

    fn lines(&self) -> Result<Lines<'_>, ResumeError> {
        Lines::of(&self.file).map_err(|source| read_error(&self.path, source))
    }

    fn write(&mut self, line: &[u8]) -> Result<(), ResumeError> {
        self.file.write_all(line).map_err(|source| {
            // Half a line at the end does no harm, but one in the middle would.
            let _ = self.file.set_len(self.len);
            self.write_error(source)
        })?;
        self.lines += 1;
        self.len += line.len() as u64;
        Ok(())
    }

    fn damaged(&self, line: u64, damage: Damage) -> ResumeError {
        ResumeError::Damaged { path: self.path.clone(), line, damage }
    }

    fn write_error(&self, source: io::Error) -> ResumeError {
        ResumeError::Write { path: self.path.clone(), source }
    }
}

fn read_error(path: &Path, source: io::Error) -> ResumeError {
    ResumeError::Read { path: path.to_owned(), source }
}

/// Opens the file at `path`, makes it where there is none, and locks it.
fn open_alone(path: &Path) -> Result<File, ResumeError> {
    let failed = |source| ResumeError::Open { path: path.to_owned(), source };
    let in_use = || ResumeError::InUse { path: path.to_owned() };
    for _ in 0..OPEN_TRIES {
        let file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        if !opened.is_file() {
            let (path, damage) = (path.to_owned(), Damage::Foreign);
            return Err(ResumeError::Damaged { path, line: 1, damage });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Whoever had it until now may have put another file in its place.
        let named = std::fs::metadata(path);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())) {
            return Ok(file);
        }
    }
    Err(in_use())
}
