/* What a compiled function does, as a table, and where its time goes: a table and a picture. */
#include <errno.h>
#include <math.h>

#include "graph/plan.h"
#include "graph/svg.h"
#include "ops/backend.h"

enum { WHAT, SCOPE, OUTPUT, BYTES, FLOPS, TIME, SHARE, RATE, SPEED, COLUMNS };
enum { PLAIN_COLUMNS = TIME };

static const char *const headings[COLUMNS] = {"instruction", "scope", "result", "bytes",  "FLOPs",
                                              "time",        "share", "GB/s",   "GFLOP/s"};

typedef struct {
    char cell[COLUMNS][64];
} row;

/* ---- The machine ------------------------------------------------------------------------------------------------- */
typedef struct {
    double bandwidth, speed; /* bytes, floating-point operations a second */
} machine;

/* A copy of more than the caches hold, and a product of [768, 768] in float32; 0 where there is no memory for them. */
static machine machine_measured(wg_tape *tape)
{
    enum { SIDE = 768 };
    const size_t bytes = (size_t)64 << 20;
    machine m = {0, 0};
    wg_arena_mark before = wg_arena_at(tape);
    unsigned char *from = wg_arena_values(tape, bytes), *to = wg_arena_values(tape, bytes);
    wg_gemm product = {.dtype = WG_FLOAT32, .m = SIDE, .n = SIDE, .k = SIDE, .alpha = 1, .a = from, .lda = SIDE,
                       .b = from + sizeof(float) * SIDE * SIDE, .ldb = SIDE, .y = to, .ldy = SIDE};
    void *room = wg_arena_values(tape, wg_loops_room(&product));
    for (int i = 0; i < 4 && from && to && room; i++) {
        double start = wg_seconds();
        if (i)
            memcpy(to, from, bytes);
        else
            memset(from, 0, bytes);
        double copied = wg_seconds();
        wg_product_here(&product, room);
        double end = wg_seconds();
        if (!i)
            continue;
        m.bandwidth = fmax(m.bandwidth, 2 * (double)bytes / (copied - start));
        m.speed = fmax(m.speed, 2.0 * SIDE * SIDE * SIDE / (end - copied));
    }
    wg_arena_back(tape, before);
    return m;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */
static void row_filled(row *r, const wg_function *f, size_t i, double total)
{
    const wg_note *note = &f->note[i];
    for (int c = 0; c < COLUMNS; c++)
        snprintf(r->cell[c], sizeof r->cell[c], "-");
    snprintf(r->cell[WHAT], sizeof r->cell[WHAT], "%.60s", note->what);
    snprintf(r->cell[SCOPE], sizeof r->cell[SCOPE], "%.60s", note->scope);
    if (note->steps) {
        wg_form_text(&note->y, WG_FLOAT32, r->cell[OUTPUT], sizeof r->cell[OUTPUT]);
        wg_bytes_text(note->bytes, r->cell[BYTES], sizeof r->cell[BYTES]);
        if (note->flops >= 0)
            wg_flops_text(note->flops, r->cell[FLOPS], sizeof r->cell[FLOPS]);
    }
    if (!f->seconds)
        return;
    double seconds = f->seconds[i];
    wg_time_text(seconds, r->cell[TIME], sizeof r->cell[TIME]);
    snprintf(r->cell[SHARE], sizeof r->cell[SHARE], "%.1f %%", total > 0 ? 100 * seconds / total : 0);
    if (note->steps && seconds > 0)
        snprintf(r->cell[RATE], sizeof r->cell[RATE], "%.2f", note->bytes / seconds / 1e9);
    if (note->steps && note->flops >= 0 && seconds > 0)
        snprintf(r->cell[SPEED], sizeof r->cell[SPEED], "%.2f", note->flops / seconds / 1e9);
}

static void table_put(wg_text *text, const wg_function *f, double total)
{
    int columns = f->seconds ? COLUMNS : PLAIN_COLUMNS;
    row *rows = wg_arena(f->tape, (f->n_instructions + 1) * sizeof *rows);
    if (!rows) {
        text->failed = true;
        return;
    }
    for (int c = 0; c < COLUMNS; c++)
        snprintf(rows[0].cell[c], sizeof rows[0].cell[c], "%s", headings[c]);
    for (size_t i = 0; i < f->n_instructions; i++)
        row_filled(&rows[i + 1], f, i, total);
    size_t width[COLUMNS] = {0};
    for (int c = 0; c < columns; c++)
        for (size_t i = 0; i <= f->n_instructions; i++)
            width[c] = wg_text_width(rows[i].cell[c]) > width[c] ? wg_text_width(rows[i].cell[c]) : width[c];
    for (size_t i = 0; i <= f->n_instructions; i++)
        for (int c = 0; c < columns; c++)
            wg_put_cell(text, rows[i].cell[c], width[c], c >= BYTES, c == columns - 1);
}

static void summary_put(wg_text *text, const wg_function *f)
{
    char bytes[32];
    uint32_t steps = 0;
    for (size_t i = 0; i < f->n_instructions; i++)
        steps += f->note[i].steps;
    wg_put(text, "%zu instruction%s for %u recorded operation%s, %s held\n", f->n_instructions,
           f->n_instructions == 1 ? "" : "s", (unsigned)steps, steps == 1 ? "" : "s",
           wg_bytes_text((double)f->bytes, bytes, sizeof bytes));
}

static wg_status text_printed(wg_tape *tape, const char *name, const wg_text *text, FILE *file)
{
    if (text->failed)
        return wg_no_memory(tape, name, text->size);
    if (fwrite(text->data, 1, text->size, file) == text->size && !fflush(file))
        return WG_OK;
    return wg_report(tape, name, WG_ERROR_FILE, "the table cannot be written: %s", strerror(errno));
}

wg_status wg_function_print(const wg_function *f, FILE *file)
{
    if (!f)
        return WG_ERROR_VALUE;
    if (!file)
        return wg_report(f->tape, "wg_function_print", WG_ERROR_VALUE, "the file is NULL");
    wg_arena_mark before = wg_arena_at(f->tape);
    wg_text text = {.tape = f->tape};
    table_put(&text, f, 0);
    summary_put(&text, f);
    wg_status status = text_printed(f->tape, "wg_function_print", &text, file);
    wg_arena_back(f->tape, before);
    return status;
}

/* ---- The picture ------------------------------------------------------------------------------------------------- */
enum { WIDTH = 820, LEFT = 20, TOP = 44, BAR = 22, MOST_DEPTH = 12 };

/* The part of a scope's path down to `depth` names; its length. 0: it is not so deep. */
static size_t path_part(const char *path, int depth)
{
    size_t at = 0;
    for (int level = 0; path[at]; level++) {
        while (path[at] && path[at] != '.')
            at++;
        while (path[at] == '.' && path[at + 1] >= '0' && path[at + 1] <= '9') /* "block.3" is one name */
            for (at++; path[at] && path[at] != '.';)
                at++;
        if (level == depth)
            return at;
        at += path[at] == '.';
    }
    return 0;
}

static void bar_put(wg_text *svg, double x, double width, int y, wg_color fill, wg_color line, const char *label,
                    const char *tip)
{
    if (width < 0.3)
        return;
    wg_put(svg, "<g><title>");
    wg_put_xml(svg, tip);
    wg_put(svg, "</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\" stroke=\"%s\"/>", x, y,
           width, BAR - 2, wg_color_light(fill), wg_color_light(line));
    size_t fits = (size_t)(width / 6);
    char text[128];
    if (fits >= 3) {
        snprintf(text, sizeof text, "%.*s", (int)(fits < sizeof text ? fits : sizeof text - 1), label);
        wg_svg_words(svg, x + 4, y + 14, (wg_words){.color = WG_COLOR_ink}, text);
    }
    wg_put(svg, "</g>\n");
}

/* Neighbouring instructions of one scope are one bar. */
static void scopes_put(wg_text *svg, const wg_function *f, int depth, double scale)
{
    double x = LEFT;
    for (size_t i = 0, end; i < f->n_instructions; i = end) {
        const char *path = f->note[i].scope;
        size_t length = path_part(path, depth);
        double seconds = 0;
        for (end = i; end < f->n_instructions && path_part(f->note[end].scope, depth) == length &&
                      !strncmp(f->note[end].scope, path, length); end++)
            seconds += f->seconds[end];
        char name[128], time[32], tip[192];
        snprintf(name, sizeof name, "%.*s", (int)(length < 100 ? length : 100), path);
        snprintf(tip, sizeof tip, "%s: %s", name, wg_time_text(seconds, time, sizeof time));
        if (length)
            bar_put(svg, x, seconds * scale, TOP + BAR * (depth + 1), WG_COLOR_scope, WG_COLOR_scope_line, name, tip);
        x += seconds * scale;
    }
}

static void instructions_put(wg_text *svg, const wg_function *f, int y, double scale, double total)
{
    double x = LEFT;
    for (size_t i = 0; i < f->n_instructions; i++) {
        char time[32], tip[256];
        double seconds = f->seconds[i];
        snprintf(tip, sizeof tip, "%s: %s, %.1f %%", f->note[i].what, wg_time_text(seconds, time, sizeof time),
                 100 * seconds / total);
        bar_put(svg, x, seconds * scale, y, WG_COLOR_input, WG_COLOR_input_line, f->note[i].what, tip);
        x += seconds * scale;
    }
}

static wg_status picture_written(const wg_function *f, double total, const char *path)
{
    wg_arena_mark before = wg_arena_at(f->tape);
    wg_text svg = {.tape = f->tape};
    wg_plain plain;
    int depth = 0;
    for (size_t i = 0; i < f->n_instructions; i++)
        while (depth < MOST_DEPTH && path_part(f->note[i].scope, depth))
            depth++;
    double scale = (WIDTH - 2.0 * LEFT) / total;
    char time[32], note[96];
    snprintf(note, sizeof note, "one run: %s", wg_time_text(total, time, sizeof time));
    wg_svg_begin(&svg, &plain, WIDTH, TOP + BAR * (depth + 2) + 16, "where the time goes");
    wg_svg_heading(&svg, LEFT, WIDTH - LEFT, "where the time goes", note);
    bar_put(&svg, LEFT, WIDTH - 2.0 * LEFT, TOP, WG_COLOR_loss, WG_COLOR_loss_line, "the function", note);
    for (int d = 0; d < depth; d++)
        scopes_put(&svg, f, d, scale);
    instructions_put(&svg, f, TOP + BAR * (depth + 1), scale, total);
    wg_status status = wg_svg_end(&svg, &plain, "wg_profile", path);
    wg_arena_back(f->tape, before);
    return status;
}

/* ---- A profile --------------------------------------------------------------------------------------------------- */
static wg_status runs_timed(wg_function *f, const wg_profile_options *o)
{
    for (size_t i = 0; i < f->n_instructions; i++)
        f->seconds[i] = INFINITY;
    wg_status status = WG_OK;
    double *seconds = f->seconds;
    for (int i = -1; i < o->runs && !status; i++) {
        f->seconds = i < 0 ? NULL : seconds;
        status = (wg_function_run)(f, o->in, o->out);
    }
    f->seconds = seconds;
    for (size_t i = 0; i < f->n_instructions && !status; i++)
        f->note[i].seconds = seconds[i];
    return status;
}

static wg_status profile_printed(const wg_function *f, FILE *file, const char *svg)
{
    double total = 0;
    for (size_t i = 0; i < f->n_instructions; i++)
        total += f->seconds[i];
    machine m = machine_measured(f->tape);
    char time[32];
    wg_text text = {.tape = f->tape};
    table_put(&text, f, total);
    summary_put(&text, f);
    wg_put(&text, "one run: %s; here a copy moves %.1f GB/s, a float32 product does %.0f GFLOP/s\n",
           wg_time_text(total, time, sizeof time), m.bandwidth / 1e9, m.speed / 1e9);
    wg_status status = text_printed(f->tape, "wg_profile", &text, file);
    return status || !svg ? status : picture_written(f, total > 0 ? total : 1, svg);
}

wg_status (wg_profile)(wg_function *f, FILE *file, wg_profile_options options)
{
    if (!f)
        return WG_ERROR_VALUE;
    wg_tape *tape = f->tape;
    if (tape->status)
        return tape->status;
    if (!file || options.runs < 1)
        return wg_report(tape, "wg_profile", WG_ERROR_VALUE, file ? "%d runs" : "the file is NULL", options.runs);
    wg_arena_mark before = wg_arena_at(tape);
    f->seconds = wg_arena(tape, (f->n_instructions + 1) * sizeof *f->seconds);
    wg_status status = f->seconds ? runs_timed(f, &options)
                                  : wg_no_memory(tape, "wg_profile", f->n_instructions * sizeof *f->seconds);
    if (!status)
        status = profile_printed(f, file, options.svg);
    f->seconds = NULL;
    wg_arena_back(tape, before);
    wg_forget_place(tape);
    return status;
}
