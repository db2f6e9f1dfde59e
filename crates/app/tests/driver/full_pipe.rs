//! A pipe that nobody reads, and that has no room any more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, PipeReader, PipeWriter, Write as _};

use rustix::io::ioctl_fionbio;
use rustix::pipe::fcntl_setpipe_size;

/// See the module's first line: its two ends. The writer blocks.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setpipe_size(&writer, 4096).unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    let error = loop {
        if let Err(error) = writer.write(&[b'\n'; 4096]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}
