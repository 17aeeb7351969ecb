/* Dropout and gates. Which elements dropout drops is a function of seed, stream and index alone, so the mask is drawn
 * again on the way back and never kept: a saved number says which stream it was. */
#include "ops/code.h"
#include "core/tape.h"
#include "ops/chain.h"
#include "ops/noise.h"

#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/networks.h"
#include "wengert/shape.h"

#define GATES(OP) OP(dropout) OP(dropout_again) OP(glu) OP(swiglu)
WG_CONTENTS(GATES)

/* ---- dropout ----------------------------------------------------------------------------------------------------- */
#define BLOCK 512 /* elements whose draws are made at a time */
_Static_assert(WG_PIECE % BLOCK == 0, "a piece is whole blocks");

typedef struct {
    wg_dtype dtype;
    uint64_t key, stream;
    int64_t count;
    double p;
    const void *x;
    void *to;
} drop;

/* Element i is dropped where word i of the stream is below p 2^32. */
#define DROP_LOOP(name, T)                                                                                             \
    static WG_CLONES void name(int64_t n, double p, const uint32_t *restrict word, const T *restrict x,                \
                               T *restrict to)                                                                         \
    {                                                                                                                  \
        const uint32_t below = (uint32_t)(p * 0x1p32);                                                                 \
        const T by = (T)(1 / (1 - p));                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            to[i] = word[i] < below ? 0 : x[i] * by;                                                                   \
    }
DROP_LOOP(drop_f32, float)
DROP_LOOP(drop_f64, double)

static void drop_piece(void *argument, int64_t piece)
{
    const drop *d = argument;
    int64_t end = (piece + 1) * WG_PIECE < d->count ? (piece + 1) * WG_PIECE : d->count;
    uint32_t word[BLOCK];
    for (int64_t first = piece * WG_PIECE; first < end; first += BLOCK) {
        int64_t n = end - first < BLOCK ? end - first : BLOCK;
        for (int64_t i = 0; i < n; i += 4)
            wg_philox(d->key, d->stream, (uint64_t)(first + i) / 4, word + i);
        if (d->dtype == WG_FLOAT32)
            drop_f32(n, d->p, word, (const float *)d->x + first, (float *)d->to + first);
        else
            drop_f64(n, d->p, word, (const double *)d->x + first, (double *)d->to + first);
    }
}

static void drop_all(const wg_call *c, uint64_t key, uint64_t stream, double p)
{
    drop d = {c->dtype, key, stream, wg_type_count(&c->x[0]), p, c->from[0], c->to[0]};
    if (p < 1)
        wg_parallel(c->tape, wg_pieces(d.count), drop_piece, &d);
    else
        memset(c->to[0], 0, (size_t)d.count * wg_dtype_size(c->dtype));
}

static bool drops(const wg_call *c)
{
    const wg_dropout_options *o = c->options;
    return o->training && o->p > 0;
}

static wg_status dropout_type(wg_call *c)
{
    const wg_dropout_options *o = c->options;
    if (!(o->p >= 0 && o->p <= 1))
        return wg_fail(c, WG_ERROR_VALUE, "p is %g, not from 0 to 1", o->p);
    c->y[0] = c->x[0];
    c->y[1] = (wg_type){WG_INT64, 1, {2}};
    return WG_OK;
}

static wg_status dropout_run(const wg_call *c)
{
    const wg_dropout_options *o = c->options;
    uint64_t from[2] = {o->seed ? (uint64_t)o->seed : c->tape->seed, 0};
    if (!drops(c)) {
        memcpy(c->to[0], c->from[0], (size_t)wg_type_count(&c->x[0]) * wg_dtype_size(c->dtype));
    } else {
        if (!o->seed)
            from[1] = c->tape->stream++;
        drop_all(c, from[0], from[1], o->p);
    }
    memcpy(c->to[1], from, sizeof from);
    return WG_OK;
}

/* Element i is dropped as in drop_piece. */
static wg_status drop_c(const wg_call *c, wg_code *w, double p)
{
    wg_code_size(w, "n", wg_type_count(&c->x[0]));
    wg_code_line(w, "const uint32_t below = %lluU;", (unsigned long long)(uint32_t)(p * 0x1p32));
    wg_code_number(w, "by", 1 / (1 - p));
    return wg_code_text(w, WG_C(
        uint32_t word[4];
        for (int i = 0; i < n; i++) {
            if (i % 4 == 0) philox_of(key, from, (uint64_t)(i / 4), word);
            y[i] = word[i % 4] < below ? 0 : x[i] * (T)by;
        }));
}

static wg_status dropout_c(const wg_call *c, wg_code *w)
{
    const wg_dropout_options *o = c->options;
    int64_t n = wg_type_count(&c->x[0]);
    if (!drops(c)) {
        wg_code_move(w, &c->x[0], (wg_code_array){.word = "y"}, "=", (wg_code_array){.word = "x"});
        wg_code_fill(w, "stream", 2, "0");
        return w->status;
    }
    wg_status status = wg_stream_c(c, w, o->seed);
    if (status)
        return status;
    if (o->p == 1) {
        wg_code_text(w, WG_C((void)key;));
        wg_code_fill(w, "y", n, "0");
        return w->status;
    }
    wg_code_line(w, "const uint64_t from = 0;");
    return drop_c(c, w, o->p);
}

static const wg_op dropout_again_op;
static wg_tensor dropped_again(const wg_call *c, wg_tensor x)
{
    return drops(c) ? WG_RECORD(dropout_again, c->options, x, wg_saved(c, 0)) : x;
}
static wg_tensor dropout_dx(const wg_call *c, wg_tensor g) { return dropped_again(c, g); }
static wg_tensor dropout_jvp(const wg_call *c) { return dropped_again(c, c->t[0]); }

#define DROPOUT_SCHEMA                                                                                                 \
    WG_SCHEMA(wg_dropout, WG_ATTR_REQUIRED(wg_dropout, p), WG_ATTR(wg_dropout, training), WG_ATTR(wg_dropout, seed))
static void dropout_formula(const wg_call *c, wg_tensor *out)
{
    wg_tensor kept = wg_full(c->tape, c->dtype, wg_type_shape(&c->x[0]), 1);
    out[0] = wg_multiply(c->in[0], wg_stop_gradient(dropped_again(c, kept)));
}
WG_OP(dropout) = {
    .name = "dropout",
    .doc = "y = 0 with probability p, else x / (1 - p); x itself where training is false",
    .source = "Srivastava et al. 2014",
    .in = {{"x", 0}},
    .saved = {"stream"},
    .options = DROPOUT_SCHEMA,
    .type = dropout_type,
    .run = dropout_run,
    .c = dropout_c,
    .vjp = {dropout_dx},
    .jvp = dropout_jvp,
    .saves = "",
    .formula = dropout_formula,
    .samples = {"[4,5] p=0.3 seed=7", "[4,5] p=0.3 training=false", "[3] p=1 seed=7", "[3] p=0 seed=7",
                "[] p=0.5 seed=7", "[0,3] p=0.5 seed=7"},
    .random = true,
};
wg_tensor (wg_dropout)(wg_tensor x, wg_dropout_options options) { return WG_RECORD(dropout, &options, x); }

/* ---- dropout_again: the same elements of another tensor --------------------------------------------------------- */
static wg_status dropout_again_run(const wg_call *c)
{
    const uint64_t *from = c->from[1];
    drop_all(c, from[0], from[1], ((const wg_dropout_options *)c->options)->p);
    return WG_OK;
}
static wg_status dropout_again_c(const wg_call *c, wg_code *w)
{
    double p = ((const wg_dropout_options *)c->options)->p;
    if (p == 1) {
        wg_code_fill(w, "y", wg_type_count(&c->x[0]), "0");
        return w->status;
    }
    wg_code_text(w, WG_C(const uint64_t key = (uint64_t)stream[0]; const uint64_t from = (uint64_t)stream[1];));
    return drop_c(c, w, p);
}
static wg_tensor dropout_again_dx(const wg_call *c, wg_tensor g)
{
    return wg_record(c->op, c->options, (const wg_tensor[]){g, c->in[1]}, 2);
}
WG_OP(dropout_again) = {
    .name = "dropout_again",
    .doc = "y = 0 where the dropout that saved `stream` dropped, else x / (1 - p)",
    .in = {{"x", 0}, {"stream", WG_INTEGER}},
    .options = DROPOUT_SCHEMA,
    .type = wg_type_as_first,
    .run = dropout_again_run,
    .c = dropout_again_c,
    .vjp = {dropout_again_dx},
    .linear = WG_JOINTLY,
    .saves = "stream",
    .samples = {"[4,5] [2]:int64:3..9 p=0.3"},
    .hidden = true,
};

/* ---- Gates ------------------------------------------------------------------------------------------------------- */
/* The halves of x along an axis are runs of `half` elements, one after the other, `outer` times. */
typedef struct {
    const wg_call *c;
    const wg_map *map;
    int64_t outer, half;
    size_t size; /* bytes an element */
    int64_t per_piece; /* halves */
} gate;

static int gate_axis(const wg_call *c) { return *(const int *)c->options; }

static gate gate_of(const wg_call *c, const wg_map *map)
{
    const wg_type *x = &c->x[0];
    gate p = {c, map, 1, 1, wg_dtype_size(c->dtype), 1};
    for (int i = 0; i < x->rank; i++)
        *(i < gate_axis(c) ? &p.outer : &p.half) *= x->dim[i];
    p.half /= 2;
    if (p.half > 0 && p.half < WG_PIECE)
        p.per_piece = WG_PIECE / p.half;
    return p;
}

static int64_t gates_end(const gate *p, int64_t piece)
{
    return (piece + 1) * p->per_piece < p->outer ? (piece + 1) * p->per_piece : p->outer;
}

static void gate_piece(void *argument, int64_t piece)
{
    const gate *p = argument;
    size_t bytes = (size_t)p->half * p->size;
    for (int64_t i = piece * p->per_piece; i < gates_end(p, piece); i++) {
        const char *a = (const char *)p->c->from[0] + 2 * (size_t)i * bytes;
        const void *from[] = {a, a + bytes};
        p->map->run[p->c->dtype](p->half, (char *)p->c->to[0] + (size_t)i * bytes, from, NULL);
    }
}

static wg_status gate_run(const wg_call *c, const wg_map *map)
{
    gate p = gate_of(c, map);
    wg_parallel(c->tape, (p.outer + p.per_piece - 1) / p.per_piece, gate_piece, &p);
    return WG_OK;
}

/* The text, with the halves for a and b. */
static wg_status gate_c(const wg_call *c, wg_code *w, const wg_map *map)
{
    gate p = gate_of(c, map);
    char a[100], b[100];
    snprintf(a, sizeof a, "x[%lld * i + j]", 2 * (long long)p.half);
    snprintf(b, sizeof b, "x[%lld + %lld * i + j]", (long long)p.half, 2 * (long long)p.half);
    wg_code_for(w, "i", p.outer);
    wg_code_for(w, "j", p.half);
    wg_code_word(w, "a", a);
    wg_code_word(w, "b", b);
    wg_source_put(w->to, "%*sy[%lld * i + j] = ", 4 * w->depth, "", (long long)p.half);
    wg_status status = wg_code_expression(w, map->value);
    wg_source_put(w->to, ";\n");
    wg_code_end(w);
    wg_code_end(w);
    return status;
}

static wg_status gate_type(wg_call *c)
{
    int axis = gate_axis(c);
    c->y[0] = c->x[0];
    if (c->x[0].dim[axis] % 2)
        return wg_fail(c, WG_ERROR_SHAPE, "axis %d of %s has no halves", axis, wg_show(c, 0));
    c->y[0].dim[axis] /= 2;
    return WG_OK;
}

static wg_tensor half_of(const wg_call *c, wg_tensor x, int which)
{
    int64_t half = c->x[0].dim[gate_axis(c)] / 2;
    return wg_narrow(x, gate_axis(c), which * half, half);
}

/* g, or half of a tangent, times the slope for half `which`. */
static wg_tensor gate_term(const wg_call *c, const wg_map *map, int which, wg_tensor g)
{
    const wg_tensor halves[] = {half_of(c, c->in[0], 0), half_of(c, c->in[0], 1)};
    wg_call gated = *c;
    gated.in = halves;
    gated.n_in = 2;
    return wg_strong_multiply(g, wg_expression(&gated, map->slope[which]));
}
static wg_tensor gate_vjp(const wg_call *c, const wg_map *map, wg_tensor g)
{
    return wg_concat(WG_TENSORS(gate_term(c, map, 0, g), gate_term(c, map, 1, g)), .axis = gate_axis(c));
}
static wg_tensor gate_jvp(const wg_call *c, const wg_map *map)
{
    return wg_add(gate_term(c, map, 0, half_of(c, c->t[0], 0)), gate_term(c, map, 1, half_of(c, c->t[0], 1)));
}
static void gate_formula(const wg_call *c, const wg_map *map, wg_tensor *out)
{
    const wg_tensor halves[] = {half_of(c, c->in[0], 0), half_of(c, c->in[0], 1)};
    wg_call gated = *c;
    gated.in = halves;
    gated.n_in = 2;
    out[0] = wg_expression(&gated, map->value);
}
#define GATE_RULES(name)                                                                                               \
    static void name##_formula(const wg_call *c, wg_tensor *out) { gate_formula(c, &name##_map, out); }                \
    static wg_status name##_run(const wg_call *c) { return gate_run(c, &name##_map); }                                 \
    static wg_status name##_c(const wg_call *c, wg_code *w) { return gate_c(c, w, &name##_map); }                      \
    static wg_tensor name##_vjp(const wg_call *c, wg_tensor g) { return gate_vjp(c, &name##_map, g); }                 \
    static wg_tensor name##_jvp(const wg_call *c) { return gate_jvp(c, &name##_map); }

/* ---- glu --------------------------------------------------------------------------------------------------------- */
WG_MAP2(glu, a * sigmoid(b), sigmoid(b), a * sigmoid(b) * sigmoid(-b))
GATE_RULES(glu)
WG_OP(glu) = {
    .name = "glu",
    .doc = "y = a sigmoid(b) of the halves a and b of x along axis",
    .source = "Dauphin et al. 2017",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_glu, WG_ATTR(wg_glu, axis)),
    .type = gate_type,
    .run = glu_run,
    .c = glu_c,
    .vjp = {glu_vjp},
    .jvp = glu_jvp,
    .saves = "x",
    .formula = glu_formula,
    .samples = {"[3,4]", "[4,3,2] axis=0", "[2,4,3] axis=1", "[0,4]", "[3,0]"},
};
wg_tensor (wg_glu)(wg_tensor x, wg_glu_options options) { return WG_RECORD(glu, &options, x); }

/* ---- swiglu ------------------------------------------------------------------------------------------------------ */
WG_MAP2(swiglu, a * sigmoid(a) * b, sigmoid(a) * (1 + a * sigmoid(-a)) * b, a * sigmoid(a))
GATE_RULES(swiglu)
WG_OP(swiglu) = {
    .name = "swiglu",
    .doc = "y = a sigmoid(a) b of the halves a and b of x along axis",
    .source = "Shazeer 2020, eq. 6",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_swiglu, WG_ATTR(wg_swiglu, axis)),
    .type = gate_type,
    .run = swiglu_run,
    .c = swiglu_c,
    .vjp = {swiglu_vjp},
    .jvp = swiglu_jvp,
    .saves = "x",
    .formula = swiglu_formula,
    .samples = {"[3,4]", "[4,3,2] axis=0", "[2,4,3] axis=1", "[0,4]", "[3,0]"},
};
wg_tensor (wg_swiglu)(wg_tensor x, wg_swiglu_options options) { return WG_RECORD(swiglu, &options, x); }

WG_FAMILY_OF(gates, "networks", GATES)
