//! Writes a port that the crate portpicker picked for each line that it reads.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, Write as _};

fn main() -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        match portpicker::pick_unused_port() {
            Some(port) => writeln!(output, "{port}")?,
            None => writeln!(output, "none")?,
        }
        output.flush()?;
    }
    Ok(())
}
