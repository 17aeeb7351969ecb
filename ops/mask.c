/* Elements taken where a mask is true. How many there are depends on the mask's values, which are looked at when the
 * call is recorded; a run of the same call with another number of them is an error. */
#include "ops/code.h"
#include "ops/index.h"

#define MASKING(OP) OP(masked_select) OP(masked_select_back)
WG_CONTENTS(MASKING)

/* ---- masked_select ----------------------------------------------------------------------------------------------- */
static wg_status mask_fits(const wg_call *c, const wg_type *x, int mask)
{
    const wg_type *m = &c->x[mask];
    bool fits = m->rank <= x->rank;
    for (int i = 0; i < m->rank && fits; i++) {
        int64_t size = m->dim[m->rank - 1 - i];
        fits = size == 1 || size == x->dim[x->rank - 1 - i];
    }
    return fits ? WG_OK : wg_fail(c, WG_ERROR_SHAPE, "%s does not broadcast to %s", wg_show(c, mask), wg_show(c, 0));
}

/* The mask's element for each of x's in turn: calls of next count through x in row-major order. */
typedef struct {
    int rank;
    int64_t at, dim[WG_MAX_RANK], stride[WG_MAX_RANK], index[WG_MAX_RANK];
} walk;

static walk walk_over(const wg_type *x, const wg_type *mask)
{
    walk w = {.rank = x->rank};
    int64_t step = 1;
    for (int i = x->rank, k = mask->rank; i-- > 0;) {
        w.dim[i] = x->dim[i];
        w.stride[i] = --k >= 0 && mask->dim[k] != 1 ? step : 0;
        step *= k >= 0 ? mask->dim[k] : 1;
    }
    return w;
}

static int64_t next(walk *w)
{
    int64_t at = w->at;
    for (int i = w->rank; i-- > 0;) {
        w->at += w->stride[i];
        if (++w->index[i] < w->dim[i])
            break;
        w->at -= w->stride[i] * w->dim[i];
        w->index[i] = 0;
    }
    return at;
}

/* How many there will be is known only from the mask's values. */
static wg_status masked_select_type(wg_call *c)
{
    int64_t n = wg_type_count(&c->x[1]), chosen = 0;
    wg_status status = mask_fits(c, &c->x[0], 1);
    bool *mask = status ? NULL : wg_scratch(c, (size_t)n);
    if (!mask || (status = wg_copy_out(c->in[1], mask)))
        return status ? status : WG_ERROR_MEMORY;
    for (int64_t i = 0; i < n; i++)
        chosen += mask[i];
    c->y[0] = (wg_type){c->x[0].dtype, 1, {n ? chosen * (wg_type_count(&c->x[0]) / n) : 0}};
    return WG_OK;
}

/* Places of x, in order, where the mask is true: as many as `n`, or the mask has changed since the result's size was
 * fixed. */
static const int64_t *chosen_places(const wg_call *c, const wg_type *x, int mask, int64_t n)
{
    int64_t *place = wg_scratch(c, (size_t)n * sizeof *place), found = 0, count = wg_type_count(x);
    walk w = walk_over(x, &c->x[mask]);
    for (int64_t i = 0; i < count && place; i++)
        if (((const bool *)c->from[mask])[next(&w)]) {
            if (found < n)
                place[found] = i;
            found++;
        }
    if (place && found != n) {
        wg_fail(c, WG_ERROR_VALUE, "the mask chooses %lld elements, not %lld as when it was recorded", (long long)found,
                (long long)n);
        return NULL;
    }
    return place;
}

static wg_status masked_select_run(const wg_call *c)
{
    int64_t n = c->y[0].dim[0];
    const int64_t *place = chosen_places(c, &c->x[0], 1, n);
    if (!place)
        return WG_ERROR_VALUE;
    wg_rows_take(c, (wg_lines){1, wg_type_count(&c->x[0]), 1}, place, n, wg_dtype_size(c->x[0].dtype), c->from[0],
                 c->to[0]);
    return WG_OK;
}

static wg_tensor masked_select_back(wg_tensor mask, wg_tensor g, wg_shape shape);
static wg_tensor masked_select_dx(const wg_call *c, wg_tensor g)
{
    return masked_select_back(c->in[1], g, wg_type_shape(&c->x[0]));
}

/* The mask is walked by its strides in x. */
static wg_status masked_c(const wg_call *c, wg_code *w, const wg_type *x, const wg_type *mask, int64_t chosen,
                          const char *chosen_at)
{
    int64_t stride[WG_MAX_RANK];
    wg_source at = {.tape = c->tape}, line = {.tape = c->tape};
    wg_broadcast_strides(mask, NULL, x, stride);
    wg_subscript_put(&at, 0, x->rank, stride, "ijpqrtuv");
    wg_code_size(w, "n", chosen);
    wg_code_text(w, WG_C(int at = 0; int k = 0;));
    for (int i = 0; i < x->rank; i++)
        wg_code_for(w, (const char[]){"ijpqrtuv"[i], 0}, x->dim[i]);
    wg_source_put(&line, "if (mask[%s]) { if (k == n) FAIL; %s; k++; } at++;", at.data ? at.data : "0", chosen_at);
    wg_code_text(w, line.data ? line.data : "");
    for (int i = 0; i < x->rank; i++)
        wg_code_end(w);
    return wg_code_text(w, WG_C(if (k != n) FAIL;));
}

static wg_status masked_select_c(const wg_call *c, wg_code *w)
{
    return masked_c(c, w, &c->x[0], &c->x[1], c->y[0].dim[0], "y[k] = x[at]");
}

WG_OP(masked_select) = {
    .name = "masked_select",
    .doc = "y = the elements of x where mask, broadcast to x, is true, one behind the other",
    .in = {{"x", WG_ANY}, {"mask", WG_BOOLEAN}},
    .type = masked_select_type,
    .run = masked_select_run,
    .c = masked_select_c,
    .vjp = {masked_select_dx},
    .linear = WG_JOINTLY,
    .saves = "mask",
    .samples = {"[2,3] [2,3]:bool", "[2,3] [3]:bool", "[2,3,2] [3,1]:bool", "[] []:bool", "[0,3] [3]:bool"},
};
wg_tensor (wg_masked_select)(wg_tensor x, wg_tensor mask) { return WG_RECORD(masked_select, NULL, x, mask); }

/* ---- masked_select_back ------------------------------------------------------------------------------------------ */
typedef struct {
    wg_shape shape;
} wg_masked_select_back_options;
#define wg_masked_select_back_defaults .shape = WG_NO_SHAPE

static wg_status masked_select_back_type(wg_call *c)
{
    const wg_masked_select_back_options *o = c->options;
    c->y[0] = wg_type_make(c->x[1].dtype, o->shape);
    return WG_OK;
}

static wg_status masked_select_back_run(const wg_call *c)
{
    const int64_t *place = chosen_places(c, &c->y[0], 0, c->x[1].dim[0]);
    if (!place)
        return WG_ERROR_VALUE;
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * wg_dtype_size(c->dtype));
#define PUT(T)                                                                                                         \
    for (int64_t k = 0; k < c->x[1].dim[0]; k++)                                                                       \
        ((T *)c->to[0])[place[k]] = ((const T *)c->from[1])[k]
    if (c->dtype == WG_FLOAT32)
        PUT(float);
    else
        PUT(double);
#undef PUT
    return WG_OK;
}

static wg_tensor masked_select_back_dg(const wg_call *c, wg_tensor h) { return wg_masked_select(h, c->in[0]); }

static wg_status masked_select_back_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    return masked_c(c, w, &c->y[0], &c->x[0], c->x[1].dim[0], "y[at] = g[k]");
}

WG_OP(masked_select_back) = {
    .name = "masked_select_back",
    .doc = "y = zeros, with the elements of g, in order, where the mask is true: masked_select's pullback",
    .in = {{"mask", WG_BOOLEAN}, {"g", 0}},
    .options = WG_SCHEMA(wg_masked_select_back, WG_ATTR_REQUIRED(wg_masked_select_back, shape)),
    .type = masked_select_back_type,
    .run = masked_select_back_run,
    .c = masked_select_back_c,
    .vjp = {NULL, masked_select_back_dg},
    .linear = WG_JOINTLY,
    .saves = "mask",
    .samples = {"[2,3]:bool:1 [6] shape=[2,3]", "[2]:bool:1 [6] shape=[3,2]", "[4]:bool:0 [0] shape=[4]"},
    .hidden = true,
};
static wg_tensor masked_select_back(wg_tensor mask, wg_tensor g, wg_shape shape)
{
    return WG_RECORD(masked_select_back, (&(wg_masked_select_back_options){shape}), mask, g);
}

WG_FAMILY_OF(masking, "indexing", MASKING)
