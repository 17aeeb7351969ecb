/* Values in exported C: what stands for them where they are read, and the arrays of those that are constants. */
#include "graph/export.h"

#define NUMBERS_A_LINE 8

const char *wg_export_text(wg_export *e, const char *format, ...)
{
    va_list va, again;
    va_start(va, format);
    va_copy(again, va);
    int n = vsnprintf(NULL, 0, format, va);
    va_end(va);
    char *text = n >= 0 ? wg_arena(e->p.tape, (size_t)n + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    else
        wg_no_memory(e->p.tape, "wg_export_c", 0);
    va_end(again);
    return text ? text : "";
}

const char *wg_export_member(wg_dtype dtype)
{
    static const char *const members[] = {"f32", "f64", "i32", "i64", "truth"};
    return members[dtype];
}

static void number_put(wg_source *to, wg_dtype dtype, const void *data, int64_t i)
{
    if (wg_is_float(dtype))
        wg_source_number(to, dtype, dtype == WG_FLOAT32 ? (double)((const float *)data)[i] : ((const double *)data)[i],
                         false);
    else
        wg_source_integer(to, dtype, dtype == WG_INT64   ? ((const int64_t *)data)[i]
                                     : dtype == WG_INT32 ? ((const int32_t *)data)[i]
                                                         : ((const bool *)data)[i]);
}

void wg_export_numbers(wg_export *e, wg_source *to, const wg_type *type, const void *data)
{
    (void)e;
    int64_t n = wg_type_count(type);
    wg_source_put(to, "{");
    for (int64_t i = 0; i < n; i++) {
        wg_source_put(to, "%s",
                      n <= NUMBERS_A_LINE  ? i ? ", " : ""
                      : i % NUMBERS_A_LINE ? ", "
                      : i                  ? ",\n    "
                                           : "\n    ");
        number_put(to, type->dtype, data, i);
    }
    wg_source_put(to, n ? "}" : "0}");
}

const void *wg_export_values(wg_export *e, uint32_t i)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    wg_type type = wg_node_type(node);
    if (!node->rank || wg_node_is(node, WG_NODE_CONTIGUOUS))
        return node->data;
    void *dense = wg_arena_values(e->p.tape, wg_node_bytes(node));
    if (dense)
        wg_gather_strided(&type, wg_node_stride(node), node->data, dense);
    else
        wg_no_memory(e->p.tape, "wg_export_c", wg_node_bytes(node));
    return dense;
}

static void constant_put(wg_export *e, uint32_t root)
{
    wg_type type = wg_node_type(wg_plan_node(&e->p, root));
    const void *values = wg_export_values(e, root);
    int64_t n = wg_type_count(&type);
    if (!values)
        return;
    wg_source_put(&e->constants, "/* %s */\nstatic const %s %s[%lld] = ", wg_export_shape(e, &type),
                  wg_c_type(type.dtype), e->value[root].name, (long long)(n ? n : 1));
    wg_export_numbers(e, &e->constants, &type, values);
    wg_source_put(&e->constants, ";\n\n");
}

const char *wg_export_array(wg_export *e, uint32_t root)
{
    wg_export_value *v = &e->value[root];
    if (v->name)
        return v->name;
    v->name = wg_export_name_of(e, root);
    if (v->home == WG_HOME_CONSTANT || v->home == WG_HOME_NUMBER) {
        v->name = wg_export_text(e, "%s_%s", e->prefix, v->name);
        constant_put(e, root);
    }
    return v->name;
}

const char *wg_export_pointer(wg_export *e, uint32_t i)
{
    uint32_t root = e->p.value[i].root;
    int64_t offset = wg_export_offset(e, i);
    if (wg_export_is_cell(e, root)) {
        wg_dtype dtype = (wg_dtype)wg_plan_node(&e->p, root)->dtype;
        return wg_export_text(e, "&work->%s[%zu]", wg_export_member(dtype), e->value[root].at);
    }
    if (e->value[root].home == WG_HOME_WORK && !wg_node_count(wg_plan_node(&e->p, root)))
        return "NULL"; /* no step made it */
    const char *name = wg_export_array(e, root);
    return offset ? wg_export_text(e, "%s + %lld", name, (long long)offset) : name;
}
