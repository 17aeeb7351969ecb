/* The main that checks an exported file: it has the inputs of now, runs the function on them and compares with the
 * outputs of now, each against the largest there is in its array. */
#include "graph/export.h"

/* An array of the file; data NULL: of zeros that are written to. */
static void array_put(wg_export *e, const char *before, const char *name, wg_type type, const void *data)
{
    int64_t n = wg_type_count(&type);
    wg_source_put(&e->test, "static %s%s %s_%s[%lld]", data ? "const " : "", wg_c_type(type.dtype), before, name,
                  (long long)(n ? n : 1));
    if (data) {
        wg_source_put(&e->test, " = ");
        wg_export_numbers(e, &e->test, &type, data);
    }
    wg_source_put(&e->test, ";\n");
}

static const char compare[] =
    "/* How far a is from b, of the largest finite b; what is not finite is to be the same. */\n"
    "static double furthest(double a, double b, double largest)\n"
    "{\n"
    "    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))\n"
    "        return (isnan(a) && isnan(b)) || (isinf(a) && isinf(b) && (a > 0) == (b > 0)) ? 0 : 1;\n"
    "    return largest > 0 ? fabs(a - b) / largest : fabs(a);\n"
    "}\n\n"
    "#define CHECK(name, n, allowed) \\\n"
    "    do { \\\n"
    "        double largest = 0, far = 0; \\\n"
    "        for (int i = 0; i < (n); i++) { \\\n"
    "            const double b = fabs((double)expected_##name[i]); \\\n"
    "            largest = !isinf(b) && b > largest ? b : largest; \\\n"
    "        } \\\n"
    "        for (int i = 0; i < (n); i++) { \\\n"
    "            const double d = furthest((double)test_##name[i], (double)expected_##name[i], largest); \\\n"
    "            far = d > far ? d : far; \\\n"
    "        } \\\n"
    "        printf(\"%s: off by %g, at most %g\\n\", #name, far, (double)(allowed)); \\\n"
    "        failed |= far > (allowed); \\\n"
    "    } while (0)\n\n";

static void main_put(wg_export *e)
{
    const wg_function *f = e->f;
    const char *between = "";
    wg_source *to = &e->test;
    wg_source_put(to, "\n%sint main(void)\n{\n    int failed = %s(", compare, e->prefix);
    for (int i = 0; i < f->n_in + e->n_params; i++, between = ", ")
        wg_source_put(to, "%stest_%s", between, e->input[i]);
    for (int k = 0; k < f->n_out + f->n_grad; k++, between = ", ")
        wg_source_put(to, "%stest_%s", between, e->output[k]);
    if (e->options.workspace)
        wg_source_put(to, "%s&test_work", between);
    wg_source_put(to, ");\n");
    for (int k = 0; k < f->n_out + f->n_grad; k++) {
        wg_type type = *f->slot[f->n_in + k].type;
        double allowed = type.dtype == WG_FLOAT32 ? 1e-4 : type.dtype == WG_FLOAT64 ? 1e-10 : 0;
        wg_source_put(to, "    CHECK(%s, %lld, %g);\n", e->output[k], (long long)wg_type_count(&type), allowed);
    }
    wg_source_put(to, "    puts(failed ? \"FAILED\" : \"passed\");\n    return failed;\n}\n#endif\n");
}

void wg_export_test(wg_export *e, const wg_tensor *inputs)
{
    const wg_function *f = e->f;
    wg_source_put(&e->test, "\n#ifdef %s\n#include <stdio.h>\n\n", e->test_macro);
    for (int i = 0; i < f->n_in + e->n_params; i++) {
        wg_tensor t = i < f->n_in ? inputs[i] : wg_node_tensor(e->p.tape, e->param[i - f->n_in]);
        array_put(e, "test", e->input[i], wg_type_of(t), wg_export_values(e, t.node));
    }
    for (int k = 0; k < f->n_out + f->n_grad; k++) {
        wg_tensor t = e->p.outputs[k];
        array_put(e, "test", e->output[k], wg_type_of(t), NULL);
        array_put(e, "expected", e->output[k], wg_type_of(t), wg_export_values(e, t.node));
    }
    if (e->options.workspace)
        wg_source_put(&e->test, "static %s_workspace test_work;\n", e->prefix);
    main_put(e);
}
