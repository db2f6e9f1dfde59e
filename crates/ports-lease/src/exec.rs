//! Leases for programs that are started, or that this process becomes.

#[cfg(target_os = "linux")]
mod handover;

use std::env;
use std::ffi::OsStr;
use std::process::Command;

#[cfg(target_os = "linux")]
pub use self::handover::ExecError;
use crate::lease::Lease;

impl Lease {
    /// Tells the program that `command` starts its ports: in its environment `PORT` is the first port,
    /// `PORT1`, `PORT2` and so on are all of them. Others of that pattern that this process was started
    /// with are not handed on.
    ///
    /// The lease ends with this value all the same: keep it until the program has ended, or on Linux let
    /// the program hold it (`pass_to`).
    pub fn tell(&self, command: &mut Command) {
        // Of an outer lease of more ports: not of this one.
        for (left_over, _) in env::vars_os().filter(|(name, _)| is_numbered(name)) {
            if command.get_envs().all(|(name, _)| name != left_over) {
                command.env_remove(left_over);
            }
        }
        command.env("PORT", self.number().to_string());
        for (index, port) in (1..).zip(self.ports()) {
            command.env(format!("PORT{index}"), port.to_string());
        }
    }
}

/// `PORT1` and so on.
fn is_numbered(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix("PORT"));
    digits.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}
