//! A real Docker: a container that is started again, and a port that is only passed on to one.

use std::process::Command;

use serde_json::Value;

use super::alone;
use super::driver::Ports;
use super::engine::{ENGINE, UNSHARE, with_engine};

/// Behind what starts the engine.
const SCRIPT: &str = r#"mkfifo started
kept=$(docker run --detach --restart always --network host echo)
echo "kept $kept"
docker logs --follow "$kept" >started &
exec 5<started
read -r line <&5
cat <&5 >/dev/null &
row() { echo "$1 $("$PORTS" "$2" "$3" --format jsonl | grep "$4")"; }
row who who 5432/tcp socket
row doctor doctor 5432/tcp held
code=0
"$PORTS" kill 5432/tcp --yes --settle 60s --format jsonl || code=$?
echo "code $code"
docker rm --force "$kept" >&2
docker run --detach --publish 127.0.0.1:5433:5432 echo >&2
row doctor doctor 5433/tcp held
"$PORTS" kill 5433/tcp --yes --format jsonl
docker kill $(docker ps --quiet) >&2
"#;

#[test]
#[ignore = "needs root and dockerd (Debian: docker.io)"]
fn what_docker_starts_again_is_told() {
    let place = tempfile::tempdir().unwrap();
    let mut script = Command::new("sh");
    let namespaces = format!("exec {UNSHARE} sh -c \"$SCRIPT\"");
    script.args(["-c", &namespaces]).current_dir(place.path());
    with_engine(&mut script, place.path(), "echo").env("SCRIPT", [ENGINE, SCRIPT].concat());
    let _turn = alone();
    let mut script = Ports::spawn(&mut script);
    script.end_input();
    let ended = script.end();
    let (said, log) = (String::from_utf8(ended.stdout).unwrap(), ended.stderr);
    assert_eq!(ended.code, Some(0), "{said} {log}");
    let told = |kind: &str| -> Vec<Value> {
        let lines = said.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let kept = said.lines().find_map(|line| line.strip_prefix("kept ")).unwrap();
    let short = &kept[..12];

    let workload = serde_json::json!({ "kind": "docker", "id": kept });
    assert_eq!(told("who")[0]["processes"][0]["workload"], workload, "{said}");
    let todo: Vec<Value> = told("doctor").iter().map(|row| row["todo"].clone()).collect();
    assert_eq!(
        todo,
        [
            format!("It is of docker {short}, to be stopped by: docker stop {short}"),
            "Stop the container that has it: docker ps --filter publish=5433".to_owned(),
        ]
    );
    assert!(said.contains("code 1"), "somebody has it again: {said}");
    let again = format!("(started by docker {short}); to stop that: docker stop {short}");
    assert!(log.contains(&again), "{log}");
    let passed_on = "note: the container that tcp port 5433 was passed on to goes on";
    assert!(log.contains(passed_on), "{log}");
}
