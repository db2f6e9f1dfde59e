//! The guide's `docker run` with an engine, in namespaces of its own: its daemon, its bridge, its image.

use std::process::Command;

use super::docker::{ENGINE, UNSHARE, with_engine};
use super::driver::Ports;
use super::guide::{Place, block};

/// Runs `$SNIPPET` behind what starts the engine.
const SCRIPT: &str = r#"mkfifo out
sh -c "$SNIPPET" >out &
exec 5<out
read -r line <&5
echo "container: $line"
leased=$(ports leases --format jsonl)
echo "leased: $leased"
port=$(echo "$leased" | sed 's/.*"port":\([0-9]*\).*/\1/')
echo "from outside" | ports connect "127.0.0.1:$port"
docker kill "$(docker ps --quiet)" >&2
cat <&5 >/dev/null
wait $!
"#;

#[test]
#[ignore = "needs root and dockerd (Debian: docker.io)"]
fn docker_run_answers_at_the_leased_port() {
    let place = Place::with(&[]);
    let mut shell: Command = place.shell(&format!("exec {UNSHARE} sh -c \"$SCRIPT\""));
    with_engine(&mut shell, place.path(), "postgres").env("SCRIPT", [ENGINE, SCRIPT].concat());
    shell.env("SNIPPET", block("sh", "docker run"));
    let mut ports = Ports::spawn(&mut shell);
    ports.end_input();
    let ended = ports.end();
    let said = String::from_utf8(ended.stdout).unwrap();
    let (log, code) = (ended.stderr, ended.code);
    assert!(said.contains("container: {\"type\":\"listening\""), "{said} {log}");
    assert!(said.contains("\"name\":\"db\"") && said.contains("\"name\":\"docker\""), "{said}");
    assert!(said.lines().any(|line| line == "from outside"), "{said} {log}");
    // Killed, as the client says it.
    assert_eq!(code, Some(137), "{said} {log}");
}
