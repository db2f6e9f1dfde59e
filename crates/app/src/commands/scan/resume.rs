//! What `--resume` has to say.

use std::path::Path;

use scanner::Scan;

use crate::args::ScanArgs;
use crate::exit::UsageError;
use crate::output::{Terminal, counted};

/// A file keeps one scan, with one set of ports for all its addresses.
pub(super) fn check_parts(args: &ScanArgs, parts: usize) -> Result<(), UsageError> {
    if args.resume.is_some() && parts > 1 {
        return Err(UsageError(
            "--resume keeps one scan, and without -p these targets make two, with other ports for \
             this machine's own addresses: say which ports with -p"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Says where the scan goes on.
pub(super) fn note(file: Option<&Path>, scans: &[Scan], terminal: Terminal) {
    let Some(file) = file else { return };
    for resumed in scans.iter().filter_map(Scan::resumed) {
        let file = file.display();
        let text = if resumed.is_finished() {
            format!("resume: the scan in `{file}` is finished; this is what it found")
        } else {
            let (done, probes) = (resumed.done, resumed.probes);
            format!("resume: {done} of {} done by `{file}`", counted(probes, "port", "ports"))
        };
        terminal.note(&text);
    }
}
