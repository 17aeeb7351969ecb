/* Facts read back from the JSON that they were written as. No number of the file is trusted: a node takes only what
 * stands before it, sizes do not overflow, and what has no place in a graph is refused with the node's id. */
#include <jansson.h>

#include "graph/facts.h"
#include "graph/file.h"

#define MOST_BYTES ((size_t)1 << 30)
#define MOST_OPERANDS 65535
#define MOST_OUTPUTS (1 << 24)

typedef struct {
    wg_facts *f;
    const char *function, *path; /* for errors */
    json_t *nodes, *edges;
    size_t edge;    /* the next one, of `edges` */
    uint32_t node;  /* being read */
} reading;

static bool refuse(const reading *r, const char *format, ...) WG_PRINTF(2, 3);
static bool refuse(const reading *r, const char *format, ...)
{
    char text[300];
    va_list va;
    va_start(va, format);
    vsnprintf(text, sizeof text, format, va);
    va_end(va);
    wg_report(r->f->tape, r->function, WG_ERROR_FORMAT, "%s: %s", wg_path_text(r->path), text);
    return false;
}

static bool no_memory(const reading *r, size_t bytes)
{
    wg_no_memory(r->f->tape, r->function, bytes);
    return false;
}

/* ---- Members ----------------------------------------------------------------------------------------------------- */
static bool flag_of(const json_t *object, const char *name) { return json_is_true(json_object_get(object, name)); }

/* A copy; "" where there is none. NULL: no memory. */
static const char *text_of(const reading *r, const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    size_t n = json_is_string(text) ? json_string_length(text) : 0;
    char *copy = n ? wg_arena(r->f->tape, n + 1) : NULL;
    if (!n)
        return "";
    if (!copy)
        no_memory(r, n + 1);
    else
        memcpy(copy, json_string_value(text), n + 1);
    return copy;
}

/* `missing` where there is none. */
static double number_of(const json_t *object, const char *name, double missing)
{
    const json_t *number = json_object_get(object, name);
    if (json_is_number(number))
        return json_number_value(number);
    const char *word = json_is_string(number) ? json_string_value(number) : "";
    return !strcmp(word, "nan") ? (double)NAN
           : !strcmp(word, "inf") ? (double)INFINITY
           : !strcmp(word, "-inf") ? -(double)INFINITY
                                   : missing;
}

/* An integer from 0 to `most`; -1 where there is none. */
static int64_t index_of(const json_t *number, int64_t most)
{
    int64_t value = json_is_integer(number) ? json_integer_value(number) : -1;
    return value <= most ? value : -1;
}

/* "n6" of a node before number `end`. */
static bool id_of(const json_t *text, uint32_t end, uint32_t *id)
{
    unsigned long value;
    char more;
    const char *word = json_is_string(text) ? json_string_value(text) : "";
    if (strlen(word) > 11 || strspn(word, "n0123456789") != strlen(word) ||
        sscanf(word, "n%lu%c", &value, &more) != 1 || value >= end)
        return false;
    *id = (uint32_t)value;
    return true;
}

/* ---- Tensors ----------------------------------------------------------------------------------------------------- */
static bool dtype_of(const json_t *object, wg_dtype *dtype)
{
    const json_t *text = json_object_get(object, "dtype");
    for (int i = WG_FLOAT32; i <= WG_BOOL; i++)
        if (json_is_string(text) && !strcmp(json_string_value(text), wg_dtype_name((wg_dtype)i))) {
            *dtype = (wg_dtype)i;
            return true;
        }
    return false;
}

static bool type_of(const reading *r, const json_t *object, wg_type *type)
{
    const json_t *shape = json_object_get(object, "shape");
    int64_t count;
    size_t bytes;
    if (!json_is_array(shape) || json_array_size(shape) > WG_MAX_RANK || !dtype_of(object, &type->dtype))
        return refuse(r, "n%u: an output without a shape or dtype", r->node);
    type->rank = (int)json_array_size(shape);
    for (int i = 0; i < type->rank; i++)
        if ((type->dim[i] = index_of(json_array_get(shape, (size_t)i), INT64_MAX)) < 0)
            return refuse(r, "n%u: dimension %d is not a size", r->node, i);
    if (!wg_type_fits(type, &count, &bytes))
        return refuse(r, "n%u: more elements than there can be", r->node);
    return true;
}

/* NULL where there are none; false: no memory. */
static bool statistics_of(const reading *r, const json_t *object, const char *name, const wg_statistics **to)
{
    const json_t *from = json_object_get(object, name), *bins = json_object_get(from, "histogram");
    if (!json_is_object(from))
        return true;
    wg_statistics *s = wg_arena(r->f->tape, sizeof *s);
    if (!s)
        return no_memory(r, sizeof *s);
    *s = (wg_statistics){.n = index_of(json_object_get(from, "n"), INT64_MAX),
                         .zeros = index_of(json_object_get(from, "zeros"), INT64_MAX),
                         .nan = index_of(json_object_get(from, "nan"), INT64_MAX),
                         .infinite = index_of(json_object_get(from, "infinite"), INT64_MAX),
                         .norm = number_of(from, "norm", 0),
                         .mean = number_of(from, "mean", 0),
                         .deviation = number_of(from, "deviation", 0),
                         .low = number_of(from, "low", 0),
                         .high = number_of(from, "high", 0)};
    int64_t *const counts[] = {&s->n, &s->zeros, &s->nan, &s->infinite};
    for (int i = 0; i < 4; i++)
        *counts[i] = *counts[i] < 0 ? 0 : *counts[i];
    for (size_t i = 0; i < WG_BINS; i++) {
        int64_t n = index_of(json_array_get(bins, i), INT64_MAX);
        s->bin[i] = n < 0 ? 0 : n;
    }
    *to = s;
    return true;
}

static bool output_read(const reading *r, const json_t *object)
{
    wg_tensor_fact *t = &r->f->output[r->f->outputs++];
    *t = (wg_tensor_fact){.name = text_of(r, object, "name"), .has_value = json_object_get(object, "value") != NULL,
                          .value = number_of(object, "value", 0),
                          .finite = !json_is_false(json_object_get(object, "finite"))};
    if (!t->name || !type_of(r, object, &t->type) || !statistics_of(r, object, "values", &t->values) ||
        !statistics_of(r, object, "gradient", &t->gradient))
        return false;
    bool param = r->f->node[r->node].kind == WG_FACT_PARAMETER;
    r->f->has_gradients |= param && t->gradient;
    r->f->has_adjoints |= !param && t->gradient;
    return true;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */
static bool kind_of(const json_t *object, wg_fact_kind *kind)
{
    const json_t *text = json_object_get(object, "kind");
    for (int i = WG_FACT_OPERATION; i <= WG_FACT_PARAMETER; i++)
        if (json_is_string(text) && !strcmp(json_string_value(text), wg_fact_kind_name((wg_fact_kind)i))) {
            *kind = (wg_fact_kind)i;
            return true;
        }
    return false;
}

static bool operand_read(reading *r, const json_t *edge, wg_fact *node)
{
    wg_operand_fact *o = &r->f->operand[r->f->operands++];
    int64_t place = index_of(json_object_get(edge, "operand"), MOST_OPERANDS);
    const json_t *output = json_object_get(edge, "output");
    *o = (wg_operand_fact){.place = (int)place, .name = text_of(r, edge, "name"), .kept = flag_of(edge, "kept"),
                           .output = output ? (int)index_of(output, MOST_OUTPUTS) : 0};
    if (!o->name)
        return false;
    if (!id_of(json_object_get(edge, "from"), r->node, &o->from) || place < 0)
        return refuse(r, "n%u: takes something that is not before it", r->node);
    if (o->output < 0 || (uint32_t)o->output >= r->f->node[o->from].outputs)
        return refuse(r, "n%u: takes an output that n%u does not have", r->node, o->from);
    node->operands++;
    return true;
}

/* The edges are in the order of the nodes that they go to. */
static bool operands_read(reading *r, wg_fact *node)
{
    uint32_t to;
    node->operand = r->f->operands;
    for (; r->edge < json_array_size(r->edges); r->edge++) {
        const json_t *edge = json_array_get(r->edges, r->edge);
        if (!id_of(json_object_get(edge, "to"), (uint32_t)json_array_size(r->nodes), &to) || to < r->node)
            return refuse(r, "edge %zu: goes to no node, or not in their order", r->edge);
        if (to > r->node)
            break;
        if (wg_fact_is_leaf(node) || node->operands == MOST_OPERANDS)
            return refuse(r, "n%u: takes too much", r->node);
        if (!operand_read(r, edge, node))
            return false;
    }
    if (node->kind == WG_FACT_VIEW && !node->operands)
        return refuse(r, "n%u: a view of nothing", r->node);
    return true;
}

static bool node_read(reading *r)
{
    wg_facts *f = r->f;
    const json_t *object = json_array_get(r->nodes, r->node), *outputs = json_object_get(object, "outputs");
    wg_fact *node = &f->node[f->nodes++];
    uint32_t id;
    if (!id_of(json_object_get(object, "id"), r->node + 1, &id) || id != r->node || !kind_of(object, &node->kind))
        return refuse(r, "node %u: not of a known kind, or not in order", r->node);
    node->op = wg_fact_is_leaf(node) ? "leaf" : text_of(r, object, "op");
    const char **const texts[] = {&node->scope,     &node->place, &node->options, &node->numbers, &node->reduction,
                                  &node->saves,     &node->fused, &node->memory,  &node->finding, &node->evidence};
    static const char *const names[] = {"scope", "place", "options", "numbers", "reduction",
                                        "saves", "fused", "memory",  "finding", "evidence"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*texts[i] = text_of(r, object, names[i])))
            return false;
    node->frozen = flag_of(object, "frozen");
    node->cut = flag_of(object, "cut");
    node->unused = flag_of(object, "unused");
    node->not_finite = flag_of(object, "not_finite");
    node->ordered = flag_of(object, "ordered");
    node->backward = flag_of(object, "backward");
    f->has_backward |= node->backward;
    node->kept = number_of(object, "kept_bytes", 0);
    node->flops = number_of(object, "flops", -1);
    node->seconds = number_of(object, "seconds", -1);
    node->seconds_backward = number_of(object, "seconds_backward", -1);
    f->has_times |= node->seconds >= 0 || node->seconds_backward >= 0;
    if (!node->op || !operands_read(r, node))
        return false;
    node->output = f->outputs;
    if (json_array_size(outputs) < 1 || json_array_size(outputs) > MOST_OUTPUTS)
        return refuse(r, "n%u: has no outputs, or too many", r->node);
    for (; node->outputs < json_array_size(outputs); node->outputs++)
        if (!output_read(r, json_array_get(outputs, node->outputs)))
            return false;
    if (node->unused && node->kind != WG_FACT_PARAMETER)
        return refuse(r, "n%u: unused, but not a parameter", r->node);
    if (!node->unused && f->used < r->node)
        return refuse(r, "n%u: behind parameters that are not used", r->node);
    f->used += !node->unused;
    return true;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static void *zeroed(wg_tape *tape, size_t n, size_t size)
{
    void *memory = wg_arena(tape, (n + 1) * size);
    if (memory)
        memset(memory, 0, (n + 1) * size);
    return memory;
}

static bool rooms(const reading *r, size_t roots)
{
    size_t outputs = 0, nodes = json_array_size(r->nodes);
    wg_facts *f = r->f;
    for (size_t i = 0; i < nodes; i++)
        outputs += json_array_size(json_object_get(json_array_get(r->nodes, i), "outputs"));
    f->node = zeroed(f->tape, nodes, sizeof *f->node);
    f->output = zeroed(f->tape, outputs, sizeof *f->output);
    f->operand = zeroed(f->tape, json_array_size(r->edges), sizeof *f->operand);
    f->root = zeroed(f->tape, roots, sizeof *f->root);
    return (f->node && f->output && f->operand && f->root) || no_memory(r, nodes * sizeof *f->node);
}

static bool all_read(reading *r, const json_t *whole)
{
    const json_t *roots = json_object_get(whole, "roots");
    wg_facts *f = r->f;
    r->nodes = json_object_get(whole, "nodes");
    r->edges = json_object_get(whole, "edges");
    size_t nodes = json_array_size(r->nodes);
    if (!nodes || nodes >= WG_NOWHERE / 4 || !json_is_array(r->edges) || !json_array_size(roots))
        return refuse(r, "not the facts of a graph: it has no nodes, edges or roots");
    if (!(f->title = text_of(r, whole, "title")) || !(f->about = text_of(r, whole, "about")) ||
        !rooms(r, json_array_size(roots)))
        return false;
    for (r->node = 0; r->node < nodes; r->node++)
        if (!node_read(r))
            return false;
    if (r->edge < json_array_size(r->edges))
        return refuse(r, "edge %zu: goes to no node, or not in their order", r->edge);
    for (; f->roots < json_array_size(roots); f->roots++)
        if (!id_of(json_array_get(roots, f->roots), f->used, &f->root[f->roots]))
            return refuse(r, "a root that is no node");
    wg_facts_count(f);
    return true;
}

wg_facts *wg_facts_of_json(wg_tape *tape, const char *name, const char *path)
{
    wg_facts *f = zeroed(tape, 1, sizeof *f);
    size_t bytes;
    json_error_t error;
    char *content = f ? wg_file_read(tape, name, path, MOST_BYTES, &bytes) : NULL;
    if (!content) {
        if (!f)
            wg_no_memory(tape, name, sizeof *f);
        return NULL;
    }
    f->tape = tape;
    reading r = {.f = f, .function = name, .path = path};
    json_t *whole = json_loadb(content, bytes, JSON_REJECT_DUPLICATES, &error);
    wg_tape_release(tape, content, bytes + 1);
    bool read = whole ? all_read(&r, whole) : refuse(&r, "line %d: %s", error.line, error.text);
    json_decref(whole);
    return read ? f : NULL;
}
