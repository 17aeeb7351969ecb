/* SVG for charts: a page, text, lines. */
#include "graph/svg.h"

void wg_svg_style(wg_text *svg)
{
    wg_put(svg, "<style>svg{max-width:100%%;height:auto}text{font-family:Helvetica,Arial,sans-serif}"
                "@media(prefers-color-scheme:dark){");
    for (int i = 0; i < WG_COLORS; i++) {
        const char *light = wg_color_light((wg_color)i), *dark = wg_color_dark((wg_color)i);
        wg_put(svg, "[fill=\"%s\"]{fill:%s}[stroke=\"%s\"]{stroke:%s}", light, dark, light, dark);
    }
    wg_put(svg, "}</style>\n");
}

void wg_svg_begin(wg_text *svg, int width, int height, const char *title)
{
    wg_put(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>", width,
           height, width, height);
    wg_put_xml(svg, title);
    wg_put(svg, "</title>\n");
    wg_svg_style(svg);
    wg_put(svg, "<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", width, height, wg_color_light(WG_COLOR_page));
}

void wg_svg_end(wg_text *svg) { wg_put(svg, "</svg>\n"); }

void wg_svg_text(wg_text *svg, double x, double y, const char *words, double size, wg_color color, wg_anchor anchor, bool bold)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    wg_put(svg, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" fill=\"%s\" text-anchor=\"%s\"%s>", x, y, size,
           wg_color_light(color), anchors[anchor], bold ? " font-weight=\"bold\"" : "");
    wg_put_xml(svg, words);
    wg_put(svg, "</text>\n");
}

void wg_svg_line(wg_text *svg, double x1, double y1, double x2, double y2, wg_color color, double width, const char *dash)
{
    wg_put(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%g\"%s%s%s/>\n", x1, y1, x2,
           y2, wg_color_light(color), width, dash ? " stroke-dasharray=\"" : "", dash ? dash : "", dash ? "\"" : "");
}
