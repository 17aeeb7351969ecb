/* Rotary position embedding. Pair i of x at position p is turned by the angle p f with f = base^(-2i/D). By p, turning
 * has the n-th derivative f^n times a turn by p f + n 90 degrees, and its transpose turns back: one hidden operation is
 * the whole family, and all derivatives, of any order, are members of it. */
#include "core/tape.h"
#include "ops/code.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"
#include "wengert/reductions.h"
#include "wengert/sequences.h"
#include "wengert/shape.h"

#define ROPE(OP) OP(rope) OP(turned)
WG_CONTENTS(ROPE)

/* wg_rope_options come first, so that those of rope are a beginning of these. */
typedef struct {
    double base;
    bool interleaved, back; /* back: the transpose */
    int64_t order;          /* of the derivative by the position */
} turned_options;
#define turned_defaults .base = 10000, .interleaved = false, .back = false, .order = 0

/* ---- Turning ----------------------------------------------------------------------------------------------------- */
typedef struct {
    turned_options o;
    wg_dtype dtype;
    wg_dtype positions_dtype;
    const void *positions; /* NULL: 0, 1, 2 ... */
    int64_t length, pairs; /* T, D / 2 */
    double *cos, *sin;     /* [T, D / 2] */
    const void *x;
    void *y;
    int64_t rows; /* all of x's, of D elements each */
    int64_t rows_a_piece;
} turning;

static double position_at(const turning *r, int64_t t)
{
    if (!r->positions)
        return (double)t;
    return r->positions_dtype == WG_INT64   ? (double)((const int64_t *)r->positions)[t]
           : r->positions_dtype == WG_INT32 ? (double)((const int32_t *)r->positions)[t]
                                            : wg_load_number(r->positions_dtype, (const char *)r->positions +
                                                             (size_t)t * wg_dtype_size(r->positions_dtype));
}

/* cos and sin of position t's angles, times f^order; turned by order quarters without rounding. */
static void angles_of(void *argument, int64_t t)
{
    const turning *r = argument;
    double position = position_at(r, t);
    for (int64_t i = 0; i < r->pairs; i++) {
        double f = pow(r->o.base, -(double)i / (double)r->pairs), by = r->o.order ? pow(f, (double)r->o.order) : 1;
        double c = cos(position * f) * by, s = sin(position * f) * by;
        const double quarter[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
        r->cos[t * r->pairs + i] = quarter[r->o.order & 3][0];
        r->sin[t * r->pairs + i] = quarter[r->o.order & 3][1] * (r->o.back ? -1 : 1);
    }
}

/* Pair i of a row is at [i first], [i first + second]. */
#define TURN_ROW(suffix, T)                                                                                            \
    static WG_CLONES void turn_row_##suffix(int64_t pairs, const double *restrict c, const double *restrict s,         \
                                            int64_t first, int64_t second, const T *restrict x, T *restrict y)         \
    {                                                                                                                  \
        for (int64_t i = 0; i < pairs; i++) {                                                                          \
            const double a = (double)x[i * first], b = (double)x[i * first + second];                                  \
            y[i * first] = (T)(a * c[i] - b * s[i]);                                                                   \
            y[i * first + second] = (T)(a * s[i] + b * c[i]);                                                          \
        }                                                                                                              \
    }
TURN_ROW(f32, float)
TURN_ROW(f64, double)

static void turn_piece(void *argument, int64_t piece)
{
    const turning *r = argument;
    int64_t end = (piece + 1) * r->rows_a_piece < r->rows ? (piece + 1) * r->rows_a_piece : r->rows;
    int64_t first = r->o.interleaved ? 2 : 1, second = r->o.interleaved ? 1 : r->pairs;
    for (int64_t row = piece * r->rows_a_piece; row < end; row++) {
        const double *c = r->cos + row % r->length * r->pairs, *s = r->sin + row % r->length * r->pairs;
        int64_t at = row * 2 * r->pairs;
        if (r->dtype == WG_FLOAT32)
            turn_row_f32(r->pairs, c, s, first, second, (const float *)r->x + at, (float *)r->y + at);
        else
            turn_row_f64(r->pairs, c, s, first, second, (const double *)r->x + at, (double *)r->y + at);
    }
}

static wg_status turn(const wg_call *c, turned_options o)
{
    const wg_type *x = &c->x[0];
    turning r = {.o = o, .dtype = c->dtype, .positions_dtype = c->n_in > 1 ? c->x[1].dtype : c->dtype,
                 .positions = wg_given(c, 1) ? c->from[1] : NULL, .length = x->dim[x->rank - 2],
                 .pairs = x->dim[x->rank - 1] / 2, .x = c->from[0], .y = c->to[0]};
    int64_t count = wg_type_count(x);
    if (!count)
        return WG_OK;
    r.rows = count / (2 * r.pairs);
    r.rows_a_piece = (WG_PIECE + 2 * r.pairs - 1) / (2 * r.pairs);
    r.cos = wg_scratch(c, 2 * (size_t)(r.length * r.pairs) * sizeof *r.cos);
    if (!r.cos)
        return WG_ERROR_MEMORY;
    r.sin = r.cos + r.length * r.pairs;
    wg_parallel(c->tape, r.length, angles_of, &r);
    wg_parallel(c->tape, (r.rows + r.rows_a_piece - 1) / r.rows_a_piece, turn_piece, &r);
    return WG_OK;
}

static wg_status turn_c(const wg_call *c, wg_code *w, turned_options o)
{
    static const char *const cosines[] = {"u", "-v", "-u", "v"}, *const sines[] = {"v", "u", "-v", "-u"};
    const wg_type *x = &c->x[0];
    int64_t length = x->dim[x->rank - 2], pairs = x->dim[x->rank - 1] / 2;
    wg_code_size(w, "length", length);
    wg_code_size(w, "pairs", pairs);
    wg_code_size(w, "rows", wg_type_count(x) / (2 * length * pairs));
    wg_code_size(w, "first", o.interleaved ? 2 : 1);
    wg_code_size(w, "second", o.interleaved ? 1 : pairs);
    wg_code_number(w, "base", o.base);
    wg_code_number(w, "order", (double)o.order);
    wg_code_word(w, "POSITION", wg_given(c, 1) ? "(double)positions[t]" : "t");
    wg_code_word(w, "COSINE", cosines[o.order & 3]);
    wg_code_word(w, "SINE", sines[(o.order + (o.back ? 2 : 0)) & 3]);
    wg_status status = wg_code_text(w, WG_C(
        for (int t = 0; t < length; t++) for (int i = 0; i < pairs; i++) {
            const double f = pow_double(base, -(double)i / pairs);
            const double u = cos_double(POSITION * f) * pow_double(f, order);
            const double v = sin_double(POSITION * f) * pow_double(f, order);
            const double by_cos = COSINE; const double by_sin = SINE;
            for (int row = 0; row < rows; row++) {
                const int at = (row * length + t) * 2 * pairs + i * first;
                const double a = (double)x[at]; const double b = (double)x[at + second];
                y[at] = (T)(a * by_cos - b * by_sin);
                y[at + second] = (T)(a * by_sin + b * by_cos);
            }
        }));
    w->n_words = 0;
    return status;
}

static wg_status rope_type(wg_call *c)
{
    const wg_type *x = &c->x[0];
    double base = ((const wg_rope_options *)c->options)->base;
    if (x->rank < 2)
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not [..., T, D]", wg_show(c, 0));
    if (x->dim[x->rank - 1] % 2)
        return wg_fail(c, WG_ERROR_SHAPE, "the last axis of %s does not make pairs", wg_show(c, 0));
    if (wg_given(c, 1) && (c->x[1].rank != 1 || c->x[1].dim[0] != x->dim[x->rank - 2]))
        return wg_fail(c, WG_ERROR_SHAPE, "%s is not one position a row of %s", wg_show(c, 1), wg_show(c, 0));
    if (!(base > 0))
        return wg_fail(c, WG_ERROR_VALUE, "base is %g, not above 0", base);
    c->y[0] = *x;
    return WG_OK;
}

/* ---- Rules, of rope and of the whole family ---------------------------------------------------------------------- */
static wg_tensor positions_of(const wg_call *c) { return wg_given(c, 1) ? c->in[1] : WG_NONE; }
static const wg_op turned_op;
static wg_tensor turned(const wg_call *c, wg_tensor x, turned_options o)
{
    return WG_RECORD(turned, &o, x, positions_of(c));
}
static turned_options next(turned_options o)
{
    o.order++;
    return o;
}
static turned_options transposed(turned_options o)
{
    o.back = !o.back;
    return o;
}

/* Each position moved all of its rows. */
static wg_tensor position_pull(const wg_call *c, turned_options o, wg_tensor g)
{
    wg_axes all_but_time = {0};
    for (int i = 0; i < c->x[0].rank; i++)
        if (i != c->x[0].rank - 2)
            all_but_time.at[all_but_time.n++] = i;
    return wg_sum(wg_multiply(g, turned(c, c->in[0], next(o))), .axis = all_but_time);
}

static wg_tensor turned_push(const wg_call *c, turned_options o)
{
    wg_tensor by_x = wg_is_none(c->t[0]) ? WG_NONE : turned(c, c->t[0], o);
    if (!wg_given(c, 1) || wg_is_none(c->t[1]))
        return by_x;
    wg_tensor by_position = wg_multiply(turned(c, c->in[0], next(o)), wg_expand_dims(c->t[1], WG_AXES(-1)));
    return wg_is_none(by_x) ? by_position : wg_add(by_x, by_position);
}

/* ---- rope -------------------------------------------------------------------------------------------------------- */
static turned_options rope_options(const wg_call *c)
{
    const wg_rope_options *o = c->options;
    return (turned_options){.base = o->base, .interleaved = o->interleaved};
}
static wg_status rope_run(const wg_call *c) { return turn(c, rope_options(c)); }
static wg_status rope_c(const wg_call *c, wg_code *w) { return turn_c(c, w, rope_options(c)); }
static wg_tensor rope_dx(const wg_call *c, wg_tensor g) { return turned(c, g, transposed(rope_options(c))); }
static wg_tensor rope_dpositions(const wg_call *c, wg_tensor g) { return position_pull(c, rope_options(c), g); }
static wg_tensor rope_jvp(const wg_call *c) { return turned_push(c, rope_options(c)); }
static double rope_flops(const wg_call *c) { return 3 * (double)wg_type_count(&c->y[0]); }

#define ROPE_OPERANDS {{"x", 0}, {"positions", WG_OPTIONAL | WG_INDEX_OR_FLOAT}}
/* 0, 1 ... n - 1 */
static wg_tensor counted(const wg_call *c, int64_t n)
{
    double *at = wg_scratch(c, (size_t)n * sizeof *at);
    for (int64_t i = 0; at && i < n; i++)
        at[i] = (double)i;
    return at ? wg_array(c->tape, WG_FLOAT64, WG_SHAPE(n), at) : wg_invalid_on(c->tape);
}

/* The pairs (a, b) turned: (a cos - b sin, a sin + b cos). */
static void rope_formula(const wg_call *c, wg_tensor *out)
{
    const wg_rope_options *o = c->options;
    wg_shape shape = wg_type_shape(&c->x[0]), split = shape;
    int64_t length = shape.dim[shape.rank - 2], pairs = shape.dim[shape.rank - 1] / 2;
    int axis = o->interleaved ? -1 : -2;
    if (shape.rank == WG_MAX_RANK || c->dtype != WG_FLOAT64)
        return;
    split.dim[split.rank - 1] = o->interleaved ? pairs : 2;
    split.dim[split.rank++] = o->interleaved ? 2 : pairs;
    wg_tensor x = wg_reshape(c->in[0], split), a = wg_select(x, axis, 0), b = wg_select(x, axis, 1);
    wg_tensor at = wg_given(c, 1) ? c->in[1] : counted(c, length);
    if (wg_is_integer(wg_type_of(at).dtype))
        at = wg_stop_gradient(wg_cast(at, .dtype = WG_FLOAT64));
    wg_tensor slower = wg_pow(o->base, wg_divide(counted(c, pairs), -(double)pairs));
    wg_tensor angle = wg_multiply(wg_expand_dims(at, WG_AXES(-1)), slower);
    wg_tensor cos = wg_cos(angle), sin = wg_sin(angle);
    wg_tensor turned[] = {wg_subtract(wg_multiply(a, cos), wg_multiply(b, sin)),
                          wg_add(wg_multiply(a, sin), wg_multiply(b, cos))};
    out[0] = wg_reshape(wg_stack(((wg_tensors){turned, 2}), .axis = axis), shape);
}
WG_OP(rope) = {
    .name = "rope",
    .doc = "pairs of x [..., T, D] turned by position base^(-2i/D): (i, i + D/2), or neighbours where interleaved",
    .source = "Su et al. 2021, eq. 34",
    .in = ROPE_OPERANDS,
    .options = WG_SCHEMA(wg_rope, WG_ATTR(wg_rope, base), WG_ATTR(wg_rope, interleaved)),
    .type = rope_type,
    .run = rope_run,
    .c = rope_c,
    .vjp = {rope_dx, rope_dpositions},
    .jvp = rope_jvp,
    .saves = "x positions",
    .formula = rope_formula,
    .samples = {"[3,4]", "[2,2,3,6] [3]", "[5,4] [5]:int64:0..9 interleaved=true", "[2,3,2] [3]:int32:0..9 base=100",
                "[3,4] [3] interleaved=true base=50", "[0,4]", "[3,0] [3]", "[0,3,2]"},
    .flops = rope_flops,
};
wg_tensor (wg_rope)(wg_tensor x, wg_tensor positions, wg_rope_options options)
{
    return WG_RECORD(rope, &options, x, positions);
}

/* ---- turned: f^order times a turn by p f + order 90 degrees, or by its opposite ---------------------------------- */
static const turned_options *turned_of(const wg_call *c) { return c->options; }
static wg_status turned_run(const wg_call *c) { return turn(c, *turned_of(c)); }
static wg_status turned_c(const wg_call *c, wg_code *w) { return turn_c(c, w, *turned_of(c)); }
static wg_tensor turned_dx(const wg_call *c, wg_tensor g) { return turned(c, g, transposed(*turned_of(c))); }
static wg_tensor turned_dpositions(const wg_call *c, wg_tensor g) { return position_pull(c, *turned_of(c), g); }
static wg_tensor turned_jvp(const wg_call *c) { return turned_push(c, *turned_of(c)); }
WG_OP(turned) = {
    .name = "turned",
    .doc = "the derivative of rope by the position, of any order, or its transpose where back",
    .in = ROPE_OPERANDS,
    .options = WG_SCHEMA(turned, WG_ATTR(turned, base), WG_ATTR(turned, interleaved), WG_ATTR(turned, back),
                         WG_ATTR(turned, order)),
    .type = rope_type,
    .run = turned_run,
    .c = turned_c,
    .vjp = {turned_dx, turned_dpositions},
    .jvp = turned_jvp,
    .saves = "x positions",
    .samples = {"[3,4] [3] order=1", "[2,3,4] [3] order=2 back=true", "[3,4] [3] order=3 interleaved=true",
                "[3,4] - back=true", "[0,4] - order=1"},
    .hidden = true,
};

WG_FAMILY_OF(rope, "networks", ROPE)
