//! Runs a command with a port that nobody else leases, told to it in `PORT`, until it ends:
//! `cargo run --example with_port -- sh -c 'echo "serving at $PORT"'`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "an example shows what it does")]

use std::error::Error;
use std::process::{Command, ExitCode};

use ports_lease::{Request, lease};

/// Every run under one name tends to get the same port.
const NAME: &str = "with-port";

/// The command's exit code; 1 where a signal ended it.
fn run(command: &mut Command) -> Result<u8, Box<dyn Error>> {
    let lease = lease(&Request::tcp().name(NAME))?;
    eprintln!("{lease}");
    lease.tell(command);
    let status = command.status()?;
    // Only now another may have it.
    lease.release();
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("give a command: with_port COMMAND ARGUMENT...")?;
    Ok(ExitCode::from(run(Command::new(program).args(arguments))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_command_has_a_port_and_its_code_is_passed_on() {
        let mut command = Command::new("sh");
        assert_eq!(run(command.args(["-c", "test $PORT -gt 1023 && exit 7"])).unwrap(), 7);
    }
}
