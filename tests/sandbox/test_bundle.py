"""What an OCI runtime is told about a box."""

from urltrap.sandbox.bundle import CAPABILITIES, BoxLimits, Command, config, process
from urltrap.sandbox.syscalls import ALLOWED, REFUSED, seccomp

LIMITS = BoxLimits(memory_bytes=1 << 28, processes=128, processors=0.5, disk_bytes=1 << 26, files=1000)
INIT = Command(["/bin/bash"], {"PATH": "/bin"})


def test_a_box_has_every_namespace_of_its_own_and_joins_none() -> None:
    namespaces = config("/r", "web", INIT, LIMITS, "/g/1")["linux"]["namespaces"]
    assert {each["type"] for each in namespaces} == {
        "pid",
        "ipc",
        "uts",
        "mount",
        "cgroup",
        "network",
        "user",
    }
    assert not any("path" in each for each in namespaces)


def test_a_box_shows_nothing_of_the_host_but_its_root() -> None:
    body = config("/r", "web", INIT, LIMITS, "/g/1")
    assert not [mount for mount in body["mounts"] if mount["type"] == "bind" or "bind" in mount["options"]]
    assert body["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert "/proc/kcore" in body["linux"]["maskedPaths"] and "/proc/sys" in body["linux"]["readonlyPaths"]


def test_limits_leave_no_swap_and_a_share_of_a_processor() -> None:
    resources = config("/r", "web", INIT, LIMITS, "/g/1")["linux"]["resources"]
    assert resources["memory"] == {"limit": 1 << 28, "swap": 1 << 28}
    assert resources["pids"] == {"limit": 128}
    assert resources["cpu"] == {"period": 100_000, "quota": 50_000}


def test_no_program_gets_more_rights_than_it_starts_with() -> None:
    root, user = process(INIT), process(Command(["sh"], {}, uid=1000, gid=1000, terminal=(100, 30)))
    assert root["noNewPrivileges"] and user["noNewPrivileges"]
    assert user["capabilities"]["effective"] == [] and user["consoleSize"] == {"width": 100, "height": 30}
    given = {name.removeprefix("CAP_") for name in CAPABILITIES}
    assert not given & {
        "NET_ADMIN",
        "NET_RAW",
        "SYS_ADMIN",
        "SYS_PTRACE",
        "SYS_MODULE",
        "MKNOD",
        "DAC_READ_SEARCH",
    }


def test_what_makes_namespaces_and_mounts_or_reaches_the_kernels_rare_parts_is_in_no_allowed_list() -> None:
    body = seccomp()
    allowed = {
        name
        for rule in body["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }
    assert body["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not allowed & {
        "unshare", "setns", "mount", "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr", "pivot_root",
        "clone", "clone3", "socket", "socketcall", "bpf", "userfaultfd", "io_uring_setup", "keyctl", "add_key",
        "request_key", "perf_event_open", "ptrace", "init_module", "kexec_load", "open_by_handle_at", "reboot",
    }  # fmt: skip
    assert not set(ALLOWED) & set(REFUSED) and len(ALLOWED) == len(set(ALLOWED))


def test_sockets_are_of_four_families_and_netlink_of_four_protocols() -> None:
    rules = [rule["args"] for rule in seccomp()["syscalls"] if rule["names"] == ["socket"]]
    assert sorted(tuple(each["value"] for each in rule) for rule in rules) == [
        (1,), (2,), (10,), (16, 0), (16, 4), (16, 9), (16, 15),
    ]  # fmt: skip
