/* A graph as a page: one file that asks for nothing. Its pictures are laid out beforehand by one run of Graphviz, a
 * picture a depth and one a closed scope; beside them are the facts as JSON, and a script (page.js) that moves,
 * searches and opens. The first picture stands in the page itself and is there without the script. Where there is no
 * Graphviz it is a list. */
#include "graph/drawing.h"
#include "graph/palette.h"
#include "graph/svg.h"

#define PATIENCE 60.0  /* seconds for all pictures */
#define MOST_DRAWN 400 /* nodes of a picture that Graphviz lays out in a fraction of a second */
#define MOST_DEPTHS 32

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

static void put_style(wg_text *t)
{
    wg_put(t, "<style>\n");
    put_variables(t, wg_color_light);
    wg_put(t, "@media(prefers-color-scheme:dark){");
    put_variables(t, wg_color_dark);
    wg_put(t, "}\n");
    put_lines(t, style, LINES(style));
    wg_put(t, "</style>\n");
    wg_svg_style(t);
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */
typedef struct {
    const wg_drawing *d;
    int depth;
} picture;

typedef struct {
    picture picture[MOST_DEPTHS];
    int n;
} pictures;

/* What Graphviz's SVG has that the page says once. */
static const char *const said_once[] = {" font-family=\"Helvetica,Arial,sans-serif\"", " text-anchor=\"start\"",
                                        " xmlns=\"http://www.w3.org/2000/svg\"",
                                        " xmlns:xlink=\"http://www.w3.org/1999/xlink\""};

/* From "<svg" to "</svg>", lean, with sizes in pixels. */
static void put_svg(wg_text *t, const char *at, const char *end)
{
    const char *head = strchr(at, '>');
    while (at < end) {
        size_t skip = at < head && !strncmp(at, "pt\"", 3) ? 2 : 0;
        for (size_t i = 0; i < LINES(said_once) && !skip; i++)
            skip = !strncmp(at, said_once[i], strlen(said_once[i])) ? strlen(said_once[i]) : 0;
        if (!strncmp(at, "<!--", 4)) {
            const char *close = strstr(at, "-->");
            skip = close ? (size_t)(close + 4 - at) : 4;
        }
        if (!skip)
            wg_put_bytes(t, at, 1);
        at += skip ? skip : 1;
    }
}

static void put_pictures(wg_text *t, const pictures *p, const char *svg)
{
    for (int i = 0; i < p->n; i++) {
        const char *at = strstr(svg, "<svg"), *end = at ? strstr(at, "</svg>") : NULL;
        if (!end)
            break;
        wg_put(t, i ? "<template data-depth=\"%d\">" : "<main data-depth=\"%d\">", p->picture[i].depth);
        put_svg(t, at, svg = end + 6);
        wg_put(t, i ? "</template>\n" : "</main>\n");
    }
}

/* Every node on a line, and why that is all. */
static void put_list(wg_text *t, const wg_facts *f, const char *why)
{
    wg_put(t, "<main><section><p>");
    wg_put_xml(t, why);
    wg_put(t, "</p>\n<ol>\n");
    for (uint32_t i = 0; i < f->nodes; i++) {
        const wg_tensor_fact *output = wg_fact_output(f, i);
        char form[96];
        wg_put(t, "<li class=\"node\" id=\"n%u\"><b>", i);
        wg_put_xml(t, *output->name ? output->name : f->node[i].op);
        wg_put(t, "</b><span>%s</span><span>", wg_form_text(&output->type, f->usual, form, sizeof form));
        wg_put_xml(t, f->node[i].scope);
        wg_put(t, "</span></li>\n");
    }
    wg_put(t, "</ol></section></main>\n");
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */
/* Nothing in it ends the element that it is in. */
static void put_facts(wg_text *t, const wg_text *json)
{
    wg_put(t, "<script type=\"application/json\" id=\"graph\">");
    for (size_t i = 0; i < json->size; i++)
        if (json->data[i] == '<')
            wg_put(t, "\\u003c");
        else
            wg_put_bytes(t, json->data + i, 1);
    wg_put(t, "</script>\n");
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
    put_style(t);
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

/* With all pictures, else with the first alone. The tape's errors are not for what a list can stand in for. */
static wg_status pictures_drawn(pictures *p, const char *name, wg_text *svg, wg_text *why)
{
    wg_tape *tape = svg->tape;
    wg_error_handler *handler = tape->handler;
    wg_status before = tape->status, status = WG_OK;
    tape->handler = NULL;
    for (bool again = true; again;) {
        wg_text dot = {.tape = tape};
        *svg = (wg_text){.tape = tape};
        for (int i = 0; i < p->n; i++)
            wg_write_dot(p->picture[i].d, &dot);
        status = dot.failed ? WG_ERROR_MEMORY : wg_graphviz(tape, name, &dot, "svg", PATIENCE, svg);
        again = status == WG_ERROR_UNSUPPORTED && p->n > 1;
        p->n = again ? 1 : p->n;
        wg_put(why, "%s", again || before ? "" : tape->message + strlen(name) + strlen(": "));
        if (!before)
            wg_clear_error(tape);
    }
    tape->handler = handler;
    return status;
}

wg_status wg_write_page(const wg_drawing *d, const char *name, wg_text *out)
{
    pictures p = {.picture = {{d, 0}}, .n = 1};
    wg_text svg = {.tape = d->tape}, json = {.tape = d->tape}, why = {.tape = d->tape};
    wg_status status = pictures_drawn(&p, name, &svg, &why);
    if (status && status != WG_ERROR_UNSUPPORTED)
        return wg_no_memory(d->tape, name, svg.room);
    wg_write_json(d, &json);
    put_head(out, d);
    if (status)
        put_list(out, d->facts, why.size ? why.data : "");
    else
        put_pictures(out, &p, svg.data);
    put_facts(out, &json);
    put_foot(out);
    out->failed |= svg.failed || json.failed || why.failed;
    return WG_OK;
}
