/* Elementwise entries: the type their result has, and the loops that run their kernels. A kernel reads and writes dense
 * arrays of one length. Operands that lie so are handed over as they are; one that is strided or broadcasts is gathered
 * block by block into a buffer that stays in the first-level cache. Pieces are of a fixed size, so that the split into
 * vectors, and with it every bit, is the same with any number of threads. */
#include "tape.h"

#define MOST_OPERANDS 3 /* as many as a map has slopes */
#define MOST_SOURCES (MOST_OPERANDS + 2)
#define BLOCK 1024 /* elements gathered at a time */

/* ---- Types ----------------------------------------------------------------------------------------------------- */
bool wg_broadcasts(const wg_type *a, const wg_type *b, wg_type *y)
{
    const wg_type *wide = a->rank >= b->rank ? a : b, *narrow = wide == a ? b : a;
    wg_type type = *wide;
    int lead = wide->rank - narrow->rank;
    type.dtype = a->dtype;
    for (int i = lead; i < wide->rank; i++) {
        int64_t dim = narrow->dim[i - lead];
        if (type.dim[i] == 1)
            type.dim[i] = dim;
        else if (dim != 1 && dim != type.dim[i])
            return false;
    }
    *y = type;
    return true;
}

wg_status wg_broadcast_shapes(const wg_call *c, const wg_type *a, const wg_type *b, wg_type *y)
{
    if (wg_broadcasts(a, b, y))
        return WG_OK;
    wg_shape shape_a = wg_type_shape(a), shape_b = wg_type_shape(b);
    char text_a[160], text_b[160];
    return wg_fail(c, WG_ERROR_SHAPE, "shapes do not broadcast: %s and %s",
                   wg_shape_text(&shape_a, text_a, sizeof text_a), wg_shape_text(&shape_b, text_b, sizeof text_b));
}

/* The dtype the kernel is chosen by. A question may be asked of dtypes that no derivative has. */
static wg_dtype map_dtype(const wg_call *c) { return c->op->map->to_bool ? c->x[0].dtype : c->dtype; }

wg_status wg_map_type(wg_call *c)
{
    const wg_map *map = c->op->map;
    if (c->n_in < 1 || c->n_in > MOST_OPERANDS)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "an elementwise operation of %d operands", c->n_in);
    wg_dtype dtype = map_dtype(c);
    if (!map->run[dtype])
        return wg_fail(c, WG_ERROR_DTYPE, "not defined for %s: %s", wg_dtype_name(dtype), wg_show(c, 0));
    wg_type y = c->x[0];
    for (int i = 1; i < c->n_in; i++) {
        if (wg_broadcasts(&y, &c->x[i], &y))
            continue;
        int other = 0; /* where it does not fit them together, it does not fit one of them */
        wg_type both;
        while (other < i - 1 && wg_broadcasts(&c->x[other], &c->x[i], &both))
            other++;
        return wg_fail(c, WG_ERROR_SHAPE, "shapes do not broadcast: %s and %s", wg_show(c, other), wg_show(c, i));
    }
    y.dtype = map->to_bool ? WG_BOOL : dtype;
    *c->y = y;
    return WG_OK;
}

/* ---- Running a kernel ------------------------------------------------------------------------------------------ */
/* One array as the loop reads it: as it lies, as one value everywhere, or by a walk over the result's shape,
 * of which only a block is seen at a time. */
typedef struct {
    const unsigned char *data;
    size_t size; /* bytes an element */
    enum { DENSE, CONSTANT, WALKED } how;
    wg_type type; /* of the walk: the result's shape */
    int64_t stride[WG_MAX_RANK];
} source;

typedef struct {
    wg_kernel *kernel;
    const void *options;
    unsigned char *to;
    size_t size; /* bytes an element of the result */
    int64_t count;
    int n;
    bool dense; /* all sources are */
    source from[MOST_SOURCES];
} loop;

static void source_dense(source *s, const void *data, wg_dtype dtype)
{
    s->data = data;
    s->size = wg_dtype_size(dtype);
    s->how = DENSE;
}

static void source_operand(source *s, const wg_call *c, int i, int64_t count)
{
    const wg_type *x = &c->x[i];
    const int64_t *stride = c->stride ? c->stride[i] : NULL;
    int64_t own = wg_type_count(x);
    source_dense(s, c->from[i], x->dtype);
    if (own == count && !stride)
        return;
    s->type = *c->y;
    s->type.dtype = x->dtype;
    wg_broadcast_strides(x, stride, c->y, s->stride);
    s->how = CONSTANT;
    for (int k = 0; k < c->y->rank; k++)
        if (s->stride[k])
            s->how = WALKED;
}

static void run_dense(const loop *l, int64_t first, int64_t n)
{
    const void *from[MOST_SOURCES];
    for (int i = 0; i < l->n; i++)
        from[i] = l->from[i].data ? l->from[i].data + (size_t)first * l->from[i].size : NULL;
    l->kernel(n, l->to + (size_t)first * l->size, from, l->options);
}

static void run_gathered(const loop *l, int64_t first, int64_t n)
{
    _Alignas(WG_ALIGN) unsigned char buffer[MOST_SOURCES][BLOCK * sizeof(double)];
    const void *from[MOST_SOURCES];
    for (int64_t done = 0, step; done < n; done += step) {
        step = n - done < BLOCK ? n - done : BLOCK;
        for (int i = 0; i < l->n; i++) {
            const source *s = &l->from[i];
            from[i] = s->how != DENSE ? buffer[i] : s->data ? s->data + (size_t)(first + done) * s->size : NULL;
            if (s->how == WALKED || (s->how == CONSTANT && !done))
                wg_gather_range(&s->type, s->stride, s->data, first + done, step, buffer[i]);
        }
        l->kernel(step, l->to + (size_t)(first + done) * l->size, from, l->options);
    }
}

static void run_piece(void *argument, int64_t i)
{
    const loop *l = argument;
    int64_t first = i * WG_PIECE, n = l->count - first < WG_PIECE ? l->count - first : WG_PIECE;
    if (l->dense)
        run_dense(l, first, n);
    else
        run_gathered(l, first, n);
}

static void loop_run(wg_tape *tape, loop *l)
{
    l->dense = true;
    for (int i = 0; i < l->n; i++)
        l->dense &= l->from[i].how == DENSE;
    wg_parallel(tape, wg_pieces(l->count), run_piece, l);
}

wg_status wg_map_loop(const wg_call *c, wg_kernel *kernel, const void *options)
{
    int64_t count = wg_type_count(c->y);
    if (count == 1) { /* and so has every operand */
        kernel(1, c->to[0], c->from, options);
        return WG_OK;
    }
    if (!count)
        return WG_OK;
    loop l;
    l.kernel = kernel;
    l.options = options;
    l.to = c->to[0];
    l.size = wg_dtype_size(c->y->dtype);
    l.count = count;
    l.n = c->n_in;
    for (int i = 0; i < c->n_in; i++)
        source_operand(&l.from[i], c, i, count);
    loop_run(c->tape, &l);
    return WG_OK;
}

wg_status wg_map_run(const wg_call *c) { return wg_map_loop(c, c->op->map->run[map_dtype(c)], c->options); }

wg_status wg_map_pull(const wg_call *c, int which, const void *g, void *to)
{
    wg_kernel *kernel = wg_is_float(c->dtype) && which < MOST_OPERANDS ? c->op->map->pull[which][c->dtype] : NULL;
    if (!kernel)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "no derivative with respect to %s", wg_show(c, which));
    int64_t count = wg_type_count(c->y);
    int n = c->n_in;
    if (count == 1) {
        const void *from[MOST_SOURCES];
        for (int i = 0; i < n; i++)
            from[i] = c->from[i];
        from[n] = c->to[0];
        from[n + 1] = g;
        kernel(1, to, from, c->options);
        return WG_OK;
    }
    if (!count)
        return WG_OK;
    loop l;
    l.kernel = kernel;
    l.options = c->options;
    l.to = to;
    l.size = wg_dtype_size(c->dtype);
    l.count = count;
    l.n = n + 2;
    for (int i = 0; i < n; i++)
        source_operand(&l.from[i], c, i, count);
    source_dense(&l.from[n], c->to[0], c->dtype);
    source_dense(&l.from[n + 1], g, c->dtype);
    loop_run(c->tape, &l);
    return WG_OK;
}
