//! Standard output and the files of `-o`, of which each can fail for itself.

use std::io;
use std::path::PathBuf;

use anyhow::Context;

use super::{ReaderGone, cannot_write};

/// All outputs of one command.
pub(crate) struct Outputs<S> {
    /// Gone once its reader is.
    stdout: Option<S>,
    files: Vec<(PathBuf, S)>,
}

impl<S> Outputs<S> {
    pub(crate) const fn new(stdout: S, files: Vec<(PathBuf, S)>) -> Self {
        Self { stdout: Some(stdout), files }
    }

    pub(crate) const fn stdout(&self) -> Option<&S> {
        self.stdout.as_ref()
    }

    pub(crate) const fn stdout_mut(&mut self) -> Option<&mut S> {
        self.stdout.as_mut()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.files.iter_mut().map(|(_, sink)| sink).chain(&mut self.stdout)
    }

    /// Has each output write. One that fails is left out from then on, and the others go on.
    ///
    /// The first failure is returned. That nobody reads an output any more is one only where this
    /// was the last; `others` is whether something else is written besides.
    pub(crate) fn each(
        &mut self,
        others: bool,
        mut write: impl FnMut(&mut S) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let (mut failed, mut unread) = (None, None);
        self.files.retain_mut(|(path, sink)| {
            let Err(error) = write(sink) else { return true };
            let slot = if ReaderGone::is_marked_on(&error) { &mut unread } else { &mut failed };
            slot.get_or_insert_with(|| (error, cannot_write(path)));
            false
        });
        if let Some(Err(error)) = self.stdout.as_mut().map(&mut write) {
            self.stdout = None;
            // The user wants an end, and has been told.
            if error.kind() != io::ErrorKind::TimedOut {
                let slot = if ReaderGone::is_marked_on(&error) { &mut unread } else { &mut failed };
                slot.get_or_insert_with(|| (error, "cannot write to standard output".to_owned()));
            }
        }
        let is_over = !others && self.files.is_empty() && self.stdout.is_none();
        match failed.or(unread.filter(|_| is_over)) {
            Some((error, what)) => Err(error).context(what),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    fn unread() -> io::Error {
        ReaderGone::mark(io::ErrorKind::BrokenPipe.into())
    }

    /// Standard output, `a` and `b`; what each of them is told when it is to write.
    fn three(told: [fn() -> io::Result<()>; 3]) -> Outputs<fn() -> io::Result<()>> {
        let [stdout, a, b] = told;
        Outputs::new(stdout, vec![("a".into(), a), ("b".into(), b)])
    }

    #[test]
    fn one_that_fails_does_not_keep_the_others_from_their_end() {
        let mut outputs = three([|| Ok(()), || Err(full()), || Ok(())]);
        let error = outputs.each(false, |write| write()).unwrap_err();
        assert_eq!(error.to_string(), "cannot write `a`");
        let mut written = 0;
        outputs
            .each(false, |_| {
                written += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(written, 2);
    }

    #[test]
    fn what_nobody_reads_is_left_out_until_it_was_the_last() {
        let mut outputs = three([|| Err(unread()), || Ok(()), || Err(unread())]);
        outputs.each(false, |write| write()).unwrap();
        let error = outputs.each(false, |_| Err(unread())).unwrap_err();
        assert!(error.chain().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(ReaderGone::is_marked_on)
        }));
        let mut last = three([|| Err(unread()); 3]);
        last.each(true, |write| write()).unwrap();
    }

    #[test]
    fn a_failure_counts_before_a_reader_that_has_gone() {
        let mut outputs = three([|| Err(unread()), || Err(unread()), || Err(full())]);
        let error = outputs.each(false, |write| write()).unwrap_err();
        assert_eq!(error.to_string(), "cannot write `b`");
    }
}
