/* `wengert info`: what this build and this machine have. */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>
#include <wengert.h>

#include "arguments.h"
#include "command.h"

/* Products whose back end is worth knowing: [m, k] times [k, n]. */
static const struct {
    int64_t m, k, n;
} products[] = {{4, 4, 4}, {1, 1024, 1024}, {64, 784, 128}, {512, 512, 512}};
#define PRODUCTS (sizeof products / sizeof *products)

/* What the processor can do of what the kernels are compiled for. */
typedef struct {
    bool avx2, fma, avx512;
} features;

static features features_there_are(void)
{
    features f = {0};
#if defined(__x86_64__) && defined(__GNUC__)
    f.avx2 = __builtin_cpu_supports("avx2");
    f.fma = __builtin_cpu_supports("fma");
    f.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
#endif
    return f;
}

static size_t empty_tape_bytes(void)
{
    wg_tape *tape = wg_tape_new();
    size_t bytes = tape ? wg_tape_bytes(tape) : 0;
    wg_tape_free(tape);
    return bytes;
}

static void print_table(const features *f, long processors)
{
    printf("version    %s\n", WENGERT_VERSION);
    printf("processor  avx2 %s, fma %s, avx512 %s\n", f->avx2 ? "yes" : "no", f->fma ? "yes" : "no",
           f->avx512 ? "yes" : "no");
    printf("threads    %ld can run at once; a tape has 1 unless told otherwise\n", processors);
    printf("lapack     %s\n", wg_has_lapack() ? "yes" : "no: factorisations are refused");
    printf("allocator  malloc; an empty tape holds %zu bytes\n\n", empty_tape_bytes());
    printf("products                      float32   float64\n");
    for (size_t i = 0; i < PRODUCTS; i++) {
        int64_t m = products[i].m, n = products[i].n, k = products[i].k;
        char text[60];
        snprintf(text, sizeof text, "[%lld, %lld] times [%lld, %lld]", (long long)m, (long long)k, (long long)k,
                 (long long)n);
        printf("%-28s  %-8s  %s\n", text, wg_backend_name(WG_FLOAT32, m, n, k), wg_backend_name(WG_FLOAT64, m, n, k));
    }
}

static int print_json(const features *f, long processors)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PRODUCTS; i++) {
        int64_t m = products[i].m, n = products[i].n, k = products[i].k;
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:s, s:s}", "m", (json_int_t)m, "k", (json_int_t)k, "n",
                                              (json_int_t)n, "float32", wg_backend_name(WG_FLOAT32, m, n, k), "float64",
                                              wg_backend_name(WG_FLOAT64, m, n, k)));
    }
    json_t *all = json_pack("{s:s, s:{s:b, s:b, s:b}, s:I, s:b, s:s, s:I, s:o}", "version", WENGERT_VERSION,
                            "processor", "avx2", f->avx2, "fma", f->fma, "avx512", f->avx512, "threads",
                            (json_int_t)processors, "lapack", wg_has_lapack(), "allocator", "malloc", "tape_bytes",
                            (json_int_t)empty_tape_bytes(), "products", list);
    if (!all || json_dumpf(all, stdout, 0)) {
        json_decref(all);
        return EXIT_FAILED;
    }
    putchar('\n');
    json_decref(all);
    return EXIT_FINE;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    bool *json = state->input;
    (void)text;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *json = true;
    return 0;
}

int command_info(int argc, char **argv)
{
    static const struct argp_option options[] = {{"json", 'j', NULL, 0, "One JSON object instead of a table", 0}, {0}};
    static const struct argp argp = {
        .options = options, .parser = parse, .doc = "Tell what this build and this machine have."};
    bool json = false;
    arguments_read(&argp, argc, argv, &json, NULL);
    features f = features_there_are();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (json)
        return print_json(&f, processors);
    print_table(&f, processors);
    return EXIT_FINE;
}
