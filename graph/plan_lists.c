/* Lists of a compiled function: a call that moves the elements of one operand to where constants say reads no indices
 * at a run. Where each element comes from is listed once; what is added to places is listed place by place: first what
 * is added first to each of them, then what is added second, and so on, so that places are lanes of vectors and every
 * sum is taken in the order of its elements. */
#include "graph/plan.h"

#include "wengert/map.h"

#define MOST_ELEMENTS 65536 /* more is work for several threads */
#define SHORTEST 4          /* lanes, on average; and elements in a row that are better copied together */

/* ---- Running ----------------------------------------------------------------------------------------------------- */
/* Element i of the result is element at[i]. */
typedef struct {
    int64_t n;
    const int32_t *at;
    const void *from;
    void *to;
} taking;

#define TAKE_LOOP(name, T)                                                                                             \
    static WG_CLONES void name(int64_t n, const T *restrict from, const int32_t *restrict at, T *restrict to)          \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                                \
            to[i] = from[at[i]];                                                                                       \
    }
TAKE_LOOP(words_taken, uint64_t)
TAKE_LOOP(halves_taken, uint32_t)

static wg_status words_run(const void *with)
{
    const taking *t = with;
    words_taken(t->n, t->from, t->at, t->to);
    return WG_OK;
}

static wg_status halves_run(const void *with)
{
    const taking *t = with;
    halves_taken(t->n, t->from, t->at, t->to);
    return WG_OK;
}

/* Round k adds one element to each of the first width[k] sums. */
typedef struct {
    int64_t places, sums, rounds;
    const int64_t *width;
    const int32_t *at;    /* of all rounds */
    const int32_t *place; /* of each sum in the result */
    double *sum;
    const void *from;
    void *to;
} adding;

#define ADD_LOOPS(T)                                                                                                   \
    static WG_CLONES void T##_round(int64_t n, const T *restrict from, const int32_t *restrict at,                     \
                                    double *restrict sum)                                                              \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                                \
            sum[i] += (double)from[at[i]];                                                                             \
    }                                                                                                                  \
    static wg_status T##_added(const void *with)                                                                       \
    {                                                                                                                  \
        const adding *a = with;                                                                                        \
        const int32_t *at = a->at;                                                                                     \
        T *to = a->to;                                                                                                 \
        memset(a->sum, 0, (size_t)a->sums * sizeof *a->sum);                                                           \
        for (int64_t k = 0; k < a->rounds; at += a->width[k++])                                                        \
            T##_round(a->width[k], a->from, at, a->sum);                                                               \
        if (a->sums < a->places)                                                                                       \
            memset(to, 0, (size_t)a->places * sizeof *to);                                                             \
        for (int64_t i = 0; i < a->sums; i++)                                                                          \
            to[a->place[i]] = (T)a->sum[i];                                                                            \
        return WG_OK;                                                                                                  \
    }
ADD_LOOPS(float)
ADD_LOOPS(double)

/* ---- Making them ------------------------------------------------------------------------------------------------- */
/* The operand that is moved, if all others are constants; -1. */
static int moved_operand(const wg_plan *p, const wg_call *c, uint32_t first)
{
    const uint32_t *in = wg_node_in(wg_plan_node(p, first));
    int moved = -1;
    for (int k = 0; k < c->n_in; k++) {
        bool varies = in[k] != WG_ABSENT && p->value[in[k]].flags & (WG_VALUE_VARIES | WG_VALUE_INPUT);
        bool single = varies && moved < 0 && !(c->op->in[k].flags & WG_INTEGER);
        if (in[k] == WG_ABSENT || c->stride[k] || (varies && !single))
            return -1;
        moved = varies ? k : moved;
    }
    return moved;
}

/* Do enough of the n places follow no other? */
static bool is_scattered(const int64_t *at, int64_t n)
{
    int64_t breaks = 0;
    for (int64_t i = 1; i < n; i++)
        breaks += at[i] != at[i - 1] + 1;
    return SHORTEST * breaks > n;
}

static bool taking_made(wg_plan *p, const wg_call *c, uint32_t first, int moved, const int64_t *from)
{
    int64_t n = wg_type_count(&c->y[0]);
    taking *t = wg_hold_take(p->f, sizeof *t);
    int32_t *at = wg_hold_take(p->f, (size_t)n * sizeof *at);
    if (!t || !at)
        return false;
    for (int64_t i = 0; i < n; i++)
        at[i] = (int32_t)from[i];
    *t = (taking){.n = n, .at = at};
    wg_points_at(p, &t->from, wg_node_in(wg_plan_node(p, first))[moved]);
    wg_points_at(p, (const void **)(uintptr_t)&t->to, first);
    wg_instruct_next(p, wg_dtype_size(c->y[0].dtype) == sizeof(uint64_t) ? words_run : halves_run, t);
    return true;
}

/* The sums in the order of how many elements they have, most first: places that have none come last. */
typedef struct {
    int64_t places, sums, rounds, elements;
    int64_t *count, *rank; /* of a place: its elements; its number among the sums */
    int64_t *width;        /* of a round */
} ranking;

static bool ranked(wg_plan *p, ranking *r, const int64_t *to, int64_t n)
{
    r->count = wg_arena(p->tape, (size_t)r->places * sizeof *r->count);
    r->rank = wg_arena(p->tape, (size_t)r->places * sizeof *r->rank);
    r->width = wg_arena(p->tape, ((size_t)n + 1) * sizeof *r->width);
    if (!r->count || !r->rank || !r->width)
        return false;
    memset(r->count, 0, (size_t)r->places * sizeof *r->count);
    memset(r->width, 0, ((size_t)n + 1) * sizeof *r->width);
    for (int64_t i = 0; i < n; i++)
        if (to[i] >= 0)
            r->width[r->count[to[i]]++]++;
    while (r->width[r->rounds])
        r->elements += r->width[r->rounds++];
    r->sums = r->width[0];
    for (int64_t i = 0; i < r->places; i++)
        if (r->count[i])
            r->rank[i] = r->width[r->count[i]]++; /* behind all that have more */
    r->width++; /* which made each width that of the round before */
    return true;
}

static bool adding_made(wg_plan *p, const wg_call *c, uint32_t first, int moved, const ranking *r, const int64_t *to)
{
    int64_t n = wg_type_count(&c->x[moved]);
    adding *a = wg_hold_take(p->f, sizeof *a);
    int32_t *at = wg_hold_take(p->f, (size_t)r->elements * sizeof *at);
    int32_t *place = wg_hold_take(p->f, (size_t)r->sums * sizeof *place);
    int64_t *width = wg_hold_take(p->f, (size_t)r->rounds * sizeof *width);
    double *sum = wg_hold_take(p->f, (size_t)r->sums * sizeof *sum);
    int64_t *next = wg_arena(p->tape, ((size_t)r->rounds + 1) * sizeof *next);
    int64_t *seen = wg_arena(p->tape, (size_t)r->places * sizeof *seen);
    if (!a || !at || !place || !width || !sum || !next || !seen)
        return false;
    next[0] = 0;
    for (int64_t k = 0; k < r->rounds; k++)
        next[k + 1] = next[k] + (width[k] = r->width[k]);
    memset(seen, 0, (size_t)r->places * sizeof *seen);
    for (int64_t i = 0; i < n; i++)
        if (to[i] >= 0)
            at[next[seen[to[i]]++] + r->rank[to[i]]] = (int32_t)i;
    for (int64_t i = 0; i < r->places; i++)
        if (r->count[i])
            place[r->rank[i]] = (int32_t)i;
    *a = (adding){r->places, r->sums, r->rounds, width, at, place, sum, NULL, NULL};
    wg_points_at(p, &a->from, wg_node_in(wg_plan_node(p, first))[moved]);
    wg_points_at(p, (const void **)(uintptr_t)&a->to, first);
    wg_instruct_next(p, c->dtype == WG_FLOAT32 ? float_added : double_added, a);
    return true;
}

bool wg_list_made(wg_plan *p, const wg_call *c, uint32_t first, bool *is)
{
    int moved = moved_operand(p, c, first);
    wg_places_rule *rule = c->op->taken_from ? c->op->taken_from : c->op->added_to;
    *is = false;
    if (!rule || moved < 0)
        return true;
    bool takes = c->op->taken_from;
    size_t size = wg_dtype_size(c->y[0].dtype);
    int64_t x = wg_type_count(&c->x[moved]), y = wg_type_count(&c->y[0]), n = takes ? y : x;
    if (!n || x > MOST_ELEMENTS || y > MOST_ELEMENTS || (size != sizeof(uint64_t) && size != sizeof(uint32_t)))
        return true;
    int64_t *at = wg_arena(p->tape, (size_t)n * sizeof *at);
    if (!at || rule(c, at))
        return false;
    if (!is_scattered(at, n))
        return true;
    if (takes) {
        *is = true;
        return taking_made(p, c, first, moved, at);
    }
    ranking r = {.places = y};
    if (!ranked(p, &r, at, n))
        return false;
    *is = r.elements >= SHORTEST * r.rounds;
    return !*is || adding_made(p, c, first, moved, &r, at);
}
