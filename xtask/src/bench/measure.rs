//! One run of one program: how long, how much memory, what it printed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A run that takes longer is ended and counts as failed.
const TIME_LIMIT: Duration = Duration::from_mins(5);
/// How often the memory is looked at where GNU time is missing.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);
const GNU_TIME: &str = "/usr/bin/time";

/// What one run took.
pub(super) struct Measured {
    pub(super) wall: Duration,
    /// Peak resident memory in KiB, where it could be measured.
    pub(super) peak_rss_kib: Option<u64>,
    pub(super) stdout: String,
}

/// Runs programs one by one. The files they print into lie in one directory and are overwritten:
/// a pipe would make this process work while it measures.
pub(super) struct Meter {
    directory: PathBuf,
    has_gnu_time: bool,
    time_limit: Duration,
}

impl Meter {
    /// A meter that keeps its files in this directory.
    pub(super) fn new(directory: PathBuf) -> Self {
        let version = Command::new(GNU_TIME).arg("--version").output();
        let has_gnu_time = version.is_ok_and(|output| {
            [output.stdout, output.stderr].iter().any(|text| text.windows(3).any(|w| w == b"GNU"))
        });
        Self { directory, has_gnu_time, time_limit: TIME_LIMIT }
    }

    /// How peak memory is found.
    pub(super) const fn memory_method(&self) -> &'static str {
        if self.has_gnu_time {
            "peak RSS by GNU time"
        } else if cfg!(target_os = "linux") {
            "VmHWM, sampled every 10 ms (the last milliseconds are not seen)"
        } else {
            "not measured"
        }
    }

    /// The same with another time limit.
    pub(super) fn limited_to(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Runs the program to its end, behind a prefix that puts it where it belongs.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, fails, or takes longer than the time limit.
    pub(super) fn run(
        &self,
        prefix: &[String],
        program: &Path,
        arguments: &[String],
    ) -> Result<Measured> {
        let [stdout, stderr, memory] =
            ["run.out", "run.err", "run.rss"].map(|name| self.directory.join(name));
        let mut words: Vec<&OsStr> = prefix.iter().map(OsStr::new).collect();
        if self.has_gnu_time {
            words.extend([GNU_TIME, "-f", "%M", "-o"].map(OsStr::new));
            words.push(memory.as_os_str());
            // Again: the prefix ends its own process with this one, not that process's children.
            words.extend(prefix.iter().map(OsStr::new));
        }
        words.push(program.as_os_str());
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(create(&stdout)?)
            .stderr(create(&stderr)?)
            // A group of its own, so that the time limit ends the program under GNU time, too.
            .process_group(0);

        let start = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let (ended, end) = channel::<()>();
        let pid = child.id();
        let deadline = start + self.time_limit;
        let samples = !self.has_gnu_time && cfg!(target_os = "linux");
        let watch = thread::spawn(move || watch(pid, deadline, samples, &end));
        let status = child.wait();
        let wall = start.elapsed();
        drop(ended);
        let Ok(watched) = watch.join() else { bail!("the watching thread panicked") };
        let status = status.with_context(|| format!("cannot wait for {}", program.display()))?;

        if watched.timed_out {
            bail!("{} ran longer than {:?}", program.display(), self.time_limit);
        }
        if !status.success() {
            let errors = fs::read_to_string(&stderr).unwrap_or_default();
            let last = errors.lines().last().unwrap_or_default();
            bail!("{} ended with {status}: {last}", program.display());
        }
        let peak_rss_kib =
            if self.has_gnu_time { Some(read_rss(&memory)?) } else { watched.peak_rss_kib };
        let printed =
            fs::read(&stdout).with_context(|| format!("cannot read {}", stdout.display()))?;
        Ok(Measured { wall, peak_rss_kib, stdout: String::from_utf8_lossy(&printed).into_owned() })
    }
}

/// What the watching thread saw.
#[derive(Default)]
struct Watched {
    peak_rss_kib: Option<u64>,
    timed_out: bool,
}

/// Waits for the run to end, ends it at the time limit, and looks at its memory if asked to.
fn watch(pid: u32, deadline: Instant, samples: bool, end: &Receiver<()>) -> Watched {
    let mut watched = Watched::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // The child is not reaped yet, so the number is still its own.
            let killed = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status();
            watched.timed_out = killed.is_ok_and(|status| status.success());
            return watched;
        }
        let wait = if samples { left.min(SAMPLE_INTERVAL) } else { left };
        if end.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return watched;
        }
        if samples {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            // It only grows, so the last value seen is the highest; a zombie has none.
            watched.peak_rss_kib = high_water_mark(&status).or(watched.peak_rss_kib);
        }
    }
}

/// `VmHWM` in KiB (`proc_pid_status(5)`).
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The number is on the last line; a line about the exit code may stand before it.
fn read_rss(path: &Path) -> Result<u64> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .last()
        .and_then(|line| line.trim().parse().ok())
        .with_context(|| format!("no number in {}: {text:?}", path.display()))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// A meter of each kind that works here, with the directory that its files are in.
    fn meters() -> Vec<(tempfile::TempDir, Meter)> {
        let meter = |has_gnu_time| {
            let directory = tempfile::tempdir().unwrap();
            let meter = Meter { has_gnu_time, ..Meter::new(directory.path().to_owned()) };
            (directory, meter)
        };
        let installed = meter(true).1;
        let works = installed.run(&[], &env::current_exe().unwrap(), &["--list".into()]).is_ok();
        if works { vec![meter(false), meter(true)] } else { vec![meter(false)] }
    }

    #[test]
    fn a_run_gives_what_was_printed() {
        for (_directory, meter) in meters() {
            let measured =
                meter.run(&[], &env::current_exe().unwrap(), &["--list".into()]).unwrap();
            assert!(measured.stdout.contains("a_run_gives_what_was_printed: test"));
            assert!(!measured.wall.is_zero());
            if meter.has_gnu_time {
                assert!(measured.peak_rss_kib.unwrap() > 0);
            }
        }
    }

    #[test]
    fn a_run_that_fails_is_an_error_with_its_reason() {
        for (_directory, meter) in meters() {
            let program = env::current_exe().unwrap();
            let error = meter.run(&[], &program, &["--no-such-flag".into()]).err().unwrap();
            assert!(error.to_string().contains("ended with exit status"), "{error}");
            assert!(meter.run(&[], Path::new("/nowhere/program"), &[]).is_err());
        }
    }

    #[test]
    fn a_run_past_the_limit_is_ended() {
        for (_directory, mut meter) in meters() {
            meter.time_limit = Duration::from_millis(50);
            let error = meter.run(&[], Path::new("sleep"), &["1000".into()]).err().unwrap();
            assert_eq!(error.to_string(), "sleep ran longer than 50ms");
        }
    }

    #[test]
    fn reads_the_high_water_mark() {
        let status = "Name:\tports\nVmPeak:\t    9000 kB\nVmHWM:\t    2048 kB\nThreads:\t1\n";
        assert_eq!(high_water_mark(status), Some(2048));
        assert_eq!(high_water_mark("Name:\tports\nState:\tZ (zombie)\n"), None);
    }
}
