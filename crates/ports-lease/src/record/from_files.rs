//! Who holds what, as lock files tell.

use std::path::Path;

use ports_core::{Port, Transport};

use super::{LeaseLabel, LeaseRecord};
use crate::error::ListError;
use crate::lock::file::{self, FileLabel, Seen};

/// How often a lock without a label is looked at: its holder may be writing it.
const LOOKS: usize = 3;

/// Every lock of a directory, by port, then by transport.
pub(crate) fn all(directory: &Path) -> Result<Vec<LeaseRecord>, ListError> {
    let failed = |source| ListError::Directory { path: directory.to_owned(), source };
    let mut records = Vec::new();
    for (transport, port) in file::ports_of(directory).map_err(failed)? {
        let record = look(directory, transport, port).map_err(failed)?;
        records.extend(record);
    }
    records.sort_unstable_by_key(|record| (record.port, record.transport));
    Ok(records)
}

fn look(
    directory: &Path,
    transport: Transport,
    port: Port,
) -> std::io::Result<Option<LeaseRecord>> {
    let mut label = None;
    for _ in 0..LOOKS {
        match file::look(directory, transport, port)? {
            Seen::Free => return Ok(None),
            Seen::Unlabelled => {}
            Seen::Held(found) => {
                label = Some(LeaseLabel::from(found));
                break;
            }
        }
    }
    Ok(Some(LeaseRecord {
        transport,
        port,
        uid: None,
        user: None,
        processes: Vec::new(),
        is_elsewhere: false,
        lease: label,
    }))
}

impl From<FileLabel> for LeaseLabel {
    fn from(label: FileLabel) -> Self {
        let FileLabel { pid, since_ms, name } = label;
        Self { name: super::name(name), taken_by: pid, since: super::time(since_ms) }
    }
}
