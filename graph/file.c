/* Whole files. A file is written beside its place, flushed to the disc and renamed onto it, and the folder is flushed
 * too: a crash or a full disc at any moment leaves the old content or the new one. */
#include "graph/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100        /* names tried for the file beside */
#define PATH_SHOWN 300   /* bytes */

const char *wg_path_text(const char *path)
{
    size_t n = strlen(path);
    return n > PATH_SHOWN ? path + n - PATH_SHOWN : path;
}

static wg_status failed(wg_tape *tape, const char *name, const char *path, int error)
{
    char text[128];
    if (error == ENOMEM)
        return wg_report(tape, name, WG_ERROR_MEMORY, "%s: no memory", wg_path_text(path));
    return wg_report(tape, name, WG_ERROR_FILE, "%s: %s", wg_path_text(path), strerror_r(error, text, sizeof text));
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
int wg_file_open(wg_tape *tape, const char *name, const char *path, int64_t *size)
{
    struct stat about;
    if (!path) {
        wg_report(tape, name, WG_ERROR_VALUE, "the path is NULL");
        return -1;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0 || fstat(descriptor, &about)) {
        failed(tape, name, path, errno);
    } else if (S_ISDIR(about.st_mode)) {
        failed(tape, name, path, EISDIR);
    } else if (!S_ISREG(about.st_mode)) {
        wg_report(tape, name, WG_ERROR_FILE, "%s: not a regular file", wg_path_text(path));
    } else {
        *size = about.st_size;
        return descriptor;
    }
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

/* Reads until `size` bytes are there or the file ends; how many there were, or -1 and errno. */
static ssize_t read_all(int descriptor, char *to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(descriptor, to + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

char *wg_file_read(wg_tape *tape, const char *name, const char *path, size_t most, size_t *bytes)
{
    int64_t size;
    int descriptor = wg_file_open(tape, name, path, &size);
    if (descriptor < 0)
        return NULL;
    char *content = NULL;
    if ((uint64_t)size > most || (uint64_t)size >= PTRDIFF_MAX) {
        wg_report(tape, name, WG_ERROR_FILE, "%s: %lld bytes; at most %zu are read", wg_path_text(path),
                  (long long)size, most);
    } else if (!(content = wg_tape_allocate(tape, (size_t)size + 1))) {
        wg_no_memory(tape, name, (size_t)size + 1);
    } else {
        ssize_t got = read_all(descriptor, content, (size_t)size);
        if (got != size) {
            if (got < 0)
                failed(tape, name, path, errno);
            else
                wg_report(tape, name, WG_ERROR_FILE, "%s: shortened while it was read", wg_path_text(path));
            wg_tape_release(tape, content, (size_t)size + 1);
            content = NULL;
        }
    }
    close(descriptor);
    *bytes = (size_t)size;
    return content;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
static void file_failed(wg_file *file, int error)
{
    if (!file->status)
        file->status = failed(file->tape, file->name, file->path, error);
}

/* The file that is to be replaced: what a link points to, so that the link stays. 0, or an error number. */
static int find_target(wg_file *file, struct stat *old, bool *exists)
{
    *exists = stat(file->path, old) == 0;
    if (*exists && S_ISDIR(old->st_mode))
        return EISDIR;
    if (*exists && !S_ISREG(old->st_mode))
        return EINVAL;
    if (*exists)
        return realpath(file->path, file->target) ? 0 : errno;
    if (errno != ENOENT)
        return errno;
    return snprintf(file->target, sizeof file->target, "%s", file->path) < (int)sizeof file->target ? 0 : ENAMETOOLONG;
}

wg_status wg_file_begin(wg_file *file, wg_tape *tape, const char *name, const char *path)
{
    *file = (wg_file){.tape = tape, .name = name, .path = path, .descriptor = -1};
    if (!path || !*path)
        return file->status = wg_report(tape, name, WG_ERROR_VALUE, "there is no path");
    struct stat old;
    bool exists;
    int error = find_target(file, &old, &exists);
    if (error == EINVAL)
        return file->status = wg_report(tape, name, WG_ERROR_FILE, "%s: not a regular file", wg_path_text(path));
    if (error) {
        file_failed(file, error);
        return file->status;
    }
    for (int i = 0; i < TRIES && file->descriptor < 0; i++) {
        int n = snprintf(file->beside, sizeof file->beside, "%s.%ld-%d.tmp", file->target, (long)getpid(), i);
        if (n >= (int)sizeof file->beside) {
            errno = ENAMETOOLONG;
            break;
        }
        file->descriptor = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (file->descriptor < 0 && errno != EEXIST)
            break;
    }
    if (file->descriptor < 0)
        file_failed(file, errno);
    else if (exists && fchmod(file->descriptor, old.st_mode & 0777))
        file_failed(file, errno);
    return file->status ? wg_file_end(file, file->status) : WG_OK;
}

void wg_file_put(wg_file *file, const void *data, size_t size)
{
    const char *from = data;
    while (size && !file->status) {
        ssize_t n = write(file->descriptor, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            file_failed(file, n < 0 ? errno : ENOSPC);
            return;
        }
        from += n;
        size -= (size_t)n;
    }
}

/* The new entry of the folder reaches the disc. Some file systems cannot be asked, and do it by themselves. */
static void flush_folder(wg_file *file)
{
    char *slash = strrchr(file->target, '/');
    if (slash)
        slash[slash == file->target] = 0;
    int folder = open(slash ? file->target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return; /* a folder may be written to but not read */
    if (fsync(folder) && errno != EINVAL && errno != EROFS)
        file_failed(file, errno);
    close(folder);
}

wg_status wg_file_end(wg_file *file, wg_status status)
{
    if (!file->status)
        file->status = status;
    if (file->descriptor < 0)
        return file->status;
    if (!file->status && fsync(file->descriptor))
        file_failed(file, errno);
    if (close(file->descriptor))
        file_failed(file, errno);
    file->descriptor = -1;
    if (!file->status && rename(file->beside, file->target))
        file_failed(file, errno);
    if (file->status)
        unlink(file->beside);
    else
        flush_folder(file);
    return file->status;
}

wg_status wg_file_write(wg_tape *tape, const char *name, const char *path, const void *data, size_t size)
{
    wg_file file;
    wg_status status = wg_file_begin(&file, tape, name, path);
    if (status)
        return status;
    wg_file_put(&file, data, size);
    return wg_file_end(&file, WG_OK);
}
