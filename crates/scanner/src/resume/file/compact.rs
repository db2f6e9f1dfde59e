//! Few long lines in place of many short ones.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Checkpoint, Description, Header, ResumeFile, encode};

/// A file of fewer lines is left as it is.
const MIN_LINES: u64 = 1_024;
/// Hosts and findings of one line.
pub(super) const ROWS_PER_LINE: usize = 16_384;

/// Rewrites a file of very many lines. Where that cannot be done the file stays as it is: it is whole, just
/// longer than it must be.
pub(super) fn compact(resume: &mut ResumeFile, scan: &Description) {
    if resume.lines < MIN_LINES {
        return;
    }
    // The file itself, not a link to it.
    let Ok(path) = std::fs::canonicalize(&resume.path) else { return };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    match rewrite(resume, scan, &path, &new) {
        Ok((file, lines, len)) => {
            resume.file = file;
            (resume.lines, resume.len) = (lines, len);
        }
        Err(_) => drop(std::fs::remove_file(&new)),
    }
}

fn rewrite(
    resume: &ResumeFile,
    scan: &Description,
    path: &Path,
    new: &PathBuf,
) -> io::Result<(File, u64, u64)> {
    let file = OpenOptions::new().read(true).append(true).create_new(true).open(new)?;
    // Nobody else may have it, not even between the two names.
    file.try_lock()?;
    file.set_permissions(resume.file.metadata()?.permissions())?;
    let mut writer = BufWriter::new(&file);
    writer.write_all(&encode(&Header::new(scan)))?;
    let standing = resume.standing.checkpoint();
    let (sent, kernel_drops) = (standing.sent, standing.kernel_drops);
    writer.write_all(&encode(&standing))?;
    let mut lines = 2;
    let mut rows = Checkpoint::new(sent, kernel_drops);
    let mut failed = None;
    let read = resume.checkpoints(|_, mut checkpoint| {
        rows.hosts.append(&mut checkpoint.hosts);
        rows.ports.append(&mut checkpoint.ports);
        if rows.rows() >= ROWS_PER_LINE && failed.is_none() {
            failed = writer.write_all(&encode(&rows)).err();
            rows.hosts.clear();
            rows.ports.clear();
            lines += 1;
        }
        Ok(())
    });
    if let Some(error) = failed {
        return Err(error);
    }
    read.map_err(io::Error::other)?;
    if rows.rows() > 0 {
        writer.write_all(&encode(&rows))?;
        lines += 1;
    }
    writer.flush()?;
    drop(writer);
    file.sync_data()?;
    let len = file.metadata()?.len();
    std::fs::rename(new, path)?;
    Ok((file, lines, len))
}
