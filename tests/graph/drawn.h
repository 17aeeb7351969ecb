/* Graphs to draw, and pictures of them in memory: for the tests of what draws. */
#ifndef TESTS_GRAPH_DRAWN_H
#define TESTS_GRAPH_DRAWN_H

#ifndef WG_WITHOUT_PLACES
#error "the lines of this file are not in the goldens"
#endif

#include "files.h"

#define HOSTILE "\\N\\G<b>\"&|{}\n\xff"

static wg_tape *tape;
static char *old_path; /* of the environment */

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
    old_path = strdup(getenv("PATH"));
}

static void tear_down(void)
{
    setenv("PATH", old_path, 1);
    free(old_path);
    folder_remove();
    wg_tape_free(tape);
}

/* ---- Into memory ------------------------------------------------------------------------------------------------- */
typedef struct {
    char *data;
    size_t size;
} memory;

static bool to_memory(void *user, const void *data, size_t size)
{
    memory *m = user;
    m->data = realloc(m->data, m->size + size + 1);
    memcpy(m->data + m->size, data, size);
    m->size += size;
    m->data[m->size] = 0;
    return true;
}

/* The picture, to be freed. */
static inline char *drawn(wg_tensor root, wg_format format, wg_draw_options options)
{
    memory m = {0};
    wg_status status = (wg_draw_to)(root, format, to_memory, &m, options);
    ck_assert_msg(!status && m.data, "%s", wg_error(root.tape));
    return m.data;
}

static inline int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

/* Is there a Graphviz, and does the library use it? */
static inline bool have_graphviz(void)
{
    memory m = {0};
    wg_tape *other = wg_tape_new();
    bool drew = !wg_draw_to(wg_scalar(other, 1), WG_FORMAT_SVG, to_memory, &m);
    free(m.data);
    wg_tape_free(other);
    return drew;
}

/* ---- What is drawn is sound -------------------------------------------------------------------------------------- */
/* Graphviz reads that DOT without a word. */
static inline void graphviz_takes(const char *path)
{
    char line[256] = "", command[700];
    if (!have_graphviz())
        return;
    snprintf(command, sizeof command, "dot -Tsvg -o /dev/null '%s' 2>&1", path);
    FILE *run = popen(command, "r");
    char *said = fgets(line, sizeof line, run);
    ck_assert_int_eq(pclose(run), 0);
    ck_assert_msg(!said, "%s", line);
}

/* Every element that is opened is closed, in turn; text holds no < and & but in entities. NULL: well-formed. */
static inline const char *xml_fault(const char *at)
{
    const char *open[64];
    size_t length[64];
    int n = 0;
    for (; *at; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\n' && *at != '\t')
            return at;
        if (*at == '&' && (strcspn(at, ";") > 8 || strcspn(at, "< ") < strcspn(at, ";")))
            return at;
        if (*at != '<')
            continue;
        const char *start = at++;
        bool closing = *at == '/';
        const char *name = at + closing;
        size_t size = strcspn(name, " \t\n/>");
        for (char quote = 0; *at && (quote || *at != '>'); at++) {
            if (quote ? *at == quote : *at == '"' || *at == '\'')
                quote = quote ? 0 : *at;
            else if (*at == '<')
                return start;
        }
        if (!*at || n == 64)
            return start;
        if (closing && (!n-- || length[n] != size || memcmp(open[n], name, size)))
            return start;
        if (!closing && at[-1] != '/') {
            open[n] = name;
            length[n++] = size;
        }
    }
    return n ? open[0] : NULL;
}

/* An id that is there twice; NULL: there is none. */
static inline const char *repeated_id(const char *svg)
{
    for (const char *at = svg; (at = strstr(at, " id=\"")); at++) {
        size_t size = strcspn(at + 5, "\"") + 6;
        for (const char *other = at; (other = strstr(other + 1, " id=\""));)
            if (!strncmp(at, other, size))
                return at;
    }
    return NULL;
}

/* An SVG is well-formed, and its ids are unique. */
static inline void is_sound(const char *svg)
{
    const char *fault = xml_fault(svg), *twice = repeated_id(svg);
    ck_assert_msg(!fault, "%s", fault ? fault : "");
    ck_assert_msg(!twice, "%.80s", twice ? twice : "");
}

/* ---- The graphs -------------------------------------------------------------------------------------------------- */
static wg_tensor filled(wg_tape *on, const char *name, wg_shape shape, double value)
{
    return wg_name(wg_full(on, WG_FLOAT64, shape, value), name);
}

static wg_tensor param(wg_tape *on, const char *name, wg_shape shape)
{
    return wg_param(on, name, shape, .dtype = WG_FLOAT64, .init = WG_ONES);
}

/* With places, as a user's file has them. */
#line 4 "model.c"
static wg_tensor mlp(wg_tape *on)
{
    static const int64_t labels[4] = {0, 1, 2, 0};
    static const double weights[24] = {0.5, -0.25, 0.125};
    wg_tensor x = wg_at(filled(on, "x", WG_SHAPE(4, 5), 0.5), __FILE__, __LINE__);
    wg_tensor y = wg_name(wg_array(on, WG_INT64, WG_SHAPE(4), labels), "y");
    wg_tensor w1 = wg_at(param(on, "fc1.weight", WG_SHAPE(5, 8)), __FILE__, __LINE__),
              b1 = param(on, "fc1.bias", WG_SHAPE(8));
    wg_tensor w2 = wg_param(on, "fc2.weight", WG_SHAPE(8, 3), .dtype = WG_FLOAT64, .data = weights),
              b2 = param(on, "fc2.bias", WG_SHAPE(3));
    wg_tensor h = wg_name(wg_at(wg_relu(wg_linear(x, w1, b1)), __FILE__, __LINE__), "h");
    return wg_cross_entropy(wg_linear(h, w2, b2), y);
}
#line 171 "drawn.h"

static wg_tensor mlp_with_gradients(wg_tape *on)
{
    wg_tensor loss = mlp(on);
    wg_backward(loss);
    return loss;
}

static wg_tensor scopes(wg_tape *on)
{
    wg_tensor x = filled(on, "x", WG_SHAPE(2, 3), 1), h = x;
    for (int i = 0; i < 2; i++)
        WG_SCOPE(on, "block", i)
        {
            WG_SCOPE(on, "norm") h = wg_layer_norm(h, WG_NONE, WG_NONE);
            WG_SCOPE(on, "mlp")
            {
                h = wg_linear(h, param(on, "w", WG_SHAPE(3, 3)), WG_NONE);
                h = wg_exp(wg_negative(wg_tanh(h)));
            }
            h = wg_add(x, h);
        }
    return wg_sum(h);
}

/* Three equal blocks of two equal parts, one block that is like them but for a number, and one that is not in the
 * chain. */
static wg_tensor blocks(wg_tape *on)
{
    wg_tensor x = filled(on, "x", WG_SHAPE(2, 3), 1), mask = filled(on, "mask", WG_SHAPE(3), 1), h = x, other = x;
    for (int i = 0; i < 4; i++)
        WG_SCOPE(on, "block", i)
        {
            for (int k = 0; k < 2; k++)
                WG_SCOPE(on, "part", k)
                {
                    wg_tensor w = param(on, "w", WG_SHAPE(3, 3)), b = param(on, "b", WG_SHAPE(3)); /* in this order */
                    h = wg_tanh(wg_linear(h, w, b));
                }
            h = wg_multiply(wg_multiply(h, mask), i == 3 ? 3 : 2);
        }
    WG_SCOPE(on, "block", 4) other = wg_tanh(wg_linear(x, param(on, "w", WG_SHAPE(3, 3)), WG_NONE));
    return wg_sum(wg_add(h, other));
}

/* One tied, one frozen, two that nothing uses. */
static wg_tensor parameters(wg_tape *on)
{
    wg_tensor tied = param(on, "tied", WG_SHAPE(3, 3)), x = filled(on, "x", WG_SHAPE(2, 3), 1);
    wg_tensor basis = wg_param(on, "basis", WG_SHAPE(3, 3), .dtype = WG_FLOAT64, .frozen = true);
    param(on, "spare.weight", WG_SHAPE(2));
    param(on, "spare.bias", WG_SHAPE(2));
    wg_tensor h = wg_matmul(wg_stop_gradient(wg_matmul(x, basis)), tied);
    return wg_mean(wg_square(wg_matmul(h, wg_matrix_transpose(tied))));
}

static wg_tensor not_finite(wg_tape *on)
{
    static const double values[4] = {1, -2, 3, -4};
    wg_tensor x = wg_name(wg_array(on, WG_FLOAT64, WG_SHAPE(4), values), "x"),
              mask = filled(on, "mask", WG_SHAPE(4), -INFINITY);
    wg_tensor p = wg_softmax(wg_add(wg_where(wg_full(on, WG_BOOL, WG_SHAPE(4), 1), x, mask), 1));
    return wg_sum(wg_multiply(p, wg_log(x)));
}

static wg_tensor numbers_and_views(wg_tape *on)
{
    wg_tensor x = filled(on, "x", WG_SHAPE(4, 6), 2), c = wg_full(on, WG_FLOAT64, WG_SHAPE(3), 1);
    wg_tensor h = wg_reshape(wg_subtract(1, wg_multiply(2, wg_pow(x, 3))), WG_SHAPE(8, 3));
    return wg_sum(wg_divide(1, wg_add(wg_slice(h, .start = WG_INTS(1)), c)), .axis = 0);
}

static wg_tensor several_outputs(wg_tape *on)
{
    wg_tensor x = filled(on, "x", WG_SHAPE(2, 6), 1), part[3];
    wg_split(x, 1, WG_LIST(2, 2, 2), part);
    part[0] = wg_sin(part[0]);
    part[2] = wg_cos(part[2]);
    wg_split(wg_concat(WG_TENSORS(part[0], part[2], part[1]), .axis = 1), 1, WG_LIST(3, 3), part);
    return part[1];
}

static wg_tensor hostile(wg_tape *on)
{
    wg_tensor x = filled(on, HOSTILE, WG_SHAPE(2, 2), 1), y = WG_NONE;
    WG_SCOPE(on, HOSTILE) y = wg_name(wg_linear(x, param(on, HOSTILE, WG_SHAPE(2, 2)), WG_NONE), HOSTILE);
    return wg_sum(y);
}

static wg_tensor nothing(wg_tape *on)
{
    wg_tensor x = wg_name(wg_array(on, WG_FLOAT32, WG_SHAPE(0, 3), NULL), "x");
    return wg_sum(wg_matmul(x, wg_param(on, "w", WG_SHAPE(3, 2))));
}

static wg_tensor one_leaf(wg_tape *on) { return filled(on, "x", WG_SHAPE(2, 2), 1); }
static wg_tensor one_number(wg_tape *on) { return wg_scalar(on, 0.25); }
static wg_tensor one_parameter(wg_tape *on) { return param(on, "w", WG_SHAPE(2)); }

static const struct {
    const char *name;
    wg_tensor (*record)(wg_tape *on);
    wg_draw_options options;
} graphs[] = {
    {"mlp", mlp, {.title = "mlp"}},
    {"gradients", mlp_with_gradients, {.title = "mlp", .overlay = WG_SHOW_GRAD}},
    {"values", mlp, {.title = "mlp", .overlay = WG_SHOW_VALUES, .direction = WG_RIGHT}},
    {"scopes", scopes, {.title = "scopes"}},
    {"closed", scopes, {.title = "closed", .depth = 1}},
    {"folded", blocks, {.title = "folded", .fold = WG_FOLD_YES}},
    {"opened", blocks, {.title = "opened", .depth = 1, .open = WG_NAMES("block.*.part.0")}},
    {"closed_by_name", blocks, {.title = "closed", .fold = WG_FOLD_YES, .close = WG_NAMES("part")}},
    {"memory", blocks, {.title = "memory", .depth = 1, .overlay = WG_SHOW_MEMORY, .params = WG_PARAMS_HIDE}},
    {"around", blocks, {.title = "around", .around = "block.1.part.1", .radius = 1}},
    {"backward", mlp_with_gradients, {.title = "backward", .backward = true}},
    {"backward_blocks",
     blocks,
     {.title = "backward", .backward = true, .fold = WG_FOLD_YES, .close = WG_NAMES("block.4")}},
    {"backward_tied", parameters, {.title = "backward", .backward = true}},
    {"dark",
     mlp,
     {.title = "dark", .theme = WG_DARK, .background = "none", .link = "https://host/{file}?plain=1#L{line}"}},
    {"parameters", parameters, {.title = "parameters"}},
    {"parameter_nodes", parameters, {.title = "parameters", .params = WG_PARAMS_NODE}},
    {"not_finite", not_finite, {.title = "not finite"}},
    {"numbers", numbers_and_views, {.title = "numbers"}},
    {"views", numbers_and_views, {.title = "views", .views = true}},
    {"several_outputs", several_outputs, {.title = "outputs"}},
    {"hostile", hostile, {.title = HOSTILE}},
    {"hostile_closed",
     hostile,
     {.title = HOSTILE, .close = WG_NAMES("*"), .fold = WG_FOLD_YES, .link = "file:///{file}#{line}"}},
    {"hostile_backward", hostile, {.title = HOSTILE, .backward = true, .params = WG_PARAMS_NODE}},
    {"nothing", nothing, {0}},
    {"leaf", one_leaf, {0}},
    {"number", one_number, {0}},
    {"parameter", one_parameter, {0}},
};

#endif
