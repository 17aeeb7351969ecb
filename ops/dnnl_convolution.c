/* float32 convolutions through oneDNN. Images go through it a few at a time: they are brought into the layout its
 * kernels like, worked on while the cache holds them, and brought back. What oneDNN makes for a shape, code included,
 * is kept by the tape. */
#include "core/tape.h"
#include "ops/convolve.h"

#ifdef WG_WITH_ONEDNN
#include <oneapi/dnnl/dnnl.h>

#define LEAST 1e7     /* multiply-adds that are worth the way there and back */
#define PART_WORK 4e6 /* of a part: a few images */
#define MOST_SUMS 8   /* parts with gradients of w of their own */
#define MOST_TEAMS 16
#define MOST_PLANS 64 /* shapes kept at a time */

enum { X, W, Y, ARRAYS };

/* What each map calls the arrays, and which one it writes. */
static const struct {
    int argument[ARRAYS], written;
} maps[] = {
    [WG_CONVOLVE_FORWARD] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}, Y},
    [WG_CONVOLVE_BACK_X] = {{DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}, X},
    [WG_CONVOLVE_BACK_W] = {{DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}, W},
};

/* What a thread works with: handles of arrays, as they lie and as they are liked. */
typedef struct {
    dnnl_stream_t stream;
    dnnl_memory_t plain[ARRAYS], liked[ARRAYS], bias, scratch;
} team;

/* One map of so many images. Without `run`, oneDNN does not do it. */
typedef struct plan {
    struct plan *next;
    wg_convolution v;
    wg_convolve_map map;
    bool biased;
    dnnl_engine_t engine;
    dnnl_primitive_t run, reorder[ARRAYS]; /* to the liked layout, or back; NULL: it is liked as it lies */
    dnnl_memory_desc_t plain[ARRAYS], liked[ARRAYS], bias, scratch;
    size_t bytes[ARRAYS], scratch_bytes; /* of the liked arrays that are not the plain ones */
    int teams;
    team team[MOST_TEAMS];
} plan;

typedef struct {
    wg_tape *tape;
    dnnl_engine_t engine;
    plan *first;
    int plans;
} library;

/* ---- Plans ------------------------------------------------------------------------------------------------------- */
static void team_free(const team *t)
{
    for (int i = 0; i < ARRAYS; i++) {
        dnnl_memory_destroy(t->plain[i]);
        dnnl_memory_destroy(t->liked[i]);
    }
    dnnl_memory_destroy(t->bias);
    dnnl_memory_destroy(t->scratch);
    dnnl_stream_destroy(t->stream);
}

static void plans_free(library *l)
{
    for (plan *p = l->first, *next; p; p = next) {
        next = p->next;
        for (int k = 0; k < p->teams; k++)
            team_free(&p->team[k]);
        dnnl_primitive_destroy(p->run);
        for (int i = 0; i < ARRAYS; i++)
            dnnl_primitive_destroy(p->reorder[i]);
        wg_tape_release(l->tape, p, sizeof *p);
    }
    l->first = NULL;
    l->plans = 0;
}

static void library_free(void *object)
{
    library *l = object;
    plans_free(l);
    dnnl_engine_destroy(l->engine);
    wg_tape_release(l->tape, l, sizeof *l);
}

static library *library_of(wg_tape *tape)
{
    library *l = wg_tape_owned(tape, library_free);
    if (l || !(l = wg_tape_allocate(tape, sizeof *l)))
        return l;
    l->tape = tape;
    if (dnnl_engine_create(&l->engine, dnnl_cpu, 0)) {
        wg_tape_release(tape, l, sizeof *l);
        return NULL;
    }
    return wg_tape_own(tape, l, library_free) ? NULL : l;
}

static bool array_described(plan *p, int i, int rank, const dnnl_dims_t dims)
{
    static const dnnl_format_tag_t as_it_lies[] = {[4] = dnnl_abcd, [5] = dnnl_abcde, [6] = dnnl_abcdef};
    return !dnnl_memory_desc_init_by_tag(&p->plain[i], rank, dims, dnnl_f32, as_it_lies[rank]) &&
           !dnnl_memory_desc_init_by_tag(&p->liked[i], rank, dims, dnnl_f32, dnnl_format_tag_any);
}

/* Two spatial axes, or three where the first is one. */
static int spatial_axes(const wg_convolution *v)
{
    return v->size[0] == 1 && v->kernel[0] == 1 && v->result[0] == 1 ? 2 : 3;
}

static bool arrays_described(plan *p)
{
    const wg_convolution *v = &p->v;
    int axes = spatial_axes(v), of_w = 0;
    dnnl_dims_t x = {v->n, v->groups * v->in}, y = {v->n, v->groups * v->out}, w = {0}, channels = {v->groups * v->out};
    if (v->groups > 1)
        w[of_w++] = v->groups;
    w[of_w++] = v->groups > 1 ? v->out : v->groups * v->out;
    w[of_w++] = v->in;
    for (int i = 0; i < axes; i++) {
        x[2 + i] = v->size[3 - axes + i];
        y[2 + i] = v->result[3 - axes + i];
        w[of_w++] = v->kernel[3 - axes + i];
    }
    return array_described(p, X, axes + 2, x) && array_described(p, Y, axes + 2, y) && array_described(p, W, of_w, w) &&
           !dnnl_memory_desc_init_by_tag(&p->bias, 1, channels, dnnl_f32, dnnl_a);
}

/* The primitive's description; a backward one is made beside the forward one. */
static bool map_described(plan *p, dnnl_primitive_desc_t *how)
{
    const wg_convolution *v = &p->v;
    const dnnl_memory_desc_t *a = p->liked, *bias = p->biased ? &p->bias : NULL;
    int axes = spatial_axes(v);
    dnnl_dims_t stride = {0}, gap = {0}, padding = {0};
    for (int i = 0; i < axes; i++) {
        stride[i] = v->stride[3 - axes + i];
        gap[i] = v->dilation[3 - axes + i] - 1;
        padding[i] = v->padding[3 - axes + i];
    }
    dnnl_convolution_desc_t forward, back;
    dnnl_primitive_desc_t ahead = NULL;
    dnnl_primitive_attr_t attr = NULL;
    bool made = !dnnl_primitive_attr_create(&attr) &&
                !dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) &&
                !dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct,
                                                            &a[X], &a[W], bias, &a[Y], stride, gap, padding, padding) &&
                !dnnl_primitive_desc_create(&ahead, &forward, attr, p->engine, NULL);
    if (made && p->map != WG_CONVOLVE_FORWARD) {
        made = p->map == WG_CONVOLVE_BACK_X
                   ? !dnnl_dilated_convolution_backward_data_desc_init(&back, dnnl_convolution_direct, &a[X], &a[W],
                                                                       &a[Y], stride, gap, padding, padding)
                   : !dnnl_dilated_convolution_backward_weights_desc_init(&back, dnnl_convolution_direct, &a[X], &a[W],
                                                                          NULL, &a[Y], stride, gap, padding, padding);
        made = made && !dnnl_primitive_desc_create(how, &back, attr, p->engine, ahead);
        dnnl_primitive_desc_destroy(ahead);
    } else if (made) {
        *how = ahead;
    }
    dnnl_primitive_attr_destroy(attr);
    return made;
}

static bool reorder_made(plan *p, int i)
{
    bool written = i == maps[p->map].written;
    const dnnl_memory_desc_t *from = written ? &p->liked[i] : &p->plain[i], *to = written ? &p->plain[i] : &p->liked[i];
    dnnl_primitive_desc_t how;
    if (dnnl_memory_desc_equal(from, to))
        return true;
    p->bytes[i] = (dnnl_memory_desc_get_size(&p->liked[i]) + WG_ALIGN - 1) / WG_ALIGN * WG_ALIGN;
    if (dnnl_reorder_primitive_desc_create(&how, from, p->engine, to, p->engine, NULL))
        return false;
    bool made = !dnnl_primitive_create(&p->reorder[i], how);
    dnnl_primitive_desc_destroy(how);
    return made;
}

static void plan_made(plan *p)
{
    dnnl_primitive_desc_t how;
    if (!arrays_described(p) || !map_described(p, &how))
        return;
    bool made = true;
    for (int i = 0; i < ARRAYS; i++)
        p->liked[i] = *dnnl_primitive_desc_query_md(how, dnnl_query_exec_arg_md, maps[p->map].argument[i]);
    for (int i = 0; i < ARRAYS && made; i++)
        made = reorder_made(p, i);
    p->scratch = *dnnl_primitive_desc_query_md(how, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = (dnnl_memory_desc_get_size(&p->scratch) + WG_ALIGN - 1) / WG_ALIGN * WG_ALIGN;
    if (!made || dnnl_primitive_create(&p->run, how))
        p->run = NULL;
    dnnl_primitive_desc_destroy(how);
}

static bool same(const plan *p, const wg_convolution *v, wg_convolve_map map, bool biased)
{
    return !memcmp(&p->v, v, sizeof *v) && p->map == map && p->biased == biased;
}

static bool memory_made(dnnl_memory_t *memory, const dnnl_memory_desc_t *as, dnnl_engine_t engine)
{
    return !dnnl_memory_create(memory, as, engine, DNNL_MEMORY_NONE);
}

static bool team_made(const plan *p, team *t)
{
    bool made = !dnnl_stream_create(&t->stream, p->engine, dnnl_stream_default_flags);
    for (int i = 0; i < ARRAYS && made; i++)
        made = memory_made(&t->plain[i], &p->plain[i], p->engine) && memory_made(&t->liked[i], &p->liked[i], p->engine);
    return made && memory_made(&t->bias, &p->bias, p->engine) && memory_made(&t->scratch, &p->scratch, p->engine);
}

static plan *plan_of(wg_tape *tape, const wg_convolution *v, wg_convolve_map map, bool biased, int teams)
{
    library *l = library_of(tape);
    plan *p = l ? l->first : NULL;
    while (p && !same(p, v, map, biased))
        p = p->next;
    if (l && !p) {
        if (l->plans == MOST_PLANS)
            plans_free(l);
        if (!(p = wg_tape_allocate(tape, sizeof *p)))
            return NULL;
        *p = (plan){.next = l->first, .v = *v, .map = map, .biased = biased, .engine = l->engine};
        l->first = p;
        l->plans++;
        plan_made(p);
    }
    while (p && p->run && p->teams < teams)
        if (!team_made(p, &p->team[p->teams++])) /* counted all the same, so that it is freed */
            return NULL;
    return p && p->run ? p : NULL;
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */
typedef struct {
    const plan *p;
    int64_t parts;
    int teams;
    float *array[ARRAYS], *bias;
    size_t apart[ARRAYS]; /* elements from part to part */
    unsigned char *room, *w; /* a team's; w as it is liked, for all */
    size_t room_bytes;
    bool failed[MOST_TEAMS];
} work;

static bool reordered(const plan *p, const team *t, int i)
{
    bool written = i == maps[p->map].written;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, written ? t->liked[i] : t->plain[i]},
                                         {DNNL_ARG_TO, written ? t->plain[i] : t->liked[i]}};
    return !p->reorder[i] || !dnnl_primitive_execute(p->reorder[i], t->stream, 2, arguments);
}

static bool part_done(const work *k, const team *t, int64_t part)
{
    const plan *p = k->p;
    int written = maps[p->map].written;
    dnnl_exec_arg_t arguments[ARRAYS + 2] = {{DNNL_ARG_SCRATCHPAD, t->scratch}, {DNNL_ARG_BIAS, t->bias}};
    int n = p->biased ? 2 : 1;
    bool done = true;
    for (int i = 0; i < ARRAYS; i++) {
        float *at = k->array[i] + (size_t)part * k->apart[i];
        dnnl_memory_set_data_handle(t->plain[i], at);
        if (!p->reorder[i])
            dnnl_memory_set_data_handle(t->liked[i], at);
        arguments[n++] = (dnnl_exec_arg_t){maps[p->map].argument[i], t->liked[i]};
        done = done && (i == written || (i == W && k->w) || reordered(p, t, i));
    }
    return done && !dnnl_primitive_execute(p->run, t->stream, n, arguments) && reordered(p, t, written);
}

static void team_run(void *argument, int64_t number)
{
    work *k = argument;
    const plan *p = k->p;
    const team *t = &p->team[number];
    unsigned char *room = k->room + (size_t)number * k->room_bytes;
    dnnl_memory_set_data_handle(t->scratch, room);
    room += p->scratch_bytes;
    for (int i = 0; i < ARRAYS; i++) {
        dnnl_memory_set_data_handle(t->liked[i], i == W && k->w ? k->w : room);
        room += p->bytes[i];
    }
    dnnl_memory_set_data_handle(t->bias, k->bias);
    int threads = wg_dnnl_alone();
    for (int64_t part = k->parts * number / k->teams; part < k->parts * (number + 1) / k->teams; part++)
        k->failed[number] |= !part_done(k, t, part);
    wg_dnnl_restored(threads);
}

/* w in its liked layout, once for all parts. */
static bool weights_laid_out(work *k)
{
    const team *t = &k->p->team[0];
    dnnl_memory_set_data_handle(t->plain[W], k->array[W]);
    dnnl_memory_set_data_handle(t->liked[W], k->w);
    return reordered(k->p, t, W);
}

static double images_work(const wg_convolution *v)
{
    return (double)(v->groups * v->out * v->in) * (double)wg_volume(v->kernel) * (double)wg_volume(v->result);
}

/* Parts of equally many images, of which there are as many as divide them: no larger than need be. */
static int64_t images_of_part(const wg_convolution *v, wg_convolve_map map)
{
    int64_t least = (int64_t)(PART_WORK / images_work(v)) + 1;
    if (map == WG_CONVOLVE_BACK_W && least < (v->n + MOST_SUMS - 1) / MOST_SUMS)
        least = (v->n + MOST_SUMS - 1) / MOST_SUMS;
    int64_t images = least < v->n ? least : v->n;
    while (v->n % images)
        images++;
    return images;
}

static bool fits(const wg_convolution *v)
{
    for (int i = 0; i < 3; i++) {
        int64_t room = v->size[i] + 2 * v->padding[i] - v->dilation[i] * (v->kernel[i] - 1) - 1;
        if (room < 0 || room / v->stride[i] + 1 != v->result[i]) /* output_padding */
            return false;
    }
    return (double)v->n * images_work(v) >= LEAST && wg_dnnl_reach() >= wg_machine_reach();
}

static void add_channels(const wg_convolution *v, const float *bias, float *x)
{
    int64_t inner = wg_volume(v->size), channels = v->groups * v->in;
    for (int64_t i = 0; i < v->n * channels; i++)
        for (int64_t k = 0; k < inner; k++)
            x[i * inner + k] += bias[i % channels];
}

/* Parts' gradients of w, added in order. */
static void add_sums(int64_t parts, int64_t n, const float *from, float *to)
{
    memcpy(to, from, (size_t)n * sizeof *to);
    for (int64_t part = 1; part < parts; part++)
        for (int64_t i = 0; i < n; i++)
            to[i] += from[part * n + i];
}

wg_status wg_dnnl_convolve(const wg_call *c, const wg_convolution *v, wg_convolve_map map, const void *x, const void *w,
                           const void *y, const void *bias)
{
    if (c->dtype != WG_FLOAT32 || !v->n || c->tape->buffer || !fits(v))
        return WG_ERROR_UNSUPPORTED;
    wg_convolution part = *v;
    part.n = images_of_part(v, map);
    work k = {.parts = v->n / part.n, .array = {(float *)(uintptr_t)x, (float *)(uintptr_t)w, (float *)(uintptr_t)y},
              .bias = (float *)(uintptr_t)bias};
    k.teams = c->tape->threads < MOST_TEAMS ? c->tape->threads : MOST_TEAMS;
    k.teams = k.parts < k.teams ? (int)k.parts : k.teams;
    int threads = wg_dnnl_alone();
    plan *p = plan_of(c->tape, &part, map, bias && map == WG_CONVOLVE_FORWARD, k.teams);
    wg_dnnl_restored(threads);
    if (!(k.p = p))
        return WG_ERROR_UNSUPPORTED;
    int64_t weights = v->groups * v->out * v->in * wg_volume(v->kernel);
    k.apart[X] = (size_t)(part.n * v->groups * v->in * wg_volume(v->size));
    k.apart[Y] = (size_t)(part.n * v->groups * v->out * wg_volume(v->result));
    k.room_bytes = p->scratch_bytes + p->bytes[X] + p->bytes[W] + p->bytes[Y] + WG_ALIGN;
    bool sums = map == WG_CONVOLVE_BACK_W && k.parts > 1, laid_out = map != WG_CONVOLVE_BACK_W && p->reorder[W];
    float *total = k.array[W];
    k.room = wg_scratch(c, (size_t)k.teams * k.room_bytes);
    k.w = laid_out ? wg_scratch(c, p->bytes[W]) : NULL;
    if (sums) {
        k.apart[W] = (size_t)weights;
        k.array[W] = wg_scratch(c, (size_t)(k.parts * weights) * sizeof(float));
    }
    if (!k.room || !k.array[W] || (laid_out && !k.w))
        return WG_ERROR_MEMORY;
    if (laid_out && !weights_laid_out(&k))
        return wg_fail(c, WG_ERROR_MEMORY, "oneDNN brought the weights into no other layout");
    wg_parallel(c->tape, k.teams, team_run, &k);
    for (int i = 0; i < k.teams; i++)
        if (k.failed[i])
            return wg_fail(c, WG_ERROR_MEMORY, "oneDNN did not run the convolution");
    if (sums)
        add_sums(k.parts, weights, k.array[W], total);
    if (bias && map == WG_CONVOLVE_BACK_X)
        add_channels(v, bias, k.array[X]);
    return WG_OK;
}

#else

wg_status wg_dnnl_convolve(const wg_call *c, const wg_convolution *v, wg_convolve_map map, const void *x, const void *w,
                           const void *y, const void *bias)
{
    (void)c, (void)v, (void)map, (void)x, (void)w, (void)y, (void)bias;
    return WG_ERROR_UNSUPPORTED;
}

#endif
