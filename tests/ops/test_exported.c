/* Every sample call of every entry as exported C: its value, and the cotangents of its operands by the rules that a
 * compiled function has. The C of a family is one file; it compiles without a warning, and gives what the tape
 * gives. */
#include "suite.h"

#include "ops/lapack.h"

#include <check.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_SAMPLES 1000
#define MOST_VALUES (TRIAL_OUTPUTS + WG_SAMPLE_OPERANDS)

/* A sample, and what it gives: outputs, then cotangents. */
typedef struct {
    trial t;
    wg_function *f;
    int n_in, n_out;
    wg_tensor in[WG_SAMPLE_OPERANDS], out[MOST_VALUES];
} exported;

static exported *samples;
static int n_samples;
static char folder[] = "/tmp/wengert-exported-XXXXXX", why[SUITE_WHY];

/* ---- Written ----------------------------------------------------------------------------------------------------- */
static void appended(const char *path, FILE *to)
{
    char part[4096];
    FILE *from = fopen(path, "r");
    ck_assert_ptr_nonnull(from);
    for (size_t n; (n = fread(part, 1, sizeof part, from)) > 0;)
        fwrite(part, 1, n, to);
    fclose(from);
    remove(path);
}

static bool values_found(exported *e)
{
    trial *t = &e->t;
    for (int i = 0; i < t->sample.n_in; i++)
        if (wg_is_tensor(t->sample.in[i]))
            e->in[e->n_in++] = t->sample.in[i];
    for (int k = 0; k < t->n_out; k++)
        e->out[e->n_out++] = t->out[k];
    wg_tensor *dx = e->out + e->n_out;
    if (t->smooth && wg_vjp(t->out, t->g, t->n_out, t->x, t->n_x, dx, .record = true))
        return wrong(t, "no vjp");
    e->n_out += t->smooth ? t->n_x : 0;
    return true;
}

/* Puts the C of the sample behind what the file has; leaves aside what this build cannot record. */
static void written(const wg_op *op, const char *text, wg_dtype dtype, FILE *to)
{
    char path[100], name[40];
    exported *e = &samples[n_samples];
    memset(e, 0, sizeof *e);
    bool made = trial_open(&e->t, wg_tape_new(), op, text, dtype, why) && values_found(e);
    if (!made && !wg_has_lapack() && wg_error_status(e->t.tape) == WG_ERROR_UNSUPPORTED) {
        trial_close(&e->t);
        return;
    }
    ck_assert_msg(made, "%s", why);
    e->f = wg_compile(e->t.tape, ((wg_tensors){e->in, e->n_in}), ((wg_tensors){e->out, e->n_out}));
    snprintf(path, sizeof path, "%s/one.c", folder);
    snprintf(name, sizeof name, "sample%d", n_samples);
    ck_assert_msg(e->f && !wg_export_c(e->f, path, .name = name, .entry = true), "%s %s: %s", op->name, text,
                  wg_error(e->t.tape));
    appended(path, to);
    n_samples++;
}

/* ---- Run --------------------------------------------------------------------------------------------------------- */
static void agrees(exported *e, int number, const char *object)
{
    char name[40];
    const void *in[WG_SAMPLE_OPERANDS];
    void *out[MOST_VALUES];
    wg_tensor got[MOST_VALUES];
    snprintf(name, sizeof name, "sample%d", number);
    ck_assert_msg(!wg_function_load_c(e->f, .object = object, .name = name), "%s", wg_error(e->t.tape));
    for (int i = 0; i < e->n_in; i++)
        in[i] = wg_values(e->in[i]);
    for (int k = 0; k < e->n_out; k++) {
        wg_type type = wg_type_of(e->out[k]);
        got[k] = wg_array(e->t.tape, type.dtype, wg_type_shape(&type), NULL);
        out[k] = (void *)(uintptr_t)wg_values(got[k]);
    }
    ck_assert_msg(!wg_function_run(e->f, in, out), "%s %s: %s", e->t.op->name, e->t.text, wg_error(e->t.tape));
    for (int k = 0; k < e->n_out; k++)
        ck_assert_msg(alike(&e->t, k < e->t.n_out ? "a value" : "a cotangent", got[k], e->out[k],
                            e->t.dtype == WG_FLOAT32 ? 1e-4 : 1e-10), "%s", why);
}

START_TEST(a_family_exported_gives_what_it_is)
{
    const wg_family *family = wg_op_family(_i / 2);
    wg_dtype dtype = _i % 2 ? WG_FLOAT32 : WG_FLOAT64;
    char all[100], object[100], command[400];
    snprintf(all, sizeof all, "%s/%d.c", folder, _i);
    snprintf(object, sizeof object, "%s/%d.so", folder, _i);
    FILE *to = fopen(all, "w");
    ck_assert_ptr_nonnull(to);
    fprintf(to, "typedef int something;\n"); /* where a family has no samples */
    n_samples = 0;
    for (int i = 0; i < family->n; i++)
        for (size_t k = 0; k < COUNT(family->op[i]->samples) && family->op[i]->samples[k]; k++)
            if (wg_op_exports(family->op[i]) || !family->op[i]->hidden)
                written(family->op[i], family->op[i]->samples[k], dtype, to);
    fclose(to);
    snprintf(command, sizeof command,
             "${CC:-cc} -std=c99 -O0 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -fPIC -shared -o %s %s -lm",
             object, all);
    ck_assert_msg(!system(command), "%s does not compile", all);
    for (int i = 0; i < n_samples; i++) {
        agrees(&samples[i], i, object);
        wg_function_free(samples[i].f);
        trial_close(&samples[i].t);
    }
}
END_TEST

int main(void)
{
    char command[100];
    int families = 0;
    samples = malloc(MOST_SAMPLES * sizeof *samples);
    if (!samples || !mkdtemp(folder))
        return 1;
    while (wg_op_family(families))
        families++;
    Suite *suite = suite_create("exported");
    TCase *c = tcase_create("families");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, a_family_exported_gives_what_it_is, 0, 2 * families);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    free(samples);
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (!getenv("WENGERT_KEEP") && system(command))
        failed++;
    return failed != 0;
}
