//! Files that results are written to.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;

/// Creates `path`, or empties it; before the work begins, so that a wrong path costs nothing.
pub(crate) fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(BufWriter::new(file))
}
