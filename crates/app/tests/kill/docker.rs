//! A real Docker: a container that is started again, and a port that is only passed on to one.

use std::process::Command;

use serde_json::Value;

use super::alone;
use super::driver::Ports;

/// In namespaces of its own, so that what Docker leaves behind goes with them; its control groups go
/// when all else has ended.
const SCRIPT: &str = r#"set -e
group=ports-test-$(basename "$PWD")
trap 'find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} +' EXIT
ip link set lo up
mkfifo log started
dockerd --data-root "$PWD/data" --exec-root "$PWD/exec" --pidfile "$PWD/pid" -H "$DOCKER_HOST" \
    --iptables=false --ip6tables=false --bip 172.31.255.1/24 --storage-driver vfs \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$group/docker" >log 2>&1 &
exec 4<log
while read -r line; do
    echo "$line" >&2
    case $line in *"API listen on"*) break ;; esac
done <&4
cat <&4 >&2 &
mkdir image
cp "$PORTS" image/ports
ldd image/ports | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" image; done
listen='["/ports", "listen", "0.0.0.0:5432", "--service", "echo", "--events", "-"]'
tar -C image -c . | docker import --change "ENTRYPOINT $listen" - echo >&2
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
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    unshare.args(["sh", "-c", SCRIPT]).current_dir(place.path());
    unshare.env("PORTS", env!("CARGO_BIN_EXE_ports")).env_remove("DOCKER_CONTEXT");
    unshare.env("DOCKER_HOST", format!("unix://{}/docker.sock", place.path().display()));
    unshare.env("DOCKER_CONFIG", place.path());
    let _turn = alone();
    let mut script = Ports::spawn(&mut unshare);
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
