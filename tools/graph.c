/* `wengert graph`: shows a built-in network, one that `wengert train` saved, or a graph that wg_draw wrote as .json, as
 * a table or as a picture. */
#include <jansson.h>
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arguments.h"
#include "command.h"
#include "model.h"
#include "models.h"
#include "nearest.h"

enum {
    FORMAT = 256,
    JSON,
    TREE,
    BACKWARD,
    DEPTH,
    FOLD,
    OPEN,
    CLOSE,
    AROUND,
    RADIUS,
    OVERLAY,
    DIRECTION,
    PARAMS,
    VIEWS,
    THEME,
    BACKGROUND,
    LINK,
    BATCH,
    TITLE,
    COMPILED
};

#define MOST_NAMES 64
#define MOST_NODES 1500 /* that Graphviz draws in a few seconds */

typedef struct {
    const char *what, *out;
    int format; /* of wg_format; -1: not given */
    wg_draw_options draw;
    int64_t batch;
    int compiled; /* COMPILED_NOT, ... */
    const char *open[MOST_NAMES + 1], *close[MOST_NAMES + 1]; /* up to a NULL */
} settings;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0,
     "The picture: .svg, .png, .html, .dot, .json, or .txt for the table; - for standard output", 1},
    {"format", FORMAT, "NAME", 0, "svg, png, html, dot, json or txt, on standard output", 1},
    {"json", JSON, NULL, 0, "All that is known, as --format json", 1},
    {"tree", TREE, NULL, 0, "The scopes and their parameters instead of the table", 1},
    {"backward", BACKWARD, NULL, 0, "The backward pass beside the forward one, with the gradients", 1},
    {"compiled", COMPILED, "before|after", 0,
     "A compiled function of it: as it was recorded, or what it does and where values lie; with --backward its "
     "gradients too",
     1},
    {"overlay", OVERLAY, "NAME", 0, "values, grad (after a backward pass), memory, time", 1},
    {"depth", DEPTH, "N|all", 0, "Close scopes that are nested deeper (default: as many open as fit a page)", 1},
    {"fold", FOLD, "yes|no", 0, "Draw equal neighbouring scopes once (default: where not all fits a page)", 1},
    {"open", OPEN, "SCOPE", 0, "Open it whatever its depth; block.* is allowed, and the option several times", 1},
    {"close", CLOSE, "SCOPE", 0, "Close it whatever its depth", 1},
    {"around", AROUND, "NAME", 0, "Only what is near a tensor, an operation or a scope of that name", 1},
    {"radius", RADIUS, "N", 0, "How near: edges (default: 2)", 1},
    {"params", PARAMS, "card|node|hide", 0, "Parameters beside what takes them (the default), as nodes, or not at all",
     1},
    {"direction", DIRECTION, "TB|LR", 0, "Top to bottom (the default), or left to right", 1},
    {"views", VIEWS, NULL, 0, "Draw reshape, slice and their kin as nodes", 1},
    {"theme", THEME, "auto|light|dark", 0, "auto: SVG and pages follow the reader, DOT and PNG are light", 1},
    {"background", BACKGROUND, "none", 0, "No page behind the picture", 1},
    {"link", LINK, "URL", 0, "Where a node's source line is: https://host/{file}#L{line}", 1},
    {"title", TITLE, "TEXT", 0, "In the caption", 1},
    {"batch", BATCH, "N", 0, "Samples", 1},
    {0}};

static const char *const formats[] = {
    [WG_FORMAT_DOT] = "dot", [WG_FORMAT_SVG] = "svg", [WG_FORMAT_PNG] = "png",
    [WG_FORMAT_TEXT] = "txt", [WG_FORMAT_JSON] = "json", [WG_FORMAT_HTML] = "html"};
static const char *const overlays[] = {
    [WG_SHOW_NOTHING] = "none", [WG_SHOW_VALUES] = "values", [WG_SHOW_GRAD] = "grad", [WG_SHOW_MEMORY] = "memory",
    [WG_SHOW_TIME] = "time"};
static const char *const folds[] = {[WG_FOLD_LARGE] = "large", [WG_FOLD_YES] = "yes", [WG_FOLD_NO] = "no"};
static const char *const cards[] = {[WG_PARAMS_CARD] = "card", [WG_PARAMS_NODE] = "node", [WG_PARAMS_HIDE] = "hide"};
static const char *const themes[] = {[WG_THEME_AUTO] = "auto", [WG_LIGHT] = "light", [WG_DARK] = "dark"};
enum { COMPILED_BEFORE, COMPILED_AFTER, COMPILED_NOT };
static const char *const compilings[] = {[COMPILED_BEFORE] = "before", [COMPILED_AFTER] = "after"};
static const char *const directions[] = {[WG_DOWN] = "TB", [WG_RIGHT] = "LR"};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* ---- Options ----------------------------------------------------------------------------------------------------- */
static int one_of(struct argp_state *state, const char *option, const char *text, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(text, words[i]))
            return i;
    char list[80] = "";
    for (int i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
    argp_error(state, "--%s is one of %s, not %s", option, list, text);
    return 0;
}

static void name_add(struct argp_state *state, const char *option, const char **names, const char *name)
{
    int n = 0;
    while (names[n])
        n++;
    if (n == MOST_NAMES)
        argp_error(state, "--%s is given more than %d times", option, MOST_NAMES);
    names[n] = name;
}

static bool is_file(const settings *s) { return s->out && strcmp(s->out, "-"); }

/* How it is to be drawn. */
static error_t drawing_option(settings *s, int key, char *text, struct argp_state *state)
{
    switch (key) {
    case TREE:
        s->draw.tree = true;
        return 0;
    case OVERLAY:
        s->draw.overlay = (wg_overlay)one_of(state, "overlay", text, overlays, COUNT(overlays));
        return 0;
    case DIRECTION:
        s->draw.direction = (wg_direction)one_of(state, "direction", text, directions, COUNT(directions));
        return 0;
    case DEPTH:
        s->draw.depth = strcmp(text, "all") ? (int)arguments_whole(state, "depth", text, 1, 1000) : WG_ALL;
        return 0;
    case FOLD:
        s->draw.fold = (wg_fold)one_of(state, "fold", text, folds, COUNT(folds));
        return 0;
    case OPEN:
        name_add(state, "open", s->open, text);
        s->draw.open = s->open;
        return 0;
    case CLOSE:
        name_add(state, "close", s->close, text);
        s->draw.close = s->close;
        return 0;
    case PARAMS:
        s->draw.params = (wg_params)one_of(state, "params", text, cards, COUNT(cards));
        return 0;
    case BACKWARD:
        s->draw.backward = true;
        return 0;
    case AROUND:
        s->draw.around = text;
        return 0;
    case RADIUS:
        s->draw.radius = (int)arguments_whole(state, "radius", text, 1, 1000000);
        return 0;
    case THEME:
        s->draw.theme = (wg_theme)one_of(state, "theme", text, themes, COUNT(themes));
        return 0;
    case BACKGROUND:
        s->draw.background = text;
        return 0;
    case LINK:
        s->draw.link = text;
        return 0;
    case VIEWS:
        s->draw.views = true;
        return 0;
    case TITLE:
        s->draw.title = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    settings *s = state->input;
    switch (key) {
    case 'o':
        s->out = text;
        return 0;
    case FORMAT:
        s->format = one_of(state, "format", text, formats, COUNT(formats));
        return 0;
    case JSON:
        s->format = WG_FORMAT_JSON;
        return 0;
    case COMPILED:
        s->compiled = one_of(state, "compiled", text, compilings, COUNT(compilings));
        return 0;
    case BATCH:
        s->batch = arguments_whole(state, "batch", text, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        if (s->what)
            argp_error(state, "one network at a time, not %s too", text);
        s->what = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which: a built-in network, a .json or a .safetensors file?");
        return 0;
    case ARGP_KEY_SUCCESS:
        if (s->format >= 0 && is_file(s))
            argp_error(state, "--format is for standard output; the name %s tells", s->out);
        return 0;
    default:
        return drawing_option(s, key, text, state);
    }
}

static void put_networks(FILE *file)
{
    fputs("Built in:\n", file);
    built_in_list(file);
}

static char *networks_listed(int key, const char *text, void *input)
{
    (void)input;
    return arguments_listed(key, text, put_networks);
}

/* ---- The network ------------------------------------------------------------------------------------------------- */
/* A checkpoint's, over made-up data. */
static wg_tensor saved_loss(wg_tape *tape, const char *path, int64_t batch)
{
    model m = {0};
    if (!model_load(tape, path, &m))
        return WG_NONE;
    wg_tensor x = made_up_numbers(tape, "x", WG_SHAPE(batch, m.size[0]));
    return wg_cross_entropy(model_forward(&m, x, 0, 0), made_up_classes(tape, "y", WG_SHAPE(batch), m.size[m.n]));
}

static void unknown(const char *name)
{
    const char *near = NULL;
    size_t nearest = SIZE_MAX;
    for (int i = 0; built_in_at(i); i++) {
        size_t distance = name_distance(name, built_in_at(i)->name);
        if (distance < nearest) {
            nearest = distance;
            near = built_in_at(i)->name;
        }
    }
    fprintf(stderr, "wengert graph: %s is neither a built-in network nor a .json or .safetensors file", name);
    if (near && is_near(nearest, name))
        fprintf(stderr, "; the nearest is \"%s\"", near);
    fputs("\nTry `wengert graph --help'.\n", stderr);
}

/* ---- The picture ------------------------------------------------------------------------------------------------- */
static bool to_stdout(void *user, const void *data, size_t size)
{
    (void)user;
    return fwrite(data, 1, size, stdout) == size;
}

/* Where the locale has no UTF-8, a table's times signs are letters. */
static bool to_plain_stdout(void *user, const void *data, size_t size)
{
    const char *text = data;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x80)
            putchar(text[i]);
        else if ((unsigned char)text[i] >= 0xc0)
            putchar('x');
    (void)user;
    return !ferror(stdout);
}

static bool has_utf8(void)
{
    const char *const name[] = {"LC_ALL", "LC_CTYPE", "LANG"}, *value = NULL;
    for (size_t i = 0; i < sizeof name / sizeof *name && !(value && *value); i++)
        value = getenv(name[i]);
    return value && (strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8"));
}

/* The name without folder and extension. */
static void title_of(const char *path, char *title, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(title, size, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(title, '.');
    if (dot && dot != title)
        *dot = 0;
}

/* A terminal's width; COLUMNS says it anywhere. 0: as wide as it gets. */
static int columns(void)
{
    struct winsize size;
    const char *said = getenv("COLUMNS");
    if (said && atoi(said) > 0)
        return atoi(said);
    return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

/* As the locale's variables say, in the order in which they count. */
static bool is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

/* Times are those of a profile. */
static void function_shown(wg_tape *tape, wg_tensor loss, wg_format format, wg_sink *sink, const settings *s)
{
    const wg_function_draw_options how = {.before = s->compiled == COMPILED_BEFORE, .draw = s->draw};
    wg_function *f = wg_compile(tape, ((wg_tensors){0}), WG_TENSORS(loss), .backward = s->draw.backward);
    FILE *nowhere = s->draw.overlay == WG_SHOW_TIME ? tmpfile() : NULL;
    if (f && nowhere)
        wg_profile(f, nowhere);
    if (nowhere)
        fclose(nowhere);
    if (f && is_file(s))
        (wg_function_draw)(f, s->out, how);
    else if (f)
        (wg_function_draw_to)(f, format, sink, NULL, how);
}

/* Of a tape, or of a file of facts. */
static size_t nodes_of(wg_tape *tape, const char *facts)
{
    json_t *graph = facts ? json_load_file(facts, 0, NULL) : NULL;
    size_t n = facts ? json_array_size(json_object_get(graph, "nodes")) : wg_tape_nodes(tape);
    json_decref(graph);
    return n;
}

static void shown(wg_tape *tape, wg_tensor loss, const char *facts, settings *s)
{
    bool all = s->draw.depth == WG_ALL && s->draw.fold == WG_FOLD_NO && is_file(s);
    size_t nodes = all ? nodes_of(tape, facts) : 0;
    if (nodes > MOST_NODES)
        fprintf(stderr,
                "wengert graph: %zu nodes take Graphviz long; without --depth all and --fold no they fit a page\n",
                nodes);
    s->draw.width = is_file(s) ? 0 : columns();
    s->draw.ascii = !is_file(s) && !is_utf8();
    wg_format format = s->format >= 0 ? (wg_format)s->format : WG_FORMAT_TEXT;
    wg_sink *sink = format == WG_FORMAT_TEXT && !has_utf8() ? to_plain_stdout : to_stdout;
    if (!facts && s->compiled != COMPILED_NOT)
        function_shown(tape, loss, format, sink, s);
    else if (facts && is_file(s))
        (wg_redraw)(tape, facts, s->out, s->draw);
    else if (facts)
        (wg_redraw_to)(tape, facts, format, sink, NULL, s->draw);
    else if (is_file(s))
        (wg_draw)(loss, s->out, s->draw);
    else
        (wg_draw_to)(loss, format, sink, NULL, s->draw);
}

static void show_network(wg_tape *tape, const built_in *network, settings *s)
{
    network_parts parts = {.tape = tape};
    char title[256];
    title_of(s->what, title, sizeof title);
    if (!s->draw.title)
        s->draw.title = title;
    bool recorded = s->compiled == COMPILED_NOT, times = recorded && s->draw.overlay == WG_SHOW_TIME,
         gradients = recorded && (s->draw.backward || s->draw.overlay == WG_SHOW_GRAD || times);
    wg_observe(tape, times ? WG_TIME : gradients ? WG_STATS : 0);
    wg_tensor loss =
        network ? built_in_loss(network, &parts, s->batch) : saved_loss(tape, s->what, s->batch ? s->batch : 64);
    if (!wg_failed(tape) && (!gradients || !wg_backward(loss)))
        shown(tape, loss, NULL, s);
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && !strcmp(text + n - m, end);
}

int command_graph(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NETWORK|FILE.json|FILE.safetensors",
        .doc = "Shows the graph of a network's loss, or one that wg_draw wrote as .json: a table, or "
               "with --output a picture.\v",
        .help_filter = networks_listed};
    settings s = {.format = -1, .compiled = COMPILED_NOT};
    arguments_read(&argp, argc, argv, &s, network_words);
    bool facts = ends_in(s.what, ".json");
    const built_in *network = built_in_find(s.what);
    if (facts && s.compiled != COMPILED_NOT) {
        fputs("wengert graph: a .json holds no compiled function to be made\n", stderr);
        return EXIT_USAGE;
    }
    if (!network && !facts && !ends_in(s.what, ".safetensors")) {
        unknown(s.what);
        return EXIT_USAGE;
    }
    wg_tape *tape = wg_tape_new();
    if (tape && facts)
        shown(tape, WG_NONE, s.what, &s);
    else if (tape)
        show_network(tape, network, &s);
    bool failed = wg_failed(tape);
    if (failed)
        fprintf(stderr, "wengert graph: %s\n", tape ? wg_error(tape) : "no memory");
    wg_tape_free(tape);
    return failed ? EXIT_FAILED : EXIT_FINE;
}
