/* Entries taken at coordinates: the first axes of x are one, in which a row of coordinates names an entry. */
#include "ops/code.h"
#include "ops/index.h"

#define COORDINATES(OP) OP(gather_nd) OP(gather_nd_back)
WG_CONTENTS(COORDINATES)

/* ---- gather_nd --------------------------------------------------------------------------------------------------- */
/* x as rows: its first q axes as one. */
static wg_lines rows_of(const wg_type *x, int64_t q)
{
    wg_lines l = {1, 1, 1};
    for (int i = 0; i < x->rank; i++)
        *(i < q ? &l.n : &l.inner) *= x->dim[i];
    return l;
}

static int64_t coordinates_of(const wg_type *indices) { return indices->dim[indices->rank - 1]; }

/* The rows that operand i's coordinates name. */
static const int64_t *row_places(const wg_call *c, int i, const wg_type *x)
{
    const wg_type *at = &c->x[i];
    int64_t q = coordinates_of(at), n = 1;
    for (int k = 0; k < at->rank - 1; k++)
        n *= at->dim[k];
    int64_t *place = wg_scratch(c, (size_t)n * sizeof *place);
    for (int64_t r = 0; r < n && place; r++) {
        place[r] = 0;
        for (int64_t k = 0; k < q; k++) {
            int64_t index = wg_index_at(c, i, r * q + k), size = x->dim[k];
            if (index < -size || index >= size) {
                char text[200];
                wg_fail(c, WG_ERROR_INDEX, "index %lld at %s is out of range for axis %lld of size %lld",
                        (long long)index, wg_position_text(at, r * q + k, text, sizeof text), (long long)k,
                        (long long)size);
                return NULL;
            }
            place[r] = place[r] * size + (index < 0 ? index + size : index);
        }
    }
    return place;
}

static wg_status gather_nd_type(wg_call *c)
{
    const wg_type *x = &c->x[0], *indices = &c->x[1];
    wg_type *y = &c->y[0];
    if (!indices->rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%s has no axis of coordinates", wg_show(c, 1));
    int64_t q = coordinates_of(indices);
    if (q > x->rank)
        return wg_fail(c, WG_ERROR_SHAPE, "%lld coordinates, in %s, for %s", (long long)q, wg_show(c, 1),
                       wg_show(c, 0));
    int lead = indices->rank - 1, rank = lead + x->rank - (int)q;
    if (rank > WG_MAX_RANK)
        return wg_fail(c, WG_ERROR_SHAPE, "%d dimensions are more than %d", rank, WG_MAX_RANK);
    *y = (wg_type){.dtype = x->dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        y->dim[i] = i < lead ? indices->dim[i] : x->dim[i - lead + (int)q];
    return WG_OK;
}

static int64_t lead_count(const wg_type *indices)
{
    int64_t n = 1;
    for (int i = 0; i < indices->rank - 1; i++)
        n *= indices->dim[i];
    return n;
}

static wg_status gather_nd_run(const wg_call *c)
{
    const int64_t *place = row_places(c, 1, &c->x[0]);
    if (!place)
        return WG_ERROR_INDEX;
    wg_rows_take(c, rows_of(&c->x[0], coordinates_of(&c->x[1])), place, lead_count(&c->x[1]),
                 wg_dtype_size(c->x[0].dtype), c->from[0], c->to[0]);
    return WG_OK;
}

static wg_tensor gather_nd_back(wg_tensor indices, wg_tensor g, wg_shape shape);
static wg_tensor gather_nd_dx(const wg_call *c, wg_tensor g)
{
    return gather_nd_back(c->in[1], g, wg_type_shape(&c->x[0]));
}

/* The sizes of the axes that coordinates name, and a row of them. */
static void coordinates_c(wg_code *w, const wg_type *x, const wg_type *indices, wg_lines lines)
{
    int64_t q = coordinates_of(indices);
    wg_code_sizes(w, "size", (int)q, x->dim);
    wg_code_size(w, "axes", q);
    wg_code_size(w, "count", lead_count(indices));
    wg_code_size(w, "inner", lines.inner);
}

#define ROW_NAMED                                                                                                      \
    int64_t row = 0;                                                                                                   \
    for (int l = 0; l < axes; l++) {                                                                                   \
        const int64_t at = indices[k * axes + l];                                                                      \
        if (at < -size[l] || at >= size[l]) FAIL;                                                                      \
        row = row * size[l] + (at < 0 ? at + size[l] : at);                                                            \
    }

static wg_status gather_nd_c(const wg_call *c, wg_code *w)
{
    coordinates_c(w, &c->x[0], &c->x[1], rows_of(&c->x[0], coordinates_of(&c->x[1])));
    return wg_code_text(w, TEXT_OF(for (int k = 0; k < count; k++) {
        ROW_NAMED
        for (int j = 0; j < inner; j++) y[k * inner + j] = x[row * inner + j];
    }));
}

WG_OP(gather_nd) = {
    .name = "gather_nd",
    .doc = "y[..., :] = x[indices[..., 0], indices[..., 1], ..., :]: the last axis of indices holds coordinates",
    .in = {{"x", WG_ANY}, {"indices", WG_INTEGER}},
    .type = gather_nd_type,
    .run = gather_nd_run,
    .c = gather_nd_c,
    .vjp = {gather_nd_dx},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[5,3] [4,2]:int64:-3..2", "[2,3,2] [2,4,1]:int32:0..1", "[3,2] [2]:int64:1", "[3,2] [4,0]:int64",
                "[3,2] [0,2]:int64"},
};
wg_tensor (wg_gather_nd)(wg_tensor x, wg_tensor indices) { return WG_RECORD(gather_nd, NULL, x, indices); }

/* ---- gather_nd_back ---------------------------------------------------------------------------------------------- */
typedef struct {
    wg_shape shape;
} wg_gather_nd_back_options;
#define wg_gather_nd_back_defaults .shape = WG_NO_SHAPE

static wg_status gather_nd_back_type(wg_call *c)
{
    const wg_gather_nd_back_options *o = c->options;
    c->y[0] = wg_type_make(c->x[1].dtype, o->shape);
    return WG_OK;
}

static wg_status gather_nd_back_run(const wg_call *c)
{
    const int64_t *place = row_places(c, 0, &c->y[0]);
    if (!place)
        return WG_ERROR_INDEX;
    memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * wg_dtype_size(c->y[0].dtype));
    return wg_rows_add(c, rows_of(&c->y[0], coordinates_of(&c->x[0])), place, lead_count(&c->x[0]), WG_NO_INTEGER,
                       c->from[1], c->to[0]);
}

static wg_tensor gather_nd_back_dg(const wg_call *c, wg_tensor h) { return wg_gather_nd(h, c->in[0]); }

static wg_status gather_nd_back_c(const wg_call *c, wg_code *w)
{
    wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
    coordinates_c(w, &c->y[0], &c->x[0], rows_of(&c->y[0], coordinates_of(&c->x[0])));
    return wg_code_text(w, TEXT_OF(for (int k = 0; k < count; k++) {
        ROW_NAMED
        for (int j = 0; j < inner; j++) y[row * inner + j] += g[k * inner + j];
    }));
}

WG_OP(gather_nd_back) = {
    .name = "gather_nd_back",
    .doc = "y = zeros, with g added at the coordinates: gather_nd's pullback",
    .in = {{"indices", WG_INTEGER}, {"g", 0}},
    .options = WG_SCHEMA(wg_gather_nd_back, WG_ATTR_REQUIRED(wg_gather_nd_back, shape)),
    .type = gather_nd_back_type,
    .run = gather_nd_back_run,
    .c = gather_nd_back_c,
    .vjp = {NULL, gather_nd_back_dg},
    .linear = WG_JOINTLY,
    .saves = "indices",
    .samples = {"[4,2]:int64:0..2 [4] shape=[3,3]", "[4,1]:int64:0..2 [4,2] shape=[3,2]"},
    .hidden = true,
};
static wg_tensor gather_nd_back(wg_tensor indices, wg_tensor g, wg_shape shape)
{
    return WG_RECORD(gather_nd_back, (&(wg_gather_nd_back_options){shape}), indices, g);
}

WG_FAMILY_OF(coordinates, "indexing", COORDINATES)
