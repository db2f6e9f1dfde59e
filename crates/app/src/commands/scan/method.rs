//! Which way of asking a scan uses, and why.

use std::io;

use scanner::{Method, syn_permitted};

use crate::args::{MethodArg, ScanArgs};
use crate::exit::{NotPermitted, UsageError};
use crate::output::Terminal;

/// What the user asked for, or the best that is permitted; then it says which and why.
pub(super) fn choose(args: &ScanArgs, terminal: Terminal) -> anyhow::Result<Method> {
    match args.method {
        MethodArg::Auto if args.udp => {
            let why = "datagrams of the ports' usual services; needs no privilege";
            terminal.note(&format!("method: udp ({why})"));
            Ok(Method::Udp)
        }
        _ if args.udp => {
            let message = "--udp has one method of its own: leave --method out";
            Err(UsageError(message.to_owned()).into())
        }
        MethodArg::Connect => Ok(Method::Connect),
        MethodArg::Syn => match syn_permitted() {
            Ok(()) => Ok(Method::Syn),
            Err(error) => Err(refusal(error)),
        },
        MethodArg::Auto => {
            let (method, why) = best(syn_permitted());
            terminal.note(&format!("method: {} ({why})", method.name()));
            Ok(method)
        }
    }
}

/// The best method, given whether raw packets may be sent.
fn best(raw: io::Result<()>) -> (Method, String) {
    match raw {
        Ok(()) => (Method::Syn, "raw packets permitted".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let remedy = grant().map(|grant| format!("; `{grant}` allows syn"));
            (Method::Connect, format!("no CAP_NET_RAW{}", remedy.unwrap_or_default()))
        }
        Err(error) => (Method::Connect, error.to_string()),
    }
}

fn refusal(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let remedy = grant().map(|grant| format!(", or once `{grant}`")).unwrap_or_default();
        NotPermitted(format!("--method syn needs CAP_NET_RAW: run it as root{remedy}")).into()
    } else {
        anyhow::Error::new(error).context("--method syn is not to be had")
    }
}

/// The command that lets this program send raw packets from now on, where there is such a thing.
#[cfg(target_os = "linux")]
fn grant() -> Option<impl std::fmt::Display> {
    use sockets_raw::{Capability, Grant};
    Grant::to_this_program(vec![Capability::NetRaw])
}

#[cfg(not(target_os = "linux"))]
fn grant() -> Option<impl std::fmt::Display> {
    None::<&str>
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_privilege_the_kernel_connects_and_the_remedy_is_said() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let (method, why) = best(Err(denied()));
        assert_eq!(method, Method::Connect);
        assert!(why.contains("; `sudo setcap cap_net_raw=ep /"), "{why}");
        assert!(refusal(denied()).to_string().contains(", or once `sudo setcap cap_net_raw=ep /"));
    }

    #[test]
    fn with_privilege_raw_packets_are_best() {
        assert_eq!(best(Ok(())).0, Method::Syn);
    }

    #[test]
    fn a_build_without_raw_packets_says_so() {
        let missing = || io::Error::new(io::ErrorKind::Unsupported, "this build has none");
        assert_eq!(best(Err(missing())), (Method::Connect, "this build has none".to_owned()));
        assert!(refusal(missing()).downcast_ref::<NotPermitted>().is_none());
    }
}
