/* Systems of linear equations and the inverses that stand for them. A matrix that lies in rows is, to LAPACK, its own
 * transpose lying in columns: factors of a' solve with a as well, and an inverse comes out the right way round.
 *
 * The rules are those of x = a^-1 b, dx = a^-1 (db - da x), with whatever solves in place of a^-1. */
#include "ops/linalg.h"
#include "ops/linalg_code.h"

#define SYSTEMS(OP) OP(solve) OP(triangular_solve) OP(cholesky_solve) OP(lstsq) OP(inv) OP(pinv)
WG_CONTENTS(SYSTEMS)

/* Is b, and so x, one vector a system? */
static bool is_vector(const wg_call *c) { return c->x[1].rank == 1; }
/* A vector, or what has its rank, as a matrix of one column; and such a matrix as it came. */
static wg_tensor up(const wg_call *c, wg_tensor b) { return is_vector(c) && !wg_is_none(b) ? wg_as_column(b) : b; }
static wg_tensor down(const wg_call *c, wg_tensor x) { return is_vector(c) ? wg_from_column(x) : x; }

/* -g x' for the cotangent of a in a x = b. */
static wg_tensor minus_outer(wg_tensor g, wg_tensor x)
{
    return wg_negative(wg_matmul(g, wg_matrix_transpose(x)));
}

/* tb - ta x; a zero tangent is absent. */
static wg_tensor moved(wg_tensor tb, wg_tensor ta, wg_tensor x)
{
    return wg_is_none(ta) ? tb : wg_plus(tb, wg_negative(wg_matmul(ta, x)));
}

static wg_status square_system_type(wg_call *c) { return wg_is_square(c, 0) ? WG_ERROR_SHAPE : wg_system_type(c); }

/* Rows and columns of b and x, and how many there are. */
typedef struct {
    int rows_b, rows_x, columns;
    int64_t count;
    size_t size;      /* bytes of an element */
    int core;         /* axes of one x */
} right_side;

static wg_status right_side_of(const wg_call *c, right_side *r)
{
    const wg_type *b = &c->x[1], *y = &c->y[0];
    int core = is_vector(c) ? 1 : 2;
    int64_t columns = core == 1 ? 1 : b->dim[b->rank - 1], rows = b->dim[b->rank - core];
    if (columns > INT_MAX || rows * (columns ? columns : 1) > INT_MAX)
        return wg_fail(c, WG_ERROR_MEMORY, "%s has more elements than LAPACK can count", wg_show(c, 1));
    *r = (right_side){.rows_b = (int)rows, .rows_x = (int)y->dim[y->rank - core], .columns = (int)columns, .count = 1,
                      .size = wg_dtype_size(c->dtype), .core = core};
    for (int i = 0; i < y->rank - core; i++)
        r->count *= y->dim[i];
    return WG_OK;
}

/* The b of system k: a vector is everybody's. */
static const void *right_side_at(const wg_call *c, const right_side *r, int64_t k)
{
    int64_t at = is_vector(c) ? 0 : wg_stack_index(&c->x[1], &c->y[0], r->core, k);
    return (const char *)c->from[1] + (size_t)at * (size_t)r->rows_b * (size_t)r->columns * r->size;
}

/* ---- The same in C ----------------------------------------------------------------------------------------------- */
/* The text for each system: a, right [rows, columns] and what becomes x, its first rows. */
static wg_status systems_c(const wg_call *c, wg_code *w, const char *text)
{
    const wg_type *a = &c->x[0], *b = &c->x[1], *y = &c->y[0];
    int core = is_vector(c) ? 1 : 2;
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], columns = core == 1 ? 1 : b->dim[b->rank - 1];
    int64_t longer = m > n ? m : n, shorter = m < n ? m : n;
    wg_code_size(w, "m", m);
    wg_code_size(w, "n", n);
    wg_code_size(w, "columns", columns);
    wg_code_room(w, "matrix", WG_FLOAT64, m * n);
    wg_code_room(w, "right", WG_FLOAT64, longer * columns);
    wg_code_room(w, "room", WG_FLOAT64, 3 * shorter);
    wg_code_room(w, "pivot", WG_INT32, shorter);
    wg_systems_begin(c, w, core);
    wg_code_text(w, text);
    wg_code_text(w, y->dim[y->rank - core] ? TEXT_OF(WG_PUT(n * columns, y[q * n * columns + i], right[i])) : "");
    return wg_systems_end(c, w, core);
}

static wg_status solve_c(const wg_call *c, wg_code *w)
{
    wg_code_number(w, "epsilon", wg_epsilon(c->dtype));
    return systems_c(c, w, TEXT_OF(
        WG_LOAD(n * n, matrix, a[at_a + i])
        WG_LOAD_ANY(n * columns, right, b[at_b + i])
        if (lu_singular(n, matrix, pivot, room, epsilon)) BREAKDOWN;
        lu_solve(n, columns, matrix, pivot, right);));
}

/* ---- solve ------------------------------------------------------------------------------------------------------- */
static wg_status solve_run(const wg_call *c)
{
    wg_matrix_stack s;
    right_side r;
    wg_factors f;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s) || right_side_of(c, &r))
        return WG_ERROR_MEMORY;
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    size_t bytes = (size_t)r.rows_b * (size_t)r.columns * r.size;
    char *b = wg_scratch(c, bytes), *to = c->to[0];
    if (!b || !wg_factors_made(c, &s, &f))
        return WG_ERROR_MEMORY;
    int64_t factors_of = -1;
    for (int64_t k = 0; k < r.count; k++, to += bytes) {
        int64_t at = wg_stack_index(&c->x[0], &c->y[0], r.core, k);
        if (at != factors_of && wg_factorised(c, &s, at, &f))
            return WG_ERROR_NUMERIC;
        factors_of = at;
        wg_transpose_into(c->dtype, r.rows_b, r.columns, right_side_at(c, &r, k), b);
        wg_lapack_getrs(c->dtype, 'T', s.n, r.columns, f.lu, f.pivot, b);
        wg_transpose_into(c->dtype, r.columns, r.rows_b, b, to);
    }
    return WG_OK;
}

static wg_tensor solve_db(const wg_call *c, wg_tensor g)
{
    return down(c, wg_solve(wg_matrix_transpose(c->in[0]), up(c, g)));
}
static wg_tensor solve_da(const wg_call *c, wg_tensor g)
{
    return minus_outer(wg_solve(wg_matrix_transpose(c->in[0]), up(c, g)), up(c, c->out[0]));
}
static wg_tensor solve_jvp(const wg_call *c)
{
    return down(c, wg_solve(c->in[0], moved(up(c, c->t[1]), c->t[0], up(c, c->out[0]))));
}

/* LU, and two triangles for each column. */
static double solve_flops(const wg_call *c)
{
    double n = (double)c->x[0].dim[c->x[0].rank - 1];
    return n * n * (2.0 / 3 * (double)wg_type_count(&c->x[0]) / (n > 0 ? n : 1)) +
           2 * n * (double)wg_type_count(&c->y[0]);
}

static void solve_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->y[0]))
        out[0] = wg_matmul(wg_inverse_formula(c->in[0]), c->in[1]);
}
WG_OP(solve) = {
    .name = "solve",
    .doc = "the x with a x = b, a [..., n, n]; b is a vector where it is 1-D, else a matrix [..., n, k]",
    .source = "Giles 2008, 2.3.1",
    .domain = "a of condition number below 1/epsilon",
    .in = {{"a", 0}, {"b", 0}},
    .type = square_system_type,
    .run = solve_run,
    .c = solve_c,
    .vjp = {solve_da, solve_db},
    .jvp = solve_jvp,
    .saves = "a y",
    .formula = solve_formula,
    .samples = {"[3,3] [3]", "[3,3] [3,2]", "[2,3,3] [2,3,2]", "[2,3,3] [3]", "[2,1,2,2] [3,2,1]", "[4,4] [4,4]",
                "[0,0] [0,2]", "[3,3] [3,0]", "[0,2,2] [2,1]", "[1,1] [1]"},
    .flops = solve_flops,
};
wg_tensor (wg_solve)(wg_tensor a, wg_tensor b) { return WG_RECORD(solve, NULL, a, b); }

/* ---- triangular_solve, cholesky_solve ---------------------------------------------------------------------------- */
/* x' op(a)' = b', which is how they lie: a system from the right, without a copy but b's. */
static void substituted(const wg_call *c, const wg_matrix_stack *s, const right_side *r, bool lower, bool transpose,
                        bool unit, const void *a, void *x)
{
    wg_lapack_trsm_right(c->dtype, lower ? 'U' : 'L', transpose ? 'T' : 'N', unit ? 'U' : 'N', r->columns, s->n, a, x);
}

/* No element of a diagonal may be 0. */
static wg_status diagonal_is_whole(const wg_call *c, const wg_matrix_stack *s)
{
    for (int64_t k = 0; k < s->count && !s->empty; k++)
        for (int64_t i = 0; i < s->n; i++)
            if (wg_load_number(c->dtype, (const char *)wg_stack_at(s, c->from[0], k) +
                                             (size_t)(i * (s->n + 1)) * wg_dtype_size(c->dtype)) == 0)
                return wg_fail(
                    c, WG_ERROR_NUMERIC,
                    "matrix %lld of %s is singular: element %lld of its diagonal is 0, its condition number inf",
                    (long long)k, wg_show(c, 0), (long long)i);
    return WG_OK;
}

/* Of op(a) x = b; `both`: of op(a) op(a)' x = b. */
static wg_status triangular_run(const wg_call *c, bool lower, bool transpose, bool unit, bool both)
{
    wg_matrix_stack s;
    right_side r;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s) || right_side_of(c, &r))
        return WG_ERROR_MEMORY;
    if (!wg_type_count(&c->y[0]))
        return WG_OK;
    if (!unit && diagonal_is_whole(c, &s))
        return WG_ERROR_NUMERIC;
    size_t bytes = (size_t)r.rows_b * (size_t)r.columns * r.size;
    char *to = c->to[0];
    for (int64_t k = 0; k < r.count; k++, to += bytes) {
        const void *a = wg_stack_at(&s, c->from[0], wg_stack_index(&c->x[0], &c->y[0], r.core, k));
        memcpy(to, right_side_at(c, &r, k), bytes);
        substituted(c, &s, &r, lower, transpose, unit, a, to);
        if (both)
            substituted(c, &s, &r, lower, !transpose, unit, a, to);
    }
    return WG_OK;
}

static wg_status triangular_solve_run(const wg_call *c)
{
    const wg_triangular_solve_options *o = c->options;
    return triangular_run(c, o->lower, o->transpose, o->unit_diagonal, false);
}

/* op(a) x = b, or op(a) op(a)' x = b. */
static wg_status triangular_code(const wg_call *c, wg_code *w, bool lower, bool transpose, bool unit, bool both)
{
    wg_code_size(w, "lower", lower);
    wg_code_size(w, "transpose", transpose);
    wg_code_size(w, "unit", unit);
    wg_code_size(w, "both", both);
    wg_code_word(w, "A", c->op->in[0].name);
    return systems_c(c, w, TEXT_OF(
        for (int i = 0; i < n * n; i++) {
            matrix[i] = (double)A[at_a + i];
            if (!unit && i % (n + 1) == 0 && matrix[i] == 0) BREAKDOWN;
        }
        WG_LOAD_ANY(n * columns, right, b[at_b + i])
        substitute(n, columns, matrix, lower, transpose, unit, right);
        if (both) substitute(n, columns, matrix, lower, !transpose, unit, right);));
}

static wg_status triangular_solve_c(const wg_call *c, wg_code *w)
{
    const wg_triangular_solve_options *o = c->options;
    return triangular_code(c, w, o->lower, o->transpose, o->unit_diagonal, false);
}

/* The part of a [n, n] that is read. */
static wg_tensor read_part(bool lower, bool unit, wg_tensor a)
{
    return lower ? wg_tril(a, .k = unit ? -1 : 0) : wg_triu(a, .k = unit ? 1 : 0);
}

static wg_tensor pulled_back(const wg_call *c, wg_tensor g)
{
    wg_triangular_solve_options o = *(const wg_triangular_solve_options *)c->options;
    o.transpose = !o.transpose;
    return (wg_triangular_solve)(c->in[0], up(c, g), o);
}

static wg_tensor triangular_solve_db(const wg_call *c, wg_tensor g) { return down(c, pulled_back(c, g)); }
static wg_tensor triangular_solve_da(const wg_call *c, wg_tensor g)
{
    const wg_triangular_solve_options *o = c->options;
    wg_tensor db = pulled_back(c, g), x = up(c, c->out[0]);
    return read_part(o->lower, o->unit_diagonal, o->transpose ? minus_outer(x, db) : minus_outer(db, x));
}

static wg_tensor triangular_solve_jvp(const wg_call *c)
{
    const wg_triangular_solve_options *o = c->options;
    wg_tensor ta = wg_is_none(c->t[0]) ? WG_NONE : read_part(o->lower, o->unit_diagonal, c->t[0]);
    if (o->transpose && !wg_is_none(ta))
        ta = wg_matrix_transpose(ta);
    return down(c, (wg_triangular_solve)(c->in[0], moved(up(c, c->t[1]), ta, up(c, c->out[0])), *o));
}

static void triangular_solve_formula(const wg_call *c, wg_tensor *out)
{
    const wg_triangular_solve_options *o = c->options;
    if (!wg_type_count(&c->y[0]))
        return;
    wg_tensor a = o->lower ? wg_tril(c->in[0]) : wg_triu(c->in[0]), one = wg_identity_like(a);
    if (o->unit_diagonal)
        a = wg_add(wg_subtract(a, wg_multiply(a, one)), one);
    out[0] = wg_matmul(wg_inverse_formula(o->transpose ? wg_matrix_transpose(a) : a), c->in[1]);
}
WG_OP(triangular_solve) = {
    .name = "triangular_solve",
    .doc = "the x with op(a) x = b, a's lower or upper triangle or its transpose; the other triangle has gradient 0",
    .source = "Giles 2008, 2.3.1",
    .domain = "no 0 on the diagonal",
    .in = {{"a", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_triangular_solve, WG_ATTR(wg_triangular_solve, lower),
                         WG_ATTR(wg_triangular_solve, transpose), WG_ATTR(wg_triangular_solve, unit_diagonal)),
    .type = square_system_type,
    .run = triangular_solve_run,
    .c = triangular_solve_c,
    .vjp = {triangular_solve_da, triangular_solve_db},
    .jvp = triangular_solve_jvp,
    .saves = "a y",
    .formula = triangular_solve_formula,
    .samples = {"[3,3]:0.5..2 [3]", "[3,3]:0.5..2 [3,2] lower=false", "[2,3,3]:0.5..2 [2,3,2] transpose=true",
                "[2,2,2]:0.5..2 [2] lower=false transpose=true", "[3,3] [3,2] unit_diagonal=true", "[4,4]:0.5..2 [4,4]",
                "[3,3] [2,3,1] lower=false unit_diagonal=true transpose=true", "[0,0] [0,2]", "[3,3] [3,0]"},
};
wg_tensor (wg_triangular_solve)(wg_tensor a, wg_tensor b, wg_triangular_solve_options options)
{
    return WG_RECORD(triangular_solve, &options, a, b);
}

static wg_status cholesky_solve_run(const wg_call *c)
{
    bool lower = ((const wg_cholesky_solve_options *)c->options)->lower;
    return triangular_run(c, lower, !lower, false, true);
}

static wg_status cholesky_solve_c(const wg_call *c, wg_code *w)
{
    bool lower = ((const wg_cholesky_solve_options *)c->options)->lower;
    return triangular_code(c, w, lower, !lower, false, true);
}

static wg_tensor again_solved(const wg_call *c, wg_tensor b)
{
    return (wg_cholesky_solve)(c->in[0], b, *(const wg_cholesky_solve_options *)c->options);
}

static wg_tensor cholesky_solve_db(const wg_call *c, wg_tensor g) { return down(c, again_solved(c, up(c, g))); }

/* The cotangent of l l' is s = -db x', and that of l is (s + s') l; of u' u, u (s + s'). */
static wg_tensor cholesky_solve_dl(const wg_call *c, wg_tensor g)
{
    bool lower = ((const wg_cholesky_solve_options *)c->options)->lower;
    wg_tensor l = read_part(lower, false, c->in[0]), s = minus_outer(again_solved(c, up(c, g)), up(c, c->out[0]));
    s = wg_add(s, wg_matrix_transpose(s));
    return read_part(lower, false, lower ? wg_matmul(s, l) : wg_matmul(l, s));
}

static wg_tensor cholesky_solve_jvp(const wg_call *c)
{
    bool lower = ((const wg_cholesky_solve_options *)c->options)->lower;
    wg_tensor ta = WG_NONE;
    if (!wg_is_none(c->t[0])) {
        wg_tensor l = read_part(lower, false, c->in[0]), t = read_part(lower, false, c->t[0]);
        wg_tensor half = lower ? wg_matmul(t, wg_matrix_transpose(l)) : wg_matmul(wg_matrix_transpose(t), l);
        ta = wg_add(half, wg_matrix_transpose(half));
    }
    return down(c, again_solved(c, moved(up(c, c->t[1]), ta, up(c, c->out[0]))));
}

static void cholesky_solve_formula(const wg_call *c, wg_tensor *out)
{
    const wg_cholesky_solve_options *o = c->options;
    if (!wg_type_count(&c->y[0]))
        return;
    wg_tensor l = o->lower ? wg_tril(c->in[0]) : wg_matrix_transpose(wg_triu(c->in[0]));
    out[0] = wg_matmul(wg_inverse_formula(wg_matmul(l, wg_matrix_transpose(l))), c->in[1]);
}
WG_OP(cholesky_solve) = {
    .name = "cholesky_solve",
    .doc = "the x with l l' x = b, or l' l x = b for an upper factor; the other triangle has gradient 0",
    .source = "Giles 2008, 2.3.1",
    .domain = "no 0 on the diagonal",
    .in = {{"l", 0}, {"b", 0}},
    .options = WG_SCHEMA(wg_cholesky_solve, WG_ATTR(wg_cholesky_solve, lower)),
    .type = square_system_type,
    .run = cholesky_solve_run,
    .c = cholesky_solve_c,
    .vjp = {cholesky_solve_dl, cholesky_solve_db},
    .jvp = cholesky_solve_jvp,
    .saves = "l y",
    .formula = cholesky_solve_formula,
    .samples = {"[3,3]:0.5..2 [3]", "[3,3]:0.5..2 [3,2] lower=false", "[2,3,3]:0.5..2 [3,2]", "[2,2,2]:0.5..2 [2]",
                "[3,3]:0.5..2 [3,3] lower=false", "[0,0] [0,2]", "[0,2,2] [2,1]"},
};
wg_tensor (wg_cholesky_solve)(wg_tensor l, wg_tensor b, wg_cholesky_solve_options options)
{
    return WG_RECORD(cholesky_solve, &options, l, b);
}

/* ---- lstsq ------------------------------------------------------------------------------------------------------- */
typedef struct {
    void *a, *b, *work, *room;
    int lwork;
} least_room;

static bool least_room_made(const wg_call *c, const wg_matrix_stack *s, const right_side *r, least_room *l)
{
    size_t size = r->size, rows = (size_t)(s->m > s->n ? s->m : s->n), k = (size_t)(s->m < s->n ? s->m : s->n);
    double answer[1] = {0};
    wg_lapack_gels(c->dtype, 'T', s->n, s->m, r->columns, NULL, NULL, answer, -1);
    l->lwork = wg_work_asked(c->dtype, answer);
    l->a = wg_scratch(c, s->size);
    l->b = wg_scratch(c, rows * (size_t)r->columns * size);
    l->work = wg_scratch(c, (size_t)l->lwork * size);
    l->room = wg_scratch(c, WG_CONDITION_ROOM(k));
    return l->a && l->b && l->work && l->room;
}

/* Puts rows of b [rows, columns] at the top of columns of `longer` elements, or takes them from there. */
static void columns_of(const right_side *r, int rows, int longer, const void *b, void *to)
{
    memset(to, 0, (size_t)longer * (size_t)r->columns * r->size);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < r->columns; j++)
            memcpy((char *)to + (size_t)(j * longer + i) * r->size,
                   (const char *)b + (size_t)(i * r->columns + j) * r->size, r->size);
}

static void rows_of(const right_side *r, int rows, int longer, const void *from, void *x)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < r->columns; j++)
            memcpy((char *)x + (size_t)(i * r->columns + j) * r->size,
                   (const char *)from + (size_t)(j * longer + i) * r->size, r->size);
}

static wg_status lstsq_run(const wg_call *c)
{
    wg_matrix_stack s;
    right_side r;
    least_room l;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s) || right_side_of(c, &r))
        return WG_ERROR_MEMORY;
    if (s.empty || !wg_type_count(&c->y[0])) { /* no equations: of all x the shortest */
        memset(c->to[0], 0, (size_t)wg_type_count(&c->y[0]) * r.size);
        return WG_OK;
    }
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    if (!least_room_made(c, &s, &r, &l))
        return WG_ERROR_MEMORY;
    int longer = s.m > s.n ? s.m : s.n, k = s.m < s.n ? s.m : s.n;
    char *to = c->to[0];
    for (int64_t i = 0; i < r.count; i++, to += (size_t)r.rows_x * (size_t)r.columns * r.size) {
        int64_t at = wg_stack_index(&c->x[0], &c->y[0], r.core, i);
        memcpy(l.a, wg_stack_at(&s, c->from[0], at), s.size);
        columns_of(&r, r.rows_b, longer, right_side_at(c, &r, i), l.b);
        double rcond = 0;
        if (!wg_lapack_gels(c->dtype, 'T', s.n, s.m, r.columns, l.a, l.b, l.work, l.lwork))
            rcond = wg_lapack_trcon(c->dtype, s.m < s.n ? 'U' : 'L', k, l.a, s.n, l.room);
        if (rcond < wg_epsilon(c->dtype))
            return wg_singular(c, 0, at, rcond);
        rows_of(&r, r.rows_x, longer, l.b, to);
    }
    return WG_OK;
}

/* Of a [long, short], or its transpose where it is wide: factors q r, r as the LU factors of itself for its condition.
 * right = r^-1 q' right, or q r'^-1 right. */
#define LEAST_SQUARES                                                                                                  \
    reflectors(rows, less, matrix, tau);                                                                               \
    for (int i = 0; i < less * less; i++) triangle[i] = i % less >= i / less ? matrix[i] : 0;                          \
    for (int i = 0; i < less; i++) pivot[i] = i;                                                                       \
    if (!(norm1_of(less, triangle) * lu_estimate(less, triangle, pivot, room) <= 1 / epsilon)) BREAKDOWN;              \
    if (wide) {                                                                                                        \
        substitute(less, columns, triangle, false, true, false, right);                                                \
        for (int i = less * columns; i < rows * columns; i++) right[i] = 0;                                            \
    }                                                                                                                  \
    apply_q(rows, less, matrix, tau, !wide, columns, right);                                                           \
    if (!wide) substitute(less, columns, triangle, false, false, false, right);
#define LOAD_UPRIGHT(from) WG_LOAD(rows * less, matrix, from[wide ? i % less * rows + i / less : i])

static void least_squares_begin(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], less = m < n ? m : n;
    wg_code_size(w, "rows", m > n ? m : n);
    wg_code_size(w, "less", less);
    wg_code_size(w, "wide", m < n);
    wg_code_number(w, "epsilon", wg_epsilon(c->dtype));
    wg_code_room(w, "tau", WG_FLOAT64, less);
    wg_code_room(w, "triangle", WG_FLOAT64, less * less);
}

static wg_status lstsq_c(const wg_call *c, wg_code *w)
{
    if (!wg_type_count(&c->x[0]) || !wg_type_count(&c->y[0])) {
        wg_code_fill(w, "y", wg_type_count(&c->y[0]), "0");
        return w->status;
    }
    least_squares_begin(c, w);
    return systems_c(c, w, TEXT_OF(
        const T *of_a = a + at_a;
        LOAD_UPRIGHT(of_a)
        WG_LOAD_ANY(m * columns, right, b[at_b + i])
        LEAST_SQUARES));
}

/* Of x = y b with the pseudo-inverse y of a: z = y' g solves least squares with a'. */
static wg_tensor lstsq_z(const wg_call *c, wg_tensor g) { return wg_lstsq(wg_matrix_transpose(c->in[0]), up(c, g)); }
static wg_tensor lstsq_db(const wg_call *c, wg_tensor g) { return down(c, lstsq_z(c, g)); }

/* da = -z x' + (b - a x) (y z)', whose residual is 0 for m <= n; or + (y' x) (g - a' z)', which is 0 for m >= n. */
static wg_tensor lstsq_da(const wg_call *c, wg_tensor g)
{
    wg_tensor a = c->in[0], x = up(c, c->out[0]), z = lstsq_z(c, g), da = minus_outer(z, x), more;
    int64_t m = c->x[0].dim[c->x[0].rank - 2], n = c->x[0].dim[c->x[0].rank - 1];
    if (m > n)
        more = wg_matmul(wg_subtract(up(c, c->in[1]), wg_matmul(a, x)), wg_matrix_transpose(wg_lstsq(a, z)));
    else if (m < n)
        more = wg_matmul(wg_lstsq(wg_matrix_transpose(a), x),
                         wg_matrix_transpose(wg_subtract(up(c, g), wg_matmul(wg_matrix_transpose(a), z))));
    return m == n ? da : wg_add(da, more);
}

static wg_tensor lstsq_jvp(const wg_call *c)
{
    wg_tensor a = c->in[0], at = wg_matrix_transpose(a), x = up(c, c->out[0]), ta = c->t[0], tb = up(c, c->t[1]);
    int64_t m = c->x[0].dim[c->x[0].rank - 2], n = c->x[0].dim[c->x[0].rank - 1];
    wg_tensor dx = wg_lstsq(a, moved(tb, ta, x));
    if (m != n && !wg_is_none(ta)) {
        wg_tensor tat = wg_matrix_transpose(ta), more;
        if (m > n) {
            more = wg_lstsq(a, wg_lstsq(at, wg_matmul(tat, wg_subtract(up(c, c->in[1]), wg_matmul(a, x)))));
        } else {
            wg_tensor v = wg_matmul(tat, wg_lstsq(at, x));
            more = wg_subtract(v, wg_lstsq(a, wg_matmul(a, v)));
        }
        dx = wg_add(dx, more);
    }
    return down(c, dx);
}

static wg_tensor pinv_of(wg_tensor a)
{
    wg_tensor transposed = wg_matrix_transpose(a);
    wg_type type = wg_type_of(a);
    if (type.dim[type.rank - 2] >= type.dim[type.rank - 1])
        return wg_matmul(wg_inverse_formula(wg_matmul(transposed, a)), transposed);
    return wg_matmul(transposed, wg_inverse_formula(wg_matmul(a, transposed)));
}
static void lstsq_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->y[0]) && wg_type_count(&c->x[0]))
        out[0] = wg_matmul(pinv_of(c->in[0]), c->in[1]);
}
WG_OP(lstsq) = {
    .name = "lstsq",
    .doc = "the x that makes |a x - b| least, a [..., m, n] of full rank; for m < n the shortest with a x = b",
    .source = "Golub and Pereyra 1973, 4.12",
    .domain = "a of full rank",
    .in = {{"a", 0}, {"b", 0}},
    .type = wg_system_type,
    .run = lstsq_run,
    .c = lstsq_c,
    .vjp = {lstsq_da, lstsq_db},
    .jvp = lstsq_jvp,
    .saves = "a b y",
    .formula = lstsq_formula,
    .samples = {"[4,3] [4]", "[4,2] [4,2]", "[2,4] [2]", "[2,3] [2,2]", "[2,4,2] [2,4,2]", "[2,2,3] [2]", "[3,3] [3,3]",
                "[0,3,2] [3,1]", "[3,0] [3,2]", "[0,2] [0,2]"},
};
wg_tensor (wg_lstsq)(wg_tensor a, wg_tensor b) { return WG_RECORD(lstsq, NULL, a, b); }

/* ---- inv --------------------------------------------------------------------------------------------------------- */
static wg_status inv_type(wg_call *c) { return wg_is_square(c, 0) ? WG_ERROR_SHAPE : wg_type_as_first(c); }

static wg_status inv_run(const wg_call *c)
{
    wg_matrix_stack s;
    wg_factors f;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (s.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    if (!wg_factors_made(c, &s, &f))
        return WG_ERROR_MEMORY;
    wg_status status = WG_OK;
    for (int64_t k = 0; k < s.count && !status; k++)
        status = wg_inverted(c, &s, k, &f, wg_stack_to(&s, c->to[0], k));
    return status;
}

static wg_status inv_c(const wg_call *c, wg_code *w)
{
    int64_t n = c->x[0].dim[c->x[0].rank - 1];
    wg_code_number(w, "epsilon", wg_epsilon(c->dtype));
    wg_code_room(w, "matrix", WG_FLOAT64, n * n);
    wg_code_room(w, "right", WG_FLOAT64, n * n);
    wg_code_room(w, "room", WG_FLOAT64, 3 * n);
    wg_code_room(w, "pivot", WG_INT32, n);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        WG_LOAD(n * n, matrix, a[q * n * n + i])
        WG_LOAD_ANY(n * n, right, (i % (n + 1) == 0))
        if (lu_singular(n, matrix, pivot, room, epsilon)) BREAKDOWN;
        lu_solve(n, n, matrix, pivot, right);
        WG_PUT(n * n, y[q * n * n + i], right[i])));
    return wg_matrices_end(w);
}

static wg_tensor sandwiched(wg_tensor y, wg_tensor t) { return wg_negative(wg_matmul(wg_matmul(y, t), y)); }
static wg_tensor inv_da(const wg_call *c, wg_tensor g) { return sandwiched(wg_matrix_transpose(c->out[0]), g); }
static wg_tensor inv_jvp(const wg_call *c) { return sandwiched(c->out[0], c->t[0]); }

static void inv_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->y[0]))
        out[0] = wg_inverse_formula(c->in[0]);
}
WG_OP(inv) = {
    .name = "inv",
    .doc = "y = a^-1, a [..., n, n]",
    .source = "Giles 2008, 2.2.3",
    .domain = "a of condition number below 1/epsilon",
    .in = {{"a", 0}},
    .type = inv_type,
    .run = inv_run,
    .c = inv_c,
    .vjp = {inv_da},
    .jvp = inv_jvp,
    .saves = "y",
    .formula = inv_formula,
    .samples = {"[3,3]", "[2,3,3]", "[1,1]", "[0,0]", "[0,2,2]"},
};
wg_tensor (wg_inv)(wg_tensor a) { return WG_RECORD(inv, NULL, a); }

/* ---- pinv -------------------------------------------------------------------------------------------------------- */
static wg_status pinv_type(wg_call *c)
{
    if (wg_is_matrix(c, 0))
        return WG_ERROR_SHAPE;
    const wg_type *x = &c->x[0];
    c->y[0] = wg_matrix_type(x, x->dim[x->rank - 1], x->dim[x->rank - 2]);
    return WG_OK;
}

/* Least squares with the identity for b. */
static wg_status pinv_run(const wg_call *c)
{
    wg_matrix_stack s;
    least_room l;
    if (wg_lapack_needed(c))
        return WG_ERROR_UNSUPPORTED;
    if (wg_stack_of(c, 0, &s))
        return WG_ERROR_MEMORY;
    if (s.empty)
        return WG_OK;
    if (wg_stack_finite(c, 0, &s, WG_WHOLE))
        return WG_ERROR_NUMERIC;
    right_side r = {.rows_b = s.m, .rows_x = s.n, .columns = s.m, .size = wg_dtype_size(c->dtype)};
    if (!least_room_made(c, &s, &r, &l))
        return WG_ERROR_MEMORY;
    int longer = s.m > s.n ? s.m : s.n, n = s.m < s.n ? s.m : s.n;
    for (int64_t k = 0; k < s.count; k++) {
        memcpy(l.a, wg_stack_at(&s, c->from[0], k), s.size);
        memset(l.b, 0, (size_t)longer * (size_t)s.m * r.size);
        for (int64_t i = 0; i < s.m; i++)
            wg_store_number(c->dtype, 1, (char *)l.b + (size_t)(i * longer + i) * r.size);
        double rcond = 0;
        if (!wg_lapack_gels(c->dtype, 'T', s.n, s.m, s.m, l.a, l.b, l.work, l.lwork))
            rcond = wg_lapack_trcon(c->dtype, s.m < s.n ? 'U' : 'L', n, l.a, s.n, l.room);
        if (rcond < wg_epsilon(c->dtype))
            return wg_singular(c, 0, k, rcond);
        rows_of(&r, s.n, longer, l.b, wg_stack_to(&s, c->to[0], k));
    }
    return WG_OK;
}

static wg_status pinv_c(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0];
    int64_t m = a->dim[a->rank - 2], n = a->dim[a->rank - 1], longer = m > n ? m : n, less = m < n ? m : n;
    least_squares_begin(c, w);
    wg_code_size(w, "columns", m);
    wg_code_room(w, "matrix", WG_FLOAT64, m * n);
    wg_code_room(w, "right", WG_FLOAT64, longer * m);
    wg_code_room(w, "room", WG_FLOAT64, 3 * less);
    wg_code_room(w, "pivot", WG_INT32, less);
    wg_matrices_begin(c, w);
    wg_code_text(w, TEXT_OF(
        const T *of_a = a + q * m * n;
        LOAD_UPRIGHT(of_a)
        WG_LOAD_ANY(rows * m, right, (i / m == i % m))
        LEAST_SQUARES
        WG_PUT(n * m, y[q * n * m + i], right[i])));
    return wg_matrices_end(w);
}

/* dy = -y da y + y y' da' (1 - a y) + (1 - y a) da' y' y: the second term is 0 for m <= n, the third for m >= n. */
static wg_tensor pinv_moved(const wg_call *c, wg_tensor a, wg_tensor y, wg_tensor t)
{
    int64_t m = c->x[0].dim[c->x[0].rank - 2], n = c->x[0].dim[c->x[0].rank - 1];
    wg_tensor yt = wg_matrix_transpose(y), tt = wg_matrix_transpose(t), dy = sandwiched(y, t);
    if (m > n) {
        wg_tensor left = wg_matmul(y, wg_matmul(yt, tt));
        dy = wg_add(dy, wg_subtract(left, wg_matmul(wg_matmul(left, a), y)));
    } else if (m < n) {
        wg_tensor right = wg_matmul(wg_matmul(tt, yt), y);
        dy = wg_add(dy, wg_subtract(right, wg_matmul(y, wg_matmul(a, right))));
    }
    return dy;
}

static wg_tensor pinv_jvp(const wg_call *c) { return pinv_moved(c, c->in[0], c->out[0], c->t[0]); }

/* The transpose of that map: -y' g y' + (1 - a y) g' y y' + y' y g' (1 - y a). */
static wg_tensor pinv_da(const wg_call *c, wg_tensor g)
{
    int64_t m = c->x[0].dim[c->x[0].rank - 2], n = c->x[0].dim[c->x[0].rank - 1];
    wg_tensor a = c->in[0], y = c->out[0], yt = wg_matrix_transpose(y), gt = wg_matrix_transpose(g),
              da = sandwiched(yt, g);
    if (m > n) {
        wg_tensor right = wg_matmul(wg_matmul(gt, y), yt);
        da = wg_add(da, wg_subtract(right, wg_matmul(a, wg_matmul(y, right))));
    } else if (m < n) {
        wg_tensor left = wg_matmul(yt, wg_matmul(y, gt));
        da = wg_add(da, wg_subtract(left, wg_matmul(wg_matmul(left, y), a)));
    }
    return da;
}

static void pinv_formula(const wg_call *c, wg_tensor *out)
{
    if (wg_type_count(&c->y[0]))
        out[0] = pinv_of(c->in[0]);
}
WG_OP(pinv) = {
    .name = "pinv",
    .doc = "y = the pseudo-inverse [..., n, m] of a [..., m, n] of full rank",
    .source = "Golub and Pereyra 1973, 4.12",
    .domain = "a of full rank",
    .in = {{"a", 0}},
    .type = pinv_type,
    .run = pinv_run,
    .c = pinv_c,
    .vjp = {pinv_da},
    .jvp = pinv_jvp,
    .saves = "a y",
    .formula = pinv_formula,
    .samples = {"[4,2]", "[2,4]", "[3,3]", "[2,3,2]", "[2,2,3]", "[0,2]", "[3,0]", "[0,3,2]"},
};
wg_tensor (wg_pinv)(wg_tensor a) { return WG_RECORD(pinv, NULL, a); }

WG_FAMILY_OF(systems, "linear algebra", SYSTEMS)
