//! The files of `-o`: what is in them, and when.

use super::program::run;

/// A folder with a file of an earlier run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.path("rows"), "before").unwrap();
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn rows(&self) -> String {
        std::fs::read_to_string(self.path("rows")).unwrap()
    }
}

#[test]
fn one_file_takes_one_output() {
    let folder = Folder::new();
    let scan = folder.path("scan.jsonl");
    run(&["scan", "127.88.9.1", "-p", "1", "-o", &scan]).assert_code(0);
    let linked = folder.path("linked");
    std::fs::hard_link(folder.path("rows"), &linked).unwrap();
    let (json, csv) = (format!("jsonl:{}", folder.path("rows")), format!("csv:{linked}"));
    for args in [
        &["lookup", "443"][..],
        &["scan", "127.88.9.1", "-p", "1"],
        &["diff", &scan, &scan],
        #[cfg(target_os = "linux")]
        &["ls"],
        #[cfg(target_os = "linux")]
        &["who", "1"],
        #[cfg(target_os = "linux")]
        &["kill", "1", "--dry-run"],
        #[cfg(target_os = "linux")]
        &["doctor", "1"],
        #[cfg(target_os = "linux")]
        &["leases"],
    ] {
        let run = run(&[args, &["-o", &json, "-o", &csv]].concat());
        run.assert_code(2);
        assert!(run.stderr.contains("are one file"), "{args:?}: {}", run.stderr);
        assert_eq!(folder.rows(), "before", "{args:?}");
    }
}

#[test]
fn a_file_is_left_as_it_is_where_another_cannot_be_written() {
    let folder = Folder::new();
    let (rows, nowhere) = (folder.path("rows"), folder.path("no-folder/rows"));
    for args in [&["lookup", "443"][..], &["scan", "127.88.9.2", "-p", "1"]] {
        let run = run(&[args, &["-o", &rows, "-o", &nowhere]].concat());
        run.assert_code(4);
        assert!(run.stderr.contains("no-folder"), "{}", run.stderr);
        assert_eq!(folder.rows(), "before", "{args:?}");
    }
}

#[test]
fn nothing_of_an_earlier_run_is_left() {
    let folder = Folder::new();
    let rows = format!("csv:{}", folder.path("rows"));
    run(&["lookup", "443/tcp", "-o", &rows]).assert_code(0);
    assert!(folder.rows().starts_with("port,"), "{}", folder.rows());
    // Nothing found: only the header is there.
    run(&["lookup", "no-such-name", "-o", &rows]).assert_code(1);
    assert_eq!(folder.rows().lines().count(), 1);
}
