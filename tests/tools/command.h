/* Asking the command as a user asks it, in a folder of the test's own. It is WENGERT_COMMAND. */
#ifndef TESTS_TOOLS_COMMAND_H
#define TESTS_TOOLS_COMMAND_H

#include "graph/files.h"

#include <signal.h>
#include <sys/wait.h>

enum { ARGUMENTS = 40 };

static char *out, *err; /* of the last run */

/* ---- Running the command ----------------------------------------------------------------------------------------- */
static inline char *file_text(const char *name)
{
    FILE *file = fopen(in_folder(name), "r");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1 << 20, 1);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

/* Starts it in the folder, with the words of `line`; what it says goes to the files "out" and "err". */
static inline pid_t start(const char *line)
{
    char words[2000], *argument[ARGUMENTS], *held;
    int n = 0;
    const char *command = getenv("WENGERT_COMMAND");
    ck_assert_msg(command != NULL, "WENGERT_COMMAND is not set");
    snprintf(words, sizeof words, "%s", line);
    argument[n++] = (char *)(uintptr_t)command;
    for (char *word = strtok_r(words, " ", &held); word && n < ARGUMENTS - 1; word = strtok_r(NULL, " ", &held))
        argument[n++] = word;
    argument[n] = NULL;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid)
        return pid;
    setpgid(0, 0);
    if (chdir(folder) || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
        _exit(99);
    execv(command, argument);
    _exit(99);
}

static inline int ended(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    free(out);
    free(err);
    out = file_text("out");
    err = file_text("err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void runs(const char *line)
{
    int code = ended(start(line));
    ck_assert_msg(code == 0, "%s\nexit %d: %s", line, code, err);
}

/* It ends with that code, and says `with` on standard error. */
static inline void fails(const char *line, int expected, const char *with)
{
    int code = ended(start(line));
    ck_assert_msg(code == expected && strstr(err, with), "%s\nexit %d, not %d with \"%s\": %s", line, code, expected,
                  with, err);
}

static inline void tear_down(void)
{
    folder_remove();
    free(out);
    free(err);
    out = err = NULL;
}

#endif
