/* Files of a test's own, in a folder that goes with them, and an allocator that fails when told. */
#ifndef TESTS_GRAPH_FILES_H
#define TESTS_GRAPH_FILES_H

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>
#include <wengert.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static char folder[64];

static inline void folder_make(void)
{
    const char *at = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/wengert-XXXXXX", at && *at ? at : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* "NAME" in the folder; four of them live at a time. */
static inline const char *in_folder(const char *name)
{
    static char path[4][400];
    static int next;
    next = (next + 1) % COUNT(path);
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static inline const char *file_of(const char *name, const void *data, size_t size)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    fclose(file);
    return path;
}

/* How many there are. */
static inline int files_in_folder(void)
{
    int n = 0;
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && (entry = readdir(open));)
        n += entry->d_name[0] != '.';
    closedir(open);
    return n;
}

static inline void folder_remove(void)
{
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && (entry = readdir(open));)
        if (entry->d_name[0] != '.' && unlink(in_folder(entry->d_name)))
            rmdir(in_folder(entry->d_name));
    closedir(open);
    rmdir(folder);
}

/* ---- No memory --------------------------------------------------------------------------------------------------- */
typedef struct {
    int fail_at, calls; /* the call that fails, from 1; calls so far */
    size_t held;        /* bytes */
} failing;

static inline void *failing_allocate(void *user, size_t bytes)
{
    failing *f = user;
    if (++f->calls == f->fail_at)
        return NULL;
    f->held += bytes;
    return malloc(bytes);
}

static inline void failing_release(void *user, void *memory, size_t bytes)
{
    failing *f = user;
    f->held -= bytes;
    free(memory);
}

/* Fails each allocation of `work` in turn: it must tell so, and hold nothing when its tape is freed. */
static inline void fail_each_allocation(void (*work)(wg_tape *tape))
{
    int failed = 0;
    for (int at = 1;; at++) {
        failing f = {.fail_at = at};
        wg_tape *tape = wg_tape_new(.memory = {failing_allocate, failing_release, &f});
        if (tape)
            work(tape);
        bool reached = f.calls >= at;
        if (tape && reached) /* a block may be asked for again, smaller */
            failed += wg_error_status(tape) == WG_ERROR_MEMORY;
        ck_assert_msg(!tape || !wg_failed(tape) || (reached && wg_error_status(tape) == WG_ERROR_MEMORY),
                      "allocation %d: %s", at, tape ? wg_error(tape) : "");
        wg_tape_free(tape);
        ck_assert_uint_eq(f.held, 0);
        if (!reached)
            break;
    }
    ck_assert_int_gt(failed, 0);
}

#endif
