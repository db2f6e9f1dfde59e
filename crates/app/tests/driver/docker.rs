//! A real Docker, in namespaces of its own.

use std::path::Path;
use std::process::Command;

/// What a script begins with that is run behind [`UNSHARE`]: a daemon that is as it comes but for its files,
/// and without rules of iptables; and an image, named `$IMAGE`, which is `$PORTS` itself, echoing at 5432.
/// All of it ends with the shell, the first process of its namespace; what is left of its control groups,
/// which go when all else has ended, it removes.
pub(crate) const ENGINE: &str = r#"set -e
group=ports-test-$(basename "$PWD")
trap 'find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} +' EXIT
ip link set lo up
mkfifo log
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
tar -C image -c . | docker import --change "ENTRYPOINT $listen" - "$IMAGE" >&2
"#;

/// The namespaces that it ends with.
pub(crate) const UNSHARE: &str = "unshare --net --mount --pid --fork --kill-child --mount-proc";

/// For a command that runs behind [`UNSHARE`] in this directory: the daemon is there, and no other is asked.
pub(crate) fn with_engine<'a>(
    command: &'a mut Command,
    place: &Path,
    image: &str,
) -> &'a mut Command {
    command.env("DOCKER_HOST", format!("unix://{}/docker.sock", place.display()));
    command.env("DOCKER_CONFIG", place).env_remove("DOCKER_CONTEXT");
    command.env("PORTS", env!("CARGO_BIN_EXE_ports")).env("IMAGE", image)
}
