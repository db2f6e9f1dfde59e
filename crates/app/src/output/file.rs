//! Files that results are written to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Marked;
use crate::exit::UsageError;

/// Where results are written to a file.
pub(crate) type FileWriter = BufWriter<Marked<File>>;

/// Opens all `paths`, in their order, before the work begins, so that a wrong one costs nothing. What is
/// in them stays until [`Unemptied::empty`]: whether the work can begin may not be known yet.
///
/// # Errors
///
/// Where one cannot be opened, and where two are one file: each would write over the other.
pub(crate) fn open_all<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
) -> anyhow::Result<(Vec<FileWriter>, Unemptied)> {
    let (mut writers, mut opened) = (Vec::new(), Vec::<Opened>::new());
    for path in paths {
        let file = open(path)?;
        let again = file.try_clone().with_context(|| cannot_write(path))?;
        let identity = identity(&file).with_context(|| cannot_write(path))?;
        let same = |other: &&Opened| identity.is_some() && other.identity == identity;
        if let Some(other) = opened.iter().find(same) {
            let (one, other) = (other.path.display(), path.display());
            let text = format!("`{one}` and `{other}` are one file: it takes one output");
            return Err(UsageError(text).into());
        }
        writers.push(BufWriter::new(Marked(file)));
        opened.push(Opened { path: path.clone(), file: again, identity });
    }
    Ok((writers, Unemptied(opened)))
}

/// Files with what is in them of an earlier run.
#[derive(Debug)]
pub(crate) struct Unemptied(Vec<Opened>);

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    file: File,
    identity: Option<Identity>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Unemptied {
    /// Takes out what is in them; the first time, and then nothing. A pipe or a terminal is left as it is.
    pub(crate) fn empty(&mut self) -> anyhow::Result<()> {
        for Opened { path, file, .. } in self.0.drain(..) {
            empty_if_regular(&file).with_context(|| cannot_write(&path))?;
        }
        Ok(())
    }
}

/// Opens `path` for writing at its end, and creates it where it does not exist.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.with_context(|| cannot_write(path))
}

/// Takes out what is in a regular file; whether it was one.
pub(super) fn empty_if_regular(file: &File) -> io::Result<bool> {
    let regular = file.metadata()?.is_file();
    if regular {
        file.set_len(0)?;
    }
    Ok(regular)
}

/// Of a regular file. What goes to `/dev/null` twice harms nobody.
fn identity(file: &File) -> io::Result<Option<Identity>> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then(|| (metadata.dev(), metadata.ino())))
}

/// For the context of an error.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_keeps_what_is_in_it_until_it_is_emptied() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path().to_path_buf();
        std::fs::write(&path, "before").unwrap();
        let (mut writers, mut unemptied) = open_all([&path]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        unemptied.empty().unwrap();
        writers[0].write_all(b"after").unwrap();
        writers[0].flush().unwrap();
        unemptied.empty().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn two_outputs_to_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let error = open_all([&file, &link]).unwrap_err();
        assert!(error.is::<UsageError>(), "{error:#}");
        let null = PathBuf::from("/dev/null");
        open_all([&null, &null]).unwrap();
    }
}
