//! The screen in a real terminal: tmux's.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::driver::DEADLINE;

/// A tmux server of its own, with one window.
struct Tmux {
    socket: String,
    _directory: tempfile::TempDir,
}

impl Tmux {
    /// Runs a command in a shell, which says how it ended and stays.
    fn start(args: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_ports");
        let script =
            format!("echo before; {program} {args}; echo ended with $?; stty -a; exec cat");
        Self::window(&["sh", "-c", &script])
    }

    /// A window of a command.
    fn window(command: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("tmux").to_str().unwrap().to_owned();
        let tmux = Self { socket, _directory: directory };
        let session = ["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "20"];
        tmux.run(&[&session[..], command].concat());
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-S", &self.socket]).args(args).output().unwrap();
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen is as it is looked for.
    fn until(&self, wanted: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if is_it(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "waited too long for {wanted}:\n{screen}");
            // There is no event to wait for: tmux is asked again.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// The shell's screen again, with the cursor and the echo of a terminal.
    fn is_restored(&self, code: i32) {
        let screen = self.shows(&format!("ended with {code}"));
        assert!(screen.contains("before"), "{screen}");
        let settings = self.until("the settings", |screen| screen.contains("echoctl"));
        assert!(settings.contains(" echo ") && settings.contains(" icanon"), "{settings}");
        assert_eq!(self.run(&["display", "-p", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");
    }

    fn pid(&self) -> rustix::process::Pid {
        let shell = self.run(&["display", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = std::fs::read_to_string(children).unwrap();
        rustix::process::Pid::from_raw(children.split_whitespace().next().unwrap().parse().unwrap())
            .unwrap()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}

/// Watches what this process listens at: a busy machine has more than a screen shows.
fn own(more: &str) -> String {
    format!("watch --listening --interval 50ms --pid {} {more}", std::process::id())
}

#[test]
#[ignore = "needs tmux"]
fn sockets_come_and_go_on_the_screen() {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let tmux = Tmux::start(&own("--tcp"));
    tmux.shows(&first.local_addr().unwrap().to_string());
    let second = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = second.local_addr().unwrap().to_string();
    tmux.shows(&address);
    drop(second);
    tmux.until("it is gone", |screen| !screen.contains(&address));
    tmux.keys(&["q"]);
    tmux.is_restored(0);
}

#[test]
#[ignore = "needs tmux"]
fn an_interface_is_shown_and_found() {
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind_device(Some(b"lo")).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 3], 0)).into()).unwrap();
    bound.listen(1).unwrap();
    let port = TcpListener::from(bound.try_clone().unwrap()).local_addr().unwrap().port();
    let tmux = Tmux::start(&own("--tcp -4"));
    let shown = format!("127.0.0.3%lo:{port}");
    tmux.shows(&shown);
    tmux.keys(&["/", &format!("%lo:{port}")]);
    tmux.keys(&["Enter"]);
    tmux.until("it is found", |screen| {
        screen.contains(&format!("search: %lo:{port}")) && screen.contains(&shown)
    });
    tmux.keys(&["q"]);
    tmux.is_restored(0);
}

#[test]
#[ignore = "needs tmux"]
fn keys_search_sort_pause_and_help() {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let second = TcpListener::bind("127.0.0.2:0").unwrap();
    let (first, second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    let tmux = Tmux::start(&own("--tcp"));
    tmux.shows(&first.to_string());
    tmux.keys(&["/", &second.to_string()]);
    tmux.until("only the second", |screen| {
        screen.contains(&format!("/{second}_")) && !screen.contains(&first.to_string())
    });
    tmux.keys(&["Enter"]);
    tmux.shows(&format!("search: {second}"));
    tmux.keys(&["Escape"]);
    tmux.shows(&first.to_string());
    tmux.shows("LOCAL^");
    tmux.keys(&["r"]);
    tmux.shows("LOCALv");
    tmux.keys(&["p"]);
    tmux.shows("PAUSED");
    tmux.keys(&["?"]);
    tmux.shows("quit");
    tmux.keys(&["x"]);
    tmux.until("no help", |screen| !screen.contains(" Keys "));
    tmux.keys(&["C-c"]);
    tmux.is_restored(0);
}

#[test]
#[ignore = "needs tmux"]
fn another_size_is_drawn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tmux = Tmux::start(&own("--tcp"));
    tmux.shows(&listener.local_addr().unwrap().to_string());
    tmux.run(&["resize-window", "-x", "20", "-y", "10"]);
    tmux.shows("too small");
    tmux.run(&["resize-window", "-x", "120", "-y", "30"]);
    tmux.shows("SEND-Q");
    tmux.keys(&["q"]);
    tmux.is_restored(0);
}

#[test]
#[ignore = "needs tmux"]
fn a_small_screen_shows_what_fits_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tmux = Tmux::start(&own("--tcp"));
    tmux.shows(&listener.local_addr().unwrap().to_string());
    tmux.run(&["resize-window", "-x", "40", "-y", "10"]);
    let screen =
        tmux.until("forty columns", |screen| screen.contains("opened 0/s  closed 0/s  in 0 B/s\n"));
    assert!(screen.contains("q quit  ? help"), "{screen}");
    tmux.run(&["resize-window", "-x", "300", "-y", "100"]);
    tmux.shows("PROCESS");
    tmux.keys(&["q"]);
    tmux.is_restored(0);
}

#[test]
#[ignore = "needs tmux"]
fn a_signal_gives_the_terminal_back() {
    let tmux = Tmux::start("watch --interval 50ms");
    tmux.shows("sockets");
    rustix::process::kill_process(tmux.pid(), rustix::process::Signal::TERM).unwrap();
    tmux.is_restored(143);
}

#[test]
#[ignore = "needs tmux"]
fn the_shell_comes_and_goes() {
    is_stopped_and_goes_on(|tmux| tmux.keys(&["C-z"]));
}

#[test]
#[ignore = "needs tmux"]
fn a_stop_from_elsewhere_gives_the_terminal_back() {
    is_stopped_and_goes_on(|tmux| {
        rustix::process::kill_process(tmux.pid(), rustix::process::Signal::TSTP).unwrap();
    });
}

/// Twice, in a shell that people type to, and so one with jobs.
fn is_stopped_and_goes_on(stop: impl Fn(&Tmux)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tmux = Tmux::window(&["env", "PS1=ask> ", "sh", "-i"]);
    tmux.shows("ask>");
    let line = format!("{} {}", env!("CARGO_BIN_EXE_ports"), own("--tcp"));
    tmux.keys(&[&line, "Enter"]);
    tmux.shows(&address);
    tmux.shows("q quit");
    for _ in 0..2 {
        stop(&tmux);
        let screen = tmux.shows("Stopped");
        assert!(!screen.contains("q quit"), "{screen}");
        assert_eq!(tmux.run(&["display", "-p", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");
        // The shell reads lines as before: Enter is heard.
        tmux.keys(&["clear; fg; echo ended with $?", "Enter"]);
        tmux.shows("q quit");
        // It goes on: keys are heard, and the table is drawn.
        tmux.keys(&["r"]);
        tmux.shows("LOCALv");
        tmux.keys(&["r"]);
        tmux.shows("LOCAL^");
        tmux.shows(&address);
    }
    tmux.keys(&["q"]);
    tmux.shows("ended with 0");
    assert_eq!(tmux.run(&["display", "-p", "#{alternate_on}"]).trim(), "0");
}

#[test]
#[ignore = "needs tmux"]
fn where_nobody_could_let_it_go_on_it_is_not_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // The window is all there is of the session: the process group is orphaned.
    let tmux = Tmux::start(&own("--tcp"));
    tmux.shows(&address);
    tmux.keys(&["C-z"]);
    tmux.keys(&["r"]);
    tmux.shows("LOCALv");
    tmux.shows(&address);
    rustix::process::kill_process(tmux.pid(), rustix::process::Signal::TSTP).unwrap();
    tmux.keys(&["r"]);
    tmux.shows("LOCAL^");
    tmux.shows(&address);
    tmux.keys(&["q"]);
    tmux.is_restored(0);
}
