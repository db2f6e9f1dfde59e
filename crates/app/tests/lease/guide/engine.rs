//! The guide's `docker run` with an engine, in namespaces of its own: its daemon, its bridge, its image.

use std::process::Command;

use super::driver::Ports;
use super::guide::{Place, block};

/// Runs `$SNIPPET` with a daemon that is as it comes but for its files, and without rules of iptables.
/// The image is `ports` itself, echoing at 5432. All of it ends with this shell, the first process of
/// its namespace; what is left of its cgroups it removes.
const SCRIPT: &str = r#"set -e
group=ports-test-$(basename "$PWD")
trap 'find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} +' EXIT
ip link set lo up
mkfifo log out
dockerd --data-root "$PWD/data" --exec-root "$PWD/exec" --pidfile "$PWD/pid" -H "$DOCKER_HOST" \
    --iptables=false --ip6tables=false --bip 172.31.255.1/24 --storage-driver vfs \
    --cgroup-parent "/$group" >log 2>&1 &
exec 4<log
while read -r line; do
    echo "$line" >&2
    case $line in *"API listen on"*) break ;; esac
done <&4
cat <&4 >&2 &
mkdir image
cp "$(command -v ports)" image/ports
ldd image/ports | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" image; done
listen='["/ports", "listen", "0.0.0.0:5432", "--service", "echo", "--events", "-"]'
tar -C image -c . | docker import --change "ENTRYPOINT $listen" - postgres >&2
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
    let namespaces = "exec unshare --net --mount --pid --fork --kill-child --mount-proc sh -c";
    let mut shell: Command = place.shell(&format!("{namespaces} \"$SCRIPT\""));
    shell.env("SCRIPT", SCRIPT).env("SNIPPET", block("sh", "docker run"));
    shell.env("DOCKER_HOST", format!("unix://{}/docker.sock", place.path().display()));
    shell.env("DOCKER_CONFIG", place.path()).env_remove("DOCKER_CONTEXT");
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
