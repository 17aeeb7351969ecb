/* `wengert ops`: the operations as a table, as JSON, as Markdown, or one of them as a page. All of it is read from the
 * entries. */
#include <argp.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "command.h"
#include "json_tensor.h"
#include "nearest.h"

#define WIDTH 80 /* columns */
#define NAMES 20 /* columns of the table's names; a longer one has a line of its own */

/* ---- What an entry says ------------------------------------------------------------------------------------------ */
static bool is_variadic(const wg_operand *operand) { return operand->flags & WG_VARIADIC; }

static bool is_differentiated(const wg_op *op, int i)
{
    if (op->in[i].flags & (WG_INTEGER | WG_BOOLEAN | WG_NO_GRADIENT) || op->output_gradient_free)
        return false;
    return op->vjp[i] || (op->map && i < 3 && op->map->slope[i]);
}

static bool has_gradient(const wg_op *op)
{
    for (int i = 0; i < wg_op_operands(op); i++)
        if (is_differentiated(op, i))
            return true;
    return false;
}

static const char *output_name(const wg_op *op, int i) { return op->out[i] ? op->out[i] : "y"; }

/* Calls visit on the operations of the contract, family by family. A family may be several lists, anywhere among
 * them. */
static void each_operation(void (*visit)(const char *family, const wg_op *op, void *to), void *to)
{
    for (int i = 0; wg_op_family(i); i++) {
        const char *family = wg_op_family(i)->name;
        bool seen = false;
        for (int before = 0; before < i; before++)
            seen |= !strcmp(wg_op_family(before)->name, family);
        for (int list = i; !seen && wg_op_family(list); list++)
            for (int k = 0; k < wg_op_family(list)->n && !strcmp(wg_op_family(list)->name, family); k++)
                if (!wg_op_family(list)->op[k]->hidden)
                    visit(family, wg_op_family(list)->op[k], to);
    }
}

/* ---- The table --------------------------------------------------------------------------------------------------- */
/* Bytes of the first sentence, or of as many of its words as fit with the dots that tell of the rest. */
static int first_sentence(const char *doc, int room, bool *cut)
{
    const char *end = strstr(doc, ". ");
    while (end && end > doc && end[-1] == '.') /* x[0] + ... + x[k] */
        end = strstr(end + 1, ". ");
    size_t n = end ? (size_t)(end - doc) : strlen(doc);
    *cut = n > (size_t)room;
    if (!*cut)
        return (int)n;
    int fits = room - 3;
    while (fits > 0 && doc[fits] != ' ')
        fits--;
    while (fits > 0 && strchr(" ,;:", doc[fits - 1]))
        fits--;
    return fits;
}

static void print_row(const char *family, const wg_op *op, void *to)
{
    const char **before = to; /* the family of the row before */
    if (!*before || strcmp(*before, family))
        printf("%s%s\n", *before ? "\n" : "", family);
    *before = family;
    bool cut;
    const char *doc = op->doc ? op->doc : "";
    int n = first_sentence(doc, WIDTH - NAMES - 4, &cut);
    if (strlen(op->name) > NAMES)
        printf("  %s\n  %*s", op->name, NAMES, "");
    else
        printf("  %-*s", NAMES, op->name);
    printf("  %.*s%s\n", n, doc, cut ? "..." : "");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */
static json_t *inputs_json(const wg_op *op)
{
    json_t *list = json_array();
    for (int i = 0; i < wg_op_operands(op); i++)
        json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:b}", "name", op->in[i].name, "optional",
                                              (op->in[i].flags & WG_OPTIONAL) != 0, "variadic", is_variadic(&op->in[i]),
                                              "differentiable", is_differentiated(op, i)));
    return list;
}

static json_t *attrs_json(const wg_schema *schema)
{
    json_t *list = json_array();
    for (int i = 0; schema && i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        json_t *choices = json_array(), *standard = option_default(attr, schema->defaults);
        for (int k = 0; k < WG_MAX_CHOICES && attr->choices[k]; k++)
            json_array_append_new(choices, json_string(attr->choices[k]));
        json_t *json =
            json_pack("{s:s, s:s, s:b}", "name", attr->name, "type", option_type(attr), "required", attr->required);
        json_object_set_new(json, "default", standard ? standard : json_null());
        if (json_array_size(choices))
            json_object_set(json, "choices", choices);
        json_decref(choices);
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *outputs_json(const wg_op *op)
{
    json_t *list = json_array();
    for (int i = 0; i < wg_op_outputs(op); i++)
        json_array_append_new(list, json_string(output_name(op, i)));
    return list;
}

static void print_json(const char *family, const wg_op *op, void *to)
{
    (void)to;
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:b, s:o}", "name", op->name, "family",
                             family, "doc", op->doc ? op->doc : "", "inputs", inputs_json(op), "attrs",
                             attrs_json(op->options), "outputs", outputs_json(op), "outputs_vary", op->count != NULL,
                             "elementwise", op->map != NULL, "view", op->view != NULL, "random", op->random, "exports",
                             wg_op_exports(op), "order", has_gradient(op) ? json_null() : json_integer(0));
    if (json && !json_dumpf(json, stdout, JSON_REAL_PRECISION(15)))
        putchar('\n');
    json_decref(json);
}

/* ---- A page ------------------------------------------------------------------------------------------------------ */
/* Prints words, `indent` columns in, no line longer than WIDTH. */
static void print_wrapped(const char *text, int indent)
{
    int column = 0;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column && column + 1 + n > WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += column ? printf(" %.*s", n, text) : printf("%*s%.*s", indent, "", n, text);
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static char *default_text(const wg_schema *schema, int i)
{
    json_t *json = option_default(&schema->attr[i], schema->defaults);
    char *text = json && !json_is_null(json) ? json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    return text;
}

/* sum(x; axis, keepdims = false) -> y */
static char *signature(const wg_op *op)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;
    fprintf(to, "%s(", op->name);
    for (int i = 0; i < wg_op_operands(op); i++)
        fprintf(to, "%s%s%s%s", i ? ", " : "", op->in[i].name, op->in[i].flags & WG_OPTIONAL ? "?" : "",
                is_variadic(&op->in[i]) ? "..." : "");
    for (int i = 0; op->options && i < op->options->n; i++) {
        char *standard = default_text(op->options, i);
        fprintf(to, "%s%s%s%s",
                i                    ? ", "
                : wg_op_operands(op) ? "; "
                                     : "",
                op->options->attr[i].name, standard ? " = " : "", standard ? standard : "");
        free(standard);
    }
    fputs(") -> ", to);
    for (int i = 0; i < wg_op_outputs(op); i++)
        fprintf(to, "%s%s%s", i ? ", " : "", output_name(op, i), op->count ? "..." : "");
    fclose(to);
    return text;
}

static void print_operands(const wg_op *op)
{
    static const struct {
        unsigned flag;
        const char *words;
    } words[] = {{WG_VARIADIC, "any number of them"},  {WG_OPTIONAL, "may be absent"},
                 {WG_INTEGER, "int32 or int64"},       {WG_BOOLEAN, "bool"},
                 {WG_ANY, "any dtype"},                {WG_INDEX_OR_FLOAT, "integers or floats"},
                 {WG_NO_GRADIENT, "without gradient"}};
    printf("\noperands\n");
    for (int i = 0; i < wg_op_operands(op); i++) {
        printf("    %-20s", op->in[i].name);
        const char *between = "";
        if (!(op->in[i].flags & (WG_INTEGER | WG_BOOLEAN | WG_ANY | WG_INDEX_OR_FLOAT))) {
            printf("float32 or float64");
            between = ", ";
        }
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (op->in[i].flags & words[k].flag) {
                printf("%s%s", between, words[k].words);
                between = ", ";
            }
        putchar('\n');
    }
}

static void print_options(const wg_schema *schema)
{
    printf("\noptions\n");
    for (int i = 0; i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        char *standard = default_text(schema, i);
        printf("    %-20s%s", attr->name, attr->choices[0] ? "" : option_type(attr));
        for (int k = 0; k < WG_MAX_CHOICES && attr->choices[k]; k++)
            printf("%s\"%s\"", k ? " or " : "", attr->choices[k]);
        if (standard)
            printf(", default %s\n", standard);
        else
            printf(", %s\n", attr->required ? "required" : "may be left out");
        free(standard);
    }
}

/* IS(o->mode, 't') as mode is "tanh", from the word with that first letter. Returns where it ends; `text` if it is
 * none. */
static const char *write_choice(const wg_schema *schema, const char *text, FILE *to)
{
    char name[40], letter;
    int n = 0;
    if (!schema || sscanf(text, "IS(o->%39[a-z_0-9], '%c')%n", name, &letter, &n) != 2 || !n)
        return text;
    for (int i = 0; i < schema->n; i++)
        for (int k = 0; k < WG_MAX_CHOICES && schema->attr[i].choices[k]; k++)
            if (!strcmp(schema->attr[i].name, name) && schema->attr[i].choices[k][0] == letter) {
                fprintf(to, "(%s is \"%s\")", name, schema->attr[i].choices[k]);
                return text + n;
            }
    return text;
}

/* A slope as it is written in the entry, without the marks that make it C: K(0.5) is 0.5, o->beta is beta. */
static void write_slope(const wg_schema *schema, const char *text, FILE *to)
{
    enum { DEPTH = 64 };
    bool marked[DEPTH] = {false}; /* of the brackets open: did a K open it? */
    int depth = 0;
    for (const char *c = text; *c; c++) {
        bool in_word = c > text && (isalnum((unsigned char)c[-1]) || c[-1] == '_');
        const char *behind = in_word ? c : write_choice(schema, c, to);
        if (behind > c) {
            c = behind - 1;
            continue;
        }
        bool mark = !in_word && !strncmp(c, "K(", 2) && depth < DEPTH - 1;
        if (!in_word && !strncmp(c, "o->", 3)) {
            c += 2;
        } else if (mark || (*c == '(' && depth < DEPTH - 1)) {
            marked[++depth] = mark;
            c += mark;
            if (!mark)
                putc(*c, to);
        } else if (*c != ')' || depth == 0 || !marked[depth--]) {
            putc(*c, to);
        }
    }
}

/* dy/dx = ...; free() it. */
static char *slope_text(const wg_op *op, int i)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;
    fprintf(to, "d%s/d%s = ", output_name(op, 0), op->in[i].name);
    write_slope(op->options, op->map->slope[i], to);
    fclose(to);
    return text;
}

/* Has the entry slopes in words, and no rule that stands before them? */
static bool has_slopes(const wg_op *op) { return op->map && op->map->slope[0] && !op->vjp[0]; }

/* The gradient in a few words; NULL where its slopes say it. */
static const char *gradient_words(const wg_op *op)
{
    if (!has_gradient(op))
        return "none";
    if (op->linear == WG_JOINTLY)
        return "linear in its operands together";
    if (op->linear == WG_SEPARATELY)
        return "linear in each operand alone";
    return has_slopes(op) ? NULL : "by a chain rule of its own";
}

static void print_kinks(const wg_op *op)
{
    for (int i = 0; i < op->kinks.n; i++)
        printf("%s%.17g", i ? ", " : "", op->kinks.at[i]);
}

static void print_gradient(const wg_op *op)
{
    const char *words = gradient_words(op);
    printf("\ngradient\n");
    if (words)
        printf("    %s\n", words);
    for (int i = 0; has_slopes(op) && i < 3 && op->map->slope[i]; i++) {
        char *text = slope_text(op, i);
        print_wrapped(text ? text : "", 4);
        free(text);
    }
    if (op->kinks.n) {
        printf("    kinks at ");
        print_kinks(op);
        putchar('\n');
    }
}

static void print_page(const char *family, const wg_op *op)
{
    char *text = signature(op);
    print_wrapped(text ? text : op->name, 0);
    free(text);
    bool told = !strcmp(family, "elementwise");
    printf("    %s%s%s%s%s\n\n", family, op->map && !told ? ", elementwise" : "", op->view ? ", a view" : "",
           op->random ? ", random" : "", wg_op_exports(op) ? "" : ", without C to export");
    print_wrapped(op->doc ? op->doc : "", 0);
    if (wg_op_operands(op))
        print_operands(op);
    if (op->options)
        print_options(op->options);
    print_gradient(op);
    if (op->domain)
        printf("\ndomain\n    %s\n", op->domain);
    if (op->source) {
        printf("\nsource\n");
        print_wrapped(op->source, 4);
    }
}

/* ---- Markdown ---------------------------------------------------------------------------------------------------- */
/* Text with what Markdown would take for its own escaped; what stands between backquotes is left alone. */
static void print_escaped(const char *text)
{
    bool code = false;
    for (; *text; text++) {
        code ^= *text == '`';
        if (!code && strchr("*_<[\\", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_link(const char *family, const wg_op *op, void *to)
{
    const char **asked = to; /* the family; then what stands between */
    if (strcmp(family, asked[0]))
        return;
    printf("%s[%s](#%s)", asked[1], op->name, op->name);
    asked[1] = ",\n";
}

static void print_chapter(const char *family)
{
    const char *list[] = {family, ""};
    printf("\n## %c%s\n\n", toupper((unsigned char)family[0]), family + 1);
    each_operation(print_link, list);
    putchar('\n');
}

static void print_fact(const char *name, const char *text)
{
    if (!text)
        return;
    printf("- %s: ", name);
    print_escaped(text);
    putchar('\n');
}

static void print_entry(const char *family, const wg_op *op, void *to)
{
    const char **before = to; /* the family of the entry before */
    if (!*before || strcmp(*before, family))
        print_chapter(family);
    *before = family;
    char *text = signature(op);
    printf("\n### %s\n\n    %s\n\n", op->name, text ? text : "");
    free(text);
    print_escaped(op->doc ? op->doc : "");
    printf("\n\n");
    for (int i = 0; has_slopes(op) && i < 3 && op->map->slope[i]; i++) {
        text = slope_text(op, i);
        printf("- gradient: `%s`\n", text ? text : "");
        free(text);
    }
    print_fact("gradient", gradient_words(op));
    if (op->kinks.n) {
        printf("- kinks: ");
        print_kinks(op);
        putchar('\n');
    }
    print_fact("domain", op->domain);
    print_fact("source", op->source);
}

static void count_one(const char *family, const wg_op *op, void *to)
{
    (void)family;
    (void)op;
    ++*(int *)to;
}

static void print_markdown(void)
{
    int n = 0;
    const char *before = NULL;
    each_operation(count_one, &n);
    printf("# Operations\n\n%d of them, by family. `x?` may be absent, `x...` stands for any number of tensors; "
           "options follow the "
           "semicolon, with\ntheir defaults. The same at the terminal: `wengert ops`, `wengert ops NAME`. This page is "
           "written by "
           "`wengert ops --markdown`.\n",
           n);
    each_operation(print_entry, &before);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */
typedef struct {
    bool json, markdown;
    const char *name;
    const char *family; /* of the operation of that name */
    const wg_op *op;
} asked;

static void look(const char *family, const wg_op *op, void *to)
{
    asked *a = to;
    if (name_distance(a->name, op->name) == 0) {
        a->family = family;
        a->op = op;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    if (key == 'j')
        a->json = true;
    else if (key == 'm')
        a->markdown = true;
    else if (key == ARGP_KEY_ARG && !a->name)
        a->name = text;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int one_operation(asked *a)
{
    each_operation(look, a);
    if (!a->op) {
        const char *near = nearest_operation(a->name);
        fprintf(stderr, "wengert ops: there is no operation \"%s\"%s%s%s\n", a->name, near ? "; the nearest is \"" : "",
                near ? near : "", near ? "\"" : "");
        return EXIT_USAGE;
    }
    if (a->json)
        print_json(a->family, a->op, NULL);
    else
        print_page(a->family, a->op);
    return EXIT_FINE;
}

int command_ops(int argc, char **argv)
{
    static const struct argp_option list[] = {{"json", 'j', NULL, 0, "A JSON object a line instead of a table", 0},
                                              {"markdown", 'm', NULL, 0, "All of them as a page of Markdown", 0},
                                              {0}};
    static const struct argp argp = {.options = list,
                                     .parser = parse,
                                     .args_doc = "[NAME]",
                                     .doc = "List the operations, or tell all about the one named."};
    asked a = {0};
    const char *before = NULL;
    arguments_read(&argp, argc, argv, &a, operation_words);
    if (a.name)
        return one_operation(&a);
    if (a.markdown)
        print_markdown();
    else
        each_operation(a.json ? print_json : print_row, &before);
    return EXIT_FINE;
}
