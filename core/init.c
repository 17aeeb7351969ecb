/* How parameters start: constants, numbers of a variance that keeps signals or gradients of one size from layer to
 * layer, and orthonormal rows or columns. */
#include "tape.h"

#include <math.h>

/* Inputs and outputs of one unit: of [fan_in, fan_out], or of [out, in, k...] with the receptive field k. */
static void fans(const wg_type *type, double *fan_in, double *fan_out)
{
    *fan_in = *fan_out = (double)wg_type_count(type);
    if (type->rank == 2) {
        *fan_in = (double)type->dim[0];
        *fan_out = (double)type->dim[1];
    } else if (type->rank > 2) {
        double field = 1;
        for (int i = 2; i < type->rank; i++)
            field *= (double)type->dim[i];
        *fan_in = field * (double)type->dim[1];
        *fan_out = field * (double)type->dim[0];
    }
}

static void fill_with(const wg_type *type, void *data, double value)
{
    int64_t count = wg_type_count(type);
    size_t size = wg_dtype_size(type->dtype);
    for (int64_t i = 0; i < count; i++)
        wg_store_number(type->dtype, value, (unsigned char *)data + (size_t)i * size);
}

/* ---- Orthonormal vectors --------------------------------------------------------------------------------------- */
#define LANES 8 /* sums kept side by side, so that the loop is vector code without reordering a sum */

static double dot(int64_t n, const double *a, const double *b)
{
    double part[LANES] = {0}, sum = 0;
    int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++)
            part[k] += a[i + k] * b[i + k];
    for (int64_t i = whole; i < n; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < LANES; k++)
        sum += part[k];
    return sum;
}

/* Modified Gram-Schmidt on n vectors of m >= n elements, each twice: then they are orthogonal to rounding (Giraud,
 * Langou and Rozloznik 2005). Of normal numbers it gives vectors that are uniform over all orthonormal ones. */
static void orthonormalise(int64_t n, int64_t m, double *v)
{
    for (int64_t i = 0; i < n; i++) {
        double *x = v + i * m;
        for (int64_t j = 0; j < 2 * i; j++) {
            const double *q = v + j % i * m;
            double along = dot(m, q, x);
            for (int64_t k = 0; k < m; k++)
                x[k] -= along * q[k];
        }
        double scale = 1 / sqrt(dot(m, x, x));
        for (int64_t k = 0; k < m; k++)
            x[k] *= scale;
    }
}

/* Of the matrix [dim0, rest]: orthonormal rows where it is wide, columns where it is tall. */
static wg_status orthogonal(wg_tape *tape, const wg_type *type, void *data, double gain)
{
    int64_t count = wg_type_count(type), rows = type->rank ? type->dim[0] : 1, columns = count / rows;
    bool tall = rows > columns;
    int64_t n = tall ? columns : rows, m = tall ? rows : columns; /* n vectors of m elements */
    size_t bytes = (size_t)count * sizeof(double);
    wg_arena_mark mark = wg_arena_at(tape);
    double *v = wg_arena(tape, bytes);
    if (!v)
        return wg_no_memory(tape, "wg_param", bytes);
    wg_fill_normal(tape, wg_type_make(WG_FLOAT64, WG_SHAPE(count)), v, tape->stream++, 0, 1);
    orthonormalise(n, m, v);
    size_t size = wg_dtype_size(type->dtype);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = i / columns, column = i % columns;
        double value = tall ? v[column * m + row] : v[row * m + column];
        wg_store_number(type->dtype, gain * value, (unsigned char *)data + (size_t)i * size);
    }
    wg_arena_back(tape, mark);
    return WG_OK;
}

/* ---- The start of a parameter ---------------------------------------------------------------------------------- */
static wg_status spread(wg_tape *tape, const wg_type *type, void *data, double variance, bool uniform, double gain)
{
    double deviation = gain * sqrt(variance);
    if (uniform) {
        double bound = fabs(deviation) * sqrt(3.0);
        wg_fill_uniform(tape, *type, data, tape->stream++, -bound, bound);
    } else {
        wg_fill_normal(tape, *type, data, tape->stream++, 0, deviation);
    }
    return WG_OK;
}

wg_status wg_initialise(wg_tape *tape, const wg_type *type, void *data, wg_init init, double gain, const char *name)
{
    double in, out;
    fans(type, &in, &out);
    if (!wg_is_float(type->dtype))
        return wg_report(tape, "wg_param", WG_ERROR_DTYPE, "a parameter of %s: %s", wg_dtype_name(type->dtype), name);
    if (!isfinite(gain))
        return wg_report(tape, "wg_param", WG_ERROR_VALUE, "the gain is %g: %s", gain, name);
    if (!wg_type_count(type))
        return WG_OK;
    switch (init) {
    case WG_ZEROS:
        fill_with(type, data, 0);
        return WG_OK;
    case WG_ONES:
        fill_with(type, data, 1);
        return WG_OK;
    case WG_XAVIER_UNIFORM:
    case WG_XAVIER_NORMAL:
        return spread(tape, type, data, 2 / (in + out), init == WG_XAVIER_UNIFORM, gain);
    case WG_HE_UNIFORM:
    case WG_HE_NORMAL:
        return spread(tape, type, data, 2 / in, init == WG_HE_UNIFORM, gain);
    case WG_LECUN_UNIFORM:
    case WG_LECUN_NORMAL:
        return spread(tape, type, data, 1 / in, init == WG_LECUN_UNIFORM, gain);
    case WG_ORTHOGONAL:
        return orthogonal(tape, type, data, gain);
    }
    return wg_report(tape, "wg_param", WG_ERROR_VALUE, "there is no initialiser %d: %s", (int)init, name);
}
