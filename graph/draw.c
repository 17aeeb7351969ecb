/* The public pictures: a drawing, written in the format that was asked for, to a file or a function. */
#include "graph/drawing.h"
#include "graph/file.h"
#include "graph/plan.h"
#include "graph/svg.h"
#include "graph/traverse.h"

#include <locale.h>

#define PATIENCE 60.0  /* seconds for Graphviz */
#define PNG_SIDE 32767 /* pixels that its renderer can */

/* ---- SVG --------------------------------------------------------------------------------------------------------- */
/* Graphviz's SVG without prologue and comments, sizes in pixels, with the style of both themes or of none. */
static void finish_svg(const wg_text *raw, wg_text *svg, bool both)
{
    const char *at = strstr(raw->data, "<svg"), *close = at ? strchr(at, '>') : NULL;
    if (!close)
        return;
    wg_text head = {.tape = svg->tape};
    wg_put_bytes(&head, at, (size_t)(close - at + 1));
    if (head.failed) {
        svg->failed = true;
        return;
    }
    for (const char *c = head.data; *c; c++) {
        if (c[0] == 'p' && c[1] == 't' && c[2] == '"')
            c++;
        else
            wg_put_bytes(svg, c, 1);
    }
    wg_put(svg, "\n");
    if (both)
        wg_svg_style(svg);
    else
        wg_put(svg, "<style>svg{max-width:100%%;height:auto}.node text{transform:translateY(1.4px)}</style>\n");
    for (at = close + 1; *at;) {
        const char *comment = strstr(at, "<!--"), *end = comment ? strstr(comment, "-->") : NULL;
        if (!end)
            break;
        wg_put_bytes(svg, at, (size_t)(comment - at));
        at = end + 3;
        at += *at == '\n';
    }
    while (*at == '\n')
        at++;
    wg_put_bytes(svg, at, strlen(at));
}

/* ---- Formats ----------------------------------------------------------------------------------------------------- */
wg_status wg_write_svg(const wg_drawing *d, const char *name, wg_text *out)
{
    wg_text dot = {.tape = d->tape}, raw = {.tape = d->tape};
    wg_write_dot(d, &dot);
    if (dot.failed)
        return wg_no_memory(d->tape, name, dot.room);
    wg_status status = wg_graphviz(d->tape, name, &dot, "svg", PATIENCE, &raw);
    if (!status)
        finish_svg(&raw, out, d->options.theme == WG_THEME_AUTO);
    return status;
}

/* A side in pixels, from the header: big-endian, 16 bytes in the width, 20 the height. */
static unsigned long png_side(const wg_text *png, size_t at)
{
    unsigned long side = 0;
    for (size_t i = at; i < at + 4 && i < png->size; i++)
        side = side << 8 | (unsigned char)png->data[i];
    return side;
}

static wg_status write_png(const wg_drawing *d, const char *name, wg_text *out)
{
    wg_text dot = {.tape = d->tape};
    wg_write_dot(d, &dot);
    if (dot.failed)
        return wg_no_memory(d->tape, name, dot.room);
    wg_status status = wg_graphviz(d->tape, name, &dot, "png", PATIENCE, out);
    if (!status && (png_side(out, 16) >= PNG_SIDE || png_side(out, 20) >= PNG_SIDE)) /* shrunk without a word */
        return wg_report(d->tape, name, WG_ERROR_UNSUPPORTED,
                         "a side has more than %d pixels; draw .svg, or close scopes by depth", PNG_SIDE);
    return status;
}

static wg_status write_dot(const wg_drawing *d, const char *name, wg_text *out)
{
    (void)name;
    wg_write_dot(d, out);
    return WG_OK;
}

/* A character for a character, so that columns stay. */
static void as_ascii(wg_text *text)
{
    static const struct {
        const char *from;
        char to;
    } signs[] = {{"\xc3\x97", 'x'},         {"\xc2\xb5", 'u'},         {"\xc2\xb7", '.'},         {"\xe2\x80\xa6", '.'},
                 {"\xe2\x94\x9c", '|'}, {"\xe2\x94\x82", '|'}, {"\xe2\x94\x94", '`'}, {"\xe2\x94\x80", '-'}};
    size_t to = 0;
    for (size_t at = 0; at < text->size; to++) {
        size_t n = 1;
        while (at + n < text->size && (text->data[at + n] & 0xc0) == 0x80)
            n++;
        char c = n == 1 ? text->data[at] : '?';
        for (size_t i = 0; n > 1 && i < sizeof signs / sizeof *signs; i++)
            if (!strncmp(text->data + at, signs[i].from, n))
                c = signs[i].to;
        text->data[to] = c;
        at += n;
    }
    text->size = to;
    if (text->data)
        text->data[to] = 0;
}

static wg_status write_table(const wg_drawing *d, const char *name, wg_text *out)
{
    (void)name;
    if (d->options.tree)
        wg_write_tree(d, out);
    else
        wg_write_table(d, out);
    if (d->options.ascii)
        as_ascii(out);
    return WG_OK;
}

static wg_status write_json(const wg_drawing *d, const char *name, wg_text *out)
{
    (void)name;
    wg_write_json(d, out);
    return WG_OK;
}

static const struct {
    const char *extension;
    wg_status (*write)(const wg_drawing *d, const char *name, wg_text *out);
} formats[] = {[WG_FORMAT_DOT] = {".dot", write_dot},
               [WG_FORMAT_SVG] = {".svg", wg_write_svg},
               [WG_FORMAT_PNG] = {".png", write_png},
               [WG_FORMAT_TEXT] = {".txt", write_table},
               [WG_FORMAT_JSON] = {".json", write_json},
               [WG_FORMAT_HTML] = {".html", wg_write_page}};
#define N_FORMATS (sizeof formats / sizeof *formats)

/* What is to be drawn: roots of a tape, a file of facts, or a compiled function. */
typedef struct {
    wg_tape *tape;
    const char *name; /* of the public function */
    const wg_tensor *root;
    int roots;
    const char *json;
    wg_function *function;
    bool before; /* as it was recorded */
} subject;

static const wg_facts *facts_of(const subject *s, const wg_draw_options *options)
{
    if (s->function)
        return wg_facts_of_function(s->function, s->before, s->name, options->title);
    if (s->json)
        return wg_facts_of_json(s->tape, s->name, s->json);
    bool measure = options->overlay == WG_SHOW_VALUES;
    wg_facts *facts = wg_facts_of_tape(s->root, s->roots, s->name, options->title, measure);
    if (facts && options->diagnosis)
        wg_facts_diagnosed(facts, options->diagnosis);
    return facts;
}

static wg_status written_here(const subject *s, wg_format format, const wg_draw_options *options, wg_text *out)
{
    wg_draw_options own = *options;
    if (format == WG_FORMAT_TEXT && own.tree && own.fold == WG_FOLD_LARGE)
        own.fold = WG_FOLD_YES;
    if (format == WG_FORMAT_TEXT && own.tree && own.depth <= 0)
        own.depth = WG_ALL;
    if (format == WG_FORMAT_TEXT && !own.tree) { /* a line for everything that was recorded */
        own.depth = WG_ALL;
        own.fold = WG_FOLD_NO;
        own.views = true;
    }
    const wg_facts *facts = facts_of(s, &own);
    const wg_drawing *d = facts ? wg_drawing_make(facts, s->name, &own) : NULL;
    if (!d)
        return s->tape->status ? s->tape->status : WG_ERROR_VALUE;
    wg_status status = formats[format].write(d, s->name, out);
    return !status && out->failed ? wg_no_memory(s->tape, s->name, out->room * 2) : status;
}

/* Numbers have a point, whatever the program's locale. */
static wg_status written(const subject *s, wg_format format, const wg_draw_options *options, wg_text *out)
{
    if ((size_t)format >= N_FORMATS)
        return wg_report(s->tape, s->name, WG_ERROR_VALUE, "there is no format %d", (int)format);
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain)
        return wg_no_memory(s->tape, s->name, 0);
    locale_t before = uselocale(plain);
    wg_status status = written_here(s, format, options, out);
    uselocale(before);
    freelocale(plain);
    return status;
}

/* ---- To a file or a function ------------------------------------------------------------------------------------- */
static bool format_of(const char *path, wg_format *format)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < N_FORMATS; i++)
        if (!strcmp(dot, formats[i].extension)) {
            *format = (wg_format)i;
            return true;
        }
    return false;
}

/* The file's name without folder and extension. */
static const char *title_of(wg_tape *tape, const char *path)
{
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path, *dot = strrchr(start, '.');
    size_t n = dot ? (size_t)(dot - start) : strlen(start);
    char *title = wg_arena(tape, n + 1);
    if (!title)
        return NULL;
    memcpy(title, start, n);
    title[n] = 0;
    return title;
}

static wg_status to_path(const subject *s, const char *path, wg_draw_options options)
{
    wg_format format;
    if (!path)
        return wg_report(s->tape, s->name, WG_ERROR_VALUE, "the path is NULL");
    if (!format_of(path, &format))
        return wg_report(s->tape, s->name, WG_ERROR_VALUE, "%s: not one of .dot, .svg, .png, .html, .json, .txt", path);
    uint32_t here = s->tape->here;
    wg_short_mark before = wg_short_at(s->tape);
    wg_text out = {.tape = s->tape};
    bool named = options.title || s->json || (options.title = title_of(s->tape, path));
    wg_status status = named ? written(s, format, &options, &out) : wg_no_memory(s->tape, s->name, strlen(path));
    s->tape->here = here;
    if (!status)
        status = wg_file_write(s->tape, s->name, path, out.data, out.size);
    wg_short_back(s->tape, before);
    s->tape->here = 0;
    return status;
}

static wg_status to_sink(const subject *s, wg_format format, wg_sink *sink, void *user, const wg_draw_options *options)
{
    if (!sink)
        return wg_report(s->tape, s->name, WG_ERROR_VALUE, "the sink is NULL");
    wg_short_mark before = wg_short_at(s->tape);
    wg_text out = {.tape = s->tape};
    wg_status status = written(s, format, options, &out);
    if (!status && !sink(user, out.data, out.size))
        status = wg_report(s->tape, s->name, WG_ERROR_FILE, "the sink took no more");
    wg_short_back(s->tape, before);
    s->tape->here = 0;
    return status;
}

/* Are all of them there, on one tape? */
static wg_status roots_good(const subject *s)
{
    if (s->roots < 1)
        return s->tape ? wg_report(s->tape, s->name, WG_ERROR_VALUE, "there are no roots") : WG_ERROR_VALUE;
    for (int r = 0; r < s->roots; r++) {
        if (!s->tape || !wg_node_of(s->root[r], s->name))
            return s->tape && s->tape->status ? s->tape->status : WG_ERROR_VALUE;
        if (s->root[r].tape != s->tape)
            return wg_report(s->tape, s->name, WG_ERROR_VALUE, "root %d is on another tape", r);
    }
    return WG_OK;
}

wg_status (wg_draw)(wg_tensor root, const char *path, wg_draw_options options)
{
    const subject s = {.tape = root.tape, .name = "wg_draw", .root = &root, .roots = 1};
    wg_status status = roots_good(&s);
    return status ? status : to_path(&s, path, options);
}

wg_status (wg_draw_many)(const wg_tensor *roots, int n, const char *path, wg_draw_options options)
{
    const subject s = {.tape = roots && n > 0 ? roots[0].tape : NULL, .name = "wg_draw_many", .root = roots,
                       .roots = roots ? n : 0};
    wg_status status = roots_good(&s);
    return status ? status : to_path(&s, path, options);
}

wg_status (wg_draw_to)(wg_tensor root, wg_format format, wg_sink *sink, void *user, wg_draw_options options)
{
    const subject s = {.tape = root.tape, .name = "wg_draw_to", .root = &root, .roots = 1};
    wg_status status = roots_good(&s);
    return status ? status : to_sink(&s, format, sink, user, &options);
}

/* ---- Again ------------------------------------------------------------------------------------------------------- */
wg_status (wg_redraw)(wg_tape *tape, const char *json, const char *path, wg_draw_options options)
{
    const subject s = {.tape = tape, .name = "wg_redraw", .json = json};
    if (!tape || !json)
        return tape ? wg_report(tape, s.name, WG_ERROR_VALUE, "the name of the facts is NULL") : WG_ERROR_VALUE;
    return to_path(&s, path, options);
}

wg_status (wg_redraw_to)(wg_tape *tape, const char *json, wg_format format, wg_sink *sink, void *user,
                         wg_draw_options options)
{
    const subject s = {.tape = tape, .name = "wg_redraw_to", .json = json};
    if (!tape || !json)
        return tape ? wg_report(tape, s.name, WG_ERROR_VALUE, "the name of the facts is NULL") : WG_ERROR_VALUE;
    return to_sink(&s, format, sink, user, &options);
}

/* ---- Compiled functions ------------------------------------------------------------------------------------------ */
wg_status (wg_function_draw)(wg_function *f, const char *path, wg_function_draw_options options)
{
    if (!f || f->tape->status)
        return f ? f->tape->status : WG_ERROR_VALUE;
    const subject s = {.tape = f->tape, .name = "wg_function_draw", .function = f, .before = options.before};
    wg_aside aside = wg_aside_begin(f->tape);
    wg_status status = to_path(&s, path, options.draw);
    wg_aside_end(f->tape, aside);
    return status;
}

wg_status (wg_function_draw_to)(wg_function *f, wg_format format, wg_sink *sink, void *user,
                               wg_function_draw_options options)
{
    if (!f || f->tape->status)
        return f ? f->tape->status : WG_ERROR_VALUE;
    const subject s = {.tape = f->tape, .name = "wg_function_draw_to", .function = f, .before = options.before};
    wg_aside aside = wg_aside_begin(f->tape);
    wg_status status = to_sink(&s, format, sink, user, &options.draw);
    wg_aside_end(f->tape, aside);
    return status;
}

static bool to_file(void *user, const void *data, size_t size) { return fwrite(data, 1, size, user) == size; }

wg_status wg_summary(wg_tensor root, FILE *file)
{
    if (!file)
        return root.tape ? wg_report(root.tape, "wg_summary", WG_ERROR_VALUE, "the file is NULL") : WG_ERROR_VALUE;
    return (wg_draw_to)(root, WG_FORMAT_TEXT, to_file, file, (wg_draw_options){wg_draw_defaults});
}
