/* What we run in a box ourselves. Three parts in one static program, told apart by how it is called:

   first process   PATH RESIDENT...     starts the residents, removes its own file (PATH), says one byte to descriptor 0
                                        and waits until that socket's other end is closed; then the box ends.
   resident        environment comm=N   shows in the process table under its arguments and the name N, and does nothing.
                                        One whose name begins with + is the real program where the image has it.
   launcher        /proc/self/fd/3 pipes|terminal FOLDER FILE ARGUMENT...
                                        becomes a program as sshd makes it one, with sshd's words where it cannot. The
                                        pipes come as descriptors 4 to 6: until here 0 to 2 are the runtime's.

   A resident is described by fields with the byte 31 between them: user id, group id, name, arguments.
   Nothing here can be looked into or written to from inside: the processes are not dumpable (prctl(2)), so /proc/1/fd,
   /proc/1/mem and the like are refused to a root without CAP_SYS_PTRACE. Signals from inside do not reach a first
   process that has no handlers (pid_namespaces(7)). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SEPARATOR '\037'
#define LAUNCHER "/proc/self/fd/"
#define FIELDS 64

static void hide(const char *name) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void let_go(int first) {
    for (int file = first; file < 256; file++) close(file);
}

/* Returns once the child is another program: it shares our memory until then (vfork(2)). */
static void start(const char *path, char *words) {
    char *fields[FIELDS + 1], name[64];
    int count = 0;
    while (words != NULL && count < FIELDS) {
        fields[count++] = words;
        words = strchr(words, SEPARATOR);
        if (words != NULL) *words++ = '\0';
    }
    fields[count] = NULL;
    if (count < 4) return;
    int real = fields[2][0] == '+';
    snprintf(name, sizeof name, "comm=%s", fields[2] + real);
    char *environment[] = {name, NULL};
    char *of_systemd[] = {"LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", NULL};
    uid_t user = (uid_t)atoi(fields[0]);
    gid_t group = (gid_t)atoi(fields[1]);
    if (vfork() == 0) {
        let_go(0);
        setsid();
        if (setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0) {
            if (real) {
                for (int file = 0; file < 3; file++) open("/dev/null", O_RDWR);
                execve(fields[3], fields + 3, of_systemd);
                let_go(0);
            }
            execve(path, fields + 3, environment);
        }
        _exit(1);
    }
}

static int first(int count, char **words) {
    if (count > 1) {
        let_go(1);
        for (int each = 2; each < count; each++) start(words[1], words[each]);
        unlink(words[1]);
        char *shown[] = {"/sbin/init", NULL}, *nothing[] = {NULL};
        execve("/proc/self/exe", shown, nothing);
        return 1;
    }
    hide("systemd");
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps whatever becomes our child */
    if (write(0, "", 1) != 1) return 1;
    struct pollfd life = {.fd = 0, .events = 0};
    while (poll(&life, 1, -1) < 0 && errno == EINTR) continue;
    return 0;
}

static int resident(const char *name) {
    hide(name);
    for (;;) pause();
}

static int launch(char **words) {
    extern char **environ;
    const char *folder = words[2], *file = words[3];
    fcntl(3, F_SETFD, FD_CLOEXEC); /* this program itself, which is no file of the box */
    if (strcmp(words[1], "pipes") == 0)
        for (int each = 0; each < 3; each++) {
            if (dup2(4 + each, each) < 0) return 1;
            close(4 + each);
        }
    if (chdir(folder) != 0)
        fprintf(stderr, "Could not chdir to home directory %s: %s\n", folder, strerror(errno));
    execve(file, words + 4, environ);
    fprintf(stderr, "%s: %s\n", file, strerror(errno));
    return 1;
}

int main(int count, char **words) {
    const char *name = getenv("comm");
    if (getpid() == 1) return first(count, words);
    if (count > 4 && strncmp(words[0], LAUNCHER, strlen(LAUNCHER)) == 0) return launch(words);
    if (name != NULL) return resident(name);
    fprintf(stderr, "this is a part of the boxes and not to be called by hand\n");
    return 2;
}
