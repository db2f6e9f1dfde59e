//! Paths that runtimes and systemd make, and any others.

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn named(path: &str) -> Option<(WorkloadKind, String)> {
    Workload::of_path(path).map(|workload| (workload.kind, workload.id.to_owned()))
}

#[test]
fn containers_are_named_by_their_runtime() {
    use WorkloadKind::{Docker, Kubernetes, Lxc, Machine, Podman};
    for (path, kind, id) in [
        ("/docker/ID", Docker, ID),
        ("/system.slice/docker-ID.scope", Docker, ID),
        ("/system.slice/docker-ID.scope/init.scope", Docker, ID),
        ("/machine.slice/libpod-ID.scope/container", Podman, ID),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", Podman, ID),
        ("/libpod_parent/ID", Podman, ID),
        ("/kubepods/burstable/pod12-34/ID", Kubernetes, ID),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-ID.scope",
            Kubernetes,
            ID,
        ),
        ("/kubepods.slice/kubepods-pod1_2.slice/crio-ID.scope", Kubernetes, ID),
        ("/kubepods.slice/kubepods-pod1_2.slice/docker-ID.scope", Kubernetes, ID),
        ("/lxc.payload.web/system.slice/nginx.service", Lxc, "web"),
        ("/lxc/web", Lxc, "web"),
        ("/machine.slice/systemd-nspawn@web.service/payload", Machine, "web"),
        ("/machine.slice/machine-qemu.scope", Machine, "qemu"),
    ] {
        let path = path.replace("ID", ID);
        assert_eq!(named(&path), Some((kind, id.to_owned())), "{path}");
    }
}

#[test]
fn units_are_the_innermost_and_a_slice_is_the_last_resort() {
    use WorkloadKind::Unit;
    for (path, id) in [
        ("/system.slice/ssh.service", Some("ssh.service")),
        ("/user.slice/user-0.slice/session-3.scope", Some("session-3.scope")),
        ("/user.slice/user-0.slice/user@0.service/app.slice/app.service", Some("app.service")),
        ("/user.slice", Some("user.slice")),
        ("/system.slice/docker-short.scope", Some("docker-short.scope")),
        ("/", None),
        ("", None),
        ("/mine/.service", None),
    ] {
        assert_eq!(named(path), id.map(|id| (Unit, id.to_owned())), "{path}");
    }
    let path = format!("/docker/{ID}");
    assert_eq!(Workload::of_path(&path).unwrap().to_string(), "docker 0123456789ab");
}

proptest! {
    #[test]
    fn any_path_is_read(path in "(/|docker|lxc|libpod-|\\.scope|machine.slice|é|[a-f0-9]{64}|.){0,12}") {
        if let Some(workload) = Workload::of_path(&path) {
            prop_assert!(path.contains(workload.id));
            prop_assert!(workload.id.starts_with(workload.short_id()));
        }
    }
}
