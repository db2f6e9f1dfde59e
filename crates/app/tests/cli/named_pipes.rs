//! Files of the command line that are named pipes: nobody may be at their other end.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;

use super::driver::Ports;

/// Pipes with these names, in a directory of their own.
fn pipes<const N: usize>(names: [&str; N]) -> (tempfile::TempDir, [String; N]) {
    let folder = tempfile::tempdir().unwrap();
    let made = names.map(|name| {
        let path = folder.path().join(name);
        mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        path.to_str().unwrap().to_owned()
    });
    (folder, made)
}

#[test]
fn an_interrupt_ends_the_wait_for_the_other_end() {
    let (_folder, [pipe, other]) = pipes(["pipe.jsonl", "other"]);
    let mut commands = vec![
        vec!["scan", "127.88.13.1", "-p", "1", "-o", &pipe],
        vec!["listen", "tls://127.0.0.1:0", "--cert", &pipe, "--key", &other],
        vec!["connect", "tls://127.0.0.1:1", "--ca", &pipe],
        vec!["forward", "127.0.0.1:0", "tls://127.0.0.1:1", "--ca", &pipe],
        vec!["listen", "127.0.0.1:0", "--events", &pipe],
    ];
    if cfg!(target_os = "linux") {
        commands.push(vec!["ls", "--watch", "--udp", "-o", &pipe]);
    }
    for args in commands {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let ports = Ports::start(&args);
            ports.stderr.until(b"; Ctrl-C gives up\n");
            ports.signal(signal);
            let ended = ports.end();
            assert_eq!((ended.code, ended.stdout.len()), (Some(code), 0), "{args:?}");
            assert!(!ended.stderr.contains("error"), "{args:?}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_wait_that_nobody_handles_ends_too() {
    let (_folder, [pipe, _]) = pipes(["pipe", "other"]);
    for args in
        [&["lookup", "443", "-o", &pipe][..], &["diff", &pipe, &pipe], &["scan", "-", "-p", "1"]]
    {
        let ports = Ports::start(args);
        ports.signal(Signal::TERM);
        let code = ports.end().code;
        // By the signal itself, or in order.
        assert!(code.is_none() || code == Some(143), "{args:?}: {code:?}");
    }
}

/// Writes it as soon as somebody reads.
fn write(path: &str, text: &'static str) -> std::thread::JoinHandle<()> {
    let path = PathBuf::from(path);
    std::thread::spawn(move || std::fs::write(path, text).unwrap())
}

#[test]
fn lists_and_results_go_through_pipes() {
    let (folder, [list, left_out, results]) = pipes(["list", "left-out", "results.jsonl"]);
    let (targets, excluded) =
        (write(&list, "127.88.13.1\n127.88.13.2\n"), write(&left_out, "127.88.13.2"));
    let list = format!("@{list}");
    let args = ["scan", &list, "-p", "1", "--exclude-file", &left_out, "-o", &results];
    let ports = Ports::start(&args);
    // Whoever reads may come late.
    let told = std::fs::read_to_string(&results).unwrap();
    let ended = ports.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(told.contains(r#""type":"summary","hosts":1,"#), "{told}");
    targets.join().unwrap();
    excluded.join().unwrap();

    let saved: &Path = &folder.path().join("saved.jsonl");
    std::fs::write(saved, &told).unwrap();
    let (_second, [pipe]) = pipes(["again"]);
    let (path, text) = (PathBuf::from(&pipe), told.clone());
    let again = std::thread::spawn(move || std::fs::write(path, text).unwrap());
    let ended = Ports::start(&["diff", saved.to_str().unwrap(), &pipe]).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    again.join().unwrap();
}

#[test]
fn what_is_no_file_to_write_or_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let (wrote, read) = (format!("cannot write `{folder}`: Is a directory"), "Is a directory");
    let list = format!("@{folder}");
    for (args, part) in [
        (&["lookup", "443", "-o", folder][..], &wrote[..]),
        (&["scan", "127.88.13.1", "-p", "1", "-o", folder], &wrote),
        (&["listen", "127.0.0.1:0", "--events", folder], &wrote),
        (
            &["lookup", "443", "-o", "/dev/full"],
            "cannot write `/dev/full`: No space left on device",
        ),
        (
            &["scan", "127.88.13.1", "-p", "1", "-o", "/dev/full"],
            "cannot write `/dev/full`: No space",
        ),
        (&["scan", &list, "-p", "1"], read),
        (&["scan", "127.88.13.1", "-p", "1", "--exclude-file", folder], read),
        (&["scan", "127.88.13.1", "-p", "1", "--resume", folder], read),
        (&["diff", folder, folder], read),
        (&["connect", "tls://127.0.0.1:1", "--ca", folder], read),
    ] {
        let mut ports = Ports::start(args);
        ports.end_input();
        let ended = ports.end();
        assert_eq!(ended.code, Some(4), "{args:?}: {}", ended.stderr);
        let errors: Vec<_> =
            ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(part), "{args:?}: {}", ended.stderr);
        assert_eq!(errors[0].matches("(os error").count(), 1, "{args:?}: {}", ended.stderr);
    }
}
