/* Shared objects made of C text by the system's compiler, kept in a folder that only its owner may use. An object is
 * found by a hash of the text, the compiler, its flags and the machine, and taken only if the text beside it is the
 * same to the byte. Both are written beside their places and moved there, the text last: whoever finds it finds an
 * object that is whole. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/export.h"
#include "graph/file.h"

#define MOST_BYTES ((size_t)1 << 30) /* of a text */
#define FLAGS                                                                                                          \
    "-std=c99", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fPIC",         \
        "-shared", "-w"

static const char asked[] = "wg_function_load_c"; /* in errors */

extern char **environ;

static wg_status failed(wg_tape *tape, const char *what, const char *path)
{
    return wg_report(tape, asked, WG_ERROR_FILE, "%s %s: %s", what, wg_path_text(path), strerror(errno));
}

/* ---- The folder -------------------------------------------------------------------------------------------------- */
/* Makes what is missing of the path, for the owner alone. */
static bool folder_made(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        bool fine = !mkdir(path, 0700) || errno == EEXIST;
        *at = '/';
        if (!fine)
            return false;
    }
    return !mkdir(path, 0700) || errno == EEXIST;
}

/* Is it a folder or file of this user's that no other may write to? */
static bool is_own(const char *path, mode_t kind, mode_t others)
{
    struct stat about;
    if (lstat(path, &about))
        return false;
    errno = EPERM;
    return (about.st_mode & S_IFMT) == kind && about.st_uid == geteuid() && !(about.st_mode & others);
}

static wg_status folder_found(wg_tape *tape, char path[PATH_MAX])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool given = cache && *cache == '/';
    if (!given && (!home || *home != '/'))
        return wg_report(tape, asked, WG_ERROR_FILE, "neither XDG_CACHE_HOME nor HOME names a folder");
    int n = snprintf(path, PATH_MAX, "%s%s/wengert", given ? cache : home, given ? "" : "/.cache");
    if (n >= PATH_MAX - 100)
        return wg_report(tape, asked, WG_ERROR_FILE, "the path of the cache is too long");
    if (!folder_made(path))
        return failed(tape, "cannot make the folder", path);
    return is_own(path, S_IFDIR, 0077) ? WG_OK : failed(tape, "others may use the folder", path);
}

/* ---- The compiler ------------------------------------------------------------------------------------------------ */
static const char *compiler(void)
{
    const char *cc = getenv("CC");
    return cc && *cc && !strchr(cc, ' ') ? cc : "cc";
}

static wg_status compiled(wg_tape *tape, const char *source, const char *object, const char *log)
{
    char *const arguments[] = {(char *)(uintptr_t)compiler(), FLAGS, "-o", (char *)(uintptr_t)object,
                               (char *)(uintptr_t)source, "-lm", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int how = 0;
    if (posix_spawn_file_actions_init(&actions))
        return wg_no_memory(tape, asked, sizeof actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        return wg_report(tape, asked, WG_ERROR_FILE, "there is no C compiler %s: %s", arguments[0], strerror(error));
    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR)
            return failed(tape, "lost the compiler", arguments[0]);
    if (WIFEXITED(how) && !WEXITSTATUS(how))
        return WG_OK;
    return wg_report(tape, asked, WG_ERROR_FILE, "the compiler %s failed; what it says is in %s", arguments[0],
                     wg_path_text(log));
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */
static void hashed(uint64_t hash[2], const char *data, size_t n) /* FNV-1a, with two starts */
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            hash[k] = (hash[k] ^ (unsigned char)data[i]) * 0x100000001b3u;
}

/* What -march=native depends on. */
static void machine_hashed(uint64_t hash[2])
{
    char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file) && *line != '\n') /* of the first processor */
        if (!strncmp(line, "flags", 5) || !strncmp(line, "model", 5))
            hashed(hash, line, strlen(line));
    if (file)
        fclose(file);
}

typedef struct {
    /* The last three: while it is made */
    char text[PATH_MAX], object[PATH_MAX], source[PATH_MAX], made[PATH_MAX], log[PATH_MAX];
} paths;

static wg_status paths_found(wg_tape *tape, const wg_source *text, paths *p)
{
    static const char *const flags[] = {FLAGS};
    char folder[PATH_MAX], base[PATH_MAX];
    uint64_t hash[2] = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};
    wg_status status = folder_found(tape, folder);
    if (status)
        return status;
    hashed(hash, compiler(), strlen(compiler()));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        hashed(hash, flags[i], strlen(flags[i]));
    machine_hashed(hash);
    hashed(hash, text->data, text->size);
    snprintf(base, sizeof base, "%.*s/%016llx%016llx", PATH_MAX - 100, folder, (unsigned long long)hash[0],
             (unsigned long long)hash[1]);
    snprintf(p->text, PATH_MAX, "%.*s.txt", PATH_MAX - 60, base);
    snprintf(p->object, PATH_MAX, "%.*s.so", PATH_MAX - 60, base);
    snprintf(p->source, PATH_MAX, "%.*s.%ld.c", PATH_MAX - 60, base, (long)getpid());
    snprintf(p->made, PATH_MAX, "%.*s.%ld.so", PATH_MAX - 60, base, (long)getpid());
    snprintf(p->log, PATH_MAX, "%.*s.%ld.log", PATH_MAX - 60, base, (long)getpid());
    return WG_OK;
}

static bool is_kept(wg_tape *tape, const paths *p, const wg_source *text)
{
    if (!is_own(p->text, S_IFREG, 0022) || !is_own(p->object, S_IFREG, 0022))
        return false;
    size_t bytes = 0;
    char *kept = wg_file_read(tape, asked, p->text, MOST_BYTES, &bytes);
    bool same = kept && bytes == text->size && !memcmp(kept, text->data, bytes);
    if (kept)
        wg_tape_release(tape, kept, bytes + 1);
    return same;
}

static wg_status object_made(wg_tape *tape, const paths *p, const wg_source *text)
{
    wg_status status = wg_file_write(tape, asked, p->source, text->data, text->size);
    if (!status)
        status = compiled(tape, p->source, p->made, p->log);
    if (!status && (rename(p->made, p->object) || rename(p->source, p->text)))
        status = failed(tape, "cannot keep", p->object);
    if (!status)
        unlink(p->log);
    else
        unlink(p->made);
    return status;
}

void *wg_object_of(wg_tape *tape, const wg_source *text)
{
    paths p;
    if (paths_found(tape, text, &p))
        return NULL;
    if (!is_kept(tape, &p, text) && (tape->status || object_made(tape, &p, text)))
        return NULL;
    void *object = dlopen(p.object, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        wg_report(tape, asked, WG_ERROR_FILE, "%s", dlerror());
    return object;
}
