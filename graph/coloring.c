/* Colourings of a Jacobian: columns of one colour share a forward pass, rows of one colour a backward pass. Greedy,
 * first in natural order, then smallest last (Matula and Beck 1983), by saturation (Brelaz 1979), and class by class
 * from the last colour to the first, which never takes more colours (Culberson 1992); each only while the lower bound,
 * the longest row, is not reached. */
#include "graph/pattern.h"

enum { ROUNDS = 8 }; /* of recolouring class by class */

/* Columns that meet in a row are neighbours. */
typedef struct {
    wg_tape *tape;
    const wg_pattern *p, *t;
    const bool *active;
    int64_t *seen; /* [columns]: the last column that met it; doubles as what colours are taken */
} meeting;

static bool is_active(const meeting *m, int64_t r) { return !m->active || m->active[r]; }

static bool takes_part(const meeting *m, int64_t c)
{
    for (int64_t k = m->t->start[c]; k < m->t->start[c + 1]; k++)
        if (is_active(m, m->t->index[k]))
            return true;
    return false;
}

/* ---- Greedy ------------------------------------------------------------------------------------------------------ */
/* The first colour that no neighbour of c has. `taken`: [columns + 1] of stamps. */
static int32_t first_free(const meeting *m, int64_t c, const int32_t *color, int64_t *taken, int64_t stamp)
{
    for (int64_t k = m->t->start[c]; k < m->t->start[c + 1]; k++) {
        int64_t r = m->t->index[k];
        if (!is_active(m, r))
            continue;
        for (int64_t j = m->p->start[r]; j < m->p->start[r + 1]; j++)
            if (color[m->p->index[j]] >= 0)
                taken[color[m->p->index[j]]] = stamp;
    }
    int32_t free_one = 0;
    while (taken[free_one] == stamp)
        free_one++;
    return free_one;
}

/* In the given order (NULL: natural). */
static int greedy(const meeting *m, const int64_t *order, int32_t *color)
{
    int64_t n = m->p->columns;
    int colors = 0;
    memset(m->seen, 0, (size_t)(n + 1) * sizeof *m->seen);
    for (int64_t c = 0; c < n; c++)
        color[c] = -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = order ? order[i] : i;
        if (!takes_part(m, c))
            continue;
        color[c] = first_free(m, c, color, m->seen, i + 1);
        colors = color[c] >= colors ? color[c] + 1 : colors;
    }
    return colors;
}

/* ---- Orders ------------------------------------------------------------------------------------------------------ */
/* Columns in doubly linked lists, one a degree. */
typedef struct {
    int64_t *degree, *next, *before, *head; /* [columns] each; -1 ends a list */
} buckets;

static void bucket_in(buckets *b, int64_t c)
{
    int64_t first = b->head[b->degree[c]];
    b->next[c] = first;
    b->before[c] = -1;
    if (first >= 0)
        b->before[first] = c;
    b->head[b->degree[c]] = c;
}

static void bucket_out(buckets *b, int64_t c)
{
    if (b->before[c] >= 0)
        b->next[b->before[c]] = b->next[c];
    else
        b->head[b->degree[c]] = b->next[c];
    if (b->next[c] >= 0)
        b->before[b->next[c]] = b->before[c];
}

static void bucket_move(buckets *b, int64_t c, int step)
{
    bucket_out(b, c);
    b->degree[c] += step;
    bucket_in(b, c);
}

static bool buckets_new(const meeting *m, buckets *b)
{
    int64_t n = m->p->columns, *room = wg_room_new(m->tape, 4 * n, sizeof *room);
    if (!room)
        return false;
    *b = (buckets){room, room + n, room + 2 * n, room + 3 * n};
    for (int64_t c = 0; c < n; c++)
        b->head[c] = -1;
    memset(m->seen, 0, (size_t)(n + 1) * sizeof *m->seen);
    return true;
}

/* The next neighbour of a column, each once: -1 after the last. Start with k and j zero. */
typedef struct {
    int64_t of, stamp, k, j;
} visit;

static int64_t next_neighbour(const meeting *m, visit *v)
{
    const wg_pattern *p = m->p, *t = m->t;
    for (; t->start[v->of] + v->k < t->start[v->of + 1]; v->k++, v->j = 0) {
        int64_t r = t->index[t->start[v->of] + v->k];
        while (is_active(m, r) && p->start[r] + v->j < p->start[r + 1]) {
            int64_t other = p->index[p->start[r] + v->j++];
            if (other == v->of || m->seen[other] == v->stamp)
                continue;
            m->seen[other] = v->stamp;
            return other;
        }
    }
    return -1;
}

/* The last is the one of the smallest degree, the one before it that of what is left, and so on. */
static bool smallest_last(const meeting *m, int64_t *order)
{
    int64_t n = m->p->columns, least = 0, stamp = 0;
    buckets b;
    if (!buckets_new(m, &b))
        return false;
    for (int64_t c = n; c-- > 0;) {
        visit v = {.of = c, .stamp = ++stamp};
        while (next_neighbour(m, &v) >= 0)
            b.degree[c]++;
        bucket_in(&b, c);
    }
    for (int64_t i = n; i-- > 0; least = least > 0 ? least - 1 : 0) { /* a degree fell by 1 at most */
        while (b.head[least] < 0)
            least++;
        int64_t c = order[i] = b.head[least];
        bucket_out(&b, c);
        b.degree[c] = -1;
        visit v = {.of = c, .stamp = ++stamp};
        for (int64_t other; (other = next_neighbour(m, &v)) >= 0;)
            if (b.degree[other] >= 0)
                bucket_move(&b, other, -1);
    }
    wg_room_free(m->tape, b.degree);
    return true;
}

/* Next is always a column whose neighbours have the most different colours; of 63 and more, none is told from
 * another. */
static bool most_saturated_first(const meeting *m, int64_t *order)
{
    int64_t n = m->p->columns, most = 0, stamp = 0;
    buckets b;
    uint64_t *around = wg_room_new(m->tape, n, sizeof *around);
    if (!around || !buckets_new(m, &b)) {
        wg_room_free(m->tape, around);
        return false;
    }
    for (int64_t c = n; c-- > 0;)
        bucket_in(&b, c);
    for (int64_t i = 0; i < n; i++, most += most + 1 < n) {
        while (b.head[most] < 0)
            most--;
        int64_t c = order[i] = b.head[most];
        bucket_out(&b, c);
        b.degree[c] = -1;
        /* The lowest free */
        uint64_t color = ~around[c] & (around[c] + 1) ? ~around[c] & (around[c] + 1) : UINT64_C(1) << 63;
        visit v = {.of = c, .stamp = ++stamp};
        for (int64_t other; (other = next_neighbour(m, &v)) >= 0;) {
            if (b.degree[other] >= 0 && !(around[other] & color))
                bucket_move(&b, other, 1);
            around[other] |= color;
        }
    }
    wg_room_free(m->tape, b.degree);
    wg_room_free(m->tape, around);
    return true;
}

static bool in_order(const meeting *m, bool saturation, int64_t *order)
{
    return saturation ? most_saturated_first(m, order) : smallest_last(m, order);
}

bool wg_color_order(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, bool saturation, int64_t *order)
{
    meeting m = {.tape = tape, .p = p, .t = t, .seen = wg_room_new(tape, p->columns + 1, sizeof *m.seen)};
    bool fine = m.seen && in_order(&m, saturation, order);
    wg_room_free(tape, m.seen);
    return fine;
}

/* ---- Class by class ---------------------------------------------------------------------------------------------- */
static bool by_class(const meeting *m, const int32_t *color, int colors, int64_t *order)
{
    int64_t *next = wg_room_new(m->tape, colors + 2, sizeof *next);
    if (!next)
        return false;
    for (int64_t c = 0; c < m->p->columns; c++) /* the last colour first, what has none at the end */
        next[color[c] < 0 ? colors + 1 : colors - color[c]]++;
    for (int k = 1; k <= colors + 1; k++)
        next[k] += next[k - 1];
    for (int64_t c = 0; c < m->p->columns; c++)
        order[next[color[c] < 0 ? colors : colors - 1 - color[c]]++] = c;
    wg_room_free(m->tape, next);
    return true;
}

/* ---- The best of them -------------------------------------------------------------------------------------------- */
static int64_t longest_row(const meeting *m)
{
    int64_t most = 0;
    for (int64_t r = 0; r < m->p->rows; r++) {
        int64_t n = m->p->start[r + 1] - m->p->start[r];
        most = is_active(m, r) && n > most ? n : most;
    }
    return most;
}

/* Keeps `tried` where it is better than the best so far. */
static int better(const meeting *m, const int64_t *order, int32_t *tried, int best, int32_t *color)
{
    int colors = greedy(m, order, tried);
    if (colors > best)
        return best;
    memcpy(color, tried, (size_t)m->p->columns * sizeof *color);
    return colors;
}

static int improved(const meeting *m, int64_t least, int colors, int32_t *color)
{
    int64_t n = m->p->columns;
    int64_t *order = wg_room_new(m->tape, n, sizeof *order);
    int32_t *tried = wg_room_new(m->tape, n, sizeof *tried);
    bool fine = order && tried;
    for (int saturation = 0; fine && saturation < 2 && colors > least; saturation++)
        if ((fine = in_order(m, saturation, order)))
            colors = better(m, order, tried, colors, color);
    for (int round = 0; fine && round < ROUNDS && colors > least; round++)
        if ((fine = by_class(m, color, colors, order)))
            colors = better(m, order, tried, colors, color);
    wg_room_free(m->tape, order);
    wg_room_free(m->tape, tried);
    return fine ? colors : -1;
}

int wg_color_columns(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, const bool *active, bool quick,
                     int32_t *color)
{
    meeting m = {.tape = tape, .p = p, .t = t, .active = active};
    int64_t least = longest_row(&m);
    if (least == p->columns) { /* a full row: no two may share a pass */
        for (int64_t c = 0; c < p->columns; c++)
            color[c] = (int32_t)c;
        return (int)p->columns;
    }
    if (!(m.seen = wg_room_new(tape, p->columns + 1, sizeof *m.seen)))
        return -1;
    int colors = greedy(&m, NULL, color);
    if (colors > least && !quick)
        colors = improved(&m, least, colors, color);
    wg_room_free(tape, m.seen);
    return colors;
}

/* ---- A Jacobian's plan ------------------------------------------------------------------------------------------- */
static int64_t row_length(const wg_pattern *p, int64_t r) { return p->start[r + 1] - p->start[r]; }

/* Dense rows taken out, to be found by passes of their own: how long a row may be to stay. Minimises a lower bound of
 * all passes, the longest row left plus the fullest column of the rows taken out. */
typedef struct {
    int64_t limit, bound;
} division;

static bool divide(wg_tape *tape, const wg_pattern *p, division *d)
{
    int64_t *first = wg_room_new(tape, p->columns + 2, sizeof *first); /* rows longer than any length, by length */
    int64_t *order = wg_room_new(tape, p->rows, sizeof *order), *full = wg_room_new(tape, p->columns, sizeof *full);
    if (first && order && full) {
        for (int64_t r = 0; r < p->rows; r++)
            first[p->columns - row_length(p, r) + 1]++;
        for (int64_t n = 0; n <= p->columns; n++)
            first[n + 1] += first[n];
        for (int64_t r = 0; r < p->rows; r++)
            order[first[p->columns - row_length(p, r)]++] = r;
        int64_t fullest = 0;
        *d = (division){p->columns, p->rows ? row_length(p, order[0]) : 0};
        for (int64_t i = 0; i < p->rows; i++) {
            int64_t r = order[i], left = i + 1 < p->rows ? row_length(p, order[i + 1]) : 0;
            for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
                fullest = ++full[p->index[k]] > fullest ? full[p->index[k]] : fullest;
            if (left < row_length(p, r) && left + fullest < d->bound)
                *d = (division){left, left + fullest};
        }
    }
    bool fine = first && order && full;
    wg_room_free(tape, first);
    wg_room_free(tape, order);
    wg_room_free(tape, full);
    return fine;
}

static void colors_free(wg_tape *tape, wg_plan *plan)
{
    wg_room_free(tape, plan->column_color);
    wg_room_free(tape, plan->row_color);
    *plan = (wg_plan){0};
}

/* Columns where rows are no longer than `limit`, rows where they are; `plan`'s columns are p's. */
static bool color_divided(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, int64_t limit, wg_plan *plan)
{
    *plan = (wg_plan){0};
    bool *dense = wg_room_new(tape, p->rows, sizeof *dense), *other = wg_room_new(tape, p->rows, sizeof *other);
    plan->column_color = wg_room_new(tape, p->columns, sizeof *plan->column_color);
    plan->row_color = wg_room_new(tape, p->rows, sizeof *plan->row_color);
    bool fine = dense && other && plan->column_color && plan->row_color;
    wg_pattern *alone = NULL, *turned = NULL; /* the dense rows by themselves: columns full of others must not slow
                                                 them */
    if (fine) {
        for (int64_t r = 0; r < p->rows; r++)
            other[r] = !(dense[r] = row_length(p, r) > limit);
        int64_t *mark = wg_room_new(tape, p->columns, sizeof *mark);
        if (mark) {
            wg_weave w = wg_weave_begin(tape, p->rows, p->columns, mark, 0);
            for (int64_t r = 0; r < p->rows; r++) {
                wg_weave_add(&w, p->index + p->start[r], dense[r] ? row_length(p, r) : 0, 0);
                wg_weave_row(&w);
            }
            alone = wg_weave_end(&w);
            turned = alone ? wg_pattern_transposed(tape, alone) : NULL;
        }
        wg_room_free(tape, mark);
        plan->columns = turned ? wg_color_columns(tape, p, t, other, false, plan->column_color) : -1;
        plan->rows = turned ? wg_color_columns(tape, turned, alone, NULL, false, plan->row_color) : -1;
        fine = plan->columns >= 0 && plan->rows >= 0;
    }
    wg_pattern_free(tape, alone);
    wg_pattern_free(tape, turned);
    wg_room_free(tape, dense);
    wg_room_free(tape, other);
    if (!fine)
        colors_free(tape, plan);
    return fine;
}

static void turn(wg_plan *plan)
{
    wg_plan was = *plan;
    plan->column_color = was.row_color;
    plan->row_color = was.column_color;
    plan->columns = was.rows;
    plan->rows = was.columns;
}

/* One way to colour a Jacobian, and the fewest passes that it could take. */
typedef struct {
    bool turned;
    division d;
} way;

/* The fewest of the ways, tried from the lowest bound up; a way that cannot win is not tried. */
static bool fewest(wg_tape *tape, const wg_pattern *p, const wg_pattern *t, way *ways, int n, wg_plan *plan,
                   bool *by_column_first)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && ways[k].d.bound < ways[k - 1].d.bound; k--) {
            way held = ways[k];
            ways[k] = ways[k - 1];
            ways[k - 1] = held;
        }
    bool any = false;
    for (int i = 0; i < n; i++) {
        wg_plan tried;
        if (any && ways[i].d.bound >= plan->columns + plan->rows)
            break;
        bool turned = ways[i].turned;
        if (!color_divided(tape, turned ? t : p, turned ? p : t, ways[i].d.limit, &tried)) {
            colors_free(tape, plan);
            return false;
        }
        if (turned)
            turn(&tried);
        bool wins = !any || tried.columns + tried.rows < plan->columns + plan->rows;
        colors_free(tape, wins ? plan : &tried);
        if (wins) {
            *plan = tried;
            *by_column_first = turned;
        }
        any = true;
    }
    return any;
}

/* Where dense rows were taken out, an entry of one is read from its row's backward pass, any other from its column's
 * forward pass; where dense columns were, the other way round. */
static bool sources_of(wg_tape *tape, const wg_pattern *p, bool by_column_first, wg_plan *plan)
{
    plan->source = wg_room_new(tape, wg_pattern_count(p), sizeof *plan->source);
    if (!plan->source)
        return false;
    int64_t backward = (int64_t)plan->columns * p->rows;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++) {
            int64_t c = p->index[k];
            bool by_column = by_column_first ? plan->column_color[c] >= 0 : plan->row_color[r] < 0;
            plan->source[k] = by_column ? plan->column_color[c] * p->rows + r
                                        : backward + plan->row_color[r] * p->columns + c;
        }
    return true;
}

static int64_t longest(const wg_pattern *p)
{
    int64_t most = 0;
    for (int64_t r = 0; r < p->rows; r++)
        most = row_length(p, r) > most ? row_length(p, r) : most;
    return most;
}

bool wg_plan_jacobian(wg_tape *tape, const wg_pattern *p, wg_coloring coloring, wg_plan *plan)
{
    wg_pattern *t = wg_pattern_transposed(tape, p);
    *plan = (wg_plan){0};
    if (!t)
        return false;
    way ways[4] = {{false, {p->columns, longest(p)}}, {true, {p->rows, longest(t)}}, {false, {0}}, {true, {0}}};
    bool divided = coloring == WG_COLORING_FEWEST || coloring == WG_COLORING_BOTH;
    bool fine = !divided || (divide(tape, p, &ways[2].d) && divide(tape, t, &ways[3].d)), by_column_first = false;
    way *from = coloring == WG_COLORING_ROWS ? ways + 1 : coloring == WG_COLORING_BOTH ? ways + 2 : ways;
    int n = !divided ? 1 : coloring == WG_COLORING_BOTH ? 2 : 4;
    for (int i = 2; i < 4 && n == 4; i++)
        if (ways[i].d.bound >= ways[i - 2].d.bound)
            ways[i].d.bound = INT64_MAX; /* nothing was taken out: that is columns, or rows, alone */
    fine = fine && fewest(tape, p, t, from, n, plan, &by_column_first);
    wg_pattern_free(tape, t);
    return fine && sources_of(tape, p, by_column_first, plan);
}

void wg_plan_free(wg_tape *tape, wg_plan *plan)
{
    wg_room_free(tape, plan->source);
    wg_room_free(tape, plan->from);
    wg_room_free(tape, plan->to);
    colors_free(tape, plan);
}
