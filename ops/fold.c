/* Folding over any axes. Neighbouring axes that all go, or all stay, count as one; what is left is a row-major
 * matrix of the last two such axes, repeated over the outer ones. Where the last one goes, its rows are folded;
 * where it stays, its columns. Outputs are cut into tiles and long folds into segments, by the shape alone, and the
 * segments' results are joined pairwise: that shares the work out over threads and keeps the rounding errors of long
 * sums small. */
#include "ops/fold.h"

#include "wengert/reductions.h"
#include "wengert/shape.h"

#define TILE 1024        /* outputs whose accumulators are held at a time */
#define STRETCH 2048     /* elements of a row taken in before its lanes are joined */
#define SHORTEST_ROWS 128 /* rows of columns below which a segment is not worth its accumulators */

static const double no_parameter[TILE];

/* Axes in front of the matrix: a mixed-radix count of offsets. */
typedef struct {
    int n;
    int64_t count, dim[WG_MAX_RANK], stride[WG_MAX_RANK]; /* outermost first */
} loops;

typedef struct {
    const wg_reduction *r;
    wg_dtype dtype;
    size_t size; /* of an element */
    const char *from;
    loops kept, gone;
    bool by_rows;
    int64_t length, stride; /* elements a matrix folds into one output; from row to row */
    int64_t outputs;        /* of a matrix */
    int64_t tile, tiles;
    int64_t segment, segments, matrices; /* of the length; how many a matrix has; matrices in one, where it has one */
    int64_t folds;                       /* segments an output is made of */
    int64_t n;                           /* outputs */
    double *partial;                     /* [folds, n], where folds > 1 */
} plan;

static int64_t loops_offset(const loops *l, int64_t i)
{
    int64_t offset = 0;
    for (int k = l->n; k-- > 0; i /= l->dim[k])
        offset += i % l->dim[k] * l->stride[k];
    return offset;
}

static void loops_push(loops *l, int64_t dim, int64_t stride)
{
    l->dim[l->n] = dim;
    l->stride[l->n++] = stride;
    l->count *= dim;
}

static int64_t at_least(int64_t a, int64_t least) { return a < least ? least : a; }
static int64_t at_most(int64_t a, int64_t most) { return a > most ? most : a; }
static int64_t parts(int64_t n, int64_t size) { return (n + size - 1) / size; }

/* ---- The plan ---------------------------------------------------------------------------------------------------- */
static void shape_read(plan *p, const wg_type *x, const wg_axes *axes)
{
    unsigned goes = 0;
    int groups = 0;
    int64_t dim[WG_MAX_RANK + 2], stride[WG_MAX_RANK + 2], step = 1;
    bool gone[WG_MAX_RANK + 2];
    for (int i = 0; i < axes->n; i++)
        goes |= 1u << axes->at[i];
    for (int i = x->rank; i-- > 0; step *= x->dim[i]) { /* innermost first */
        bool this_goes = goes >> i & 1;
        if (x->dim[i] == 1)
            continue;
        if (groups && gone[groups - 1] == this_goes) {
            dim[groups - 1] *= x->dim[i];
            continue;
        }
        dim[groups] = x->dim[i];
        stride[groups] = step;
        gone[groups++] = this_goes;
    }
    while (groups < 2) {
        dim[groups] = 1;
        stride[groups] = step;
        gone[groups] = groups ? !gone[groups - 1] : true;
        groups++;
    }
    p->by_rows = gone[0];
    p->stride = dim[0];
    p->length = p->by_rows ? dim[0] : dim[1];
    p->outputs = p->by_rows ? dim[1] : dim[0];
    p->kept.count = p->gone.count = 1;
    for (int i = groups; i-- > 2;)
        loops_push(gone[i] ? &p->gone : &p->kept, dim[i], stride[i]);
    p->n = p->kept.count * p->outputs;
}

static void work_cut(plan *p)
{
    int64_t target = p->by_rows ? WG_PIECE : at_least(WG_PIECE / at_most(p->outputs, TILE), SHORTEST_ROWS);
    p->segments = parts(p->length, target);
    p->segment = p->segments > 1 ? target : p->length;
    p->matrices = p->segments > 1 ? 1 : at_least(target / p->length, 1);
    p->folds = p->segments * parts(p->gone.count, p->matrices);
    int64_t work = p->segment * at_most(p->matrices, p->gone.count);
    p->tile = at_most(p->by_rows ? at_most(at_least(WG_PIECE / work, 1), TILE) : TILE, p->outputs);
    p->tiles = parts(p->outputs, p->tile);
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */
static void store(const wg_reduction *r, int64_t first, int64_t n, const double *acc)
{
#define STORE(T, value)                                                                                                \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        ((T *)r->to)[first + i] = value;                                                                               \
    return
    switch (r->dtype) {
    case WG_FLOAT32: STORE(float, (float)acc[i]);
    case WG_FLOAT64: STORE(double, acc[i]);
    case WG_INT32: STORE(int32_t, (int32_t)acc[i]);
    case WG_INT64: STORE(int64_t, (int64_t)acc[i]);
    case WG_BOOL: STORE(bool, acc[i] != 0);
    }
#undef STORE
}

static const double *parameter_at(const wg_reduction *r, int64_t first)
{
    return r->parameter ? r->parameter + first : no_parameter;
}

static void finish(const wg_reduction *r, int64_t first, int64_t n, double *acc)
{
    if (r->finish)
        r->finish(r, n, acc, parameter_at(r, first));
    store(r, first, n, acc);
}

static void start(const wg_reduction *r, int64_t n, double *acc)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = r->fold->start;
}

/* ---- The work ---------------------------------------------------------------------------------------------------- */
/* Elements [from, from + length) of each of n outputs from `first` on, of the matrix at offset. */
static void fold_matrix(const plan *p, int64_t offset, int64_t first, int64_t n, int64_t from, int64_t length,
                        double *acc, const double *m)
{
    const wg_fold *fold = p->r->fold;
    if (!p->by_rows) {
        fold->columns[p->dtype](length, p->stride, n, p->from + (size_t)(offset + from * p->stride + first) * p->size,
                                acc, m, p->r->p);
        return;
    }
    for (int64_t i = from; i < from + length; i += STRETCH)
        fold->rows[p->dtype](n, p->stride, at_most(STRETCH, from + length - i),
                             p->from + (size_t)(offset + first * p->stride + i) * p->size, acc, m, p->r->p);
}

/* One segment of one tile. */
static void fold_tile(void *argument, int64_t task)
{
    const plan *p = argument;
    int64_t s = task % p->folds, tile = task / p->folds % p->tiles, kept = task / p->folds / p->tiles;
    int64_t first = tile * p->tile, n = at_most(p->tile, p->outputs - first), output = kept * p->outputs + first;
    int64_t from = s % p->segments * p->segment, length = at_most(p->segment, p->length - from);
    int64_t matrix = s / p->segments * p->matrices, last = at_most(matrix + p->matrices, p->gone.count);
    int64_t offset = loops_offset(&p->kept, kept);
    double near[TILE], *acc = p->partial ? p->partial + s * p->n + output : near;
    start(p->r, n, acc);
    for (; matrix < last; matrix++)
        fold_matrix(p, offset + loops_offset(&p->gone, matrix), first, n, from, length, acc,
                    parameter_at(p->r, output));
    if (!p->partial)
        finish(p->r, output, n, acc);
}

static void join_tile(void *argument, int64_t tile)
{
    const plan *p = argument;
    int64_t first = tile * TILE, n = at_most(TILE, p->n - first);
    double *acc = p->partial + first;
    for (int64_t apart = 1; apart < p->folds; apart *= 2)
        for (int64_t s = 0; s + apart < p->folds; s += 2 * apart)
            p->r->fold->join(n, acc + s * p->n, acc + (s + apart) * p->n);
    finish(p->r, first, n, acc);
}

static void reduce_nothing(const wg_reduction *r, int64_t n)
{
    for (int64_t first = 0; first < n; first += TILE) {
        double acc[TILE];
        start(r, at_most(TILE, n - first), acc);
        finish(r, first, at_most(TILE, n - first), acc);
    }
}

wg_status wg_reduce(const wg_call *c, const wg_reduction *r)
{
    const wg_type *x = &c->x[0];
    plan p = {.r = r, .dtype = x->dtype, .size = wg_dtype_size(x->dtype), .from = c->from[0]};
    if (!wg_type_count(x)) {
        reduce_nothing(r, wg_type_count(&c->y[0]));
        return WG_OK;
    }
    shape_read(&p, x, r->axes);
    work_cut(&p);
    if (p.folds > 1 && !(p.partial = wg_scratch(c, (size_t)(p.folds * p.n) * sizeof(double))))
        return WG_ERROR_MEMORY;
    wg_parallel(c->tape, p.kept.count * p.tiles * p.folds, fold_tile, &p);
    if (p.partial)
        wg_parallel(c->tape, parts(p.n, TILE), join_tile, &p);
    return WG_OK;
}

/* ---- Types ------------------------------------------------------------------------------------------------------- */
wg_status wg_reduced_type(wg_call *c, const wg_axes *axes, bool keepdims, wg_dtype dtype)
{
    const wg_type *x = &c->x[0];
    wg_type *y = &c->y[0];
    *y = (wg_type){.dtype = dtype};
    for (int i = 0, k = 0; i < x->rank; i++) {
        bool goes = k < axes->n && axes->at[k] == i;
        k += goes;
        if (!goes || keepdims)
            y->dim[y->rank++] = goes ? 1 : x->dim[i];
    }
    return WG_OK;
}

int64_t wg_reduced_count(const wg_type *x, const wg_axes *axes)
{
    int64_t n = 1;
    for (int i = 0; i < axes->n; i++)
        n *= x->dim[axes->at[i]];
    return n;
}

wg_status wg_reduced_something(const wg_call *c, const wg_axes *axes)
{
    if (wg_reduced_count(&c->x[0], axes) || !wg_type_count(&c->y[0]))
        return WG_OK;
    return wg_fail(c, WG_ERROR_SHAPE, "there is none of nothing: %s", wg_show(c, 0));
}

/* ---- For the rules ----------------------------------------------------------------------------------------------- */
wg_tensor wg_spread(wg_tensor y, const wg_axes *axes, bool keepdims)
{
    return keepdims || !axes->n ? y : wg_expand_dims(y, *axes);
}

wg_tensor wg_spread_over(const wg_call *c, wg_tensor y, const wg_axes *axes, bool keepdims)
{
    return wg_broadcast_to(wg_spread(y, axes, keepdims), wg_type_shape(&c->x[0]));
}

/* Axis i of the result is axis order.at[i] of x: the axes last. */
static wg_axes axes_last(int rank, const wg_axes *axes)
{
    wg_axes order = {0};
    for (int i = 0, k = 0; i < rank; i++)
        if (k < axes->n && axes->at[k] == i)
            k++;
        else
            order.at[order.n++] = i;
    for (int k = 0; k < axes->n; k++)
        order.at[order.n++] = axes->at[k];
    return order;
}

wg_tensor wg_last_of(wg_tensor x, const wg_axes *axes)
{
    if (!wg_is_tensor(x)) /* it failed */
        return x;
    wg_type type = wg_type_of(x);
    wg_axes order = axes_last(type.rank, axes);
    wg_shape shape = {.rank = type.rank - axes->n + 1};
    for (int i = 0; i < shape.rank - 1; i++)
        shape.dim[i] = type.dim[order.at[i]];
    shape.dim[shape.rank - 1] = wg_reduced_count(&type, axes);
    return wg_reshape(type.rank ? wg_permute_dims(x, order) : x, shape);
}

wg_tensor wg_last_back(wg_tensor rows, const wg_type *x, const wg_axes *axes)
{
    wg_axes order = axes_last(x->rank, axes), back = {.n = x->rank};
    wg_shape shape = {.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        shape.dim[i] = x->dim[order.at[i]];
        back.at[order.at[i]] = i;
    }
    wg_tensor y = wg_reshape(rows, shape);
    return x->rank ? wg_permute_dims(y, back) : y;
}
