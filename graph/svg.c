/* SVG for charts: a page, words, lines, and where an axis has its marks. */
#include "graph/svg.h"

#include "graph/file.h"

/* ---- The page ---------------------------------------------------------------------------------------------------- */
/* Images inside cannot be of two palettes: made brighter, the light hues are about the dark ones. */
/* Graphviz sets the lines of an HTML-like label a little too high. */
void wg_svg_style(wg_text *svg)
{
    wg_put(svg,
           "<style>svg{max-width:100%%;height:auto}text{font-family:Helvetica,Arial,sans-serif}"
           ".node text{transform:translateY(1.4px)}@media(prefers-color-scheme:dark){image{filter:brightness(1.5)}");
    for (int i = 0; i < WG_COLORS; i++) {
        const char *light = wg_color_light((wg_color)i), *dark = wg_color_dark((wg_color)i);
        wg_put(svg, "[fill=\"%s\"]{fill:%s}[stroke=\"%s\"]{stroke:%s}", light, dark, light, dark);
    }
    wg_put(svg, "}</style>\n");
}

/* The font is an attribute too: some readers know no style sheets. */
void wg_svg_begin(wg_text *svg, wg_plain *plain, int width, int height, const char *title)
{
    svg->failed = !wg_plain_begin(plain);
    wg_put(svg,
           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
           "font-family=\"Helvetica,Arial,sans-serif\">\n<title>",
           width, height, width, height);
    wg_put_xml(svg, title);
    wg_put(svg, "</title>\n");
    wg_svg_style(svg);
    wg_put(svg, "<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", width, height, wg_color_light(WG_COLOR_page));
}

wg_status wg_svg_end(wg_text *svg, const wg_plain *plain, const char *name, const char *path)
{
    if (plain->plain)
        wg_plain_end(plain);
    wg_put(svg, "</svg>\n");
    if (svg->failed)
        return wg_no_memory(svg->tape, name, 2 * svg->room);
    return wg_file_write(svg->tape, name, path, svg->data, svg->size);
}

/* ---- Words and lines --------------------------------------------------------------------------------------------- */
void wg_svg_words(wg_text *svg, double x, double y, wg_words how, const char *words)
{
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    wg_put(svg, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" fill=\"%s\"%s%s", x, y, how.size > 0 ? how.size : 10,
           wg_color_light(how.color), anchors[how.anchor], how.bold ? " font-weight=\"bold\"" : "");
    if (how.upward)
        wg_put(svg, " transform=\"rotate(-90 %.1f %.1f)\"", x, y);
    wg_put(svg, ">");
    wg_put_xml(svg, words);
    wg_put(svg, "</text>\n");
}

static void put_stroke(wg_text *svg, wg_stroke stroke)
{
    wg_put(svg, " stroke=\"%s\" stroke-width=\"%g\"", wg_color_light(stroke.color), stroke.width);
    if (stroke.dash)
        wg_put(svg, " stroke-dasharray=\"%s\"", stroke.dash);
}

void wg_svg_line(wg_text *svg, double x1, double y1, double x2, double y2, wg_stroke stroke)
{
    wg_put(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"", x1, y1, x2, y2);
    put_stroke(svg, stroke);
    wg_put(svg, "/>\n");
}

void wg_svg_path_begin(wg_text *svg, wg_stroke stroke)
{
    wg_put(svg, "<path fill=\"none\" stroke-linejoin=\"round\"");
    put_stroke(svg, stroke);
    wg_put(svg, " d=\"");
}

void wg_svg_path_end(wg_text *svg) { wg_put(svg, "\"/>\n"); }

void wg_svg_heading(wg_text *svg, double x, double end, const char *title, const char *note)
{
    if (title)
        wg_svg_words(svg, x, 22, (wg_words){.size = 13, .color = WG_COLOR_ink, .bold = true}, title);
    if (note)
        wg_svg_words(svg, end, 22, (wg_words){.size = 11, .color = WG_COLOR_muted, .anchor = WG_END}, note);
}

/* ---- Marks of an axis -------------------------------------------------------------------------------------------- */
double wg_tick_step(double low, double high, int most)
{
    double least = high / most - low / most, power = pow(10, floor(log10(least))), times = least / power;
    return (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10) * power;
}

char *wg_tick_text(double v, double step, char *out, size_t size)
{
    int digits = (int)-floor(log10(step) + 1e-9);
    if (fabs(v) >= 1e6 || (v != 0 && fabs(v) < 1e-4))
        snprintf(out, size, "%g", v);
    else
        snprintf(out, size, "%.*f", digits > 0 ? digits : 0, fabs(v) < step / 2 ? 0 : v);
    return out;
}
