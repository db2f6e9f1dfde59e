//! Files that results are written to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context;

use super::Marked;

/// Creates `path`, or empties it; before the work begins, so that a wrong path costs nothing.
pub(crate) fn create(path: &Path) -> anyhow::Result<BufWriter<Marked<File>>> {
    Ok(BufWriter::new(Marked(File::create(path).with_context(|| cannot_write(path))?)))
}

/// Opens `path` for writing at its end, and creates it where it does not exist. What is in it stays
/// until [`empty`]: whether the work can begin may not be known yet.
pub(crate) fn open(path: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.with_context(|| cannot_write(path))
}

/// Takes out what is in a file. A pipe or a terminal is left as it is.
pub(crate) fn empty(file: &File, path: &Path) -> anyhow::Result<()> {
    empty_if_regular(file).map(drop).with_context(|| cannot_write(path))
}

/// As [`empty`], of a file whose name the caller tells; whether it was one that can be emptied.
pub(super) fn empty_if_regular(file: &File) -> io::Result<bool> {
    let regular = file.metadata()?.is_file();
    if regular {
        file.set_len(0)?;
    }
    Ok(regular)
}

/// For the context of an error.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}
