/* Graphviz's "dot" as a child process: DOT goes into its standard input, the picture comes out of its standard output,
 * and it is killed when it takes too long. The library libgvc is not used: it keeps global state and cannot be
 * stopped. */
#include "graph/drawing.h"

#ifdef WG_WITH_GRAPHVIZ
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct {
    pid_t pid;
    int in, out; /* our ends */
} child;

static void close_both(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* Sockets rather than pipes: writing to a child that has gone is then an error and not a signal. */
static int child_start(child *c, const char *format)
{
    int in[2], out[2];
    char type[16];
    snprintf(type, sizeof type, "-T%s", format);
    char *const arguments[] = {(char[]){"dot"}, type, strcmp(format, "png") ? NULL : (char[]){"-Gdpi=144"}, NULL};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
        return errno;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out)) {
        int failed = errno;
        close_both(in);
        return failed;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    int failed = posix_spawnp(&c->pid, "dot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[1]);
    close(out[1]);
    if (failed) {
        close(in[0]);
        close(out[0]);
        return failed;
    }
    c->in = in[0];
    c->out = out[0];
    return 0;
}

/* Feeds and reads until the child closes its output. False: too slow, or the text could not grow. */
static bool child_talk(child *c, const wg_text *dot, double patience, wg_text *out)
{
    size_t sent = 0;
    double end = wg_seconds() + patience;
    char piece[16384];
    for (;;) {
        struct pollfd fds[2] = {{c->out, POLLIN, 0}, {sent < dot->size ? c->in : -1, POLLOUT, 0}};
        double left = end - wg_seconds();
        int ready = left > 0 ? poll(fds, 2, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        if (fds[1].revents) {
            ssize_t n = send(c->in, dot->data + sent, dot->size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent = n > 0 ? sent + (size_t)n : n < 0 && errno != EAGAIN && errno != EINTR ? dot->size : sent;
            if (sent == dot->size)
                shutdown(c->in, SHUT_WR);
        }
        if (!fds[0].revents)
            continue;
        ssize_t n = read(c->out, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        wg_put_bytes(out, piece, (size_t)n);
    }
}

/* Its exit status; -1 where it was killed. */
static int child_end(child *c, bool kill_it)
{
    int status = 0;
    close(c->in);
    close(c->out);
    if (kill_it)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

wg_status wg_graphviz(wg_tape *tape, const char *name, const wg_text *dot, const char *format, double patience,
                      wg_text *out)
{
    child c;
    int failed = child_start(&c, format);
    if (failed == ENOENT)
        return wg_report(tape, name, WG_ERROR_UNSUPPORTED,
                         "Graphviz's \"dot\" not found (apt install graphviz); a .dot file can be written without it");
    if (failed)
        return wg_report(tape, name, WG_ERROR_UNSUPPORTED, "Graphviz's \"dot\" cannot be started: %s",
                         strerror(failed));
    bool done = child_talk(&c, dot, patience, out);
    int status = child_end(&c, !done);
    if (out->failed)
        return wg_no_memory(tape, name, out->room * 2);
    if (!done)
        return wg_report(tape, name, WG_ERROR_UNSUPPORTED, "Graphviz's \"dot\" was stopped after %g seconds", patience);
    if (status || !out->size)
        return wg_report(
            tape, name, WG_ERROR_UNSUPPORTED,
            "Graphviz's \"dot\" failed (%s %d); it is to be of version 2.30 or newer (as \"dot -V\" tells), and "
            "a .dot file can be written without it",
            status < 0 ? "killed," : "exit code", status);
    return WG_OK;
}
#else
wg_status wg_graphviz(wg_tape *tape, const char *name, const wg_text *dot, const char *format, double patience,
                      wg_text *out)
{
    (void)dot;
    (void)format;
    (void)patience;
    (void)out;
    return wg_report(tape, name, WG_ERROR_UNSUPPORTED, "built without Graphviz; a .dot file can be written without it");
}
#endif
