/* Steps of exported C: each is a function of the pointers it reads and writes, and a call of it in the body. Two steps
 * with the same text, as equal layers have, are one function. */
#include "graph/export.h"

#include <ctype.h>

/* ---- Functions --------------------------------------------------------------------------------------------------- */
const char *wg_export_function_put(wg_export *e, const char *wish, bool may_fail, const wg_source *text)
{
    if (e->p.tape->status)
        return "";
    for (uint32_t k = 0; k < e->n_done; k++)
        if (e->done[k].size == text->size && !memcmp(e->functions.data + e->done[k].at, text->data, text->size))
            return e->done[k].name;
    /* Which no constant has either */
    const char *own = wg_export_name(e, wg_export_text(e, "%s_%u", wish, ++e->n_put));
    const char *name = wg_export_text(e, "%s_%s", e->prefix, own);
    wg_source_put(&e->functions, "static %s %s(", may_fail ? "int" : "void", name);
    if (e->n_done < e->most_done) /* else it is put again */
        e->done[e->n_done++] = (wg_export_function){e->functions.size, text->size, name};
    wg_source_bytes(&e->functions, text->data, text->size);
    return name;
}

bool wg_export_mentions(const wg_source *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text->data; at && (at = strstr(at, word)); at += n) {
        bool begins = at == text->data || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (begins && !(isalnum((unsigned char)at[n]) || at[n] == '_'))
            return true;
    }
    return false;
}

/* Calls the function in the body. What the step makes in the workspace gets its pointer before. */
void wg_export_call_put(wg_export *e, const char *name, int fails, const wg_source *list)
{
    for (uint32_t i = e->at ? e->at->first : 0; e->at && i < e->at->end; i++) {
        const wg_export_value *v = &e->value[i];
        wg_type type = wg_node_type(wg_plan_node(&e->p, i));
        if (v->home == WG_HOME_WORK && v->name && type.rank && wg_export_mentions(list, v->name))
            wg_source_put(&e->body, "    %s *const %s = work->%s + %zu; /* %s */\n", wg_c_type(type.dtype), v->name,
                          wg_export_member(type.dtype), v->at, wg_export_shape(e, &type));
    }
    wg_source_put(&e->body, fails ? "    if (%s(%s))\n        return %d;\n" : "    %s(%s);\n", name,
                  list->data ? list->data : "", fails);
    e->fails |= 1u << fails;
}

/* ---- Copies ------------------------------------------------------------------------------------------------------ */
/* Node i in order to a pointer of that expression. */
static void copy_put(wg_export *e, uint32_t i, const char *to)
{
    static const char index[] = "ijklmnop";
    wg_type type = wg_node_type(wg_plan_node(&e->p, i));
    const char *name = wg_c_type(type.dtype);
    const int64_t *stride = wg_export_stride(e, i);
    int64_t dense[WG_MAX_RANK], step = 1;
    wg_source text = {.tape = e->p.tape}, x = {.tape = e->p.tape}, y = {.tape = e->p.tape};
    for (int k = type.rank; k-- > 0; step *= type.dim[k])
        dense[k] = step;
    wg_source_put(&text, "const %s *restrict x, %s *restrict y)\n{\n", name, name);
    if (!stride) {
        wg_source_put(&text, "    for (int i = 0; i < %lld; i++)\n        y[i] = x[i];\n",
                      (long long)wg_type_count(&type));
    } else {
        for (int k = 0; k < type.rank; k++) {
            wg_source_put(&text, "%*sfor (int %c = 0; %c < %lld; %c++)\n", 4 * (k + 1), "", index[k], index[k],
                          (long long)type.dim[k], index[k]);
        }
        wg_subscript_put(&x, 0, type.rank, stride, index);
        wg_subscript_put(&y, 0, type.rank, dense, index);
        wg_source_put(&text, "%*sy[%s] = x[%s];\n", 4 * (type.rank + 1), "", y.data, x.data);
    }
    wg_source_put(&text, "}\n\n");
    wg_source list = {.tape = e->p.tape};
    wg_source_put(&list, "%s, %s", wg_export_pointer(e, i), to);
    wg_export_call_put(e, wg_export_function_put(e, "copy", false, &text), 0, &list);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */
#define MOST_BORROWED (64 + WG_MOST_ROOMS)

/* What is handed to the function: a word of its text, its type, an expression. */
typedef struct {
    const char *word, *as;
    wg_dtype dtype;
    bool written;
} argument;

typedef struct {
    wg_export *e;
    const wg_call *c;
    uint32_t first;
    int n;
    argument *argument;
    struct {
        wg_dtype dtype;
        size_t at, n;
    } borrowed[MOST_BORROWED]; /* of the workspace, for the time of the call: copied operands, and rooms */
    int n_borrowed;
} call;

static const char *borrowed(call *of, wg_dtype dtype, size_t n)
{
    size_t at = wg_export_take(of->e, dtype, n);
    of->borrowed[of->n_borrowed].dtype = dtype;
    of->borrowed[of->n_borrowed].at = at;
    of->borrowed[of->n_borrowed++].n = n;
    return wg_export_text(of->e, "work->%s + %zu", wg_export_member(dtype), at);
}

static const char *operand_at(call *of, uint32_t x)
{
    wg_export *e = of->e;
    const wg_node *node = wg_plan_node(&e->p, x);
    if (!wg_export_stride(e, x) || of->c->op->strided || of->n_borrowed == MOST_BORROWED - WG_MOST_ROOMS)
        return wg_export_pointer(e, x);
    const char *to = borrowed(of, (wg_dtype)node->dtype, (size_t)wg_node_count(node));
    copy_put(e, x, to);
    return to;
}

/* Of what the function's text mentions. */
static void argument_found(call *of, const wg_source *body, argument a, uint32_t operand)
{
    if (!wg_export_mentions(body, a.word))
        return;
    if (operand != WG_ABSENT)
        a.as = operand_at(of, operand);
    of->argument[of->n++] = a;
}

static bool arguments_found(call *of, const wg_code *w)
{
    const wg_call *c = of->c;
    const uint32_t *in = wg_node_in(wg_plan_node(&of->e->p, of->first));
    of->argument = wg_arena(of->e->p.tape, (size_t)(c->n_in + c->n_out + w->n_rooms) * sizeof *of->argument);
    if (!of->argument)
        return false;
    for (int i = 0; i < c->n_in; i++)
        if (in[i] != WG_ABSENT)
            argument_found(of, w->to, (argument){wg_code_operand(c, i), NULL, c->x[i].dtype, false}, in[i]);
    for (int k = 0; k < c->n_out; k++)
        argument_found(of, w->to, (argument){wg_code_output(c, k), wg_export_pointer(of->e, of->first + (uint32_t)k),
                                             c->y[k].dtype, true}, WG_ABSENT);
    for (int i = 0; i < w->n_rooms; i++)
        argument_found(of, w->to, (argument){w->room[i].word, borrowed(of, w->room[i].dtype, (size_t)w->room[i].n),
                                             w->room[i].dtype, true}, WG_ABSENT);
    return true;
}

/* Strides as the exported arrays lie: those of constants are in order whatever the tape's are. */
static void strides_of_export(wg_export *e, wg_call *c, const uint32_t *in)
{
    const int64_t **stride = (const int64_t **)(uintptr_t)c->stride;
    for (int i = 0; i < c->n_in; i++)
        stride[i] = in[i] == WG_ABSENT || !c->op->strided ? NULL : wg_export_stride(e, in[i]);
}

static wg_status call_put(call *of, wg_call *c)
{
    wg_export *e = of->e;
    wg_source body = {.tape = e->p.tape}, text = body, list = body;
    wg_code w = {.call = c, .dtype = c->dtype, .to = &body, .helpers = &e->helpers, .depth = 1,
                 .blas = e->options.blas};
    strides_of_export(e, c, wg_node_in(wg_plan_node(&e->p, of->first)));
    wg_status status = c->op->c(c, &w);
    if (!status)
        status = w.status;
    e->calls_blas |= w.calls_blas;
    if (!status && !arguments_found(of, &w))
        status = wg_no_memory(e->p.tape, "wg_export_c", sizeof *of->argument);
    if (status)
        return status;
    const char *between = "";
    for (int i = 0; i < of->n; i++) {
        const argument *a = &of->argument[i];
        wg_source_put(&text, "%s%s%s *restrict %s", between, a->written ? "" : "const ", wg_c_type(a->dtype), a->word);
        wg_source_put(&list, "%s%s", between, a->as);
        between = ", ";
    }
    wg_source_put(&text, "%s)\n{\n%s%s}\n\n", *between ? "" : "void", body.data ? body.data : "",
                  w.fails ? "    return 0;\n" : "");
    const char *name = wg_export_function_put(e, c->op->name, w.fails, &text);
    wg_export_call_put(e, name, w.fails, &list);
    for (int i = 0; i < of->n_borrowed; i++)
        wg_export_give(e, of->borrowed[i].dtype, of->borrowed[i].at, of->borrowed[i].n);
    return WG_OK;
}

static bool makes_nothing(const wg_call *c)
{
    for (int k = 0; k < c->n_out; k++)
        if (wg_type_count(&c->y[k]))
            return false;
    return true;
}

static wg_status call_exported(wg_export *e, uint32_t first)
{
    wg_call *c = wg_call_again(e->p.tape, first);
    if (!c)
        return wg_no_memory(e->p.tape, "wg_export_c", sizeof *c);
    if (makes_nothing(c))
        return WG_OK;
    if (c->op->view) {
        copy_put(e, wg_node_in(wg_plan_node(&e->p, first))[0], wg_export_pointer(e, first));
        return e->p.tape->status;
    }
    if (!c->op->c)
        return wg_fail(c, WG_ERROR_UNSUPPORTED, "it has no C that could be exported");
    call of = {.e = e, .c = c, .first = first};
    return call_put(&of, c);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */
/* Gives homes in the workspace to what the step makes. */
static void homes_taken(wg_export *e, const wg_export_step *s)
{
    for (uint32_t i = s->first; i < s->end; i++) {
        const wg_node *node = wg_plan_node(&e->p, i);
        wg_export_value *v = &e->value[i];
        if (v->home != WG_HOME_WORK || !wg_node_count(node))
            continue;
        size_t n = (size_t)wg_node_count(node);
        if (node->rank) {
            wg_type type = wg_node_type(node);
            v->at = wg_export_take(e, type.dtype, n);
            v->name = wg_export_name_of(e, i);
        } else {
            v->at = e->work[node->dtype]++; /* for good: there may be very many */
        }
    }
}

static void home_left(wg_export *e, uint32_t root, uint32_t step)
{
    wg_export_value *v = &e->value[root];
    const wg_node *node = wg_plan_node(&e->p, root);
    if (v->home != WG_HOME_WORK || v->last != step || !node->rank || !wg_node_count(node))
        return;
    wg_export_give(e, (wg_dtype)node->dtype, v->at, (size_t)wg_node_count(node));
    v->last = WG_NEVER;
}

static void homes_left(wg_export *e, uint32_t step)
{
    const wg_export_step *s = &e->step[step];
    for (uint32_t i = s->first; i < s->end; i++) {
        if (!wg_is_step(&e->p, i))
            continue;
        const wg_node *node = wg_plan_node(&e->p, i);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (in[k] != WG_ABSENT)
                home_left(e, e->p.value[in[k]].root, step);
        for (uint32_t k = 0; k < node->n_out; k++)
            home_left(e, i + k, step);
    }
}

/* Where in the program the step is, and what it does. */
static void comment_put(wg_export *e, const wg_export_step *s)
{
    char place[300], path[200];
    uint32_t first = WG_NEVER, n = 0;
    wg_source names = {.tape = e->p.tape};
    for (uint32_t i = s->first; i < s->end; i++) {
        if (!wg_is_step(&e->p, i))
            continue;
        first = first == WG_NEVER ? i : first;
        if (n < 8)
            wg_source_put(&names, "%s%s", n ? ", " : "", wg_plan_node(&e->p, i)->op->name);
        n++;
    }
    const wg_node *node = wg_plan_node(&e->p, first);
    wg_type type = wg_node_type(node);
    wg_place_text(e->p.tape, node->place, place, sizeof place);
    wg_scope_path(e->p.tape, node->scope, path, sizeof path);
    const char *line = wg_export_text(e, "%s%s%s%s%s%s %s", names.data ? names.data : "", n > 8 ? ", ..." : "",
                                      *path ? " of " : "", path, *place ? ", " : "", place, wg_export_shape(e, &type));
    wg_source_put(&e->body, "\n    /* ");
    for (const char *at = line; *at; at++)
        wg_source_put(&e->body, "%c", (unsigned char)*at < ' ' || (at[0] == '*' && at[1] == '/') ? '.' : *at);
    wg_source_put(&e->body, " */\n");
}

/* An output that no step made where it is wanted. */
static void output_copied(wg_export *e, int k)
{
    uint32_t i = e->p.outputs[k].node, root = e->p.value[i].root;
    wg_type type = wg_node_type(wg_plan_node(&e->p, i));
    if (e->value[root].home == WG_HOME_OUTPUT && e->p.value[root].slot == e->f->n_in + k && root == i)
        return;
    e->at = NULL;
    if (wg_export_is_cell(e, root) && !type.rank)
        wg_source_put(&e->body, "    *%s = work->%s[%zu];\n", e->output[k], wg_export_member(type.dtype),
                      e->value[root].at);
    else if (wg_type_count(&type))
        copy_put(e, i, e->output[k]);
}

wg_status wg_export_steps(wg_export *e)
{
    wg_status status = WG_OK;
    e->most_done = 2 * e->p.nodes + (uint32_t)(e->f->n_out + e->f->n_grad) + 1;
    e->done = wg_arena(e->p.tape, e->most_done * sizeof *e->done);
    if (!e->done)
        return wg_no_memory(e->p.tape, "wg_export_c", sizeof *e->done);
    for (uint32_t k = 0; k < e->n_steps && !status; k++) {
        const wg_export_step *s = &e->step[k];
        wg_type type = wg_node_type(wg_plan_node(&e->p, s->first));
        if (s->kind != WG_STEP_CALL && !wg_type_count(&type))
            continue;
        e->at = s;
        comment_put(e, s);
        homes_taken(e, s);
        e->p.tape->rule_place = wg_plan_node(&e->p, s->first)->place;
        e->p.tape->rule_scope = wg_plan_node(&e->p, s->first)->scope;
        status = s->kind == WG_STEP_CALL ? call_exported(e, s->first) : wg_export_loop(e, s);
        homes_left(e, k);
    }
    e->p.tape->rule_place = e->p.tape->rule_scope = 0;
    for (int k = 0; k < e->f->n_out + e->f->n_grad && !status; k++)
        output_copied(e, k);
    return status ? status : e->p.tape->status;
}
