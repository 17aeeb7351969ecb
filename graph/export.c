/* Compiled functions as C files. The plan of a compiled function is made again from the tape, but ends in C text:
 * constants, then a function for each step, then one that calls them in order. */
#include "graph/export.h"
#include "graph/file.h"
#include "graph/traverse.h"

#include <ctype.h>

#define LONGEST_NAME 60 /* bytes, of the function */

bool wg_op_exports(const wg_op *op) { return op && (op->map || op->c || op->view); }

/* ---- Names ------------------------------------------------------------------------------------------------------- */
/* "mlp" of "models/mlp.c". */
static const char *prefix_of(wg_export *e, const char *path, const char *wish)
{
    const char *slash = strrchr(path, '/'), *base = wish ? wish : slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t n = wish || !dot ? strlen(base) : (size_t)(dot - base), used = 0;
    char name[LONGEST_NAME + 1];
    for (size_t i = 0; i < n && used < LONGEST_NAME; i++)
        name[used++] = isalnum((unsigned char)base[i]) && (unsigned char)base[i] < 128 ? base[i] : '_';
    name[used] = 0;
    return wg_export_text(e, "%s%s", used && !isdigit((unsigned char)name[0]) ? "" : "f", name);
}

/* The last part of the path, without its .c. */
static const char *file_of(wg_export *e, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    return wg_export_text(e, "%.*s", (int)(n > 2 ? n - 2 : n), base);
}

static const char *upper_of(wg_export *e, const char *name)
{
    char upper[LONGEST_NAME + 2];
    size_t n = 0;
    for (; name[n] && n <= LONGEST_NAME; n++)
        upper[n] = (char)toupper((unsigned char)name[n]);
    upper[n] = 0;
    return wg_export_text(e, "%s", upper);
}

static const char *slot_name(wg_export *e, uint32_t i, const char *before, const char *otherwise, int k)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    const char *own = node->extra && node->extra->name ? node->extra->name : wg_export_text(e, "%s%d", otherwise, k);
    return wg_export_name(e, wg_export_text(e, "%s%s", before, own));
}

static wg_status slots_named(wg_export *e, const wg_tensor *inputs)
{
    const wg_function *f = e->f;
    wg_tape *tape = e->p.tape;
    size_t most = (size_t)f->n_in + (size_t)f->n_out + (size_t)f->n_grad + e->p.nodes + 1;
    e->input = wg_arena(tape, most * sizeof *e->input);
    e->output = wg_arena(tape, most * sizeof *e->output);
    e->param = wg_arena(tape, most * sizeof *e->param);
    if (!e->input || !e->output || !e->param)
        return wg_no_memory(tape, "wg_export_c", most * sizeof *e->input);
    for (int i = 0; i < f->n_in; i++) {
        e->input[i] = slot_name(e, inputs[i].node, "", "x", i);
        if (inputs[i].node < e->p.nodes && e->p.value[inputs[i].node].slot == i)
            e->value[inputs[i].node].name = e->input[i];
    }
    for (uint32_t i = 0; i < e->p.nodes; i++)
        if (e->value[i].home == WG_HOME_PARAMETER) {
            e->value[i].name = e->input[f->n_in + e->n_params] = wg_export_name_of(e, i);
            e->param[e->n_params++] = i;
        }
    for (int k = 0; k < f->n_out + f->n_grad; k++) {
        uint32_t y = e->p.outputs[k].node;
        bool grad = k >= f->n_out;
        e->output[k] = slot_name(e, grad ? f->grad_of[k - f->n_out].node : y, grad ? "grad_" : "", "y", k);
        if (e->value[y].home == WG_HOME_OUTPUT && e->p.value[y].slot == f->n_in + k)
            e->value[y].name = e->output[k];
    }
    return WG_OK;
}

/* ---- The declaration --------------------------------------------------------------------------------------------- */
static wg_type input_type(const wg_export *e, int i)
{
    return i < e->f->n_in ? *e->f->slot[i].type : wg_node_type(wg_plan_node(&e->p, e->param[i - e->f->n_in]));
}

static void argument_put(wg_source *to, const char *between, bool in, wg_type type, const char *name)
{
    int64_t n = wg_type_count(&type);
    wg_source_put(to, "%s\n    %s%s %s[%lld]", between, in ? "const " : "", wg_c_type(type.dtype), name,
                  (long long)(n ? n : 1));
}

static void arguments_put(wg_export *e, wg_source *to)
{
    const wg_function *f = e->f;
    const char *between = "";
    for (int i = 0; i < f->n_in + e->n_params; i++, between = ",")
        argument_put(to, between, true, input_type(e, i), e->input[i]);
    for (int k = 0; k < f->n_out + f->n_grad; k++, between = ",")
        argument_put(to, between, false, *f->slot[f->n_in + k].type, e->output[k]);
    if (e->options.workspace)
        wg_source_put(to, "%s\n    %s_workspace *work", between, e->prefix);
}

static void workspace_put(wg_export *e)
{
    bool any = false;
    wg_source_put(&e->header, "/* What the function works in. */\ntypedef struct {\n");
    for (int d = WG_BOOL; d >= 0; d--) { /* the widest first leaves no holes */
        static const wg_dtype order[] = {WG_FLOAT64, WG_INT64, WG_FLOAT32, WG_INT32, WG_BOOL};
        wg_dtype dtype = order[WG_BOOL - d];
        if (e->work[dtype])
            wg_source_put(&e->header, "    %s %s[%zu];\n", wg_c_type(dtype), wg_export_member(dtype), e->work[dtype]);
        any |= e->work[dtype] != 0;
    }
    wg_source_put(&e->header, "%s} %s_workspace;\n\n", any ? "" : "    char none;\n", e->prefix);
}

static size_t workspace_bytes(const wg_export *e)
{
    size_t bytes = 0;
    for (int d = 0; d < 5; d++)
        bytes += e->work[d] * wg_dtype_size((wg_dtype)d);
    return bytes;
}

static void shapes_put(wg_export *e, wg_source *to)
{
    const wg_function *f = e->f;
    for (int i = 0; i < f->n_in + e->n_params; i++) {
        wg_type type = input_type(e, i);
        wg_source_put(to, " *     %s  %s %s, read\n", e->input[i], wg_dtype_name(type.dtype),
                      wg_export_shape(e, &type));
    }
    for (int k = 0; k < f->n_out + f->n_grad; k++) {
        wg_type type = *f->slot[f->n_in + k].type;
        wg_source_put(to, " *     %s  %s %s, written\n", e->output[k], wg_dtype_name(type.dtype),
                      wg_export_shape(e, &type));
    }
}

static void pattern_put(wg_export *e)
{
    const wg_sparse *s = e->options.pattern;
    if (!s || !s->start || !s->row || !s->column)
        return;
    static const char *const names[] = {"start", "row", "column"};
    const int64_t *const lists[] = {s->start, s->row, s->column};
    const int64_t n[] = {s->rows + 1, s->n, s->n};
    wg_source_put(&e->header,
                  "/* The matrix [%lld, %lld] of %lld values: entry k is in row row[k] and column column[k]; "
                  "those of row r are start[r]\n * to start[r + 1] - 1. */\n",
                  (long long)s->rows, (long long)s->columns, (long long)s->n);
    for (int i = 0; i < 3; i++) {
        int64_t room = n[i] ? n[i] : 1;
        wg_type type = {.dtype = WG_INT64, .rank = 1, .dim = {n[i]}};
        wg_source_put(&e->header, "extern const int64_t %s_%s[%lld];\n", e->prefix, names[i], (long long)room);
        wg_source_put(&e->constants, "const int64_t %s_%s[%lld] = ", e->prefix, names[i], (long long)room);
        wg_export_numbers(e, &e->constants, &type, lists[i]);
        wg_source_put(&e->constants, ";\n\n");
    }
    wg_source_put(&e->header, "\n");
}

static void header_put(wg_export *e)
{
    workspace_put(e);
    pattern_put(e);
    wg_source_put(&e->header, "/* Values in row-major order; none may overlap another. Returns 0%s%s.\n",
                  e->fails & 2 ? ", or 1 where an index, a label or a parameter is out of range" : "",
                  e->fails & 4 ? ", or 2 where a matrix is singular, not definite or not finite" : "");
    shapes_put(e, &e->header);
    wg_source_put(&e->header, " * It works in %zu bytes%s */\nint %s(", workspace_bytes(e),
                  e->options.workspace ? ", which need not be set." : " of its own, and must not run twice at a time.",
                  e->prefix);
    arguments_put(e, &e->header);
    wg_source_put(&e->header, ");\n");
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */
static void function_put(wg_export *e, wg_source *to)
{
    bool works = wg_export_mentions(&e->body, "work");
    wg_source_put(to, "int %s(", e->prefix);
    arguments_put(e, to);
    wg_source_put(to, ")\n{\n");
    if (works && !e->options.workspace)
        wg_source_put(to, "    static %s_workspace memory;\n    %s_workspace *const work = &memory;\n", e->prefix,
                      e->prefix);
    if (!works && e->options.workspace)
        wg_source_put(to, "    (void)work;\n");
    for (int i = 0; i < e->f->n_in + e->n_params; i++)
        if (!wg_export_mentions(&e->body, e->input[i]))
            wg_source_put(to, "    (void)%s;\n", e->input[i]);
    for (int k = 0; k < e->f->n_out + e->f->n_grad; k++)
        if (!wg_export_mentions(&e->body, e->output[k]))
            wg_source_put(to, "    (void)%s;\n", e->output[k]);
    wg_source_bytes(to, e->body.data, e->body.size);
    wg_source_put(to, "    return 0;\n}\n");
}

/* What the library calls: inputs and outputs by number, the workspace by its size. */
static void entry_put(wg_export *e, wg_source *to)
{
    const char *between = "";
    wg_source_put(to, "\nsize_t %s_bytes(void);\nint %s_run(const void *const *in, void *const *out, void *work);\n",
                  e->prefix, e->prefix);
    wg_source_put(to, "size_t %s_bytes(void) { return sizeof(%s_workspace); }\n", e->prefix, e->prefix);
    wg_source_put(to, "int %s_run(const void *const *in, void *const *out, void *work)\n{\n%s    return %s(", e->prefix,
                  e->f->n_in + e->n_params ? "" : "    (void)in;\n", e->prefix);
    for (int i = 0; i < e->f->n_in + e->n_params; i++, between = ", ")
        wg_source_put(to, "%s(const %s *)in[%d]", between, wg_c_type(input_type(e, i).dtype), i);
    for (int k = 0; k < e->f->n_out + e->f->n_grad; k++, between = ", ")
        wg_source_put(to, "%s(%s *)out[%d]", between, wg_c_type(e->f->slot[e->f->n_in + k].type->dtype), k);
    wg_source_put(to, "%s(%s_workspace *)work);\n}\n", between, e->prefix);
}

static void file_put(wg_export *e, wg_source *to)
{
    static const char includes[] = "#include <float.h>\n#include <math.h>\n#include <stdbool.h>\n#include <stddef.h>\n"
                                   "#include <stdint.h>\n\n";
    if (e->options.entry) {
        wg_source_put(to, "%s", includes);
        wg_source_bytes(to, e->header.data, e->header.size);
        wg_source_put(to, "\n");
    } else {
        wg_source_put(to, "/* A compiled function of %u steps, made by Wengert. C99; needs <math.h>%s.", e->n_steps,
                      e->calls_blas ? " and a CBLAS" : "");
        if (e->options.test)
            wg_source_put(to, "\n *     cc -std=c99 -O2 -D%s %s.c%s -lm && ./a.out\n * checks it.", e->test_macro,
                          e->file, e->calls_blas ? " -lopenblas" : "");
        wg_source_put(to, " */\n#include \"%s.h\"\n\n%s%s", e->file, e->calls_blas ? "#include <cblas.h>\n" : "",
                      includes);
    }
    wg_source_bytes(to, e->constants.data, e->constants.size);
    wg_source_bytes(to, e->helpers.to->data, e->helpers.to->size);
    wg_source_bytes(to, e->functions.data, e->functions.size);
    function_put(e, to);
    if (e->options.entry)
        entry_put(e, to);
    wg_source_bytes(to, e->test.data, e->test.size);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */
static wg_status outputs_gathered(wg_export *e, wg_tensors outputs, wg_tensor **all)
{
    wg_function *f = e->f;
    wg_gradients g = {0};
    if (f->backward) {
        wg_status status = wg_gradients_recorded(f, outputs, &g);
        if (status)
            return status;
    }
    if (g.n != f->n_grad)
        return wg_report(f->tape, "wg_export_c", WG_ERROR_VALUE, "%d parameters had a gradient, and now %d have",
                         f->n_grad, g.n);
    size_t n = (size_t)f->n_out + (size_t)g.n;
    *all = wg_arena(f->tape, n * sizeof **all);
    if (!*all)
        return wg_no_memory(f->tape, "wg_export_c", n * sizeof **all);
    memcpy(*all, outputs.at, (size_t)f->n_out * sizeof **all);
    if (g.n)
        memcpy(*all + f->n_out, g.grad, (size_t)g.n * sizeof **all);
    return WG_OK;
}

static wg_status exported(wg_export *e, wg_export_then *then, void *argument)
{
    wg_tape *tape = e->p.tape;
    const wg_tensor *inputs = wg_made_from(e->f, "wg_export_c");
    if (!inputs)
        return tape->status;
    wg_tensor *all = NULL;
    wg_source helpers = {.tape = tape}, file = {.tape = tape};
    e->helpers.to = &helpers;
    e->helpers.prefix = e->prefix;
    e->header.tape = e->constants.tape = e->functions.tape = e->body.tape = e->test.tape = tape;
    wg_status status = outputs_gathered(e, (wg_tensors){inputs + e->f->n_in, e->f->n_out}, &all);
    e->p.outputs = all;
    if (!status)
        status = wg_export_planned(e, inputs);
    if (!status)
        status = slots_named(e, inputs);
    if (!status)
        status = wg_export_steps(e);
    if (status)
        return status;
    header_put(e);
    if (e->options.test && !e->options.entry)
        wg_export_test(e, inputs);
    file_put(e, &file);
    return tape->status ? tape->status : then(e, &file, argument);
}

wg_status wg_export_text_of(wg_function *f, const char *path, const wg_export_c_options *options, wg_export_then *then,
                            void *argument)
{
    wg_tape *tape = f->tape;
    if (tape->status)
        return tape->status;
    uint32_t held = wg_hold_place(tape);
    wg_aside aside = wg_aside_begin(tape);
    wg_export *e = wg_arena(tape, sizeof *e);
    wg_status status = e ? WG_OK : wg_no_memory(tape, "wg_export_c", sizeof *e);
    if (e) {
        *e = (wg_export){.p = {.f = f, .tape = tape}, .f = f, .options = *options};
        e->options.parameters |= options->entry;
        e->options.workspace |= options->entry;
        e->prefix = prefix_of(e, path, options->name);
        e->file = file_of(e, path);
        e->test_macro = wg_export_text(e, "%s_TEST", upper_of(e, e->prefix));
        status = exported(e, then, argument);
    }
    wg_aside_end(tape, aside);
    wg_let_go_place(tape, held);
    return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */
static wg_status files_written(wg_export *e, const wg_source *source, void *argument)
{
    const char *path = argument;
    wg_source header = {.tape = e->p.tape};
    if (e->options.entry)
        return wg_file_write(e->p.tape, "wg_export_c", path, source->data, source->size);
    size_t n = strlen(path);
    const char *beside = wg_export_text(e, "%.*s.h", (int)(n - 2), path),
               *guard = wg_export_text(e, "%s_H", upper_of(e, e->prefix));
    wg_source_put(&header,
                  "/* The function of %s.c. */\n#ifndef %s\n#define %s\n\n"
                  "#include <stdbool.h>\n#include <stdint.h>\n\n"
                  "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
                  e->file, guard, guard);
    wg_source_bytes(&header, e->header.data, e->header.size);
    wg_source_put(&header, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    if (e->p.tape->status)
        return e->p.tape->status;
    wg_status status = wg_file_write(e->p.tape, "wg_export_c", beside, header.data, header.size);
    return status ? status : wg_file_write(e->p.tape, "wg_export_c", path, source->data, source->size);
}

wg_status (wg_export_c)(wg_function *f, const char *path, wg_export_c_options options)
{
    if (!f)
        return WG_ERROR_VALUE;
    size_t n = path ? strlen(path) : 0;
    if (n < 3 || strcmp(path + n - 2, ".c"))
        return wg_report(f->tape, "wg_export_c", WG_ERROR_VALUE, "the path %s does not end in .c",
                         path ? path : "NULL");
    return wg_export_text_of(f, path, &options, files_written, (void *)(uintptr_t)path);
}
