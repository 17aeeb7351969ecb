/* The floors of the rows that products make: matmul and attention by each back end, conv2d by oneDNN's convolutions, in
 * their own layouts with reorders at each call, or as the arrays lie. */
#include "floor.h"

#include "ops.h"

/* ---- matmul and attention ------------------------------------------------------------------------------------------
 */
enum { SIDE = 1024, HEADS = 32, LENGTH = 256, WIDTH = 64, SCORES = LENGTH * LENGTH, HEAD = LENGTH * WIDTH };

typedef struct {
    product *multiply;
    float *a, *b, *g, *y, *da, *db;
} matmul_arrays;

static void matmul_forward(void *argument)
{
    const matmul_arrays *m = argument;
    m->multiply('N', 'N', SIDE, SIDE, SIDE, m->a, SIDE, m->b, SIDE, 0, m->y, SIDE);
}

static void matmul_both(void *argument)
{
    const matmul_arrays *m = argument;
    matmul_forward(argument);
    m->multiply('N', 'T', SIDE, SIDE, SIDE, m->g, SIDE, m->b, SIDE, 0, m->da, SIDE);
    m->multiply('T', 'N', SIDE, SIDE, SIDE, m->a, SIDE, m->g, SIDE, 0, m->db, SIDE);
}

void matmul_row(void)
{
    const int64_t n = SIDE * SIDE;
    matmul_arrays m = {NULL, input(n, 0, 1), input(n, 1, 1), input(n, 2, 1), array(n), array(n), array(n)};
    for (int i = 0; back_ends[i].name; i++) {
        m.multiply = back_ends[i].run;
        measure("matmul_fwd", back_ends[i].name, matmul_forward, &m, (result[]){{m.y, n}}, 1);
        measure("matmul_fwd_bwd", back_ends[i].name, matmul_both, &m, (result[]){{m.y, n}, {m.da, n}, {m.db, n}}, 3);
    }
}

typedef struct {
    product *multiply;
    float *q, *k, *v, *g, *y, *dq, *dk, *dv;
    float *scores, *weights, *dweights; /* of one head, in the cache */
} attention_arrays;

/* weights = softmax(q k' / 8), y = weights v */
static void head_forward(const attention_arrays *a, int64_t at)
{
    a->multiply('N', 'T', LENGTH, LENGTH, WIDTH, a->q + at, WIDTH, a->k + at, WIDTH, 0, a->scores, LENGTH);
    for (int64_t i = 0; i < SCORES; i++)
        a->scores[i] *= 0.125f;
    softmax_rows(a->scores, a->weights, LENGTH, LENGTH);
    a->multiply('N', 'N', LENGTH, WIDTH, LENGTH, a->weights, LENGTH, a->v + at, WIDTH, 0, a->y + at, WIDTH);
}

static void attention_forward(void *argument)
{
    for (int64_t head = 0; head < HEADS; head++)
        head_forward(argument, head * HEAD);
}

static void attention_both(void *argument)
{
    const attention_arrays *a = argument;
    for (int64_t at = 0; at < HEADS * HEAD; at += HEAD) {
        head_forward(a, at);
        a->multiply('T', 'N', LENGTH, WIDTH, LENGTH, a->weights, LENGTH, a->g + at, WIDTH, 0, a->dv + at, WIDTH);
        a->multiply('N', 'T', LENGTH, LENGTH, WIDTH, a->g + at, WIDTH, a->v + at, WIDTH, 0, a->dweights, LENGTH);
        softmax_back_rows(a->weights, a->dweights, a->scores, LENGTH, LENGTH, 0.125f);
        a->multiply('N', 'N', LENGTH, WIDTH, LENGTH, a->scores, LENGTH, a->k + at, WIDTH, 0, a->dq + at, WIDTH);
        a->multiply('T', 'N', LENGTH, WIDTH, LENGTH, a->scores, LENGTH, a->q + at, WIDTH, 0, a->dk + at, WIDTH);
    }
}

void attention_row(void)
{
    const int64_t n = HEADS * HEAD;
    attention_arrays a = {NULL,     input(n, 0, 2), input(n, 1, 2), input(n, 2, 2), input(n, 3, 1), array(n),
                          array(n), array(n),       array(n),       array(SCORES),  array(SCORES),  array(SCORES)};
    for (int i = 0; back_ends[i].name; i++) {
        a.multiply = back_ends[i].run;
        measure("attention_fwd", back_ends[i].name, attention_forward, &a, (result[]){{a.y, n}}, 1);
        measure("attention_fwd_bwd", back_ends[i].name, attention_both, &a,
                (result[]){{a.y, n}, {a.dq, n}, {a.dk, n}, {a.dv, n}}, 4);
    }
}

/* ---- conv2d --------------------------------------------------------------------------------------------------------
 */
#ifdef WG_WITH_ONEDNN
enum { IMAGES = 16, IN = 32, OUT = 64, EDGE = 32, KERNEL = 3, PIXELS = EDGE * EDGE };

/* x, w, bias and y, or their derivatives. */
enum { X, W, B, Y, ARRAYS };

/* An array as it lies, and in the layout the primitive likes. */
typedef struct {
    dnnl_memory_t plain, liked;
    dnnl_primitive_t to_liked, to_plain; /* NULL: it is the same */
} operand;

typedef struct {
    dnnl_primitive_t run;
    operand at[ARRAYS];
} step;

typedef struct {
    dnnl_stream_t stream;
    step forward, back_x, back_w;
} convolution;

static dnnl_engine_t engine;
static dnnl_memory_desc_t plain[ARRAYS], any[ARRAYS];

static dnnl_primitive_t reorder_of(dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *a, *b;
    dnnl_primitive_desc_t how;
    dnnl_primitive_t made;
    dnnl_memory_get_memory_desc(from, &a);
    dnnl_memory_get_memory_desc(to, &b);
    dnnl_reorder_primitive_desc_create(&how, a, engine, b, engine, NULL);
    dnnl_primitive_create(&made, how);
    dnnl_primitive_desc_destroy(how);
    return made;
}

static void operand_make(operand *o, dnnl_primitive_desc_t how, dnnl_query_t which, int i, float *data)
{
    const dnnl_memory_desc_t *liked = dnnl_primitive_desc_query_md(how, which, 0);
    dnnl_memory_create(&o->plain, &plain[i], engine, data);
    if (dnnl_memory_desc_equal(liked, &plain[i])) {
        o->liked = o->plain;
        return;
    }
    dnnl_memory_create(&o->liked, liked, engine, array((int64_t)(dnnl_memory_desc_get_size(liked) / sizeof(float))));
    o->to_liked = reorder_of(o->plain, o->liked);
    o->to_plain = reorder_of(o->liked, o->plain);
}

static void reorder(const convolution *c, dnnl_primitive_t how, dnnl_memory_t from, dnnl_memory_t to)
{
    if (how)
        dnnl_primitive_execute(how, c->stream, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

/* What is read is brought into the liked layout, what is written out of it. */
static void step_run(const convolution *c, const step *s, const int *argument, const int *written)
{
    dnnl_exec_arg_t arguments[ARRAYS];
    int n = 0;
    for (int i = 0; i < ARRAYS; i++) {
        if (!argument[i])
            continue;
        if (!written[i])
            reorder(c, s->at[i].to_liked, s->at[i].plain, s->at[i].liked);
        arguments[n++] = (dnnl_exec_arg_t){argument[i], s->at[i].liked};
    }
    dnnl_primitive_execute(s->run, c->stream, n, arguments);
    for (int i = 0; i < ARRAYS; i++)
        if (argument[i] && written[i])
            reorder(c, s->at[i].to_plain, s->at[i].liked, s->at[i].plain);
}

static void conv2d_forward(void *argument)
{
    const convolution *c = argument;
    step_run(c, &c->forward, (int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST}, (int[]){0, 0, 0, 1});
}

static void conv2d_both(void *argument)
{
    const convolution *c = argument;
    conv2d_forward(argument);
    step_run(c, &c->back_x, (int[]){DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST}, (int[]){1, 0, 0, 0});
    step_run(c, &c->back_w, (int[]){DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS, DNNL_ARG_DIFF_DST},
             (int[]){0, 1, 1, 0});
}

static int convolution_make(convolution *c, const dnnl_memory_desc_t *as, float *const *in, float *g, float *const *d)
{
    const dnnl_dims_t one = {1, 1}, none = {0, 0}, padding = {1, 1};
    dnnl_convolution_desc_t forward, back_x, back_w;
    dnnl_primitive_desc_t how, how_x, how_w;
    dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &as[X], &as[W],
                                               &plain[B], &as[Y], one, none, padding, padding);
    dnnl_dilated_convolution_backward_data_desc_init(&back_x, dnnl_convolution_direct, &as[X], &as[W], &as[Y], one,
                                                     none, padding, padding);
    dnnl_dilated_convolution_backward_weights_desc_init(&back_w, dnnl_convolution_direct, &as[X], &as[W], &plain[B],
                                                        &as[Y], one, none, padding, padding);
    if (dnnl_primitive_desc_create(&how, &forward, NULL, engine, NULL) ||
        dnnl_primitive_desc_create(&how_x, &back_x, NULL, engine, how) ||
        dnnl_primitive_desc_create(&how_w, &back_w, NULL, engine, how))
        return 0;
    *c = (convolution){0};
    dnnl_stream_create(&c->stream, engine, dnnl_stream_default_flags);
    dnnl_primitive_create(&c->forward.run, how);
    dnnl_primitive_create(&c->back_x.run, how_x);
    dnnl_primitive_create(&c->back_w.run, how_w);
    operand_make(&c->forward.at[X], how, dnnl_query_src_md, X, in[X]);
    operand_make(&c->forward.at[W], how, dnnl_query_weights_md, W, in[W]);
    dnnl_memory_create(&c->forward.at[B].liked, &plain[B], engine, in[B]);
    operand_make(&c->forward.at[Y], how, dnnl_query_dst_md, Y, d[Y]);
    operand_make(&c->back_x.at[X], how_x, dnnl_query_diff_src_md, X, d[X]);
    operand_make(&c->back_x.at[W], how_x, dnnl_query_weights_md, W, in[W]);
    operand_make(&c->back_x.at[Y], how_x, dnnl_query_diff_dst_md, Y, g);
    operand_make(&c->back_w.at[X], how_w, dnnl_query_src_md, X, in[X]);
    operand_make(&c->back_w.at[W], how_w, dnnl_query_diff_weights_md, W, d[W]);
    dnnl_memory_create(&c->back_w.at[B].liked, &plain[B], engine, d[B]);
    operand_make(&c->back_w.at[Y], how_w, dnnl_query_diff_dst_md, Y, g);
    return 1;
}

void conv2d_row(void)
{
    static const int rank[ARRAYS] = {4, 4, 1, 4};
    static const dnnl_dims_t dims[ARRAYS] = {
        {IMAGES, IN, EDGE, EDGE}, {OUT, IN, KERNEL, KERNEL}, {OUT}, {IMAGES, OUT, EDGE, EDGE}};
    const int64_t n[ARRAYS] = {IMAGES * IN * PIXELS, OUT * IN * KERNEL * KERNEL, OUT, IMAGES * OUT * PIXELS};
    float *in[ARRAYS], *d[ARRAYS], *g = input(n[Y], 3, 1);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0))
        return;
    for (int i = 0; i < ARRAYS; i++) {
        in[i] = i == Y ? NULL : input(n[i], (uint64_t)i, 1);
        d[i] = array(n[i]);
        dnnl_memory_desc_init_by_tag(&plain[i], rank[i], dims[i], dnnl_f32, rank[i] == 1 ? dnnl_a : dnnl_abcd);
        dnnl_memory_desc_init_by_tag(&any[i], rank[i], dims[i], dnnl_f32, dnnl_format_tag_any);
    }
    const struct {
        const char *name;
        const dnnl_memory_desc_t *as;
    } variants[] = {{"dnnl_reorders", any}, {"dnnl_plain", plain}};
    for (int i = 0; i < 2; i++) {
        convolution c;
        if (!convolution_make(&c, variants[i].as, in, g, d))
            continue;
        measure("conv2d_fwd", variants[i].name, conv2d_forward, &c, (result[]){{d[Y], n[Y]}}, 1);
        measure("conv2d_fwd_bwd", variants[i].name, conv2d_both, &c,
                (result[]){{d[Y], n[Y]}, {d[X], n[X]}, {d[W], n[W]}, {d[B], n[B]}}, 4);
    }
}
#else
void conv2d_row(void) {}
#endif
