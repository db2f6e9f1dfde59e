//! The commands of docs/guide/leasing.md with the programs that they name.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::PoisonError;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::driver::{self, Ports, run};
use super::guide::{Place, block, crate_to_test};
use super::{ANY_PORT, any_port};

#[test]
#[ignore = "needs python3"]
fn python_takes_the_sockets() {
    let _any = any_port();
    let text = Place::with(&[]).run(block("sh", "fileno=3"));
    let port: u16 = text.trim().strip_prefix("serving at ").unwrap().parse().unwrap();
    assert!(port >= 10_000);
}

#[test]
#[ignore = "needs python3"]
fn a_web_server_serves_at_its_port() {
    let _any = any_port();
    let place = Place::with(&[]);
    fs::write(place.path().join("index.html"), "here").unwrap();
    // Without the buffer of a pipe; the line that is looked for is Python's own.
    let mut shell = place.shell(block("sh", "http.server"));
    let server = Ports::spawn(shell.env("PYTHONUNBUFFERED", "1"));
    let line = server.stdout.line("Serving HTTP on 127.0.0.1 port ", 0);
    let port: u16 = line.split(' ').next().unwrap().parse().unwrap();
    let mut page = driver::client(([127, 0, 0, 1], port).into());
    page.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("here"), "{text}");
}

#[test]
#[ignore = "needs pytest (Debian: python3-pytest)"]
fn pytest_has_a_port_for_each_worker() {
    let _any = any_port();
    let place = Place::with(&[]);
    fs::write(place.path().join("conftest.py"), block("python", "PYTEST_XDIST_WORKER")).unwrap();
    let test = "import socket\n\ndef test_port(port):\n    \
        socket.create_server(('127.0.0.1', port)).close()\n";
    fs::write(place.path().join("test_port.py"), test).unwrap();
    let text = place.run(block("sh", "pytest"));
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "needs cargo-nextest"]
fn cargo_nextest_runs_with_its_ports() {
    let _any = any_port();
    let place = crate_to_test();
    let mut shell = place.shell(block("sh", "cargo nextest"));
    // What a run of the tests by nextest itself leaves there would be taken for its own.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEXTEST")) {
        shell.env_remove(name);
    }
    let output = shell.env("CARGO_TARGET_DIR", place.path().join("target")).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.contains("1 passed"), "{errors}");
}

/// A directory with the guide's package.json, and what npm needs besides.
fn package() -> Place {
    let place = Place::with(&[]);
    fs::write(place.path().join("package.json"), block("json", "scripts")).unwrap();
    place
}

/// `npm run NAME`, quietly and without looking for a newer npm.
fn npm(place: &Place, name: &str) -> Command {
    let mut shell = place.shell(&format!("exec npm --silent run {name}"));
    shell.env("npm_config_update_notifier", "false").env("npm_config_cache", place.path());
    shell
}

#[test]
#[ignore = "needs npm (and Node.js, which it comes with)"]
fn npm_runs_node_with_its_ports() {
    let _any = any_port();
    let place = package();
    let test = "const assert = require('node:assert');
        const net = require('node:net');
        require('node:test')('leased', (_, done) => {
            assert.equal(Number(process.env.PORT1) + 1, Number(process.env.PORT2));
            const server = net.createServer().listen(process.env.PORT1, () => server.close(done));
        });";
    fs::write(place.path().join("leased.test.js"), test).unwrap();
    let output = npm(&place, "test").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().any(|line| line.trim_start_matches(['#', 'ℹ']) == " pass 1"), "{text}");
}

/// With a stand-in for vite where npm finds installed programs: it is no package of Debian's.
#[test]
#[ignore = "needs npm (and Node.js, which it comes with)"]
fn npm_runs_a_server_at_the_port_of_its_name() {
    let _alone = ANY_PORT.write().unwrap_or_else(PoisonError::into_inner);
    let place = package();
    let bin = "node_modules/.bin";
    fs::create_dir_all(place.path().join(bin)).unwrap();
    let vite = "#!/usr/bin/env node\n\
        const [, , option, port, strict] = process.argv;\n\
        require('node:net').createServer().listen({port, host: '127.0.0.1'}, () => {\n\
            console.log(option, port, strict, process.pid);\n\
        });\n";
    place.program(&format!("{bin}/vite"), vite);
    let mut ports = Vec::new();
    for _ in 0..2 {
        let mut server = Ports::spawn(&mut npm(&place, "dev"));
        let line = server.stdout.line("--port", 0);
        let words: Vec<&str> = line.split_whitespace().collect();
        let [port, "--strictPort", pid] = words[..] else { panic!("{line}") };
        let port: u16 = port.parse().unwrap();
        drop(driver::client(([127, 0, 0, 1], port).into()));
        // It is the server that holds the lease, below npm and its shell.
        let holder = lease_at(port);
        assert_eq!(holder["processes"][0]["pid"].to_string(), pid);
        assert_eq!(holder["name"], "web");
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        server.end_input();
        assert_ne!(server.end().code, Some(0));
        ports.push(port);
    }
    assert_eq!(ports[0], ports[1], "the name keeps its port");
}

/// The row of `ports leases` of a TCP port.
fn lease_at(port: u16) -> Value {
    let ended = run(&["leases", "--format", "jsonl"]);
    let text = String::from_utf8(ended.stdout).unwrap();
    let mut rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.find(|row| row["port"] == port && row["transport"] == "tcp").unwrap_or_default()
}

/// The client of Docker, with a stand-in for the daemon that refuses the container: what it is asked for
/// is what the daemon would publish.
#[test]
#[ignore = "needs docker (the client; Debian: docker.io or docker-cli)"]
fn docker_publishes_the_port() {
    let _any = any_port();
    let place = Place::with(&[]);
    let socket = place.path().join("docker.sock");
    let daemon = UnixListener::bind(&socket).unwrap();
    let mut shell = place.shell(block("sh", "docker run"));
    shell.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    shell.env("DOCKER_CONFIG", place.path()).env_remove("DOCKER_CONTEXT");
    let client = Ports::spawn(&mut shell);
    let wanted = loop {
        let mut ready = [PollFd::new(&daemon, PollFlags::IN)];
        let deadline = Timespec::try_from(driver::DEADLINE).unwrap();
        assert_eq!(poll(&mut ready, Some(&deadline)), Ok(1), "the client asks for nothing more");
        let (mut connection, _) = daemon.accept().unwrap();
        let Some((line, body)) = request(&connection) else { continue };
        if line.starts_with("POST") && line.contains("/containers/create") {
            let wanted: Value = serde_json::from_slice(&body).unwrap();
            // Meanwhile the client waits.
            let port = wanted["HostConfig"]["PortBindings"]["5432/tcp"][0]["HostPort"].clone();
            let held = lease_at(port.as_str().unwrap().parse().unwrap());
            assert_eq!(
                (&held["name"], &held["processes"][0]["name"]),
                (&json!("db"), &json!("docker"))
            );
            let refusal = r#"{"message":"this is no daemon"}"#;
            answer(&mut connection, "500 Internal Server Error", refusal);
            break wanted;
        }
        answer(&mut connection, "200 OK", "");
    };
    let bindings = &wanted["HostConfig"]["PortBindings"]["5432/tcp"];
    assert_eq!(
        (bindings[0]["HostIp"].as_str(), bindings.as_array().unwrap().len()),
        (Some("127.0.0.1"), 1)
    );
    assert_eq!(
        (&wanted["Image"], &wanted["HostConfig"]["AutoRemove"]),
        (&json!("postgres"), &json!(true))
    );
    drop(daemon);
    let ended = client.end();
    assert!(
        ended.code.is_some_and(|code| code != 0) && ended.stderr.contains("this is no daemon"),
        "{}",
        ended.stderr
    );
}

/// The first line of an HTTP request, and its body; none of a connection without one.
fn request(connection: &UnixStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if reader.read_line(&mut head).unwrap() == 0 {
            return None;
        }
        let line = head[start..].trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some((head.lines().next().unwrap().to_owned(), body))
}

fn answer(connection: &mut UnixStream, status: &str, body: &str) {
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
}
