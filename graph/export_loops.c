/* Elementwise steps of exported C. Each node is one statement made of its entry's text; the statements of arrays are in
 * one nest of loops, over as few axes as the strides of all operands allow. */
#include "graph/export.h"

#define MOST_OPERANDS 5 /* of a node: three, a result and a cotangent */

/* The step being put: the loops, and what its function takes. */
typedef struct {
    wg_export *e;
    const wg_export_step *s;
    wg_type type;                /* of every value of the step */
    int n_axes;                  /* behind the joining of axes */
    int64_t dim[WG_MAX_RANK];
    int last_axis[WG_MAX_RANK];  /* the innermost one joined into it */
    uint32_t *param;             /* roots that are arguments */
    int n_params, most_params;
    bool cells[5], written[5];   /* of which dtypes cells are read, written */
    wg_source text;              /* the statements */
    int depth;
} loop;

/* ---- Axes -------------------------------------------------------------------------------------------------------- */
/* The strides of x as it is read in the loop. */
static void strides_read(const loop *l, uint32_t x, int64_t stride[WG_MAX_RANK])
{
    wg_type type = wg_node_type(wg_plan_node(&l->e->p, x));
    wg_broadcast_strides(&type, wg_export_stride(l->e, x), &l->type, stride);
}

static bool is_inside(const loop *l, uint32_t root)
{
    return root >= l->s->first && root < l->s->end && wg_is_made(&l->e->p, root);
}

/* Can the axes, of which those between have one element, be one for every operand? */
static bool axes_join(const loop *l, int outer, int inner)
{
    int64_t stride[WG_MAX_RANK];
    for (uint32_t n = l->s->first; n < l->s->end; n++) {
        if (!wg_is_step(&l->e->p, n))
            continue;
        const wg_node *node = wg_plan_node(&l->e->p, n);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++) {
            if (is_inside(l, l->e->p.value[in[k]].root))
                continue;
            strides_read(l, in[k], stride);
            if (stride[outer] != stride[inner] * l->type.dim[inner])
                return false;
        }
    }
    return true;
}

static void axes_found(loop *l)
{
    for (int i = 0; i < l->type.rank; i++) {
        int before = l->n_axes - 1;
        if (l->type.dim[i] == 1)
            continue;
        if (l->n_axes && axes_join(l, l->last_axis[before], i)) {
            l->dim[before] *= l->type.dim[i];
            l->last_axis[before] = i;
        } else {
            l->last_axis[l->n_axes] = i;
            l->dim[l->n_axes++] = l->type.dim[i];
        }
    }
}

/* "12 * i + j": the element of node x, which has these strides, from its root's first. */
static const char *subscript(const loop *l, int64_t offset, const int64_t *stride)
{
    wg_source text = {.tape = l->e->p.tape};
    int64_t step[WG_MAX_RANK];
    for (int i = 0; i < l->n_axes; i++)
        step[i] = stride[l->last_axis[i]];
    wg_subscript_put(&text, offset, l->n_axes, step, "ijklmnop");
    return text.data ? text.data : "0";
}

/* ---- Operands ---------------------------------------------------------------------------------------------------- */
static void param_seen(loop *l, uint32_t root)
{
    if (l->e->value[root].home == WG_HOME_CONSTANT)
        return;
    for (int i = 0; i < l->n_params; i++)
        if (l->param[i] == root)
            return;
    if (l->n_params < l->most_params)
        l->param[l->n_params++] = root;
}

static const char *cell(loop *l, uint32_t root)
{
    wg_dtype dtype = (wg_dtype)wg_plan_node(&l->e->p, root)->dtype;
    l->cells[dtype] = true;
    return wg_export_text(l->e, "%s[%zu]", wg_export_member(dtype), l->e->value[root].at);
}

/* What stands for node x in a statement. */
static const char *operand(loop *l, uint32_t x)
{
    wg_export *e = l->e;
    uint32_t root = e->p.value[x].root;
    const wg_export_value *v = &e->value[root];
    int64_t stride[WG_MAX_RANK] = {0};
    if (is_inside(l, root))
        return v->variable;
    if (v->home == WG_HOME_NUMBER) {
        wg_source text = {.tape = e->p.tape};
        wg_dtype dtype = (wg_dtype)wg_plan_node(&e->p, root)->dtype;
        wg_source_number(&text, dtype, wg_load_number(dtype, wg_plan_node(&e->p, root)->data), true);
        return text.data ? text.data : "0";
    }
    if (wg_export_is_cell(e, root))
        return cell(l, root);
    param_seen(l, root);
    if (wg_plan_node(&e->p, x)->rank)
        strides_read(l, x, stride);
    return wg_export_text(e, "%s[%s]", wg_export_array(e, root), subscript(l, wg_export_offset(e, x), stride));
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */
/* Is the text a name, a number or a call, that needs no parentheses in a product? */
static bool is_simple(const char *text)
{
    return !strpbrk(text, " ?<>=") || (text[0] != '-' && !strpbrk(text, "+-?<>=|&"));
}

static wg_status expression_put(loop *l, uint32_t i, wg_source *to)
{
    static const char *const words[] = {"a", "b", "c"};
    wg_export *e = l->e;
    const wg_call *c = wg_call_again(e->p.tape, i);
    wg_elementwise of;
    if (!c || !wg_elementwise_of(c, &of))
        return wg_no_memory(e->p.tape, "wg_export_c", sizeof *c);
    wg_call own = *c;
    own.op = of.op;
    own.options = of.options;
    wg_code w = {.call = &own, .to = to, .helpers = &e->helpers};
    w.dtype = of.op->map->to_bool && of.which < 0 ? c->x[0].dtype : c->dtype;
    const uint32_t *in = wg_node_in(wg_plan_node(&e->p, i));
    int n = of.which < 0 ? c->n_in : c->n_in - 2;
    for (int k = 0; k < n && k < 3; k++) {
        w.word[w.n_words].word = n == 1 ? "x" : words[k];
        w.word[w.n_words++].as = operand(l, in[k]);
    }
    if (of.which < 0)
        return wg_code_expression(&w, of.text);
    const char *g = operand(l, in[n + 1]);
    w.word[w.n_words].word = "y";
    w.word[w.n_words++].as = operand(l, in[n]);
    bool simple = is_simple(of.text);
    wg_source_put(to, simple ? "%s == 0 ? 0 : %s * " : "%s == 0 ? 0 : %s * (", g, g);
    wg_code_expression(&w, of.text);
    wg_source_put(to, simple ? "" : ")");
    return w.status;
}

/* Does a later node of the step read node i? */
static bool read_inside(const loop *l, uint32_t i)
{
    for (uint32_t n = i + 1; n < l->s->end; n++) {
        if (!wg_is_step(&l->e->p, n))
            continue;
        const wg_node *node = wg_plan_node(&l->e->p, n);
        const uint32_t *in = wg_node_in(node);
        for (int k = 0; k < node->n_in; k++)
            if (l->e->p.value[in[k]].root == i)
                return true;
    }
    return false;
}

static const char *variable_of(loop *l, uint32_t i)
{
    const wg_node *node = wg_plan_node(&l->e->p, i);
    bool named = node->extra && node->extra->name;
    if (l->e->value[i].home == WG_HOME_LOCAL && (named || l->s->kind == WG_STEP_LOOP))
        return wg_export_name_of(l->e, i);
    return wg_export_text(l->e, "v%u", i);
}

static wg_status statement_put(loop *l, uint32_t i)
{
    wg_export *e = l->e;
    wg_export_value *v = &e->value[i];
    wg_dtype dtype = (wg_dtype)wg_plan_node(&e->p, i)->dtype;
    int64_t stride[WG_MAX_RANK] = {0};
    wg_source text = {.tape = e->p.tape};
    wg_status status = expression_put(l, i, &text);
    if (status || e->p.tape->status)
        return status ? status : e->p.tape->status;
    bool kept = v->home != WG_HOME_LOCAL, read = read_inside(l, i);
    v->variable = read || !kept ? variable_of(l, i) : NULL;
    if (v->variable)
        wg_source_put(&l->text, "%*sconst %s %s = %s;\n", 4 * l->depth, "", wg_c_type(dtype), v->variable, text.data);
    if (!v->variable || kept) {
        const char *to;
        if (wg_export_is_cell(e, i)) {
            to = cell(l, i);
            l->written[dtype] = true;
        } else {
            param_seen(l, i);
            wg_type type = wg_node_type(wg_plan_node(&e->p, i));
            wg_broadcast_strides(&type, NULL, &l->type, stride);
            to = wg_export_text(e, "%s[%s]", wg_export_array(e, i), subscript(l, 0, stride));
        }
        wg_source_put(&l->text, "%*s%s = %s;\n", 4 * l->depth, "", to, v->variable ? v->variable : text.data);
    }
    return WG_OK;
}

/* ---- The function ------------------------------------------------------------------------------------------------ */
static void parameters_put(const loop *l, wg_source *to, wg_source *call)
{
    const char *between = "";
    for (int d = 0; d < 5; d++) {
        const char *member = wg_export_member((wg_dtype)d);
        if (!l->cells[d] || !wg_export_mentions(&l->text, member))
            continue;
        wg_source_put(to, "%s%s%s *restrict %s", between, l->written[d] ? "" : "const ", wg_c_type((wg_dtype)d),
                      member);
        wg_source_put(call, "%swork->%s", between, member);
        between = ", ";
    }
    for (int i = 0; i < l->n_params; i++) {
        uint32_t root = l->param[i];
        const char *type = wg_c_type((wg_dtype)wg_plan_node(&l->e->p, root)->dtype),
                   *name = wg_export_array(l->e, root);
        if (!wg_export_mentions(&l->text, name)) /* the slope does not need it */
            continue;
        wg_source_put(to, "%s%s%s *restrict %s", between, is_inside(l, root) ? "" : "const ", type, name);
        wg_source_put(call, "%s%s", between, name);
        between = ", ";
    }
    if (!*between)
        wg_source_put(to, "void");
}

static wg_status statements_put(loop *l)
{
    static const char index[] = "ijklmnop";
    l->depth = 1;
    for (int i = 0; i < l->n_axes; i++)
        wg_source_put(&l->text, "%*sfor (int %c = 0; %c < %lld; %c++) {\n", 4 * l->depth++, "", index[i], index[i],
                      (long long)l->dim[i], index[i]);
    for (uint32_t i = l->s->first; i < l->s->end; i++) {
        if (!wg_is_step(&l->e->p, i))
            continue;
        l->e->p.tape->rule_place = wg_plan_node(&l->e->p, i)->place;
        wg_status status = statement_put(l, i);
        if (status)
            return status;
    }
    while (l->depth > 1)
        wg_source_put(&l->text, "%*s}\n", 4 * --l->depth, "");
    return WG_OK;
}

wg_status wg_export_loop(wg_export *e, const wg_export_step *s)
{
    loop l = {.e = e, .s = s, .type = wg_node_type(wg_plan_node(&e->p, s->first)), .text = {.tape = e->p.tape}};
    l.most_params = (int)(s->end - s->first) * (MOST_OPERANDS + 1);
    l.param = wg_arena(e->p.tape, (size_t)l.most_params * sizeof *l.param);
    if (!l.param)
        return wg_no_memory(e->p.tape, "wg_export_c", sizeof *l.param);
    axes_found(&l);
    wg_status status = statements_put(&l);
    if (status)
        return status;
    wg_source text = {.tape = e->p.tape}, call = {.tape = e->p.tape};
    parameters_put(&l, &text, &call);
    wg_source_put(&text, ")\n{\n%s}\n\n", l.text.data);
    const char *name = wg_export_function_put(e, s->kind == WG_STEP_LOOP ? "each" : "scalars", false, &text);
    wg_export_call_put(e, name, 0, &call);
    return e->p.tape->status;
}
