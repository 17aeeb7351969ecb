/* Equal neighbouring scopes drawn once: a transformer's blocks, an unrolled network's steps. Two scopes are equal where
 * their operations, options, shapes and wiring are, names apart: first by a hash of what is in each, then node by node.
 * They are drawn once where they form a chain: what one takes from the scope before, every one takes so.
 *
 * The operations of a scope and of those in it stand side by side in `order`, scope by scope, so that the k-th of one
 * corresponds to the k-th of an equal one. */
#include "graph/drawing.h"

typedef struct {
    wg_drawing *d;
    uint32_t *order;         /* operations, by scope and then as recorded */
    uint32_t *at;            /* by node: its place there; WG_NOWHERE for leaves */
    uint32_t *first, *end;   /* by scope: its part of `order`, with all that is in it */
    uint32_t *rank;          /* by scope: in the order of a walk down the tree */
    uint64_t *own;           /* by node: hash of all but the wiring */
    uint64_t *hash;          /* by scope */
    uint32_t *chain, *last;  /* by scope: the first of its chain; the last so far of the chain that it is the first
                                of */
    uint32_t *before;        /* by scope: the one before it in the chain; WG_NOWHERE */
    uint32_t *takers;        /* by node: operands that are it */
    uint32_t *partner;       /* by leaf: what corresponds to it in the other scope, in comparison `when` */
    uint32_t *when, *inside; /* by node: the comparison; how many operands that are it were seen in it */
    uint32_t *start;         /* by place in the first of a chain: what stands for the scope before it, in comparison
                                `since` */
    uint32_t *since;
    uint32_t comparison;
} folding;

/* ---- Tables ------------------------------------------------------------------------------------------------------ */
static bool tables_made(folding *g)
{
    const wg_drawing *d = g->d;
    size_t nodes = d->facts->nodes, scopes = d->scopes;
    uint32_t **const by_node[] = {&g->order, &g->at,     &g->takers, &g->partner,
                                  &g->when,  &g->inside, &g->start,  &g->since};
    uint32_t **const by_scope[] = {&g->first, &g->end, &g->rank, &g->chain, &g->last, &g->before};
    uint32_t *memory = wg_arena(d->tape, (8 * (nodes + 1) + 6 * (scopes + 1)) * sizeof *memory);
    g->own = wg_arena(d->tape, (nodes + 1) * sizeof *g->own);
    g->hash = wg_arena(d->tape, (scopes + 1) * sizeof *g->hash);
    if (!memory || !g->own || !g->hash)
        return false;
    memset(memory, 0, (8 * (nodes + 1) + 6 * (scopes + 1)) * sizeof *memory);
    for (int i = 0; i < 8; i++, memory += nodes + 1)
        *by_node[i] = memory;
    for (int i = 0; i < 6; i++, memory += scopes + 1)
        *by_scope[i] = memory;
    return true;
}

/* Ranks of a walk down the tree, without one: each scope knows how many are in it, and takes that many ranks. */
static void scopes_ranked(const folding *g)
{
    const wg_drawing *d = g->d;
    uint32_t *size = g->last, *next = g->end; /* used for this first */
    for (uint32_t s = 0; s < d->scopes; s++)
        size[s] = 1;
    for (uint32_t s = d->scopes; s-- > 1;)
        size[d->scope[s].parent] += size[s];
    for (uint32_t s = 0; s < d->scopes; s++) {
        g->rank[s] = s ? next[d->scope[s].parent] : 0;
        next[s] = g->rank[s] + 1;
        if (s)
            next[d->scope[s].parent] += size[s];
    }
}

static void operations_ordered(const folding *g, uint32_t *count)
{
    const wg_drawing *d = g->d;
    for (uint32_t i = 0; i < d->facts->nodes; i++)
        if (!wg_fact_is_leaf(&d->facts->node[i]))
            count[g->rank[d->scope_of[i]] + 1]++;
    for (uint32_t r = 0; r < d->scopes; r++)
        count[r + 1] += count[r];
    for (uint32_t s = 0; s < d->scopes; s++) {
        g->first[s] = count[g->rank[s]];
        g->end[s] = count[g->rank[s] + g->last[s]]; /* still the number of scopes in it */
    }
    for (uint32_t i = 0; i < d->facts->nodes; i++) {
        g->at[i] = WG_NOWHERE;
        if (wg_fact_is_leaf(&d->facts->node[i]))
            continue;
        g->at[i] = count[g->rank[d->scope_of[i]]]++;
        g->order[g->at[i]] = i;
    }
}

/* ---- Hashes ------------------------------------------------------------------------------------------------------ */
#define PRIME UINT64_C(1099511628211)

static uint64_t mixed(uint64_t h, uint64_t value)
{
    h = (h ^ value) * PRIME;
    return h ^ h >> 29;
}

static uint64_t text_mixed(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * PRIME;
    return mixed(h, 0x100);
}

static uint64_t type_mixed(uint64_t h, const wg_type *type)
{
    h = mixed(h, (uint64_t)type->dtype << 8 | (uint64_t)type->rank);
    for (int i = 0; i < type->rank; i++)
        h = mixed(h, (uint64_t)type->dim[i]);
    return h;
}

static uint64_t hash_of_node(const wg_facts *f, uint32_t i)
{
    const wg_fact *node = &f->node[i];
    uint64_t h = text_mixed(UINT64_C(14695981039346656037), node->op);
    h = text_mixed(text_mixed(h, node->options), node->numbers);
    h = mixed(h, (uint64_t)node->cut | (uint64_t)node->not_finite << 1 | (uint64_t)node->operands << 2);
    for (uint32_t k = 0; k < node->outputs; k++)
        h = mixed(type_mixed(h, &f->output[node->output + k].type), f->output[node->output + k].finite);
    return h;
}

static bool is_inside(const folding *g, uint32_t s, uint32_t node)
{
    return g->at[node] >= g->first[s] && g->at[node] < g->end[s];
}

/* Wiring within the scope by distance; what comes from outside is only known to do so. */
static uint64_t hash_of_scope(const folding *g, uint32_t s)
{
    const wg_facts *f = g->d->facts;
    uint64_t h = 1;
    for (uint32_t p = g->first[s]; p < g->end[s]; p++) {
        const wg_fact *node = &f->node[g->order[p]];
        h = mixed(mixed(h, g->own[g->order[p]]), g->rank[g->d->scope_of[g->order[p]]] - g->rank[s]);
        for (uint32_t k = 0; k < node->operands; k++) {
            const wg_operand_fact *o = &f->operand[node->operand + k];
            bool inside = is_inside(g, s, o->from);
            h = mixed(h, (uint64_t)o->place << 32 | (inside ? p - g->at[o->from] : 0));
        }
    }
    return h;
}

/* ---- In full ----------------------------------------------------------------------------------------------------- */
static bool equal_outputs(const wg_facts *f, const wg_fact *a, const wg_fact *b)
{
    if (a->outputs != b->outputs)
        return false;
    for (uint32_t k = 0; k < a->outputs; k++) {
        const wg_tensor_fact *x = &f->output[a->output + k], *y = &f->output[b->output + k];
        if (!wg_type_equal(&x->type, &y->type) || x->finite != y->finite)
            return false;
    }
    return true;
}

static bool equal_nodes(const wg_facts *f, const wg_fact *a, const wg_fact *b)
{
    return a->kind == b->kind && a->operands == b->operands && a->cut == b->cut && a->frozen == b->frozen &&
           a->not_finite == b->not_finite && !strcmp(a->finding, b->finding) && !strcmp(a->op, b->op) &&
           !strcmp(a->options, b->options) && !strcmp(a->numbers, b->numbers) && equal_outputs(f, a, b);
}

/* Leaves of the two scopes correspond, one to one. */
static bool leaves_pair(const folding *g, uint32_t x, uint32_t y)
{
    const wg_facts *f = g->d->facts;
    if (!wg_fact_is_leaf(&f->node[x]) || !wg_fact_is_leaf(&f->node[y]))
        return false;
    if (g->when[x] == g->comparison || g->when[y] == g->comparison)
        return g->when[x] == g->when[y] && g->partner[x] == y && g->partner[y] == x;
    if (!equal_nodes(f, &f->node[x], &f->node[y]))
        return false;
    g->when[x] = g->when[y] = g->comparison;
    g->partner[x] = y;
    g->partner[y] = x;
    g->inside[x] = g->inside[y] = 0;
    return true;
}

/* An operand of b comes from place p of a. In a it must come from there in the scope before, or, where a is the first,
 * from something outside that stands for it. */
static bool continues_chain(const folding *g, uint32_t a, const wg_operand_fact *x, const wg_operand_fact *y)
{
    const wg_facts *f = g->d->facts;
    uint32_t p = g->at[y->from] - g->first[a], z = g->before[a];
    if (is_inside(g, a, x->from))
        return false;
    if (z != WG_NOWHERE)
        return is_inside(g, z, x->from) && g->at[x->from] - g->first[z] == p && x->output == y->output;
    const wg_type *from = &f->output[f->node[x->from].output + (uint32_t)x->output].type,
                  *to = &f->output[f->node[y->from].output + (uint32_t)y->output].type;
    if (g->since[g->first[a] + p] == g->comparison && g->start[g->first[a] + p] != x->from)
        return false;
    g->since[g->first[a] + p] = g->comparison;
    g->start[g->first[a] + p] = x->from;
    return wg_type_equal(from, to);
}

static bool equal_operands(const folding *g, uint32_t a, uint32_t b, const wg_operand_fact *x, const wg_operand_fact *y)
{
    if (x->place != y->place)
        return false;
    if (is_inside(g, b, y->from))
        return is_inside(g, a, x->from) && x->output == y->output &&
               g->at[x->from] - g->first[a] == g->at[y->from] - g->first[b];
    if (is_inside(g, a, y->from))
        return continues_chain(g, a, x, y);
    if (x->from == y->from)
        return x->output == y->output;
    if (!leaves_pair(g, x->from, y->from))
        return false;
    g->inside[x->from]++;
    g->inside[y->from]++;
    return true;
}

/* Do all that take a value of a's stand in a or b, and all that take b's leaves in b? */
static bool kept_to_themselves(const folding *g, uint32_t a, uint32_t b)
{
    const wg_facts *f = g->d->facts;
    const uint32_t pair[] = {a, b};
    for (uint32_t p = g->first[a]; p < g->end[a]; p++)
        g->inside[g->order[p]] = 0;
    for (int i = 0; i < 2; i++)
        for (uint32_t p = g->first[pair[i]]; p < g->end[pair[i]]; p++)
            for (uint32_t k = 0; k < f->node[g->order[p]].operands; k++) {
                uint32_t from = f->operand[f->node[g->order[p]].operand + k].from;
                if (is_inside(g, a, from))
                    g->inside[from]++;
                else if (g->when[from] == g->comparison && g->inside[from] != g->takers[from])
                    return false;
            }
    for (uint32_t p = g->first[a]; p < g->end[a]; p++)
        if (g->inside[g->order[p]] != g->takers[g->order[p]])
            return false;
    for (uint32_t r = 0; r < f->roots; r++)
        if (is_inside(g, a, f->root[r]) || is_inside(g, b, f->root[r]))
            return false;
    return true;
}

static bool equal_scopes(folding *g, uint32_t a, uint32_t b)
{
    const wg_facts *f = g->d->facts;
    g->comparison++;
    if (g->hash[a] != g->hash[b] || g->end[a] - g->first[a] != g->end[b] - g->first[b] || g->end[a] == g->first[a])
        return false;
    for (uint32_t p = 0; p < g->end[a] - g->first[a]; p++) {
        uint32_t x = g->order[g->first[a] + p], y = g->order[g->first[b] + p];
        const wg_fact *in_a = &f->node[x], *in_b = &f->node[y];
        if (g->own[x] != g->own[y] || !equal_nodes(f, in_a, in_b) ||
            g->rank[g->d->scope_of[x]] - g->rank[a] != g->rank[g->d->scope_of[y]] - g->rank[b])
            return false;
        for (uint32_t k = 0; k < in_a->operands; k++)
            if (!equal_operands(g, a, b, &f->operand[in_a->operand + k], &f->operand[in_b->operand + k]))
                return false;
    }
    return kept_to_themselves(g, a, b);
}

/* ---- Drawn once -------------------------------------------------------------------------------------------------- */
/* b is drawn by a. */
static void scope_folded(const folding *g, uint32_t a, uint32_t b)
{
    wg_drawing *d = g->d;
    const wg_facts *f = d->facts;
    for (uint32_t p = 0; p < g->end[a] - g->first[a]; p++) {
        uint32_t x = g->order[g->first[a] + p], y = g->order[g->first[b] + p];
        d->same[y] = x;
        for (uint32_t k = 0; k < f->node[x].operands; k++) {
            uint32_t u = f->operand[f->node[x].operand + k].from, v = f->operand[f->node[y].operand + k].from;
            if (u != v && g->when[u] == g->comparison && g->partner[u] == v)
                d->same[v] = u;
        }
    }
    d->scope[b].copy = true;
    d->scope[b].drawn_by = g->chain[b];
    d->scope[g->chain[b]].times++;
    d->folded++;
}

/* Scopes within scopes: what stands for a node may have something that stands for it. `last` is overwritten. */
static void peers_linked(wg_drawing *d, uint32_t *last)
{
    for (uint32_t i = 0; i < d->facts->nodes; i++) {
        last[i] = i;
        while (d->same[d->same[i]] != d->same[i])
            d->same[i] = d->same[d->same[i]];
    }
    for (uint32_t i = 0; i < d->facts->nodes; i++)
        if (d->same[i] != i) {
            d->peer[last[d->same[i]]] = i;
            last[d->same[i]] = i;
        }
}

bool wg_scopes_fold(wg_drawing *d)
{
    const wg_facts *f = d->facts;
    folding g = {.d = d};
    uint32_t *count = wg_arena(d->tape, ((size_t)d->scopes + 2) * sizeof *count);
    if (!count || !tables_made(&g))
        return false;
    memset(count, 0, ((size_t)d->scopes + 2) * sizeof *count);
    scopes_ranked(&g);
    operations_ordered(&g, count);
    for (uint32_t i = 0; i < f->nodes; i++)
        g.own[i] = hash_of_node(f, i);
    for (uint32_t k = 0; k < f->operands; k++)
        g.takers[f->operand[k].from]++;
    for (uint32_t s = 0; s < d->scopes; s++) {
        g.hash[s] = s ? hash_of_scope(&g, s) : 0;
        g.chain[s] = s;
        g.last[s] = g.before[s] = WG_NOWHERE; /* of a parent: the last of its scopes that was looked at */
    }
    for (uint32_t s = 1; s < d->scopes; s++) {
        uint32_t parent = d->scope[s].parent, a = g.last[parent];
        g.last[parent] = s;
        d->scope[s].copy = d->scope[parent].copy;
        if (d->scope[s].copy || a == WG_NOWHERE || !equal_scopes(&g, a, s))
            continue;
        g.chain[s] = g.chain[a];
        g.before[s] = a;
        scope_folded(&g, a, s);
    }
    peers_linked(d, g.at);
    return true;
}
