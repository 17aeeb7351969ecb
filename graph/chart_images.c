/* Weights as images: a contact sheet on which zero is the page, positive is orange, negative blue, and one scale holds
 * for all of it. The sheet is one small palette image whose opacity is the magnitude. */
#include <stdlib.h>

#include "graph/file.h"
#include "graph/png.h"
#include "graph/svg.h"
#include "wengert/charts.h"

enum {
    LEFT = 24,
    TOP = 44,
    SIDE = 512,         /* pixels of the widest sheet */
    TALLEST = 560,      /* and of the tallest */
    LARGEST = 24,       /* pixels of an element */
    BELOW = 54,         /* for the scale */
    ELEMENTS = 1 << 18, /* that are drawn, at most */
    LEVELS = 16,        /* of opacity, for each sign */
    SAMPLE = 4096,      /* elements that tell where the scale ends; */
    FEW = 1000          /* of so few it is the last one */
};
enum { EMPTY, GAP, BAD, NEGATIVE, POSITIVE = NEGATIVE + LEVELS, COLORS = POSITIVE + LEVELS }; /* palette entries */

/* n images of height x width, and where their elements lie, in elements. */
typedef struct {
    int64_t n, height, width;
    int64_t step, down, right;
} images;

typedef struct {
    images of;
    wg_dtype dtype;
    const char *values;     /* row-major */
    int64_t block;          /* elements of an image that are one of the sheet, each way */
    int64_t shown, columns; /* images */
    int64_t high, wide;     /* the sheet, in its own pixels */
    double scale;           /* pixels of the picture for one of those */
    double greatest, most;  /* magnitudes: of all; where the scale ends */
    int64_t bad;            /* elements that are not finite */
    unsigned char *pixels;
} sheet;

/* ---- Which elements are an image --------------------------------------------------------------------------------- */
/* The side of a square that is no power of two: 784 is an image rather than a number of units, 256 is not. */
static int64_t side_of(int64_t n)
{
    int64_t side = (int64_t)sqrt((double)n);
    return n >= 49 && side * side == n && (n & (n - 1)) ? side : 0;
}

static int64_t product(const wg_type *t, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= t->dim[i];
    return n;
}

/* Matrices: columns are images where they have as many elements as one, else rows, else it is one image itself. */
static images of_matrix(const wg_type *t, int64_t height, int64_t width)
{
    int64_t rows = t->dim[0], columns = t->dim[1];
    if (!height) {
        height = side_of(rows) ? side_of(rows) : side_of(columns);
        width = height;
    }
    if (height && height * width == rows)
        return (images){columns, height, width, 1, width * columns, columns};
    if (height && height * width == columns)
        return (images){rows, height, width, columns, width, 1};
    return (images){1, rows, columns, 0, columns, 1};
}

/* n = 0: it cannot be images of that size. */
static images images_of(const wg_type *t, int64_t height, int64_t width)
{
    int64_t all = product(t, 0, t->rank);
    images of;
    if (t->rank < 2)
        of = height ? (images){all / (height * width), height, width, height * width, width, 1}
                    : (images){1, 1, all, 0, all, 1};
    else if (t->rank == 2)
        of = of_matrix(t, height, width);
    else if (height && (height != t->dim[t->rank - 2] || width != t->dim[t->rank - 1]))
        of = (images){all / (height * width), height, width, height * width, width, 1};
    else
        of = (images){product(t, 0, t->rank - 2),       t->dim[t->rank - 2], t->dim[t->rank - 1],
                      product(t, t->rank - 2, t->rank), t->dim[t->rank - 1], 1};
    if (of.n * of.height * of.width != all || (height && (of.height != height || of.width != width)))
        of.n = 0;
    return of;
}

/* ---- The sheet --------------------------------------------------------------------------------------------------- */
static double value_at(const sheet *s, int64_t image, int64_t y, int64_t x)
{
    int64_t at = image * s->of.step + y * s->of.down + x * s->of.right;
    return wg_load_number(s->dtype, s->values + (size_t)at * wg_dtype_size(s->dtype));
}

/* An image too large is shown by blocks: the side of a block. */
static int64_t block_of(const images *of)
{
    int64_t longest = of->height > of->width ? of->height : of->width;
    return (longest + SIDE - 2) / (SIDE - 1);
}

static int64_t smaller(int64_t n, int64_t block) { return (n + block - 1) / block; }

static double scale_of(const sheet *s, int64_t h, int64_t w, int64_t columns)
{
    double wide = (double)(columns * w + 1), high = (double)((s->shown + columns - 1) / columns * h + 1);
    double scale = fmin(LARGEST, fmin(SIDE / wide, TALLEST / high));
    return scale > 1 ? floor(scale) : scale;
}

/* As many columns as make the elements largest and, of those, the sheet about as wide as a page; those of a
 * convolution's input channels where they fit. */
static int64_t columns_of(const sheet *s, const wg_type *t, int64_t h, int64_t w)
{
    int64_t channels = t->rank == 4 && s->of.height == t->dim[2] ? t->dim[1] : 0, best = 1;
    double ideal = sqrt(1.8 * (double)(s->shown * h) / (double)w);
    if (channels > 1 && channels <= s->shown && scale_of(s, h, w, channels) >= 1)
        return channels;
    for (int64_t columns = 2; columns <= s->shown; columns++) {
        double gain = scale_of(s, h, w, columns) - scale_of(s, h, w, best);
        if (gain > 0 || (gain == 0 && fabs((double)columns - ideal) < fabs((double)best - ideal)))
            best = columns;
    }
    return best;
}

static void laid_out(sheet *s, const wg_type *t)
{
    s->block = block_of(&s->of);
    int64_t h = smaller(s->of.height, s->block) + 1, w = smaller(s->of.width, s->block) + 1, most = ELEMENTS / (h * w);
    s->shown = s->of.n < most ? s->of.n : most;
    s->columns = columns_of(s, t, h, w);
    s->wide = s->columns * w + 1;
    s->high = (s->shown + s->columns - 1) / s->columns * h + 1;
    s->scale = scale_of(s, h, w, s->columns);
}

/* Of a block, the element that is furthest from zero; one that is not finite before all others. */
static double extreme(const sheet *s, int64_t image, int64_t y, int64_t x)
{
    double value = 0;
    for (int64_t i = y * s->block; i < (y + 1) * s->block && i < s->of.height; i++)
        for (int64_t k = x * s->block; k < (x + 1) * s->block && k < s->of.width; k++) {
            double v = value_at(s, image, i, k);
            if (!isfinite(v))
                return v;
            value = fabs(v) > fabs(value) ? v : value;
        }
    return value;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The scale ends where one element in 200 is beyond it, of evenly chosen ones: a few large ones would leave the others
 * pale. */
static void measured(sheet *s)
{
    int64_t n = s->of.n * s->of.height * s->of.width, chosen = 0;
    double some[SAMPLE];
    for (int64_t i = 0, next = 0; i < n; i++) {
        double v = fabs(wg_load_number(s->dtype, s->values + (size_t)i * wg_dtype_size(s->dtype)));
        s->bad += !isfinite(v);
        s->greatest = isfinite(v) ? fmax(s->greatest, v) : s->greatest;
        if (i == next) {
            next = (int64_t)((double)n * (double)++chosen / SAMPLE);
            next = next > i ? next : i + 1;
            some[chosen - 1] = isfinite(v) ? v : 0;
        }
    }
    qsort(some, (size_t)chosen, sizeof *some, ascending);
    s->most = chosen < FEW ? s->greatest : some[chosen - 1 - chosen / 200];
    if (s->most <= 0)
        s->most = s->greatest;
}

static unsigned char entry_of(const sheet *s, double v)
{
    if (!isfinite(v))
        return BAD;
    int level = s->most > 0 ? (int)fmin(ceil(fabs(v) / s->most * LEVELS - 0.5), LEVELS) : 0;
    return (unsigned char)(level <= 0 ? EMPTY : (v < 0 ? NEGATIVE : POSITIVE) + level - 1);
}

/* An element of room between images. Where that is thin it is painted, else it stays empty, and lines are drawn. */
static bool gap_is_line(const sheet *s) { return s->scale < 4; }
/* What of the sheet is seen starts at the margin. */
static double start(const sheet *s, double margin) { return gap_is_line(s) ? margin : margin - s->scale; }

static void painted(const sheet *s)
{
    int64_t h = smaller(s->of.height, s->block), w = smaller(s->of.width, s->block);
    memset(s->pixels, EMPTY, (size_t)(s->high * s->wide));
    for (int64_t i = 0; i < s->shown; i++) {
        int64_t top = i / s->columns * (h + 1), left = i % s->columns * (w + 1);
        for (int64_t y = 0; y <= h + 1; y++)
            for (int64_t x = 0; x <= w + 1; x++) {
                bool gap = !y || !x || y > h || x > w;
                s->pixels[(top + y) * s->wide + left + x] =
                    gap ? gap_is_line(s) ? GAP : EMPTY : entry_of(s, extreme(s, i, y - 1, x - 1));
            }
    }
}

/* ---- Colour ------------------------------------------------------------------------------------------------------ */
static void color_put(unsigned char *entry, wg_color color, double opacity)
{
    unsigned long rgb = strtoul(wg_color_light(color) + 1, NULL, 16);
    for (int k = 0; k < 3; k++)
        entry[k] = (unsigned char)(rgb >> (16 - 8 * k));
    entry[3] = (unsigned char)(255 * opacity);
}

static void palette_filled(unsigned char palette[4 * COLORS])
{
    color_put(palette + 4 * EMPTY, WG_COLOR_page, 0);
    color_put(palette + 4 * GAP, WG_COLOR_line, 0.45);
    color_put(palette + 4 * BAD, WG_COLOR_bad_line, 1);
    for (int i = 0; i < LEVELS; i++) {
        color_put(palette + 4 * (NEGATIVE + i), WG_COLOR_input_line, (double)(i + 1) / LEVELS);
        color_put(palette + 4 * (POSITIVE + i), WG_COLOR_heat4, (double)(i + 1) / LEVELS);
    }
}

/* ---- The chart --------------------------------------------------------------------------------------------------- */
/* -0.31 ... 0 ... 0.31, with the colours above. */
static void put_scale(wg_text *svg, const sheet *s, double top)
{
    const wg_words middle = {.color = WG_COLOR_muted, .anchor = WG_MIDDLE};
    const double cell = 5;
    char text[32];
    if (s->most <= 0)
        return;
    for (int i = -LEVELS; i < LEVELS; i++)
        wg_put(svg, "<rect x=\"%g\" y=\"%.1f\" width=\"%g\" height=\"10\" fill=\"%s\" fill-opacity=\"%.3f\"/>\n",
               LEFT + cell * (i + LEVELS), top, cell, wg_color_light(i < 0 ? WG_COLOR_input_line : WG_COLOR_heat4),
               (double)(i < 0 ? -i : i + 1) / LEVELS);
    const char *least = s->greatest > s->most ? "\xe2\x89\xa4 " : "", *most = *least ? "\xe2\x89\xa5 " : "";
    snprintf(text, sizeof text, "%s\xe2\x88\x92%.3g", least, s->most);
    wg_svg_words(svg, LEFT, top + 22, (wg_words){.color = WG_COLOR_muted}, text);
    wg_svg_words(svg, LEFT + cell * LEVELS, top + 22, middle, "0");
    snprintf(text, sizeof text, "%s%.3g", most, s->most);
    wg_svg_words(svg, LEFT + 2 * cell * LEVELS, top + 22, (wg_words){.color = WG_COLOR_muted, .anchor = WG_END}, text);
}

/* A frame for each image. */
static void put_frames(wg_text *svg, const sheet *s)
{
    double h = s->scale * (double)smaller(s->of.height, s->block),
           w = s->scale * (double)smaller(s->of.width, s->block);
    wg_svg_path_begin(svg, (wg_stroke){WG_COLOR_scope_line, 1, NULL});
    for (int64_t i = 0; i < s->shown; i++)
        wg_put(svg, "M%.1f %.1fh%.1fv%.1fh%.1fz", LEFT + (double)(i % s->columns) * (w + s->scale),
               TOP + (double)(i / s->columns) * (h + s->scale), w, h, -w);
    wg_svg_path_end(svg);
}

/* "128 images of 28x28", "3000x2000". */
static char *form_text(const sheet *s, char *text, size_t size)
{
    char all[32];
    int n = s->of.n > 1 ? snprintf(text, size, "%s images of ", wg_count_text(s->of.n, all, sizeof all)) : 0;
    snprintf(text + n, size - (size_t)n, "%lld\xc3\x97%lld", (long long)s->of.height, (long long)s->of.width);
    return text;
}

/* What is not seen. */
static void put_note(wg_text *svg, const sheet *s, double y, double end)
{
    char text[96], some[32];
    const wg_words words = {.color = WG_COLOR_muted, .anchor = WG_END};
    if (s->block > 1)
        snprintf(text, sizeof text, "of %lld\xc3\x97%lld elements the furthest from 0", (long long)s->block,
                 (long long)s->block);
    else
        snprintf(text, sizeof text, "the first %s", wg_count_text(s->shown, some, sizeof some));
    if (s->block > 1 || s->shown < s->of.n)
        wg_svg_words(svg, end, y, words, text);
    if (s->bad) {
        snprintf(text, sizeof text, "%s not finite", wg_count_text(s->bad, some, sizeof some));
        wg_svg_words(svg, end, y + 14, (wg_words){.color = WG_COLOR_bad_line, .anchor = WG_END, .bold = true}, text);
    }
}

static wg_status put_svg(wg_text *svg, const sheet *s, const unsigned char *palette, const char *title,
                         const char *path)
{
    wg_plain plain;
    char form[96];
    double wide = s->scale * (double)s->wide, high = s->scale * (double)s->high, page = fmax(wide, 392);
    wg_svg_begin(svg, &plain, (int)ceil(page) + 2 * LEFT, TOP + (int)ceil(high) + BELOW, title);
    wg_svg_heading(svg, LEFT, LEFT + page, title, form_text(s, form, sizeof form));
    wg_put(svg,
           "<image x=\"%g\" y=\"%g\" width=\"%.1f\" height=\"%.1f\" preserveAspectRatio=\"none\"%s "
           "href=\"data:image/png;base64,",
           start(s, LEFT), start(s, TOP), wide, high, s->scale < 1 ? "" : " style=\"image-rendering:pixelated\"");
    if (!wg_put_png(svg, (int)s->wide, (int)s->high, s->pixels, palette, COLORS))
        svg->failed = true;
    wg_put(svg, "\"/>\n");
    if (!gap_is_line(s))
        put_frames(svg, s);
    put_scale(svg, s, start(s, TOP) + high + 16);
    put_note(svg, s, start(s, TOP) + high + 24, LEFT + page);
    return wg_svg_end(svg, &plain, "wg_plot_images", path);
}

/* Each of its pixels as a square of whole ones. */
static wg_status put_png(wg_text *png, const sheet *s, const unsigned char *palette, const char *path)
{
    int64_t k = s->scale > 1 ? (int64_t)s->scale : 1, wide = k * s->wide, high = k * s->high;
    unsigned char *pixels = wg_arena(png->tape, (size_t)(wide * high));
    for (int64_t i = 0; pixels && i < wide * high; i++)
        pixels[i] = s->pixels[i / wide / k * s->wide + i % wide / k];
    if (!pixels || !wg_png_bytes(png, (int)wide, (int)high, pixels, palette, COLORS))
        return wg_no_memory(png->tape, "wg_plot_images", (size_t)(wide * high));
    return wg_file_write(png->tape, "wg_plot_images", path, png->data, png->size);
}

static bool is_png(const char *path)
{
    size_t n = path ? strlen(path) : 0;
    return n > 4 && !strcmp(path + n - 4, ".png");
}

static wg_status plotted(wg_tensor w, const char *path, const wg_plot_images_options *o)
{
    wg_tape *tape = w.tape;
    wg_type type = wg_type_of(w);
    size_t bytes = (size_t)wg_size(w) * wg_dtype_size(type.dtype);
    char form[128];
    sheet s = {.of = images_of(&type, o->height, o->width), .dtype = type.dtype};
    wg_text text = {.tape = tape};
    unsigned char palette[4 * COLORS];
    if (!s.of.n) {
        wg_shape shape = wg_type_shape(&type);
        return wg_report(tape, "wg_plot_images", WG_ERROR_SHAPE, "%s is not images of [%lld, %lld]",
                         wg_shape_text(&shape, form, sizeof form), (long long)o->height, (long long)o->width);
    }
    void *values = wg_arena(tape, bytes);
    laid_out(&s, &type);
    s.pixels = wg_arena(tape, (size_t)(s.high * s.wide));
    if (!values || !s.pixels)
        return wg_no_memory(tape, "wg_plot_images", bytes);
    if (wg_copy_out(w, values))
        return tape->status;
    s.values = values;
    measured(&s);
    painted(&s);
    palette_filled(palette);
    return is_png(path) ? put_png(&text, &s, palette, path)
                        : put_svg(&text, &s, palette,
                                  o->title         ? o->title
                                  : *wg_name_of(w) ? wg_name_of(w)
                                                   : "images",
                                  path);
}

wg_status(wg_plot_images)(wg_tensor w, const char *path, wg_plot_images_options options)
{
    wg_tape *tape = w.tape;
    if (!tape || tape->status)
        return tape ? tape->status : WG_ERROR_VALUE;
    uint32_t held = wg_hold_place(tape);
    const wg_plot_images_options *o = &options;
    wg_short_mark before = wg_short_at(tape);
    wg_status status = WG_OK;
    if (!wg_node_of(w, "wg_plot_images"))
        status = tape->status;
    else if (!wg_size(w))
        status = wg_report(tape, "wg_plot_images", WG_ERROR_SHAPE, "there are no elements");
    else if (o->height < 0 || o->width < 0 || !o->height != !o->width || o->height > 65536 || o->width > 65536)
        status = wg_report(tape, "wg_plot_images", WG_ERROR_VALUE, "images of [%lld, %lld]", (long long)o->height,
                           (long long)o->width);
    else
        status = plotted(w, path, o);
    wg_short_back(tape, before);
    wg_let_go_place(tape, held);
    return status;
}
