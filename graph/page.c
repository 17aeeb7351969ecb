/* A graph as a page: one file that asks for nothing. Its pictures are laid out beforehand by one run of Graphviz, a
 * picture a depth and one a closed scope; beside them are the facts as JSON, and a script (page.js) that moves,
 * searches and opens. The first picture stands in the page itself and is there without the script. Where there is no
 * Graphviz it is a list. */
#include "graph/page.h"
#include "graph/palette.h"
#include "graph/svg.h"

#define PATIENCE 60.0 /* seconds for all pictures */

static const char *const style[] = {
#include "graph/page.css.h"
};
static const char *const script[] = {
#include "graph/page.js.h"
};
#define LINES(a) (sizeof(a) / sizeof *(a))

static void put_lines(wg_text *t, const char *const *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wg_put_bytes(t, line[i], strlen(line[i]));
}

/* ---- Colours ----------------------------------------------------------------------------------------------------- */
static void put_variables(wg_text *t, const char *(*literal)(wg_color))
{
    static const struct {
        const char *name;
        wg_color color;
    } variables[] = {{"page", WG_COLOR_page},       {"ink", WG_COLOR_ink},    {"muted", WG_COLOR_muted},
                     {"rule", WG_COLOR_scope_line}, {"rise", WG_COLOR_scope}, {"pick", WG_COLOR_input_line}};
    wg_put(t, ":root{");
    for (size_t i = 0; i < LINES(variables); i++)
        wg_put(t, "--%s:%s;", variables[i].name, literal(variables[i].color));
    wg_put(t, "}");
}

/* The reader's theme, or the one that was asked for. */
static void put_style(wg_text *t, wg_theme theme)
{
    static const char *const schemes[] = {[WG_THEME_AUTO] = "light dark", [WG_LIGHT] = "light", [WG_DARK] = "dark"};
    wg_put(t, "<style>\nhtml{color-scheme:%s}\n", schemes[theme]);
    put_variables(t, theme == WG_DARK ? wg_color_dark : wg_color_light);
    if (theme == WG_THEME_AUTO) {
        wg_put(t, "@media(prefers-color-scheme:dark){");
        put_variables(t, wg_color_dark);
        wg_put(t, "}\n");
    }
    put_lines(t, style, LINES(style));
    wg_put(t, "</style>\n");
    if (theme == WG_THEME_AUTO)
        wg_svg_style(t);
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */
/* What of Graphviz's SVG the page says once, or does not need: from a text to the end of it, or to the next such
 * character and `more` behind it. */
static const struct {
    const char *from;
    char to;
    int more;
} cuts[] = {{" font-family=\"", '"', 1},
            {" text-anchor=\"start\"", 0, 0},
            {" stroke-width=\"1.2\"", 0, 0},
            {" xlink:title=\" \"", 0, 0},
            {" id=\"a_", '"', 1},
            {"<!--", '>', 2}};

/* The bytes of what is cut at that place; 0: nothing. */
static size_t cut_at(const char *at)
{
    for (size_t i = 0; i < LINES(cuts); i++) {
        size_t n = strlen(cuts[i].from);
        const char *end = strncmp(at, cuts[i].from, n) ? NULL : cuts[i].to ? strchr(at + n, cuts[i].to) : at + n;
        if (end)
            return (size_t)(end - at) + (size_t)cuts[i].more;
    }
    return 0;
}

/* A cluster without an outline, which only keeps what is beside an operation there. */
static size_t bare_cluster(const char *at, const char *end)
{
    static const char tail[] = "\n</a>\n</g>\n</g>\n";
    const char *link = strncmp(at, "<g id=\"", 7) ? NULL : memmem(at, (size_t)(end - at), "<a ", 3);
    const char *body = link ? strchr(link, '>') : NULL;
    bool bare = body && !strncmp(body + 1, tail, strlen(tail));
    return bare && memmem(at, (size_t)(link - at), "class=\"cluster", 14) ? (size_t)(body + 1 - at) + strlen(tail) : 0;
}

/* From "<svg" to "</svg>", lean, with sizes in pixels. What is cut begins with a space or an element. */
static void put_svg(wg_text *t, const char *at, const char *end)
{
    wg_put(t, "<svg stroke-width=\"1.2\"");
    for (at += strlen("<svg"); *at != '>' && strncmp(at, " xmlns", 6); at++)
        if (strncmp(at, "pt\"", 3))
            wg_put_bytes(t, at, 1);
        else
            at++;
    for (at = strchr(at, '>'); at < end;) {
        size_t skip = cut_at(at), left = (size_t)(end - at);
        if (!skip)
            skip = bare_cluster(at, end);
        size_t plain = skip ? 0 : 1 + strcspn(at + 1, " <");
        wg_put_bytes(t, at, plain < left ? plain : left);
        at += skip + plain;
    }
}

/* "block ×12". */
void wg_put_place_name(wg_text *t, const wg_place_in *scope)
{
    wg_text name = {.tape = t->tape};
    wg_put_bytes(&name, scope->name, scope->times > 1 ? wg_stem(scope->name) : strlen(scope->name));
    if (scope->times > 1)
        wg_put(&name, " \xc3\x97%u", scope->times);
    wg_put_xml(t, name.failed ? "" : name.data);
    t->failed |= name.failed;
}

static void put_place(wg_text *t, const wg_picture *p)
{
    const wg_place_in *scope = &p->d->scope[p->scope];
    if (!p->scope) {
        wg_put(t, " data-depth=\"%d\">", p->depth);
        return;
    }
    if (scope->run) /* the id of what stands for it: that of its first operation */
        wg_put(t, " data-run=\"s%u\"", scope->few[0]);
    wg_put(t, " data-scope=\"");
    wg_put_xml(t, scope->path);
    wg_put(t, "\" data-name=\"");
    wg_put_place_name(t, scope);
    wg_put(t, "\">");
}

/* Those that Graphviz drew, else lists, and why. */
static void put_pictures(wg_text *t, const wg_pictures *p, const char *svg, const char *why)
{
    for (int i = 0; i < p->n; i++) {
        const char *at = svg ? strstr(svg, "<svg") : NULL, *end = at ? strstr(at, "</svg>") : NULL;
        if (svg && !end)
            break;
        wg_put(t, i ? "<template" : "<main");
        put_place(t, &p->picture[i]);
        if (svg)
            put_svg(t, at, svg = end + strlen("</svg>"));
        else
            wg_put_page_list(t, &p->picture[i], i ? NULL : why);
        wg_put(t, i ? "</template>\n" : "</main>\n");
    }
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */
/* Nothing in it ends the element that it is in. */
static void put_facts(wg_text *t, const wg_text *json)
{
    wg_put(t, "<script type=\"application/json\" id=\"graph\">");
    for (const char *at = json->size ? json->data : ""; *at;) {
        size_t plain = strcspn(at, "<");
        wg_put_bytes(t, at, plain);
        wg_put(t, at[plain] ? "\\u003c" : "");
        at += plain + (at[plain] != 0);
    }
    wg_put(t, "</script>\n");
}

/* By node, the one that is drawn in its place, where any is. */
static void put_folded(wg_text *t, const wg_drawing *d)
{
    uint32_t nodes = d->facts->nodes, own = 0;
    while (own < nodes && d->same[own] == own)
        own++;
    wg_put(t, "<script type=\"application/json\" id=\"same\">[");
    for (uint32_t i = 0; own < nodes && i < nodes; i++)
        wg_put(t, i ? ",%u" : "%u", d->same[i]);
    wg_put(t, "]</script>\n");
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */
static void put_head(wg_text *t, const wg_drawing *d)
{
    wg_put(t, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
              "script-src 'unsafe-inline'\">\n<title>");
    wg_put_xml(t, d->title);
    wg_put(t, "</title>\n");
    put_style(t, d->options.theme);
    wg_put(t, "<header><nav aria-label=\"where\"><b>");
    wg_put_xml(t, d->title);
    wg_put(t, "</b></nav>\n"
              "<label hidden>depth <input id=\"depth\" type=\"range\" min=\"0\" max=\"0\"></label>\n"
              "<input id=\"search\" type=\"search\" placeholder=\"search ( / )\" aria-label=\"search\" hidden>\n"
              "<button id=\"fit\" hidden>fit</button></header>\n<aside aria-live=\"polite\" hidden></aside>\n");
}

static void put_foot(wg_text *t)
{
    wg_put(
        t,
        "<template id=\"help\"><p>Click a node for its facts and all that it depends on or feeds.</p><p><kbd>/</kbd> "
        "search, <kbd>0</kbd> fit, <kbd>Esc</kbd> back, <kbd>Tab</kbd> <kbd>Enter</kbd> pick, arrows along the "
        "edges</p></template>\n<script>\n");
    put_lines(t, script, LINES(script));
    wg_put(t, "</script>\n</html>\n");
}

/* The first n pictures, by one run of Graphviz. */
static wg_status laid_out(const wg_pictures *p, int n, const char *name, wg_text *svg)
{
    wg_text dot = {.tape = svg->tape};
    *svg = dot;
    for (int i = 0; i < n; i++)
        wg_write_dot_part(p->picture[i].d, p->picture[i].scope, &dot);
    wg_status status = dot.failed ? WG_ERROR_MEMORY : wg_graphviz(svg->tape, name, &dot, "svg", PATIENCE, svg);
    return !status && !strstr(svg->data, "</svg>") ? WG_ERROR_UNSUPPORTED : status;
}

/* All of them, else the first alone, else none, and why. What a list can stand in for is no error of the tape's. */
static wg_status pictures_drawn(wg_pictures *p, const char *name, wg_text *svg, wg_text *why)
{
    wg_tape *tape = svg->tape;
    wg_error_handler *handler = tape->handler;
    bool failed = tape->status != WG_OK;
    tape->handler = NULL;
    wg_status status = laid_out(p, p->n, name, svg);
    if (status == WG_ERROR_UNSUPPORTED && p->n > 1 && !(status = laid_out(p, 1, name, svg)))
        p->n = 1;
    if (!failed && tape->status)
        wg_put(why, "%s", tape->message + strlen(name) + strlen(": "));
    else
        wg_put(why, "there is no picture");
    if (!failed)
        wg_clear_error(tape);
    tape->handler = handler;
    return status;
}

wg_status wg_write_page(const wg_drawing *d, const char *name, wg_text *out)
{
    wg_pictures *p = wg_page_pictures(d, name);
    wg_text svg = {.tape = d->tape}, json = {.tape = d->tape}, why = {.tape = d->tape};
    if (!p)
        return d->tape->status;
    wg_status status = pictures_drawn(p, name, &svg, &why);
    if (status && status != WG_ERROR_UNSUPPORTED)
        return wg_no_memory(d->tape, name, svg.room);
    wg_write_page_json(d, &json);
    put_head(out, d);
    put_pictures(out, p, status ? NULL : svg.data, why.failed ? "" : why.data);
    put_facts(out, &json);
    put_folded(out, d);
    put_foot(out);
    out->failed |= svg.failed || json.failed || why.failed;
    return WG_OK;
}
