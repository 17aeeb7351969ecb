/* Three quarters of the memory of this machine, or of the control group this process is in. */
#include "limit.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Bytes of memory this machine, or the control group this process is in, has. */
static double memory_there_is(void)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        FILE *file = fopen(limits[i], "r");
        if (file && fscanf(file, "%lf", &limit) == 1 && limit < bytes)
            bytes = limit;
        if (file)
            fclose(file);
    }
    return bytes;
}

/* A sanitizer sets aside more address space than any machine has memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED                                                                                                      \
    (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANITIZED 0
#endif

void memory_limit(void)
{
    struct rlimit limit;
    double most = 0.75 * memory_there_is();
    if (!SANITIZED && most > 0 && !getrlimit(RLIMIT_DATA, &limit) && (double)limit.rlim_cur > most) {
        limit.rlim_cur = (rlim_t)most;
        setrlimit(RLIMIT_DATA, &limit);
    }
}
