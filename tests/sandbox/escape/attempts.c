/* Tries what leads out of a careless container; one line per try: its name, a blank, "refused" or "POSSIBLE". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

static void say(const char *name, long result) {
    printf("%s %s\n", name, result < 0 ? "refused" : "POSSIBLE");
}
static void call(const char *name, long number, long a, long b, long c) { say(name, syscall(number, a, b, c, 0, 0)); }
static void family(const char *name, int domain, int type, int protocol) { say(name, socket(domain, type, protocol)); }
/* Each question of AUDIT that a kernel knows: whether any is carried out (linux/audit.h). */
static void audit(void) {
    for (int kind = 1000; kind < 1025; kind++) {
        char name[32];
        struct { struct nlmsghdr head; char body[64]; } asked = {0}, told = {0};
        struct timeval patience = {0, 200000};
        int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
        snprintf(name, sizeof name, "audit-%d", kind);
        asked.head = (struct nlmsghdr){.nlmsg_len = sizeof asked, .nlmsg_type = kind, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
        setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        long result = send(sock, &asked, sizeof asked, 0);
        if (result >= 0) result = recv(sock, &told, sizeof told, 0);
        struct nlmsgerr *error = NLMSG_DATA(&told.head);
        if (result >= 0 && told.head.nlmsg_type == NLMSG_ERROR && error->error < 0) result = -1;
        say(name, result);
        close(sock);
    }
}
static void node(const char *name, mode_t kind, int major, int minor) {
    unlink("/tmp/node");
    long made = mknod("/tmp/node", kind | 0600, makedev(major, minor));
    say(name, made < 0 ? -1 : open("/tmp/node", O_RDWR));
}
static void writes(const char *path) { say(path, open(path, O_WRONLY)); }
static void reads(const char *path) {
    char byte;
    int file = open(path, O_RDONLY);
    say(path, file < 0 ? -1 : read(file, &byte, 1) < 1 ? -1 : 0);
}

int main(void) {
    char attributes[128] = {0};
    static const int new[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (unsigned i = 0; i < sizeof new / sizeof *new; i++) {
        char name[40];
        snprintf(name, sizeof name, "unshare-%x", new[i]);
        call(name, SYS_unshare, new[i], 0, 0);
        snprintf(name, sizeof name, "clone-%x", new[i]);
        call(name, SYS_clone, new[i] | 17, 0, 0);
    }
    call("clone3", SYS_clone3, (long)attributes, 88, 0);
    int home = open("/proc/1/ns/mnt", O_RDONLY);
    call("setns", SYS_setns, home, 0, 0);
    say("mount-proc", mount("proc", "/mnt", "proc", 0, 0));
    say("mount-tmpfs", mount("x", "/mnt", "tmpfs", 0, 0));
    say("mount-bind", mount("/", "/mnt", 0, MS_BIND, 0));
    say("umount", umount2("/proc/sys", MNT_DETACH));
    call("fsopen", SYS_fsopen, (long)"proc", 0, 0);
    call("open_tree", SYS_open_tree, -100, (long)"/", 1);
    call("pivot_root", SYS_pivot_root, (long)"/", (long)"/mnt", 0);
    node("mknod-sda", S_IFBLK, 8, 0);
    node("mknod-vda", S_IFBLK, 254, 0);
    node("mknod-mem", S_IFCHR, 1, 1);
    node("mknod-kmsg", S_IFCHR, 1, 11);
    node("mknod-tun", S_IFCHR, 10, 200);
    say("ptrace", ptrace(PTRACE_SEIZE, 1, 0, 0));
    call("process_vm_readv", SYS_process_vm_readv, 1, 0, 0);
    call("bpf", SYS_bpf, 0, (long)attributes, 72);
    call("userfaultfd", SYS_userfaultfd, 1, 0, 0);
    call("perf_event_open", SYS_perf_event_open, (long)attributes, 0, -1);
    call("io_uring_setup", SYS_io_uring_setup, 8, (long)attributes, 0);
    call("keyctl", SYS_keyctl, 0, -3, 1);
    call("add_key", SYS_add_key, (long)"user", (long)"k", (long)"v");
    call("init_module", SYS_init_module, (long)attributes, 8, (long)"");
    call("kexec_load", SYS_kexec_load, 0, 0, 0);
    call("open_by_handle_at", SYS_open_by_handle_at, home, (long)attributes, 0);
    call("syslog", SYS_syslog, 3, (long)attributes, 100);
    call("reboot", SYS_reboot, 0xfee1dead, 672274793, 0);
    call("sethostname", SYS_sethostname, (long)"x", 1, 0);
    call("swapon", SYS_swapon, (long)"/tmp/x", 0, 0);
    call("acct", SYS_acct, (long)"/tmp/x", 0, 0);
    call("iopl", SYS_iopl, 3, 0, 0);
    family("socket-packet", 17, SOCK_RAW, 0);
    family("socket-raw", 2, SOCK_RAW, 1);
    family("socket-vsock", 40, SOCK_STREAM, 0);
    family("socket-alg", 38, SOCK_SEQPACKET, 0);
    family("socket-netfilter", 16, SOCK_RAW, 12);
    audit();
    family("socket-tipc", 30, SOCK_SEQPACKET, 0);
    family("socket-xdp", 44, SOCK_RAW, 0);
    family("socket-bluetooth", 31, SOCK_RAW, 1);
    writes("/proc/sysrq-trigger");
    writes("/proc/sys/kernel/core_pattern");
    writes("/proc/sys/kernel/modprobe");
    writes("/proc/sys/vm/panic_on_oom");
    writes("/sys/kernel/uevent_helper");
    writes("/sys/fs/cgroup/release_agent");
    reads("/proc/kcore");
    reads("/proc/keys");
    reads("/proc/timer_list");
    reads("/dev/mem");
    reads("/dev/kmsg");
    return 0;
}
