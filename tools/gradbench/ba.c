/* ba, bundle adjustment: p observations of m points by n cameras, each with its errors of projection and the error of
 * its weight. Variables are kept column by column, so that observations are lanes: a function of a block of them takes
 * their cameras and points, and is called for block after block. Each row of the Jacobian depends on its own
 * observation only, and so the gradient of a sum over a block holds the rows of all its observations. */
#include "gradbench.h"

#define BLOCK 200 /* observations: what is computed of them fits the second-level cache */
enum { CAMERA = 11, POINT = 3, ROW = CAMERA + POINT + 1 };

typedef struct {
    int64_t n, m, p, block;
    double *camera, *point, *weight, *feature; /* [11, n], [3, m], [p], [2, p] */
    double *column;                            /* [14, block]: the cameras and points of a block's observations */
    int32_t *seen_by, *seen;                   /* [p] each: which camera, which point */
    double *out, *weight_out; /* reprojection errors [p, 2] or rows [p, 2, 15]; weight errors or slopes [p] */
    int64_t *rows, *columns;  /* of the Jacobian in compressed rows: [3 p + 1], [31 p] */
} scene;

/* ---- The function ------------------------------------------------------------------------------------------------ */
typedef struct {
    wg_tensor x, y, z;
} vector;

static wg_tensor dot(vector a, vector b) { return wg_fma(a.x, b.x, wg_fma(a.y, b.y, wg_multiply(a.z, b.z))); }

/* a b - c d */
static wg_tensor difference(wg_tensor a, wg_tensor b, wg_tensor c, wg_tensor d)
{
    return wg_addcmul(wg_multiply(a, b), c, d, .value = -1);
}

static vector cross(vector a, vector b)
{
    return (vector){difference(a.y, b.z, a.z, b.y), difference(a.z, b.x, a.x, b.z), difference(a.x, b.y, a.y, b.x)};
}

/* d rotated by |r| about r: d + sin/|r| r x d + (1 - cos)/|r|^2 r x (r x d), by the half angle, which loses nothing
 * where it is small. A rotation by nothing is one by 1e-20. */
static vector rotated(vector r, vector d)
{
    wg_tensor angle = wg_sqrt(wg_add(dot(r, r), 1e-40)), half = wg_multiply(0.5, angle);
    wg_tensor sine = wg_divide(wg_sin(half), angle), twice = wg_add(sine, sine);
    wg_tensor b = wg_multiply(twice, wg_cos(half)), c = wg_multiply(twice, sine);
    vector across = cross(r, d), inward = cross(r, across);
    return (vector){wg_fma(b, across.x, wg_fma(c, inward.x, d.x)), wg_fma(b, across.y, wg_fma(c, inward.y, d.y)),
                    wg_fma(b, across.z, wg_fma(c, inward.z, d.z))};
}

/* e = w (f L (a, b) + (u0, v0) - feat) from the columns of camera, point and weight. */
static void errors(const wg_tensor *of, wg_tensor u, wg_tensor v, wg_tensor *e)
{
    vector r = {of[0], of[1], of[2]}, point = {of[11], of[12], of[13]};
    vector d = {wg_subtract(point.x, of[3]), wg_subtract(point.y, of[4]), wg_subtract(point.z, of[5])};
    vector seen = rotated(r, d);
    wg_tensor far = wg_reciprocal(seen.z), a = wg_multiply(seen.x, far), b = wg_multiply(seen.y, far);
    wg_tensor s = wg_fma(a, a, wg_square(b));
    wg_tensor scale = wg_multiply(of[6], wg_fma(s, wg_fma(of[10], s, of[9]), 1));
    e[0] = wg_multiply(of[14], wg_subtract(wg_fma(scale, a, of[7]), u));
    e[1] = wg_multiply(of[14], wg_subtract(wg_fma(scale, b, of[8]), v));
}

/* Compiled for a block: from the columns of its cameras and points, weights and features, to errors or rows. */
static void compiled(problem *p, const scene *s)
{
    wg_tensor in[ROW + 2], e[2], out[2], row[2 * ROW];
    for (int k = 0; k < ROW + 2; k++) {
        double *from = k < ROW - 1    ? s->column + k * s->block
                       : k == ROW - 1 ? s->weight
                                      : s->feature + (k - ROW) * s->p;
        in[k] = wg_array(p->tape, WG_FLOAT64, WG_SHAPE(s->block), from);
    }
    errors(in, in[ROW], in[ROW + 1], e);
    if (!p->derivative) {
        out[0] = wg_stack(WG_TENSORS(e[0], e[1]), .axis = 1);
        out[1] = wg_subtract(1, wg_square(in[ROW - 1]));
    } else {
        for (int k = 0; k < 2; k++)
            wg_grad(wg_sum(e[k]), in, ROW, row + k * ROW, .record = true);
        out[0] = wg_stack(((wg_tensors){row, 2 * ROW}), .axis = 1);
        out[1] = wg_multiply(-2, in[ROW - 1]);
    }
    p->f = wg_compile(p->tape, ((wg_tensors){in, ROW + 2}), ((wg_tensors){out, 2}));
}

/* Variables of those that the observations from `from` on see, column by column: `columns` of n each. */
static void gathered(const scene *s, const double *values, int columns, int64_t n, const int32_t *seen, double *to)
{
    for (int k = 0; k < columns; k++)
        for (int64_t i = 0; i < s->block; i++)
            to[k * s->block + i] = values[k * n + seen[i]];
}

static wg_status run(problem *p)
{
    const scene *s = p->own;
    int64_t width = p->derivative ? 2 * ROW : 2;
    const void *in[ROW + 2];
    for (int k = 0; k < ROW - 1; k++)
        in[k] = s->column + k * s->block;
    wg_status status = WG_OK;
    for (int64_t first = 0; first < s->p && !status; first += s->block) {
        int64_t from = first < s->p - s->block ? first : s->p - s->block; /* the last block overlaps the one before */
        gathered(s, s->camera, CAMERA, s->n, s->seen_by + from, s->column);
        gathered(s, s->point, POINT, s->m, s->seen + from, s->column + CAMERA * s->block);
        in[ROW - 1] = s->weight + from;
        in[ROW] = s->feature + from;
        in[ROW + 1] = s->feature + s->p + from;
        status = wg_function_run(p->f, in, ((void *[]){s->out + width * from, s->weight_out + from}));
    }
    return status;
}

/* ---- Input and output -------------------------------------------------------------------------------------------- */
/* `count` copies of each of the values, one after the other. */
static double *copies(problem *p, wg_tensor values, int64_t count)
{
    int64_t n = wg_size(values);
    double *to = room(p, (size_t)(n * count) * sizeof *to);
    for (int64_t i = 0; to && i < n * count; i++)
        to[i] = wg_element(values, i / count);
    return to;
}

static int32_t *in_turn(problem *p, int64_t n)
{
    int64_t count = ((const scene *)p->own)->p;
    int32_t *to = room(p, (size_t)count * sizeof *to);
    for (int64_t i = 0; to && i < count; i++)
        to[i] = (int32_t)(i % n);
    return to;
}

/* Which variables the rows depend on: cameras, points, weights, one behind the other. */
static void pattern_made(const scene *s)
{
    int64_t at = 0, row = 0, points = CAMERA * s->n, weights = points + POINT * s->m;
    for (int64_t i = 0; i < 2 * s->p; i++) {
        s->rows[row++] = at;
        for (int64_t k = 0; k < CAMERA; k++)
            s->columns[at++] = CAMERA * s->seen_by[i / 2] + k;
        for (int64_t k = 0; k < POINT; k++)
            s->columns[at++] = points + POINT * s->seen[i / 2] + k;
        s->columns[at++] = weights + i / 2;
    }
    for (int64_t i = 0; i < s->p; i++) {
        s->rows[row++] = at;
        s->columns[at++] = weights + i;
    }
    s->rows[row] = at;
}

static void write_errors(const problem *p, answer *a)
{
    const scene *s = p->own;
    wg_type pair = {WG_FLOAT64, 1, {2}}, one = {WG_FLOAT64, 0, {0}};
    fputs("{\"reproj_error\":{\"elements\":", a->to);
    write_reals(a, &pair, s->out);
    fprintf(a->to, ",\"repeated\":%lld},\"w_err\":{\"element\":", (long long)s->p);
    write_reals(a, &one, s->weight_out);
    fprintf(a->to, ",\"repeated\":%lld}}", (long long)s->p);
}

#define SHOWN 30 /* elements of each array, and the last one */

static void write_whole(answer *a, const char *name, const int64_t *values, int64_t n)
{
    fprintf(a->to, "\"%s\":[", name);
    for (int64_t i = 0; i < SHOWN; i++)
        fprintf(a->to, "%lld,", (long long)values[i]);
    fprintf(a->to, "%lld],", (long long)values[n - 1]);
}

static void write_jacobian(const problem *p, answer *a)
{
    const scene *s = p->own;
    wg_type type = {WG_FLOAT64, 1, {SHOWN + 1}};
    double values[SHOWN + 1];
    memcpy(values, s->out, SHOWN * sizeof *values);
    values[SHOWN] = s->weight_out[s->p - 1];
    fputc('{', a->to);
    write_whole(a, "rows", s->rows, 3 * s->p + 1);
    write_whole(a, "cols", s->columns, (2 * ROW + 1) * s->p);
    fputs("\"vals\":", a->to);
    write_reals(a, &type, values);
    fputc('}', a->to);
}

static void ba(problem *p)
{
    wg_tensor camera = reals(p, "cam", 1), point = reals(p, "x", 1), weight = reals(p, "w", 0),
              feature = reals(p, "feat", 1);
    scene *s = p->own = room(p, sizeof *s);
    if (!s)
        return;
    *s = (scene){.n = whole(p, "n"), .m = whole(p, "m"), .p = whole(p, "p")};
    const int64_t most = INT32_MAX / 31;
    if (s->n < 1 || s->m < 1 || s->p < 10 || s->n > most || s->m > most || s->p > most)
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "n is %lld, m %lld, p %lld", (long long)s->n, (long long)s->m,
                  (long long)s->p);
    if (wg_size(camera) != CAMERA || wg_size(point) != POINT || wg_size(feature) != 2)
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "cam, x and feat have %d, %d and 2 elements", CAMERA, POINT);
    if (wg_failed(p->tape))
        return;
    s->block = s->p < BLOCK ? s->p : BLOCK;
    s->camera = copies(p, camera, s->n);
    s->point = copies(p, point, s->m);
    s->weight = copies(p, weight, s->p);
    s->feature = copies(p, feature, s->p);
    s->seen_by = in_turn(p, s->n);
    s->seen = in_turn(p, s->m);
    s->column = room(p, (size_t)((CAMERA + POINT) * s->block) * sizeof *s->column);
    s->out = room(p, (size_t)s->p * (p->derivative ? 2 * ROW : 2) * sizeof *s->out);
    s->weight_out = room(p, (size_t)s->p * sizeof *s->weight_out);
    if (p->derivative) {
        s->rows = room(p, (3 * (size_t)s->p + 1) * sizeof *s->rows);
        s->columns = room(p, (size_t)s->p * (2 * ROW + 1) * sizeof *s->columns);
    }
    if (wg_failed(p->tape))
        return;
    if (p->derivative)
        pattern_made(s);
    compiled(p, s);
    p->run = run;
    p->write = p->derivative ? write_jacobian : write_errors;
}

const evaluation ba_evaluations[] = {{"ba", "objective", ba, false}, {"ba", "jacobian", ba, true}, {0}};
