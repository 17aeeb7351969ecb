/* Progress of a training loop. A line is made of pieces, of which a narrow terminal gets fewer; what it says of the
 * time to come is measured over the last quarter of the time that has passed. */
#include "wengert/progress.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "graph/plain.h"
#include "graph/text.h"

#define LIVE 0.1       /* seconds between two live lines */
#define HEARTBEAT 30.0 /* and between two plain ones within an epoch */

enum { MARKS = 32, LOSSES = 16, SPARKS = 8, CELLS = 24, LINE = 512 };

/* A moment: seconds since the start, samples since then. */
typedef struct {
    double time, samples;
} moment;

struct wg_progress {
    wg_tape *tape;
    FILE *file;
    wg_progress_kind kind;
    bool color, utf8, shown;               /* shown: a live line stands */
    int64_t epochs, samples, epoch, at;    /* at: samples of this epoch */
    double start, epoch_start, last, seen; /* seen: samples since the start */
    double loss, counted;                  /* sums over this epoch: losses by samples, samples */
    moment mark[MARKS];
    int marks;
    double mark_every;                   /* seconds */
    double slot[LOSSES], slot_n[LOSSES]; /* losses of the whole run, `per` steps a slot */
    int slots;
    int64_t per, steps;
};

/* ---- Making one -------------------------------------------------------------------------------------------------- */
static bool set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

/* As the locale's variables say; the program need not have called setlocale. */
static bool utf8_wanted(void)
{
    const char *name[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++)
        if (set(name[i])) {
            const char *value = getenv(name[i]);
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
        }
    return false;
}

static void progress_free(void *object)
{
    wg_progress *p = object;
    wg_tape_release(p->tape, p, sizeof *p);
}

wg_progress *(wg_progress_begin)(wg_tape *tape, int64_t epochs, int64_t samples, wg_progress_begin_options options)
{
    if (!tape || tape->status)
        return NULL;
    wg_progress *p = wg_tape_allocate(tape, sizeof *p);
    if (!p) {
        wg_no_memory(tape, "wg_progress_begin", sizeof *p);
        return NULL;
    }
    const char *term = getenv("TERM");
    FILE *file = options.file ? options.file : stderr;
    bool terminal = isatty(fileno(file)), able = terminal && !(term && !strcmp(term, "dumb")) && !set("CI");
    *p = (wg_progress){.tape = tape,
                       .file = file,
                       .kind = options.kind,
                       .utf8 = utf8_wanted(),
                       .epochs = epochs,
                       .samples = samples > 0 ? samples : 1,
                       .epoch = options.done,
                       .at = options.samples,
                       .per = 1};
    if (p->kind == WG_PROGRESS_AUTO)
        p->kind = able ? WG_PROGRESS_LIVE : WG_PROGRESS_PLAIN;
    p->color = options.color == WG_COLOR_ALWAYS || (options.color == WG_COLOR_AUTO && able && !getenv("NO_COLOR"));
    p->start = p->epoch_start = p->last = wg_seconds();
    p->marks = 1;
    p->mark_every = 0.25;
    return wg_tape_own(tape, p, progress_free) ? NULL : p;
}

/* ---- What is measured -------------------------------------------------------------------------------------------- */
/* Marks lie evenly over the whole time: when their table is full, every second one goes, and they come half as often.
 */
static void keep_mark(wg_progress *p, double time)
{
    if (time - p->mark[p->marks - 1].time < p->mark_every)
        return;
    if (p->marks == MARKS) {
        for (int i = 1; i < MARKS / 2; i++)
            p->mark[i] = p->mark[2 * i];
        p->marks = MARKS / 2;
        p->mark_every *= 2;
    }
    p->mark[p->marks++] = (moment){time, p->seen};
}

/* Samples a second over the last quarter of the time; 0: not known yet. */
static double rate(const wg_progress *p, double time)
{
    int i = p->marks - 1;
    while (i > 0 && p->mark[i].time > 0.75 * time)
        i--;
    double spent = time - p->mark[i].time;
    return spent > 0 ? (p->seen - p->mark[i].samples) / spent : 0;
}

/* The same for losses: two neighbouring slots become one. */
static void keep_loss(wg_progress *p, double loss)
{
    if (!isfinite(loss))
        return;
    if (p->steps++ % p->per == 0) {
        if (p->slots == LOSSES) {
            for (int i = 0; i < LOSSES / 2; i++) {
                p->slot[i] = p->slot[2 * i] + p->slot[2 * i + 1];
                p->slot_n[i] = p->slot_n[2 * i] + p->slot_n[2 * i + 1];
            }
            p->slots = LOSSES / 2;
            p->per *= 2;
        }
        p->slot[p->slots] = p->slot_n[p->slots] = 0;
        p->slots++;
    }
    p->slot[p->slots - 1] += loss;
    p->slot_n[p->slots - 1]++;
}

/* ---- Pieces of a line -------------------------------------------------------------------------------------------- */
typedef struct {
    char text[LINE];
    size_t used;
    int width; /* characters on the terminal */
} line;

static void put(line *l, int width, const char *format, ...) WG_PRINTF(3, 4);
/* width < 0: as many as there are bytes. */
static void put(line *l, int width, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    int n = vsnprintf(l->text + l->used, LINE - l->used, format, va);
    va_end(va);
    if (n < 0)
        return;
    l->width += width < 0 ? n : width;
    l->used = l->used + (size_t)n < LINE ? l->used + (size_t)n : LINE - 1;
}

/* As many digits as tell it from 0. */
static char *loss_text(double loss, char text[32])
{
    snprintf(text, 32, fabs(loss) < 1e-3 || fabs(loss) >= 1e5 ? "%.2e" : "%.4f", loss);
    return text;
}

static void put_color(line *l, const wg_progress *p, const char *code)
{
    if (p->color)
        put(l, 0, "\033[%sm", code);
}

/* What is done in blue, the rest dim; a half cell between them. */
static void put_bar(line *l, const wg_progress *p, double part)
{
    int halves = (int)(part * 2 * CELLS + 0.5);
    put(l, 1, " ");
    put_color(l, p, "34");
    for (int i = 0; i < halves / 2; i++)
        put(l, 1, p->utf8 ? "\xe2\x94\x81" : "#");
    if (halves % 2)
        put(l, 1, p->utf8 ? "\xe2\x95\xb8" : "-");
    put_color(l, p, "0;2");
    for (int i = (halves + 1) / 2; i < CELLS; i++)
        put(l, 1, p->utf8 ? "\xe2\x94\x80" : "-");
    put_color(l, p, "0");
}

/* The losses so far on a log scale, the highest as a full block. */
static void put_sparks(line *l, const wg_progress *p)
{
    static const char *const blocks[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
    static const char *const signs[] = {".", ".", "-", "-", "x", "x", "#", "#"};
    int n = p->slots < SPARKS ? p->slots : SPARKS;
    double v[SPARKS], low = (double)INFINITY, high = -(double)INFINITY;
    for (int i = 0; i < n; i++) {
        int k = (i + 1) * p->slots / n - 1;
        v[i] = log(fmax(p->slot[k] / p->slot_n[k], 1e-300));
        low = fmin(low, v[i]);
        high = fmax(high, v[i]);
    }
    put(l, 1, " ");
    for (int i = 0; i < n; i++) {
        int level = high > low ? (int)((v[i] - low) / (high - low) * 7 + 0.5) : 0;
        put(l, 1, "%s", (p->utf8 ? blocks : signs)[level]);
    }
}

static void put_rate(line *l, double samples)
{
    static const char *const units[] = {"", " k", " M", " G"};
    int unit = 0;
    while (samples >= 999.5 && unit < 3) {
        samples /= 1000;
        unit++;
    }
    put(l, -1, samples >= 99.5 ? "  %.0f%s/s" : "  %.3g%s/s", samples, units[unit]);
}

static void put_time(line *l, double seconds)
{
    long long whole = (long long)(seconds + 0.5);
    if (whole >= 3600)
        put(l, -1, "  ETA %lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        put(l, -1, "  ETA %lld:%02lld", whole / 60, whole % 60);
}

/* ---- The line within an epoch ------------------------------------------------------------------------------------ */
typedef struct {
    bool bar, sparks, rate;
} pieces;

static line made(const wg_progress *p, pieces with, double time)
{
    line l = {.used = 0};
    char text[32];
    double part = fmin(1, (double)p->at / (double)p->samples), speed = rate(p, time);
    double left = (double)(p->epochs - p->epoch) * (double)p->samples - (double)p->at;
    put(&l, -1, "epoch %lld/%lld", (long long)p->epoch + 1, (long long)p->epochs);
    if (with.bar)
        put_bar(&l, p, part);
    put(&l, -1, with.bar ? " %2.0f %%" : "  %.0f %%", floor(100 * part));
    if (p->counted > 0)
        put(&l, -1, "  loss %s", loss_text(p->loss / p->counted, text));
    if (with.sparks && p->slots > 1)
        put_sparks(&l, p);
    if (with.rate && speed > 0)
        put_rate(&l, speed);
    if (speed > 0 && left > 0)
        put_time(&l, left / speed);
    return l;
}

static int columns(FILE *file)
{
    struct winsize size;
    if (!ioctl(fileno(file), TIOCGWINSZ, &size) && size.ws_col > 0)
        return size.ws_col;
    const char *given = getenv("COLUMNS");
    int n = given ? atoi(given) : 0;
    return n > 0 ? n : 80;
}

/* Narrow: first the rate goes, then the losses, then the bar; then there is no line. */
static void show_live(wg_progress *p, double time)
{
    static const pieces choices[] = {
        {true, true, true}, {true, true, false}, {true, false, false}, {false, false, false}};
    int room = columns(p->file) - 1; /* a line that fills the last column may wrap */
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        line l = made(p, choices[i], time);
        if (l.width <= room) {
            fprintf(p->file, "\r%s\033[K", l.text);
            fflush(p->file);
            p->shown = true;
            return;
        }
    }
}

void wg_progress_step(wg_progress *p, int64_t n, double loss)
{
    if (!p)
        return;
    double clock = wg_seconds(), time = clock - p->start;
    p->at += n;
    p->seen += (double)n;
    p->loss += loss * (double)n;
    p->counted += (double)n;
    keep_loss(p, loss);
    keep_mark(p, time);
    bool live = p->kind == WG_PROGRESS_LIVE;
    if ((!live && p->kind != WG_PROGRESS_PLAIN) || clock - p->last < (live ? LIVE : HEARTBEAT))
        return;
    p->last = clock;
    if (live) {
        show_live(p, time);
    } else {
        fprintf(p->file, "%s\n", made(p, (pieces){.rate = true}, time).text);
        fflush(p->file);
    }
}

/* ---- The line of an epoch ---------------------------------------------------------------------------------------- */
static void take_away(wg_progress *p)
{
    if (p->shown)
        fprintf(p->file, "\r\033[K");
    p->shown = false;
}

static void put_json(FILE *file, const char *name, double value)
{
    if (isfinite(value))
        fprintf(file, ", \"%s\": %.9g", name, value);
    else
        fprintf(file, ", \"%s\": null", name);
}

static void show_json(const wg_progress *p, const wg_progress_epoch_options *o, double seconds)
{
    wg_plain plain;
    if (!wg_plain_begin(&plain))
        return;
    fprintf(p->file, "{\"epoch\": %lld, \"epochs\": %lld", (long long)p->epoch + 1, (long long)p->epochs);
    put_json(p->file, "loss", o->loss);
    put_json(p->file, "accuracy", o->accuracy);
    put_json(p->file, "valid_loss", o->valid_loss);
    put_json(p->file, "valid_accuracy", o->valid_accuracy);
    put_json(p->file, "grad_norm", o->grad_norm);
    put_json(p->file, "seconds", seconds);
    fprintf(p->file, "}\n");
    wg_plain_end(&plain);
}

typedef struct {
    bool accuracy, valid_accuracy, grad, seconds;
} facts;

static line epoch_line(const wg_progress *p, const wg_progress_epoch_options *o, double seconds, facts with)
{
    line l = {.used = 0};
    char text[32];
    put(&l, -1, "epoch %lld/%lld", (long long)p->epoch + 1, (long long)p->epochs);
    if (o->loss == o->loss)
        put(&l, -1, "  loss %s", loss_text(o->loss, text));
    if (o->accuracy == o->accuracy && with.accuracy)
        put(&l, -1, "  accuracy %.2f %%", 100 * o->accuracy);
    if (o->valid_loss == o->valid_loss)
        put(&l, -1, "  valid %s", loss_text(o->valid_loss, text));
    if (o->valid_accuracy == o->valid_accuracy && with.valid_accuracy)
        put(&l, -1, o->valid_loss == o->valid_loss ? "  %.2f %%" : "  valid %.2f %%", 100 * o->valid_accuracy);
    if (o->grad_norm == o->grad_norm && with.grad)
        put(&l, -1, "  grad %.3g", o->grad_norm);
    if (with.seconds)
        put(&l, -1, "  %.1f s", seconds);
    return l;
}

/* Files get all of it. A narrow terminal first does without the gradient, then the time, then accuracies. */
static void show_plain(const wg_progress *p, const wg_progress_epoch_options *o, double seconds)
{
    static const facts choices[] = {{true, true, true, true},
                                    {true, true, false, true},
                                    {true, true, false, false},
                                    {false, true, false, false},
                                    {false, false, false, false}};
    const size_t n = sizeof choices / sizeof *choices;
    int room = p->kind == WG_PROGRESS_LIVE ? columns(p->file) : INT_MAX;
    line l = {.used = 0};
    for (size_t i = 0; i < n && (!i || l.width > room); i++)
        l = epoch_line(p, o, seconds, choices[i]);
    fprintf(p->file, "%s\n", l.text);
}

void(wg_progress_epoch)(wg_progress *p, wg_progress_epoch_options options)
{
    if (!p)
        return;
    double clock = wg_seconds(), seconds = clock - p->epoch_start;
    if (options.loss != options.loss && p->counted > 0)
        options.loss = p->loss / p->counted;
    take_away(p);
    if (p->kind == WG_PROGRESS_JSON)
        show_json(p, &options, seconds);
    else if (p->kind != WG_PROGRESS_NONE)
        show_plain(p, &options, seconds);
    fflush(p->file);
    p->epoch++;
    p->at = 0;
    p->loss = p->counted = 0;
    p->epoch_start = clock;
    if (p->kind == WG_PROGRESS_PLAIN)
        p->last = clock;
}

void wg_progress_end(wg_progress *p)
{
    if (!p)
        return;
    take_away(p);
    fflush(p->file);
}
