/* The sweep of a failed gradient check: two curves over the step h, on logarithmic axes. */
#include "graph/svg.h"
#include "wengert/check.h"

enum { WIDTH = 560, HEIGHT = 340, LEFT = 64, RIGHT = 430, TOP = 44, BOTTOM = 290 };

static const wg_stroke analytic_line = {WG_COLOR_heat4, 2, NULL}, numeric_line = {WG_COLOR_input_line, 2, "5 3"};
static const wg_stroke grid_line = {WG_COLOR_scope_line, 1, NULL}, plateau_line = {WG_COLOR_muted, 1, "2 3"};

/* Decimal logarithms at the ends of the axes. */
typedef struct {
    const wg_check_report *report;
    double h_low, h_high, low, high;
} sweep_chart;

static double across(const sweep_chart *s, double h)
{
    return LEFT + (RIGHT - LEFT) * (s->h_high - log10(h)) / (s->h_high - s->h_low);
}

static double height(const sweep_chart *s, double off)
{
    double level = fmin(fmax(log10(off), s->low), s->high);
    return BOTTOM - (BOTTOM - TOP) * (level - s->low) / (s->high - s->low);
}

/* Sixteen digits below the derivative there is only rounding. */
static void scaled(sweep_chart *s)
{
    const wg_check_report *r = s->report;
    const wg_check_input *in = &r->input[r->swept];
    double size = fmax(fabs(in->analytic), fabs(in->numeric)), most = size;
    for (int i = 0; i < r->steps; i++)
        if (isfinite(r->sweep[i].difference))
            most = fmax(most, fabs(r->sweep[i].difference - in->numeric));
    size = size > 0 && isfinite(size) ? size : 1;
    s->high = ceil(log10(isfinite(most) && most > 0 ? most : 1));
    s->low = floor(log10(size)) - 13;
    s->h_high = ceil(log10(r->sweep[0].h));
    s->h_low = floor(log10(r->sweep[r->steps - 1].h));
}

static void put_axes(wg_text *svg, const sweep_chart *s)
{
    char text[32];
    for (double power = s->low; power <= s->high; power += fmax(1, floor((s->high - s->low) / 7))) {
        double y = height(s, pow(10, power));
        wg_svg_line(svg, LEFT, y, RIGHT, y, grid_line);
        snprintf(text, sizeof text, "1e%g", power);
        wg_svg_words(svg, LEFT - 8, y + 3.6, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, text);
    }
    for (double power = s->h_high; power >= s->h_low; power -= 2) {
        snprintf(text, sizeof text, "1e%g", power);
        wg_svg_words(svg, across(s, pow(10, power)), BOTTOM + 16,
                     (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE}, text);
    }
    wg_svg_words(svg, (LEFT + RIGHT) / 2.0, HEIGHT - 14, (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE},
                 "step h");
    wg_svg_words(svg, 14, (TOP + BOTTOM) / 2.0,
                 (wg_words){.color = WG_COLOR_muted, .anchor = WG_MIDDLE, .upward = true},
                 "distance of the central difference");
}

/* Returns where it ends. */
static double put_curve(wg_text *svg, const sweep_chart *s, double from, wg_stroke stroke)
{
    bool open = false;
    double end = BOTTOM;
    wg_svg_path_begin(svg, stroke);
    for (int i = 0; i < s->report->steps; i++) {
        const wg_check_step *step = &s->report->sweep[i];
        double off = fabs(step->difference - from);
        if (isfinite(off)) {
            end = height(s, off > 0 ? off : 1e-300);
            wg_put(svg, "%c%.1f %.1f", open ? 'L' : 'M', across(s, step->h), end);
        }
        open = isfinite(off);
    }
    wg_svg_path_end(svg);
    return end;
}

static void put_chart(wg_text *svg, const sweep_chart *s)
{
    const wg_check_input *in = &s->report->input[s->report->swept];
    char title[128], value[64];
    double off = fabs(in->analytic - in->numeric);
    snprintf(title, sizeof title, "%s, %s %lld", in->name, in->directions ? "direction" : "element",
             (long long)in->element);
    wg_svg_heading(svg, LEFT, WIDTH - 12, title, s->report->blame[0] ? "a derivative is wrong" : NULL);
    put_axes(svg, s);
    double plateau = isfinite(off) && off > 0 ? height(s, off) : BOTTOM;
    wg_svg_line(svg, LEFT, plateau, RIGHT, plateau, plateau_line);
    double above = put_curve(svg, s, in->analytic, analytic_line), below = put_curve(svg, s, in->numeric, numeric_line);
    if (below - above < 30)
        below = above + 30;
    snprintf(value, sizeof value, "%.6g", in->analytic);
    wg_svg_words(svg, RIGHT + 6, above - 4, (wg_words){.size = 11, .color = WG_COLOR_heat4, .bold = true},
                 "from analytic");
    wg_svg_words(svg, RIGHT + 6, above + 9, (wg_words){.size = 11, .color = WG_COLOR_heat4}, value);
    snprintf(value, sizeof value, "%.6g", in->numeric);
    wg_svg_words(svg, RIGHT + 6, below - 4, (wg_words){.size = 11, .color = WG_COLOR_input_line, .bold = true},
                 "from numeric");
    wg_svg_words(svg, RIGHT + 6, below + 9, (wg_words){.size = 11, .color = WG_COLOR_input_line}, value);
}

wg_status (wg_check_svg)(wg_tape *tape, const wg_check_report *report, const char *path)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (tape->status)
        return tape->status;
    if (!report || report->steps < 2)
        return wg_report(tape, "wg_check_svg", WG_ERROR_VALUE,
                         report ? "no input failed: there is no sweep" : "the report is NULL");
    wg_short_mark before = wg_short_at(tape);
    wg_plain plain;
    wg_text svg = {.tape = tape};
    sweep_chart s = {.report = report};
    scaled(&s);
    wg_svg_begin(&svg, &plain, WIDTH, HEIGHT, "central differences against their step");
    put_chart(&svg, &s);
    wg_status status = wg_svg_end(&svg, &plain, "wg_check_svg", path);
    wg_short_back(tape, before);
    wg_forget_place(tape);
    return status;
}
