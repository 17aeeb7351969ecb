/* The facts of a graph as JSON: one object, a line a node, an edge, a scope. The same graph gives the same bytes; what
 * is not known is left out. A page has them in short: what is measured with the digits that it shows, edges as the
 * numbers of their ends. */
#include "graph/drawing.h"

const char *wg_fact_kind_name(wg_fact_kind kind)
{
    static const char *const names[] = {[WG_FACT_OPERATION] = "operation",
                                        [WG_FACT_VIEW] = "view",
                                        [WG_FACT_INPUT] = "input",
                                        [WG_FACT_CONSTANT] = "constant",
                                        [WG_FACT_PARAMETER] = "parameter"};
    return names[kind];
}

/* ---- Members ----------------------------------------------------------------------------------------------------- */
static void put_text(wg_text *t, const char *name, const char *value)
{
    if (!*value)
        return;
    wg_put(t, ",\"%s\":", name);
    wg_put_json(t, value);
}

static void put_number(wg_text *t, const char *name, double value)
{
    wg_put(t, ",\"%s\":", name);
    wg_put_json_number(t, value);
}

/* In a page a count is whole and the rest is rounded: it shows four digits. */
static void put_measured(wg_text *t, const char *name, double value, bool page)
{
    if (!page || !isfinite(value) || value == floor(value))
        put_number(t, name, value);
    else
        wg_put(t, ",\"%s\":%.6g", name, value);
}

static void put_known(wg_text *t, const char *name, double value, bool page)
{
    if (value >= 0)
        put_measured(t, name, value, page);
}

static void put_flag(wg_text *t, const char *name, bool value)
{
    if (value)
        wg_put(t, ",\"%s\":true", name);
}

static void put_statistics(wg_text *t, const char *name, const wg_statistics *s, bool page)
{
    if (!s)
        return;
    wg_put(t, ",\"%s\":{\"n\":%lld", name, (long long)s->n);
    put_measured(t, "norm", s->norm, page);
    put_measured(t, "mean", s->mean, page);
    put_measured(t, "deviation", s->deviation, page);
    put_measured(t, "low", s->low, page);
    put_measured(t, "high", s->high, page);
    wg_put(t, ",\"zeros\":%lld", (long long)s->zeros);
    if (s->nan)
        wg_put(t, ",\"nan\":%lld", (long long)s->nan);
    if (s->infinite)
        wg_put(t, ",\"infinite\":%lld", (long long)s->infinite);
    wg_put(t, ",\"histogram\":[");
    for (int i = 0; i < WG_BINS; i++)
        wg_put(t, "%s%lld", i ? "," : "", (long long)s->bin[i]);
    wg_put(t, "]}");
}

static void put_type(wg_text *t, const wg_type *type)
{
    wg_put(t, "{\"shape\":[");
    for (int i = 0; i < type->rank; i++)
        wg_put(t, "%s%lld", i ? "," : "", (long long)type->dim[i]);
    wg_put(t, "],\"dtype\":\"%s\"", wg_dtype_name(type->dtype));
}

static void put_output(wg_text *t, const wg_tensor_fact *o, bool page)
{
    put_type(t, &o->type);
    put_text(t, "name", o->name);
    if (o->has_value)
        put_number(t, "value", o->value);
    if (!o->finite)
        wg_put(t, ",\"finite\":false");
    put_statistics(t, "values", o->values, page);
    put_statistics(t, "gradient", o->gradient, page);
    wg_put(t, "}");
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */
static void put_node(wg_text *t, const wg_facts *f, uint32_t i, bool page)
{
    const wg_fact *node = &f->node[i];
    wg_put(t, "{\"id\":\"n%u\",\"kind\":\"%s\"", i,
           wg_fact_kind_name(node->kind));
    put_text(t, "op", wg_fact_is_leaf(node) ? "" : node->op);
    put_text(t, "scope", node->scope);
    put_text(t, "numbers", node->numbers);
    put_text(t, "options", node->options);
    put_text(t, "reduction", node->reduction);
    put_flag(t, "frozen", node->frozen);
    put_flag(t, "cut", node->cut);
    put_flag(t, "unused", node->unused);
    put_flag(t, "not_finite", node->not_finite);
    put_flag(t, "ordered", node->ordered);
    put_flag(t, "backward", node->backward);
    put_text(t, "saves", node->saves);
    put_text(t, "fused", node->fused);
    put_text(t, "memory", node->memory);
    put_text(t, "finding", node->finding);
    put_text(t, "evidence", node->evidence);
    put_known(t, "kept_bytes", node->kept > 0 ? node->kept : -1, page);
    put_known(t, "flops", node->flops, page);
    put_known(t, "seconds", node->seconds, page);
    put_known(t, "seconds_backward", node->seconds_backward, page);
    put_text(t, "place", node->place);
    wg_put(t, ",\"outputs\":[");
    for (uint32_t k = 0; k < node->outputs; k++) {
        wg_put(t, k ? "," : "");
        put_output(t, &f->output[node->output + k], page);
    }
    wg_put(t, "]}");
}

static void put_edges(wg_text *t, const wg_facts *f)
{
    const char *between = "";
    for (uint32_t i = 0; i < f->nodes; i++)
        for (uint32_t k = 0; k < f->node[i].operands; k++) {
            const wg_operand_fact *o = &f->operand[f->node[i].operand + k];
            wg_put(t, "%s\n{\"id\":\"e%u-%u-%d\",\"from\":\"n%u\",\"to\":\"n%u\",\"operand\":%d", between, o->from, i,
                   o->place, o->from, i, o->place);
            put_text(t, "name", o->name);
            if (o->output)
                wg_put(t, ",\"output\":%d", o->output);
            put_flag(t, "kept", o->kept);
            wg_put(t, "}");
            between = ",";
        }
}

/* In a page: of each edge the two nodes, one after the other. */
static void put_ends(wg_text *t, const wg_facts *f)
{
    const char *between = "";
    for (uint32_t i = 0; i < f->nodes; i++)
        for (uint32_t k = 0; k < f->node[i].operands; k++) {
            wg_put(t, "%s%u,%u", between, f->operand[f->node[i].operand + k].from, i);
            between = ",";
        }
}

static void put_scopes(wg_text *t, const wg_drawing *d)
{
    const char *between = "";
    for (uint32_t s = 1; s < d->scopes; s++) {
        const wg_place_in *scope = &d->scope[s];
        if (scope->run)
            continue;
        wg_put(t, "%s\n{\"id\":", between);
        wg_text path = {.tape = t->tape};
        wg_put(&path, "s:%s", scope->path);
        wg_put_json(t, path.failed ? "" : path.data);
        put_text(t, "name", scope->name);
        put_text(t, "parent", d->scope[scope->parent].path);
        wg_put(t, ",\"operations\":%u,\"parameters\":%lld}", scope->ops, (long long)scope->parameters);
        between = ",";
    }
}

static void put_graph(wg_text *text, const wg_drawing *d, bool page)
{
    const wg_facts *f = d->facts;
    wg_put(text, "{\"title\":");
    wg_put_json(text, d->title);
    put_text(text, "about", f->about);
    wg_put(text, ",\"roots\":[");
    for (uint32_t r = 0; r < f->roots; r++)
        wg_put(text, "%s\"n%u\"", r ? "," : "", f->root[r]);
    wg_put(text, "],\"dtype\":\"%s\",\"parameters\":%lld,\"parameter_bytes\":%.0f,\n\"nodes\":[",
           wg_dtype_name(f->usual), (long long)f->parameters, f->parameter_bytes);
    for (uint32_t i = 0; i < f->nodes; i++) {
        wg_put(text, i ? ",\n" : "\n");
        put_node(text, f, i, page);
    }
    wg_put(text, "],\n\"edges\":[");
    if (page)
        put_ends(text, f);
    else
        put_edges(text, f);
    wg_put(text, "],\n\"scopes\":[");
    put_scopes(text, d);
    wg_put(text, "]}\n");
}

void wg_write_json(const wg_drawing *d, wg_text *text) { put_graph(text, d, false); }
void wg_write_page_json(const wg_drawing *d, wg_text *text) { put_graph(text, d, true); }
