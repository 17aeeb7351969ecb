/* Interleaved spirals: a data set that no straight line takes apart, made from the tape's seed. */
#include "graph/data.h"

#define FUNCTION "wg_data_spirals"
#define INNER 0.1 /* radius at which an arm starts; it ends at 1 */

/* Sample i is on arm i % classes, evenly spaced along its radius; noise holds two numbers a sample. */
static void fill_spirals(const wg_data_spirals_options *o, int64_t n, const double *noise, wg_column *x, wg_column *y)
{
    const double full_turn = 6.283185307179586;
    int64_t steps = (n + o->classes - 1) / o->classes;
    size_t size = wg_dtype_size(x->dtype);
    for (int64_t i = 0; i < n; i++) {
        int64_t arm = i % o->classes;
        double along = steps > 1 ? (double)(i / o->classes) / (double)(steps - 1) : 1;
        double radius = INNER + (1 - INNER) * along;
        double angle = full_turn * (o->turns * along + (double)arm / o->classes);
        char *to = wg_column_at(x, i);
        wg_store_number(x->dtype, radius * cos(angle) + noise[2 * i], to);
        wg_store_number(x->dtype, radius * sin(angle) + noise[2 * i + 1], to + size);
        ((int64_t *)y->values)[i] = arm;
    }
}

wg_data *(wg_data_spirals)(wg_tape *tape, int64_t n, wg_data_spirals_options options)
{
    if (!tape || tape->status)
        return NULL;
    if (n < 0 || options.classes < 1 || !isfinite(options.turns) || !isfinite(options.noise) || options.noise < 0 ||
        !wg_is_float(options.dtype)) {
        wg_report(tape, FUNCTION, WG_ERROR_VALUE, "%lld points of %s on %d arms of %g turns with noise %g",
                  (long long)n, wg_dtype_name(options.dtype), options.classes, options.turns, options.noise);
        return NULL;
    }
    wg_column x = {.dtype = options.dtype, .row = {{2}, 1}}, y = {.dtype = WG_INT64};
    wg_column noise = {.dtype = WG_FLOAT64, .row = {{2}, 1}};
    bool made = wg_column_new(tape, FUNCTION, &noise, n) && wg_column_new(tape, FUNCTION, &x, n) &&
                wg_column_new(tape, FUNCTION, &y, n);
    if (made) {
        wg_type type = {.dtype = WG_FLOAT64, .rank = 2, .dim = {n, 2}};
        wg_fill_normal(tape, type, noise.values, tape->stream++, 0, options.noise);
        fill_spirals(&options, n, noise.values, &x, &y);
    }
    wg_column_free(tape, &noise);
    if (made)
        return wg_data_new(tape, FUNCTION, &x, &y, n, options.shuffle);
    wg_column_free(tape, &x);
    wg_column_free(tape, &y);
    return NULL;
}
