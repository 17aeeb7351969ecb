/* ht, hand tracking: how far the points of a hand are from those of a model, whose bones move its vertices. A vertex is
 *   P_v = R sum_b w_vb T_b base_v + t
 * with T_b, R and t functions of theta alone: one product of a constant matrix, a row a vertex, with what they make of
 * theta. So is its derivative, the Jacobian of those few numbers in place of them. What follows for the points is done
 * for block after block of them. */
#include "gradbench.h"

#define BLOCK 128 /* points */
enum { THETA = 26, FINGERS = 5 };

typedef struct {
    int64_t bones, vertices, points, block, corners; /* vertices that occur; corners: 3, or 1 where there is no us */
    wg_tensor parents, relatives, inverses;          /* [bones], [bones, 4, 4] twice */
    wg_tensor basis;       /* [vertices, 4 bones + 1]: w_vb base_v for each bone, and 1 for t */
    int64_t *corner;       /* [points, corners]: which vertices */
    const double *us, *at; /* [points, 2], [points, 3] */
    wg_function *vertex;   /* theta to the vertices and their derivatives */
    double *out;
} hand;

/* ---- The hand ---------------------------------------------------------------------------------------------------- */
static wg_tensor constants(problem *p, wg_shape shape, const double *values)
{
    return wg_array(p->tape, WG_FLOAT64, shape, values);
}

/* The rotation by |r| about r; the identity, a constant, for less than 1e-4: [3, 3]. */
static wg_tensor rotation(problem *p, wg_tensor r)
{
    static const double eye[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const double cross[27] = {[5] = -1, [7] = 1, [11] = 1, [15] = -1, [19] = -1, [21] = 1}; /* r to r x */
    wg_tensor identity = constants(p, WG_SHAPE(3, 3), eye), square = wg_sum(wg_square(r));
    wg_tensor small = wg_less(square, 1e-8), angle = wg_sqrt(wg_where(small, wg_number(1), square));
    wg_tensor half = wg_multiply(0.5, angle), sine = wg_divide(wg_sin(half), angle), cosine = wg_cos(half);
    wg_tensor across = wg_reshape(wg_matmul(constants(p, WG_SHAPE(9, 3), cross), r), WG_SHAPE(3, 3));
    wg_tensor a = wg_multiply(identity, wg_subtract(1, wg_multiply(2, wg_square(wg_sin(half)))));
    wg_tensor b = wg_multiply(across, wg_multiply(2, wg_multiply(sine, cosine)));
    wg_tensor c = wg_multiply(wg_outer(r, r), wg_multiply(2, wg_square(sine)));
    return wg_where(small, identity, wg_add(wg_add(a, b), c));
}

/* By how many of theta's elements bone b is moved by itself, from which on. */
static int64_t angles_of(int64_t b, int64_t *first)
{
    int64_t finger = (b - 2) / 4, joint = (b - 2) % 4;
    if (b < 2 || finger >= FINGERS || joint == 3)
        return 0;
    *first = 6 + 4 * finger + (joint ? joint + 1 : 0);
    return joint ? 1 : 2;
}

/* Rz(z) Rx(x) of each bone, as it moves points: [bones, 4, 4]. */
static wg_tensor turns(problem *p, int64_t bones, wg_tensor theta)
{
    int64_t *of = room(p, 2 * (size_t)bones * sizeof *of);
    for (int64_t b = 0; of && b < bones; b++) { /* theta is followed by an angle of 0 */
        int64_t first = THETA, n = angles_of(b, &first);
        of[b] = first;
        of[bones + b] = n == 2 ? first + 1 : THETA;
    }
    if (!of)
        return WG_INVALID;
    wg_tensor all = wg_concat(WG_TENSORS(theta, wg_full(p->tape, WG_FLOAT64, WG_SHAPE(1), 0)));
    wg_tensor angle = wg_take(all, wg_array(p->tape, WG_INT64, WG_SHAPE(2, bones), of), 0);
    wg_tensor sine = wg_sin(angle), cosine = wg_cos(angle);
    wg_tensor sx = wg_select(sine, 0, 0), sz = wg_select(sine, 0, 1), cx = wg_select(cosine, 0, 0),
              cz = wg_select(cosine, 0, 1);
    wg_tensor zero = wg_full(p->tape, WG_FLOAT64, WG_SHAPE(bones), 0),
              one = wg_full(p->tape, WG_FLOAT64, WG_SHAPE(bones), 1);
    wg_tensor rows = wg_stack(WG_TENSORS(cz, wg_negative(wg_multiply(sz, cx)), wg_multiply(sz, sx), zero, /**/
                                         sz, wg_multiply(cz, cx), wg_negative(wg_multiply(cz, sx)), zero, /**/
                                         zero, sx, cx, zero,                                              /**/
                                         zero, zero, zero, one),
                              .axis = 1);
    return wg_reshape(rows, WG_SHAPE(bones, 4, 4));
}

/* Places in `list` of the bones whose parent is one of the n bones in `of`, or none where n is 0; and that parent's
 * place. */
static int64_t children(const int64_t *parent, int64_t bones, const int64_t *of, int64_t n, int64_t *list,
                        int64_t *place)
{
    int64_t found = 0;
    for (int64_t b = 0; b < bones; b++)
        for (int64_t k = 0; k < (n ? n : 1); k++)
            if (n ? parent[b] == of[k] : parent[b] < 0) {
                list[found] = b;
                place[found++] = k;
            }
    return found;
}

static wg_tensor indices(problem *p, int64_t n, const int64_t *at)
{
    return wg_array(p->tape, WG_INT64, WG_SHAPE(n), at);
}

/* A bone moves with its parent: abs_b = abs_parent local_b, generation after generation. */
static wg_tensor absolute(problem *p, const hand *h, wg_tensor local)
{
    int64_t bones = h->bones, *memory = room(p, 4 * (size_t)bones * sizeof *memory);
    wg_tensor *level = room(p, ((size_t)bones + 1) * sizeof *level);
    if (!memory || !level)
        return WG_INVALID;
    int64_t *list = memory, *parents = list + bones, *next = parents + bones, *place = next + bones, n = 0, found,
            levels = 0;
    int64_t *order = room(p, (size_t)bones * sizeof *order), done = 0;
    while (order && (found = children(wg_values(h->parents), bones, list, n, next, place)) && levels <= bones) {
        wg_tensor own = wg_take(local, indices(p, found, next), 0);
        level[levels] = levels ? wg_matmul(wg_take(level[levels - 1], indices(p, found, place), 0), own) : own;
        levels++;
        for (int64_t i = 0; i < found; i++)
            order[next[i]] = done++;
        n = found;
        memcpy(list, next, (size_t)n * sizeof *list);
    }
    if (!order || done != bones) {
        wg_report(p->tape, "gradbench", WG_ERROR_VALUE, "the parents do not make a tree");
        return WG_INVALID;
    }
    return wg_take(wg_concat(((wg_tensors){level, (int)levels})), indices(p, bones, order), 0);
}

/* What the vertices are made of: R T_b for each bone, column by column, and t: [4 bones + 1, 3]. */
static wg_tensor movement(problem *p, const hand *h, wg_tensor theta)
{
    static const double mirror[3] = {-1, 1, 1};
    wg_tensor local = wg_matmul(h->relatives, turns(p, h->bones, theta));
    wg_tensor moved = wg_matmul(absolute(p, h, local), h->inverses);
    wg_tensor columns =
        wg_reshape(wg_permute_dims(wg_narrow(moved, 1, 0, 3), WG_AXES(0, 2, 1)), WG_SHAPE(4 * h->bones, 3));
    if (truth(p, "data.model.is_mirrored"))
        columns = wg_multiply(columns, constants(p, WG_SHAPE(3), mirror));
    wg_tensor turned = wg_matmul(columns, wg_matrix_transpose(rotation(p, wg_narrow(theta, 0, 0, 3))));
    return wg_concat(WG_TENSORS(turned, wg_reshape(wg_narrow(theta, 0, 3, 3), WG_SHAPE(1, 3))));
}

/* ---- Its derivative ---------------------------------------------------------------------------------------------- */
/* Which elements of theta each element of the movement depends on: R, t, and the angles of the bone and of those before
 * it. */
static int64_t structure(const hand *h, int64_t *row, int64_t *column)
{
    const int64_t *parent = wg_values(h->parents);
    int64_t n = 0, first = 0;
    for (int64_t r = 0; r < 12 * h->bones; r++) {
        for (int64_t j = 0; j < 3; j++, n++) {
            row[n] = r;
            column[n] = j;
        }
        for (int64_t b = r / 12; b >= 0; b = parent[b])
            for (int64_t k = angles_of(b, &first); k-- > 0; n++) {
                row[n] = r;
                column[n] = first + k;
            }
    }
    for (int64_t k = 0; k < 3; k++, n++) {
        row[n] = 12 * h->bones + k;
        column[n] = 3 + k;
    }
    return n;
}

/* The whole Jacobian of the movement [4 bones + 1, 3 THETA], from as few forward passes as its structure allows: the
 * angles of one finger do not move another. */
static wg_tensor slopes_of(problem *p, const hand *h, wg_tensor movement)
{
    int64_t rows = 12 * h->bones + 3, *row = room(p, 2 * (size_t)(rows * THETA) * sizeof *row),
            *column = row + rows * THETA;
    int64_t *place = room(p, (size_t)(rows * THETA) * sizeof *place);
    if (!row || !place)
        return WG_INVALID;
    int64_t n = structure(h, row, column);
    wg_sparsity *s = wg_sparsity_new(p->tape, rows, THETA, n, row, column, .coloring = WG_COLORING_COLUMNS);
    wg_sparse sparse;
    if (!s || wg_sparse_jacobian(s, &movement, 1, p->x, 1, &sparse, .create_graph = true))
        return WG_INVALID;
    for (int64_t i = 0; i < rows * THETA; i++)
        place[i] = sparse.n; /* a zero */
    for (int64_t k = 0; k < sparse.n; k++)
        place[sparse.row[k] * THETA + sparse.column[k]] = k;
    wg_tensor with_zero = wg_concat(WG_TENSORS(sparse.values, wg_full(p->tape, WG_FLOAT64, WG_SHAPE(1), 0)));
    wg_tensor where = wg_array(p->tape, WG_INT64, WG_SHAPE(rows / 3, 3 * THETA), place);
    return wg_take(with_zero, where, 0);
}

/* The function of theta: vertices [vertices, 3], and their derivatives [vertices, 3 THETA]. */
static void vertices_compiled(problem *p, hand *h)
{
    wg_tensor made = movement(p, h, p->x[0]), out[2] = {wg_matmul(h->basis, made)};
    if (p->derivative && !wg_failed(p->tape))
        out[1] = wg_matmul(h->basis, slopes_of(p, h, made));
    h->vertex = wg_compile(p->tape, WG_TENSORS(p->x[0]), ((wg_tensors){out, p->derivative ? 2 : 1}));
}

/* ---- The points -------------------------------------------------------------------------------------------------- */
/* What the points of the hand are, at the weights u0, u1, 1 - u0 - u1 between the three corners of each; or at its one.
 * x: [vertices, n], corner: [block, corners]. */
static wg_tensor between(const hand *h, wg_tensor x, wg_tensor corner, wg_tensor us)
{
    wg_tensor at = wg_take(x, corner, 0); /* [block, corners, n] */
    if (h->corners == 1)
        return wg_squeeze(at, .axis = 1);
    wg_tensor rest = wg_subtract(1, wg_sum(us, .axis = 1, .keepdims = true));
    wg_tensor weights = wg_expand_dims(wg_concat(WG_TENSORS(us, rest), .axis = 1), WG_AXES(1)); /* [block, 1, 3] */
    return wg_squeeze(wg_matmul(weights, at), .axis = 1);
}

/* The function of a block: from vertices, their derivatives, corners, us and points to errors or rows of the Jacobian.
 */
static void points_compiled(problem *p, const hand *h)
{
    wg_tape *tape = p->tape;
    double *vertex = (double *)(uintptr_t)wg_function_output(h->vertex, 0);
    double *slope = p->derivative ? (double *)(uintptr_t)wg_function_output(h->vertex, 1) : vertex;
    wg_tensor in[5] = {wg_borrow(tape, WG_FLOAT64, WG_SHAPE(h->vertices, 3), vertex),
                       wg_borrow(tape, WG_FLOAT64, WG_SHAPE(h->vertices, p->derivative ? 3 * THETA : 3), slope),
                       wg_array(tape, WG_INT64, WG_SHAPE(h->block, h->corners), h->corner),
                       wg_array(tape, WG_FLOAT64, WG_SHAPE(h->block, 2), h->corners == 3 ? h->us : NULL),
                       wg_array(tape, WG_FLOAT64, WG_SHAPE(h->block, 3), h->at)};
    wg_tensor y = wg_subtract(in[4], between(h, in[0], in[2], in[3]));
    if (p->derivative) {
        wg_tensor rows = wg_reshape(wg_negative(between(h, in[1], in[2], in[3])), WG_SHAPE(h->block, 3, THETA)), us[2];
        for (int k = 0; k < 2 && h->corners == 3; k++) { /* a row depends on its own point's us alone: two colours */
            double one_hot[2] = {k == 0, k == 1};
            wg_tensor t = wg_contiguous(wg_broadcast_to(constants(p, WG_SHAPE(2), one_hot), WG_SHAPE(h->block, 2)));
            wg_jvp(&y, 1, &in[3], &t, 1, &us[k]);
        }
        y = h->corners == 3 ? wg_concat(WG_TENSORS(wg_stack(((wg_tensors){us, 2}), .axis = 2), rows), .axis = 2) : rows;
    }
    p->f = wg_compile(tape, ((wg_tensors){in, 5}), WG_TENSORS(y));
}

static int64_t width_of(const problem *p)
{
    return !p->derivative ? 3 : 3 * (THETA + (((const hand *)p->own)->corners == 3 ? 2 : 0));
}

static wg_status run(problem *p)
{
    const hand *h = p->own;
    wg_status status = wg_function_run(h->vertex, p->value, NULL);
    const double *vertex = wg_function_output(h->vertex, 0),
                 *slope = p->derivative ? wg_function_output(h->vertex, 1) : vertex;
    for (int64_t first = 0; first < h->points && !status; first += h->block) {
        int64_t from = first < h->points - h->block ? first : h->points - h->block; /* the last block overlaps */
        status = wg_function_run(
            p->f, ((const void *[]){vertex, slope, h->corner + h->corners * from, h->us + 2 * from, h->at + 3 * from}),
            ((void *[]){h->out + width_of(p) * from}));
    }
    return status;
}

/* ---- Input and output -------------------------------------------------------------------------------------------- */
/* The vertices that the corners name become 0, 1, ... in the order in which they are named; `vertex` lists them. */
static void renumbered(hand *h, int64_t *number, int64_t *vertex)
{
    for (int64_t i = 0; i < h->corners * h->points; i++) {
        int64_t v = h->corner[i];
        if (!number[v]) {
            vertex[h->vertices++] = v;
            number[v] = h->vertices;
        }
        h->corner[i] = number[v] - 1;
    }
}

static void corners_read(problem *p, hand *h, int64_t vertices)
{
    int64_t triangles = (int64_t)length(p, "data.model.triangles");
    wg_tensor named = wholes(p, "data.correspondences", 1, 0, h->corners == 3 ? triangles : vertices);
    wg_tensor list = h->corners == 3 ? wholes(p, "data.model.triangles", 2, 0, vertices) : named;
    const int64_t *name = wg_failed(p->tape) ? NULL : wg_values(named), *triangle = name ? wg_values(list) : NULL;
    h->corner = room(p, (size_t)(h->corners * h->points) * sizeof *h->corner);
    if (wg_failed(p->tape) || wg_size(named) != h->points || (h->corners == 3 && wg_size(list) != 3 * triangles)) {
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "points, correspondences and triangles do not fit");
        return;
    }
    for (int64_t i = 0; i < h->points; i++)
        for (int64_t k = 0; k < h->corners; k++)
            h->corner[i * h->corners + k] = h->corners == 3 ? triangle[3 * name[i] + k] : name[i];
}

static void basis_made(problem *p, hand *h, const int64_t *vertex, wg_tensor weights, wg_tensor positions)
{
    int64_t columns = 4 * h->bones + 1;
    double *basis = room(p, (size_t)(h->vertices * columns) * sizeof *basis);
    const double *weight = wg_values(weights), *position = wg_values(positions);
    for (int64_t i = 0; basis && i < h->vertices; i++) {
        for (int64_t k = 0; k < 4 * h->bones; k++)
            basis[i * columns + k] = weight[vertex[i] * h->bones + k / 4] * position[4 * vertex[i] + k % 4];
        basis[i * columns + columns - 1] = 1;
    }
    h->basis = basis ? constants(p, WG_SHAPE(h->vertices, columns), basis) : WG_INVALID;
}

static bool model_read(problem *p, hand *h)
{
    wg_tensor at = reals(p, "data.points", 2), us = variable(p, "us", 2);
    wg_tensor weights = reals(p, "data.model.weights", 2), positions = reals(p, "data.model.base_positions", 2);
    h->bones = (int64_t)length(p, "data.model.bone_names");
    h->parents = wholes(p, "data.model.parents", 1, -1, h->bones);
    h->relatives = reals(p, "data.model.base_relatives", 3);
    h->inverses = reals(p, "data.model.inverse_base_absolutes", 3);
    h->points = wg_shape_of(at).dim[0];
    h->corners = wg_size(us) ? 3 : 1;
    int64_t vertices = wg_shape_of(positions).dim[0];
    if (wg_failed(p->tape) || h->points < 1 || h->bones < 1 || wg_size(p->x[0]) != THETA ||
        wg_size(at) != 3 * h->points || (h->corners == 3 && wg_size(us) != 2 * h->points) ||
        wg_size(positions) != 4 * vertices || wg_size(weights) != h->bones * vertices ||
        wg_size(h->parents) != h->bones || wg_size(h->relatives) != 16 * h->bones ||
        wg_size(h->inverses) != 16 * h->bones) {
        wg_report(p->tape, "gradbench", WG_ERROR_SHAPE, "theta, us, points and the model do not fit");
        return false;
    }
    h->at = wg_values(at);
    h->us = wg_values(us);
    corners_read(p, h, vertices);
    int64_t *number = room(p, 2 * (size_t)vertices * sizeof *number);
    if (!number || wg_failed(p->tape))
        return false;
    renumbered(h, number, number + vertices);
    basis_made(p, h, number + vertices, weights, positions);
    return !wg_failed(p->tape);
}

static void write_rows(const problem *p, answer *a)
{
    const hand *h = p->own;
    wg_type flat = {WG_FLOAT64, 1, {3 * h->points}}, rows = {WG_FLOAT64, 2, {3 * h->points, width_of(p) / 3}};
    write_reals(a, p->derivative ? &rows : &flat, h->out);
}

static void ht(problem *p)
{
    variable(p, "theta", 1);
    hand *h = p->own = room(p, sizeof *h);
    if (!h || !model_read(p, h))
        return;
    h->block = h->points < BLOCK ? h->points : BLOCK;
    h->out = room(p, (size_t)(h->points * width_of(p)) * sizeof *h->out);
    p->value[0] = wg_values(p->x[0]);
    vertices_compiled(p, h);
    if (!wg_failed(p->tape))
        points_compiled(p, h);
    p->run = run;
    p->write = write_rows;
}

const evaluation ht_evaluations[] = {{"ht", "objective", ht, false}, {"ht", "jacobian", ht, true}, {0}};
