/* The facts of a compiled function: those of the graph that it was made from, told by what it does. Its plan is made
 * once more from what was recorded; then each instruction is a node, whose operands are the values that it takes from
 * others, and whose outputs are those that others take. What passes between the operations of one instruction is not
 * told of. */
#include "graph/facts.h"
#include "graph/plan.h"

#define MOST_TOLD 2 /* results of one instruction whose place is told */

typedef struct {
    wg_facts *f;
    const wg_facts *recorded;
    const wg_plan *p;
    const wg_function *function;
    const wg_tensor *results;
    int n_results;
    uint32_t *fact;     /* by node that holds a value: the fact of what it is; WG_NOWHERE */
    uint32_t *output;   /* its place among the outputs; WG_NOWHERE */
    uint32_t *like;     /* by node: a recorded fact with the same value; WG_NOWHERE */
    uint32_t *by;       /* by first node of a call: the instruction that does it; WG_NOWHERE */
    uint32_t *by_step;  /* by step: the same */
    uint32_t *seen;     /* by node: the fact that has taken it last */
    unsigned char *out; /* by node: taken by another instruction, or a result */
    size_t *place;      /* of buffers in the workspace, by number */
    uint32_t places;
} telling;

/* ---- Who does what ----------------------------------------------------------------------------------------------- */
static uint32_t root_of(const telling *s, uint32_t node) { return s->p->value[node].root; }
static uint32_t call_of(const telling *s, uint32_t node) { return node - wg_plan_node(s->p, node)->out; }

/* The instruction that makes a value; WG_NOWHERE: it is there before. */
static uint32_t maker_of(const telling *s, uint32_t root)
{
    return wg_is_made(s->p, root) ? s->by[call_of(s, root)] : WG_NOWHERE;
}

static bool rooms(telling *s)
{
    const wg_plan *p = s->p;
    wg_tape *tape = p->tape;
    size_t n = (size_t)p->nodes + 1;
    uint32_t **const tables[] = {&s->fact, &s->output, &s->like, &s->by, &s->seen};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!(*tables[i] = wg_arena(tape, n * sizeof **tables[i])))
            return false;
        memset(*tables[i], 0xff, n * sizeof **tables[i]);
    }
    s->by_step = wg_arena(tape, ((size_t)p->steps + 1) * sizeof *s->by_step);
    s->out = wg_arena(tape, n);
    s->place = wg_arena(tape, n * sizeof *s->place);
    if (!s->by_step || !s->out || !s->place)
        return false;
    memset(s->out, 0, n);
    return true;
}

static void makers_find(telling *s)
{
    const wg_function *f = s->p->f;
    uint32_t step = 0;
    for (size_t k = 0; k < f->n_instructions; k++)
        for (uint32_t i = f->note[k].begin; i < f->note[k].end; i++)
            if (wg_is_step(s->p, i))
                s->by[i] = (uint32_t)k;
    for (uint32_t i = 0; i < s->p->nodes; i++)
        if (wg_is_step(s->p, i))
            s->by_step[step++] = s->by[i];
    for (uint32_t i = 0; i < s->p->nodes; i++) { /* the first of equal ones that the recorded facts tell of */
        uint32_t at = s->recorded->at[call_of(s, i)], same = s->p->value[i].same;
        if (at != WG_NOWHERE && s->like[same] == WG_NOWHERE)
            s->like[same] = at;
        if (at != WG_NOWHERE)
            s->like[i] = at;
    }
}

/* Calls `each` for every value that instruction k takes and does not make. */
typedef bool taken(telling *s, uint32_t node, uint32_t user, int operand, uint32_t k);
static bool taken_each(telling *s, uint32_t k, taken *each)
{
    const wg_note *note = &s->p->f->note[k];
    for (uint32_t i = note->begin; i < note->end; i++) {
        const wg_node *node = wg_plan_node(s->p, i);
        if (!wg_is_step(s->p, i))
            continue;
        const uint32_t *in = wg_node_in(node);
        for (int a = 0; a < node->n_in; a++)
            if (in[a] != WG_ABSENT && !wg_node_is(wg_plan_node(s->p, in[a]), WG_NODE_NUMBER) &&
                maker_of(s, root_of(s, in[a])) != k && !each(s, in[a], i, a, k))
                return false;
    }
    return true;
}

static bool marked_taken(telling *s, uint32_t node, uint32_t user, int operand, uint32_t k)
{
    (void)user;
    (void)operand;
    (void)k;
    s->out[root_of(s, node)] = 1;
    return true;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */
static const char *kept(const telling *s, const char *text)
{
    char *copy = wg_arena(s->p->tape, strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

/* Buffers are numbered by where they begin in the workspace, in the order in which they are first used. */
static uint32_t buffer_of(telling *s, size_t at)
{
    uint32_t b = 0;
    while (b < s->places && s->place[b] != at)
        b++;
    if (b == s->places)
        s->place[s->places++] = at;
    return b + 1;
}

/* Of gradient i. */
static const char *param_name(const telling *s, int i)
{
    const wg_extra *extra = wg_node_at(s->p->tape, s->p->f->grad_of[i].node)->extra;
    return extra && extra->name ? extra->name : "a parameter";
}

/* "b1", "output 0", "gradient of w", "cell" */
static void buffer_name(telling *s, uint32_t root, char *out, size_t size)
{
    const wg_plan_value *v = wg_plan_home(s->p, root);
    const wg_function *f = s->p->f;
    if (wg_has_cell(s->p, root))
        snprintf(out, size, "a cell");
    else if (v->slot == WG_NO_SLOT)
        snprintf(out, size, "b%u", (unsigned)buffer_of(s, v->at));
    else if (v->slot < f->n_in + f->n_out)
        snprintf(out, size, "output %d", v->slot - f->n_in);
    else
        snprintf(out, size, "gradient of %.60s", param_name(s, v->slot - f->n_in - f->n_out));
}

/* "32 KiB in b1 until step 7" */
static void put_place(telling *s, uint32_t root, const char *between, char *text, size_t size)
{
    char bytes[32], name[96];
    size_t used = strlen(text);
    const wg_plan_value *v = wg_plan_home(s->p, root);
    buffer_name(s, root, name, sizeof name);
    wg_bytes_text((double)wg_node_bytes(wg_plan_node(s->p, root)), bytes, sizeof bytes);
    used += (size_t)snprintf(text + used, size - used, "%s%s in %s", between, bytes, name);
    bool shared = v->slot == WG_NO_SLOT && !wg_has_cell(s->p, root);
    if (shared && v->last < s->p->steps && s->by_step[v->last] != WG_NOWHERE)
        snprintf(text + used, size - used, " until step %u", (unsigned)s->by_step[v->last] + 1);
    else if (shared)
        snprintf(text + used, size - used, " to the end");
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */
static const wg_fact untold = {.kind = WG_FACT_OPERATION,
                               .scope = "",
                               .place = "",
                               .options = "",
                               .numbers = "",
                               .reduction = "",
                               .saves = "",
                               .fused = "",
                               .memory = "",
                               .finding = "",
                               .evidence = "",
                               .flops = -1,
                               .seconds = -1,
                               .seconds_backward = -1};

static wg_fact *fact_add(wg_facts *f)
{
    wg_fact *fact = &f->node[f->nodes++];
    *fact = untold;
    fact->operand = f->operands;
    return fact;
}

/* ---- Leaves ------------------------------------------------------------------------------------------------------ */
/* What is there before: an input, a parameter, a constant. */
static bool leaf_add(telling *s, uint32_t root)
{
    wg_facts *f = s->f;
    const wg_node *node = wg_plan_node(s->p, root);
    const wg_plan_value *v = &s->p->value[root];
    const char *own = node->extra && node->extra->name ? node->extra->name : "";
    char text[32] = "";
    bool input = v->flags & WG_VALUE_INPUT, param = !input && wg_node_is(node, WG_NODE_PARAM);
    if (s->fact[root] != WG_NOWHERE)
        return true;
    if (input && !*own)
        snprintf(text, sizeof text, "input %d", v->slot);
    const char *name = *own ? own : kept(s, text);
    s->fact[root] = f->nodes;
    s->output[root] = 0;
    f->output[f->outputs] = (wg_tensor_fact){.type = wg_node_type(node), .name = name, .finite = true};
    if (!input && !param && wg_node_count(node) == 1) {
        f->output[f->outputs].has_value = true;
        f->output[f->outputs].value = wg_load_number((wg_dtype)node->dtype, node->data);
    }
    wg_fact *fact = fact_add(f);
    fact->kind = param ? WG_FACT_PARAMETER : input || *own ? WG_FACT_INPUT : WG_FACT_CONSTANT;
    fact->op = "leaf";
    fact->frozen = param && wg_node_is(node, WG_NODE_FROZEN);
    fact->output = f->outputs;
    fact->outputs = 1;
    f->outputs++;
    return name != NULL;
}

static bool leaf_taken(telling *s, uint32_t node, uint32_t user, int operand, uint32_t k)
{
    (void)user;
    (void)operand;
    (void)k;
    uint32_t root = root_of(s, node);
    return maker_of(s, root) != WG_NOWHERE || leaf_add(s, root);
}

/* ---- Instructions ------------------------------------------------------------------------------------------------ */
static void operand_add(telling *s, uint32_t root, int place, const char *name)
{
    wg_facts *f = s->f;
    uint32_t to = f->nodes - 1;
    f->operand[f->operands++] =
        (wg_operand_fact){.from = s->fact[root], .output = (int)s->output[root], .place = place, .name = name};
    f->node[to].operands++;
}

static bool operand_taken(telling *s, uint32_t node, uint32_t user, int operand, uint32_t k)
{
    uint32_t root = root_of(s, node), to = s->f->nodes - 1;
    bool alone = s->p->f->note[k].steps == 1;
    if (s->seen[root] == to && !alone)
        return true;
    s->seen[root] = to;
    const char *name = alone ? wg_operand_name(wg_plan_node(s->p, user)->op, operand) : NULL;
    operand_add(s, root, alone ? operand : (int)s->f->node[to].operands, name ? name : "");
    return true;
}

/* Value i of the instruction that is being told of; `told` of them were before. */
static bool output_add(telling *s, uint32_t i, uint32_t told, char *text, size_t size)
{
    wg_facts *f = s->f;
    char name[96];
    buffer_name(s, i, name, sizeof name);
    s->fact[i] = f->nodes - 1;
    s->output[i] = told;
    wg_tensor_fact *t = &f->output[f->outputs++];
    *t = (wg_tensor_fact){.type = wg_node_type(wg_plan_node(s->p, i)), .name = kept(s, name), .finite = true};
    if (told < MOST_TOLD)
        put_place(s, i, told ? "; " : ": ", text, size);
    return t->name;
}

static bool outputs_add(telling *s, const wg_note *note, uint32_t k)
{
    wg_facts *f = s->f;
    wg_fact *fact = &f->node[f->nodes - 1];
    char text[256];
    snprintf(text, sizeof text, "step %u", (unsigned)k + 1);
    fact->output = f->outputs;
    for (uint32_t i = note->begin; i < note->end; i++)
        for (uint32_t o = i; wg_is_step(s->p, i) && o < i + wg_plan_node(s->p, i)->n_out; o++)
            if (s->out[o] && s->p->value[o].root == o && !output_add(s, o, fact->outputs++, text, sizeof text))
                return false;
    size_t used = strlen(text);
    if (fact->outputs > MOST_TOLD)
        snprintf(text + used, sizeof text - used, "; %u more", (unsigned)(fact->outputs - MOST_TOLD));
    if (!fact->outputs) { /* nobody reads it */
        f->output[f->outputs++] = (wg_tensor_fact){.type = note->y, .name = "", .finite = true};
        fact->outputs = 1;
    }
    return (fact->memory = kept(s, text));
}

/* As the recorded call is told of, where it is one; several by their names. */
static bool instruction_add(telling *s, uint32_t k, double seconds)
{
    wg_facts *f = s->f;
    const wg_note *note = &s->p->f->note[k], *own = &s->function->note[k];
    uint32_t first = note->begin;
    while (!wg_is_step(s->p, first))
        first++;
    uint32_t like = s->like[first];
    const wg_fact *from = like == WG_NOWHERE ? &untold : &s->recorded->node[like];
    char text[64];
    wg_fact *fact = fact_add(f);
    fact->op = own->what;
    fact->scope = from->scope;
    fact->place = from->place;
    fact->backward = from->backward;
    fact->flops = note->flops;
    fact->seconds = seconds;
    if (note->steps == 1) {
        fact->options = from->options;
        fact->numbers = from->numbers;
        fact->ordered = from->ordered;
    } else if (!wg_is_scalar_step(s->p, first)) {
        snprintf(text, sizeof text, "\xc3\x97%u", (unsigned)note->steps);
        fact->op = "fused";
        fact->numbers = kept(s, text);
        fact->fused = own->what;
    }
    f->has_times |= seconds >= 0;
    taken_each(s, k, operand_taken);
    return fact->numbers && outputs_add(s, note, k);
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */
/* A result that is not made where it is wanted. */
static bool copy_add(telling *s, int r, size_t k, double seconds)
{
    wg_facts *f = s->f;
    char text[96];
    if (r < s->p->f->n_out)
        snprintf(text, sizeof text, "step %zu: output %d", k + 1, r);
    else
        snprintf(text, sizeof text, "step %zu: gradient of %.60s", k + 1, param_name(s, r - s->p->f->n_out));
    wg_fact *fact = fact_add(f);
    fact->op = "copy";
    fact->memory = kept(s, text);
    fact->seconds = seconds;
    fact->output = f->outputs;
    fact->outputs = 1;
    operand_add(s, root_of(s, s->results[r].node), 0, "");
    f->output[f->outputs++] =
        (wg_tensor_fact){.type = wg_node_type(wg_plan_node(s->p, s->results[r].node)), .name = "", .finite = true};
    return fact->memory;
}

/* Copies are the instructions from `next` on, in the order of the results. Gradients first: a drawing's straight column
 * leads to the last root. */
static bool results_add(telling *s, size_t next)
{
    wg_facts *f = s->f;
    const wg_function *of = s->p->f;
    uint32_t *at = wg_arena(s->p->tape, (size_t)s->n_results * sizeof *at);
    for (int r = 0; r < s->n_results && at; r++) {
        uint32_t y = s->results[r].node, root = root_of(s, y);
        if (maker_of(s, root) == WG_NOWHERE && !leaf_add(s, root))
            return false;
        bool copied = !wg_has_cell(s->p, y) && s->p->value[y].slot != of->n_in + r;
        if (copied && !copy_add(s, r, next, s->function->note[next].seconds))
            return false;
        next += copied;
        at[r] = copied ? f->nodes - 1 : s->fact[root];
    }
    for (int r = 0; r < s->n_results && at; r++)
        f->root[f->roots++] = at[(r + of->n_out) % s->n_results];
    return at;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static bool facts_rooms(const telling *s)
{
    wg_facts *f = s->f;
    wg_tape *tape = s->p->tape;
    size_t calls = s->p->f->n_instructions + (size_t)s->n_results, operands = (size_t)s->n_results;
    for (uint32_t i = 0; i < s->p->nodes; i++)
        operands += wg_is_step(s->p, i) ? wg_plan_node(s->p, i)->n_in : 0;
    f->node = wg_arena(tape, (calls + s->p->nodes) * sizeof *f->node);
    f->output = wg_arena(tape, (calls + s->p->nodes) * sizeof *f->output);
    f->operand = wg_arena(tape, (operands + 1) * sizeof *f->operand);
    f->root = wg_arena(tape, (size_t)s->n_results * sizeof *f->root);
    return f->node && f->output && f->operand && f->root;
}

/* An instruction that moves values is part of the next that computes. */
static bool instructions_told(telling *s)
{
    const wg_function *f = s->p->f;
    double moving = 0;
    size_t next = 0;
    for (uint32_t k = 0; k < f->n_instructions; k++)
        taken_each(s, k, marked_taken);
    for (int r = 0; r < s->n_results; r++)
        s->out[root_of(s, s->results[r].node)] = 1;
    for (uint32_t k = 0; k < f->n_instructions; k++) {
        double seconds = s->function->note[k].seconds;
        if (!f->note[k].steps) {
            moving += seconds;
            continue;
        }
        if (!taken_each(s, k, leaf_taken) || !instruction_add(s, k, seconds < 0 ? -1 : seconds + moving))
            return false;
        moving = 0;
        next = k + 1;
    }
    return results_add(s, next);
}

static bool told(telling *s, const char *title)
{
    wg_facts *f = s->f;
    char text[160], bytes[32];
    uint32_t steps = 0;
    f->tape = s->p->tape;
    f->title = title ? title : "function";
    if (!rooms(s) || !facts_rooms(s))
        return false;
    makers_find(s);
    if (!instructions_told(s))
        return false;
    for (size_t k = 0; k < s->function->n_instructions; k++)
        steps += s->function->note[k].steps;
    size_t used =
        (size_t)snprintf(text, sizeof text, "compiled: %zu step%s for %u recorded operation%s \xc2\xb7 %s held",
                         s->function->n_instructions, s->function->n_instructions == 1 ? "" : "s", (unsigned)steps,
                         steps == 1 ? "" : "s", wg_bytes_text((double)s->function->bytes, bytes, sizeof bytes));
    if (s->places)
        snprintf(text + used, sizeof text - used, " \xc2\xb7 b1%s%.0u: shared memory, by where it begins",
                 s->places > 1 ? " to b" : "", s->places > 1 ? (unsigned)s->places : 0);
    f->used = f->nodes;
    f->has_backward = true; /* it is one picture, whatever it computes */
    wg_facts_count(f);
    return (f->about = kept(s, text));
}

/* The recorded graph, derivatives included. */
static wg_facts *recorded_facts(const wg_function *f, const wg_tensor *results, const char *name, const char *title)
{
    int n = f->n_out + f->n_grad;
    wg_tensor *root = wg_arena(f->tape, (size_t)n * sizeof *root);
    if (!root) {
        wg_no_memory(f->tape, name, (size_t)n * sizeof *root);
        return NULL;
    }
    for (int r = 0; r < n; r++)
        root[r] = results[(r + f->n_out) % n];
    wg_facts *facts = wg_facts_of_tape(root, n, name, title ? title : "function", false);
    for (uint32_t i = 0; facts && i < facts->nodes; i++)
        facts->node[i].cut &= !facts->node[i].backward; /* by who asked for it, not by the program */
    return facts;
}

wg_facts *wg_facts_of_function(wg_function *f, bool before, const char *name, const char *title)
{
    wg_function again;
    wg_plan p;
    const wg_tensor *results;
    wg_facts *facts = wg_arena(f->tape, sizeof *facts), *recorded = NULL;
    wg_status status =
        facts ? wg_function_again(f, name, &again, &p, &results) : wg_no_memory(f->tape, name, sizeof *facts);
    if (!facts)
        return NULL;
    bool same = !status && again.n_instructions == f->n_instructions && again.n_grad == f->n_grad;
    if (!status && !same)
        wg_report(f->tape, name, WG_ERROR_VALUE, "what it was compiled from has changed since");
    if (same)
        recorded = recorded_facts(&again, results, name, title);
    *facts = (wg_facts){0};
    telling s = {.f = facts,
                 .recorded = recorded,
                 .p = &p,
                 .function = f,
                 .results = results,
                 .n_results = again.n_out + again.n_grad};
    if (recorded && !before && !told(&s, title)) {
        wg_no_memory(f->tape, name, sizeof *facts);
        recorded = NULL;
    }
    wg_function_drop(&again);
    return recorded && !before ? facts : recorded;
}
