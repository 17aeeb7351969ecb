/* The generated suite: every property of suite.h on every sample call of every entry, hidden ones included. An
 * operation gets into it by being in the registry. WENGERT_SUITE=NAME runs the checks of one operation alone. */
#include <check.h>
#include <stdlib.h>

#include "ops/lapack.h"
#include "suite.h"

#define ENTRIES 1024

static const struct {
    const char *name;
    bool (*holds)(trial *t);                   /* for each sample */
    bool (*entry)(const wg_op *op, char *why); /* or once */
} properties[] = {
    {"entries are complete", NULL, entry_is_complete},
    {"values are finite", values_are_finite, NULL},
    {"values have their types", values_have_their_types, NULL},
    {"operands may lie anyhow", layouts_agree, NULL},
    {"float32 agrees with float64", float32_agrees, NULL},
    {"a second run gives the same bits", twice_is_the_same, NULL},
    {"any number of threads gives the same bits", threads_agree, NULL},
    {"operands and cotangents are left alone", operands_are_untouched, NULL},
    {"its cost is a number", flops_are_a_number, NULL},
    {"its formula is its value", formula_is_the_value, NULL},
    {"empty axes do no harm", empty_axes_are_harmless, NULL},
    {"the vjp is the derivative", vjp_is_the_derivative, NULL},
    {"the jvp is the vjp's transpose", jvp_is_the_transpose, NULL},
    {"the recorded vjp is the plain one", recorded_vjp_agrees, NULL},
    {"the vjp is linear", vjp_is_linear, NULL},
    {"zero stays zero", zero_stays_zero, NULL},
    {"one tensor may be two operands", operand_given_twice, NULL},
    {"saves are honest", saves_are_honest, NULL},
    {"hvp forward and reverse over reverse agree", hessian_products_agree, NULL},
    {"the hvp is the gradient's derivative", hessian_is_the_derivative, NULL},
    {"its structure is what a NaN finds", structure_is_what_a_nan_finds, NULL},
    {"slopes hold at the points", NULL, slopes_at_points},
    {"slopes hold at the kinks", NULL, slopes_at_kinks},
    {"zero stays zero at the points", NULL, zeros_at_points},
    {"long rows give the same bits on threads", NULL, long_rows_on_threads},
};

static const wg_op *entries[ENTRIES];
static int n_entries;

static bool collected(void)
{
    const char *only = getenv("WENGERT_SUITE");
    for (int f = 0; wg_op_family(f); f++)
        for (int i = 0; i < wg_op_family(f)->n; i++) {
            const wg_op *op = wg_op_family(f)->op[i];
            if (n_entries == ENTRIES)
                return false;
            if (!only || !*only || !strcmp(only, op->name))
                entries[n_entries++] = op;
        }
    return n_entries > 0;
}

/* A build without LAPACK refuses what needs it, and no other build may. */
static bool lacks_lapack(const wg_op *op)
{
    bool lacks = false;
    char why[SUITE_WHY];
    for (size_t i = 0; i < COUNT(op->samples) && op->samples[i] && !lacks && !wg_has_lapack(); i++) {
        trial t;
        lacks = !trial_open(&t, wg_tape_new(), op, op->samples[i], WG_FLOAT64, why) &&
                wg_error_status(t.tape) == WG_ERROR_UNSUPPORTED;
        trial_close(&t);
    }
    return lacks;
}

static bool on_every_sample(const wg_op *op, bool (*holds)(trial *), char *why)
{
    if (lacks_lapack(op))
        return true;
    for (size_t i = 0; i < COUNT(op->samples) && op->samples[i]; i++) {
        trial t;
        bool made = trial_open(&t, wg_tape_new(), op, op->samples[i], WG_FLOAT64, why);
        bool fine = made && holds(&t);
        trial_close(&t);
        if (!fine)
            return false;
    }
    return true;
}

START_TEST(holds_for_the_entry)
{
    const wg_op *op = entries[_i % ENTRIES];
    size_t p = (size_t)(_i / ENTRIES);
    char why[SUITE_WHY] = "";
    bool fine = properties[p].holds ? on_every_sample(op, properties[p].holds, why) : properties[p].entry(op, why);
    ck_assert_msg(fine, "%s", why);
}
END_TEST

int main(void)
{
    if (!collected())
        return 1;
    Suite *suite = suite_create("operations");
    for (size_t p = 0; p < COUNT(properties); p++) {
        TCase *property = tcase_create(properties[p].name);
        tcase_add_loop_test(property, holds_for_the_entry, (int)p * ENTRIES, (int)p * ENTRIES + n_entries);
        suite_add_tcase(suite, property);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
