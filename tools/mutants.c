/* `wengert check --mutate`: who tests the tester? A mutant is a copy of an entry whose chain rule, backward or forward,
 * gives what the sound one gives, spoiled in one way; on one of its samples the gradient check has to fail, or the jvp
 * not to be the vjp's transpose. Where on no sample the spoiled derivative differs from the sound one, the mutant is an
 * equivalent one, and the table says so. */
#include "mutants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_call.h"

#define SAME 1e-13 /* relatively: no other gradient */

/* ---- What goes wrong --------------------------------------------------------------------------------------------- */
typedef wg_tensor spoil(const wg_call *c, const wg_op *sound);

typedef struct {
    const char *name, *means;
    spoil *gives;
    bool (*fits)(const wg_op *op); /* is there such a thing to break? NULL: always */
    const char *when_equal;        /* where it changes no gradient all the same */
} mutation;

typedef struct {
    wg_op op; /* first: a rule finds the mutant by its call's entry */
    const wg_op *sound;
    const mutation *how;
    bool is_forward;
} mutant;

/* The sound cotangent of operand `which` at operands `in`: recorded once more, although a plain backward pass is under
 * way, which records nothing. */
static wg_tensor sound_at(const wg_call *c, const wg_op *sound, const wg_tensor *in, const wg_tensor *g, int which)
{
    wg_tensor out[OUTPUTS], d = WG_NONE;
    int n = c->n_out < OUTPUTS ? c->n_out : OUTPUTS;
    wg_no_grad_end(c->tape);
    if (!wg_record_on(c->tape, sound, c->options, in, c->n_in, out, n))
        wg_vjp(out, g, n, &in[which], 1, &d);
    wg_no_grad_begin(c->tape);
    return d;
}

static wg_tensor sound_of(const wg_call *c, const wg_op *sound) { return sound_at(c, sound, c->in, c->g, c->which); }

static wg_tensor sign_flipped(const wg_call *c, const wg_op *sound) { return wg_negative(sound_of(c, sound)); }
static wg_tensor scaled(const wg_call *c, const wg_op *sound) { return wg_multiply(1.001, sound_of(c, sound)); }
static wg_tensor shifted(const wg_call *c, const wg_op *sound) { return wg_add(1e-6, sound_of(c, sound)); }
static wg_tensor nothing(const wg_call *c, const wg_op *sound) { return wg_multiply(0, sound_of(c, sound)); }
static wg_tensor rounded(const wg_call *c, const wg_op *sound)
{
    return wg_cast(wg_cast(sound_of(c, sound), .dtype = WG_FLOAT32), .dtype = WG_FLOAT64);
}
static wg_tensor transposed(const wg_call *c, const wg_op *sound)
{
    wg_tensor d = sound_of(c, sound);
    return wg_shape_of(d).rank < 2 ? d : wg_reshape(wg_matrix_transpose(d), wg_shape_of(d));
}

/* Of an operand that broadcasts: its first copy's share alone. */
static wg_tensor not_summed(const wg_call *c, const wg_op *sound)
{
    wg_tensor in[WG_SAMPLE_OPERANDS];
    wg_shape x = wg_shape_of(c->in[c->which]), y = wg_type_shape(&c->y[0]);
    if (!c->op->map || c->n_in > WG_SAMPLE_OPERANDS || wg_size(c->in[c->which]) == wg_type_count(&c->y[0]))
        return sound_of(c, sound);
    memcpy(in, c->in, (size_t)c->n_in * sizeof *in);
    in[c->which] = wg_contiguous(wg_broadcast_to(in[c->which], y));
    wg_tensor d = sound_at(c, sound, in, c->g, c->which);
    for (int axis = 0; axis < y.rank; axis++) {
        int own = axis - (y.rank - x.rank);
        if (own < 0 || x.dim[own] != y.dim[axis])
            d = wg_narrow(d, axis, 0, 1);
    }
    return wg_reshape(d, x);
}

/* Of an operation that reads by index: the last share of each element alone. */
static wg_tensor overwritten(const wg_call *c, const wg_op *sound)
{
    bool indexed = false;
    for (int i = 0; i < c->n_in; i++)
        indexed |= !wg_is_none(c->in[i]) && wg_is_integer(wg_type_of(c->in[i]).dtype);
    int64_t n = wg_type_count(&c->y[0]);
    wg_tensor d = sound_of(c, sound), last = wg_multiply(0, d);
    if (!indexed || wg_is_none(c->g[0]) || c->n_out > OUTPUTS)
        return d;
    for (int64_t i = 0; i < n; i++) {
        wg_tensor g[OUTPUTS], one = wg_one_hot(wg_full(c->tape, WG_INT64, WG_SCALAR, (double)i), n);
        for (int k = 0; k < c->n_out; k++)
            g[k] = WG_NONE;
        g[0] = wg_multiply(c->g[0], wg_reshape(wg_cast(one, .dtype = WG_FLOAT64), wg_type_shape(&c->y[0])));
        wg_tensor part = sound_at(c, sound, c->in, g, c->which);
        last = wg_where(wg_equal(part, 0), last, part);
    }
    return last;
}

/* The rule reads its operand after that has changed; the kink is moved by as much. */
static wg_tensor moved_by(const wg_call *c, const wg_op *sound, double times, double by)
{
    wg_tensor in[WG_SAMPLE_OPERANDS];
    if (c->n_in > WG_SAMPLE_OPERANDS)
        return sound_of(c, sound);
    memcpy(in, c->in, (size_t)c->n_in * sizeof *in);
    in[c->which] = wg_add(wg_multiply(in[c->which], times), by);
    return sound_at(c, sound, in, c->g, c->which);
}
static wg_tensor changed(const wg_call *c, const wg_op *sound) { return moved_by(c, sound, 1 + 0x1p-10, 0); }
static wg_tensor kink_moved(const wg_call *c, const wg_op *sound)
{
    return sound->kinks.n ? moved_by(c, sound, 1, -1) : sound_of(c, sound);
}

/* What belongs to the next operand of the same shape. */
static wg_tensor swapped(const wg_call *c, const wg_op *sound)
{
    for (int k = 1; k < c->n_in; k++) {
        int other = (c->which + k) % c->n_in;
        if (wg_is_none(c->in[other]) || (other < WG_MAX_OPERANDS && sound->in[other].flags & WG_NO_GRADIENT))
            continue;
        wg_type a = wg_type_of(c->in[c->which]), b = wg_type_of(c->in[other]);
        if (wg_type_equal(&a, &b))
            return sound_at(c, sound, c->in, c->g, other);
    }
    return sound_of(c, sound);
}

/* The local derivative is taken to be 1. */
static wg_tensor dropped(const wg_call *c, const wg_op *sound)
{
    wg_type x = wg_type_of(c->in[c->which]);
    return wg_is_none(c->g[0]) || !wg_type_equal(&x, &c->y[0]) ? sound_of(c, sound) : wg_multiply(1, c->g[0]);
}

/* ---- What goes wrong forward ------------------------------------------------------------------------------------- */
/* The sound tangent of output c->which at operands `in`, which move by t. */
static wg_tensor pushed_at(const wg_call *c, const wg_op *sound, const wg_tensor *in, const wg_tensor *t)
{
    wg_tensor out[OUTPUTS], x[WG_SAMPLE_OPERANDS], tangents[WG_SAMPLE_OPERANDS], pushed = WG_NONE;
    int n = 0, n_out = c->n_out < OUTPUTS ? c->n_out : OUTPUTS;
    for (int i = 0; i < c->n_in && i < WG_SAMPLE_OPERANDS; i++)
        if (!wg_is_none(t[i])) {
            x[n] = in[i];
            tangents[n++] = t[i];
        }
    if (c->which < n_out && !wg_record_on(c->tape, sound, c->options, in, c->n_in, out, n_out))
        wg_jvp(&out[c->which], 1, x, tangents, n, &pushed);
    return pushed;
}
static wg_tensor pushed(const wg_call *c, const wg_op *sound) { return pushed_at(c, sound, c->in, c->t); }

static wg_tensor push_flipped(const wg_call *c, const wg_op *sound) { return wg_negative(pushed(c, sound)); }
static wg_tensor push_scaled(const wg_call *c, const wg_op *sound) { return wg_multiply(1.001, pushed(c, sound)); }
static wg_tensor push_shifted(const wg_call *c, const wg_op *sound) { return wg_add(1e-6, pushed(c, sound)); }
static wg_tensor push_nothing(const wg_call *c, const wg_op *sound) { return wg_multiply(0, pushed(c, sound)); }
static wg_tensor push_rounded(const wg_call *c, const wg_op *sound)
{
    return wg_cast(wg_cast(pushed(c, sound), .dtype = WG_FLOAT32), .dtype = wg_type_of(c->out[c->which]).dtype);
}
static wg_tensor push_transposed(const wg_call *c, const wg_op *sound)
{
    wg_tensor t = pushed(c, sound);
    return wg_shape_of(t).rank < 2 ? t : wg_reshape(wg_matrix_transpose(t), wg_shape_of(t));
}

static bool is_moved(const wg_call *c, int i) { return i < WG_SAMPLE_OPERANDS && !wg_is_none(c->t[i]); }

/* All operands have grown by the time the rule reads them. */
static wg_tensor push_stale(const wg_call *c, const wg_op *sound)
{
    wg_tensor in[WG_SAMPLE_OPERANDS];
    if (c->n_in > WG_SAMPLE_OPERANDS)
        return pushed(c, sound);
    for (int i = 0; i < c->n_in; i++)
        in[i] = is_moved(c, i) ? wg_multiply(c->in[i], 1 + 0x1p-10) : c->in[i];
    return pushed_at(c, sound, in, c->t);
}

/* The share of the last operand that moves is forgotten. */
static wg_tensor push_forgotten(const wg_call *c, const wg_op *sound)
{
    wg_tensor t[WG_SAMPLE_OPERANDS];
    int last = -1, n = c->n_in < WG_SAMPLE_OPERANDS ? c->n_in : WG_SAMPLE_OPERANDS, moving = 0;
    for (int i = 0; i < n; i++)
        if (is_moved(c, i)) {
            last = i;
            moving++;
        }
    if (moving < 2 || c->n_in > WG_SAMPLE_OPERANDS)
        return pushed(c, sound);
    memcpy(t, c->t, (size_t)n * sizeof *t);
    t[last] = WG_NONE;
    return pushed_at(c, sound, c->in, t);
}

/* Two operands of one shape move as the other does. */
static wg_tensor push_swapped(const wg_call *c, const wg_op *sound)
{
    wg_tensor t[WG_SAMPLE_OPERANDS];
    if (c->n_in > WG_SAMPLE_OPERANDS)
        return pushed(c, sound);
    memcpy(t, c->t, (size_t)c->n_in * sizeof *t);
    for (int i = 0; i < c->n_in; i++)
        for (int k = i + 1; k < c->n_in; k++)
            if (is_moved(c, i) && is_moved(c, k)) {
                wg_type a = wg_type_of(t[i]), b = wg_type_of(t[k]);
                if (wg_type_equal(&a, &b)) {
                    t[i] = c->t[k];
                    t[k] = c->t[i];
                    return pushed_at(c, sound, c->in, t);
                }
            }
    return pushed(c, sound);
}

/* The local derivative is taken to be 1. */
static wg_tensor push_dropped(const wg_call *c, const wg_op *sound)
{
    wg_type y = wg_type_of(c->out[c->which]);
    for (int i = 0; i < c->n_in; i++)
        if (is_moved(c, i)) {
            wg_type t = wg_type_of(c->t[i]);
            return wg_type_equal(&t, &y) ? wg_multiply(1, c->t[i]) : pushed(c, sound);
        }
    return pushed(c, sound);
}

/* ---- The mutations ----------------------------------------------------------------------------------------------- */
static bool is_elementwise(const wg_op *op) { return op->map; }
static bool is_indexed(const wg_op *op)
{
    bool is = false;
    for (int i = 0; i < WG_MAX_OPERANDS && op->in[i].name; i++)
        is |= (op->in[i].flags & WG_INTEGER) != 0;
    return is;
}
static bool is_nonlinear(const wg_op *op) { return !op->linear && !op->view; }
static bool has_kinks(const wg_op *op) { return op->kinks.n; }
static bool has_several_operands(const wg_op *op) { return op->in[1].name; }

static const mutation backward[] = {
    {"sign", "the sign is flipped", sign_flipped, NULL, "the derivative is 0"},
    {"1.001", "times 1.001", scaled, NULL, "the derivative is 0"},
    {"1e-6", "1e-6 is added", shifted, NULL, ""},
    {"zeros", "zeros are given", nothing, NULL, "the derivative is 0"},
    {"float32", "computed in float32", rounded, NULL, "float32 holds the derivative: it is 0"},
    {"transposed", "the last two axes are swapped", transposed, NULL,
     "the derivative is 0 or the same everywhere, or has no two axes longer than 1"},
    {"unsummed", "a broadcast axis is not summed: its first share alone", not_summed, is_elementwise,
     "its samples do not broadcast: it has one operand, or is made of equal shapes"},
    {"overwritten", "duplicate indices overwrite instead of adding up", overwritten, is_indexed,
     "the indices are labels or places that read each element once"},
    {"stale", "the operand is read after it has grown by a thousandth", changed, is_nonlinear,
     "the derivative by an operand does not depend on that operand, or only in pieces, or only on its direction"},
    {"kink", "the kink is moved by 1", kink_moved, has_kinks,
     "the slope is the same on both sides of the kink, or no sample lies between"},
    {"swapped", "what belongs to the next operand of the same shape", swapped, has_several_operands,
     "no other operand has the shape and a derivative, or both have the same one"},
    {"factor", "the local derivative is left out", dropped, NULL, "it is 1, or operand and result differ in shape"},
};
static const mutation forward[] = {
    {"sign", "the sign is flipped", push_flipped, NULL, "the derivative is 0"},
    {"1.001", "times 1.001", push_scaled, NULL, "the derivative is 0"},
    {"1e-6", "1e-6 is added", push_shifted, NULL, ""},
    {"zeros", "zeros are given", push_nothing, NULL, "the derivative is 0"},
    {"float32", "computed in float32", push_rounded, NULL, "float32 holds the derivative: it is 0"},
    {"transposed", "the last two axes are swapped", push_transposed, NULL,
     "the derivative is 0, or no result has two axes longer than 1"},
    {"stale", "the operands are read after they have grown by a thousandth", push_stale, is_nonlinear,
     "the derivative does not depend on the operands, or only in pieces, or only on their directions"},
    {"forgotten", "the last operand's share is left out", push_forgotten, has_several_operands,
     "one operand moves, or the last one changes nothing"},
    {"swapped", "two operands of one shape have each other's tangents", push_swapped, has_several_operands,
     "no two operands with a derivative have one shape, or both have the same derivative"},
    {"factor", "the first operand's tangent is passed on", push_dropped, NULL,
     "the derivative is 1, or operand and result differ in shape"},
};

/* Of one direction. */
typedef struct {
    const char *title;
    const mutation *list;
    int n;
    bool forward;
} mutations;

static const mutations directions[] = {
    {"The chain rule backward", backward, (int)(sizeof backward / sizeof *backward), false},
    {"The chain rule forward", forward, (int)(sizeof forward / sizeof *forward), true},
};
#define DIRECTIONS (int)(sizeof directions / sizeof *directions)
#define MOST_MUTATIONS 16

/* ---- Mutants ----------------------------------------------------------------------------------------------------- */
static wg_tensor spoiled(const wg_call *c, wg_tensor g)
{
    const mutant *m = (const void *)c->op;
    (void)g;
    return m->how->gives(c, m->sound);
}

static wg_tensor spoiled_forward(const wg_call *c)
{
    const mutant *m = (const void *)c->op;
    return m->how->gives(c, m->sound);
}

static void mutant_make(mutant *m, const wg_op *sound, const mutation *how, bool is_forward)
{
    *m = (mutant){.op = *sound, .sound = sound, .how = how, .is_forward = is_forward};
    if (is_forward) {
        m->op.jvp = spoiled_forward;
        m->op.push = NULL;
        return;
    }
    for (int i = 0; i < WG_MAX_OPERANDS && sound->in[i].name; i++)
        if (sound->vjp[i] || sound->pull || (sound->map && i < 3 && sound->map->slope[i]))
            m->op.vjp[i] = spoiled;
    m->op.pull = NULL;
    m->op.share = NULL;
    m->op.jvp = NULL; /* it would be asked for what is no longer shared */
}

/* Are the n tensors others than those? */
static bool others(const wg_tensor *sound, const wg_tensor *other, int n)
{
    double size = 0, off = 0;
    for (int j = 0; j < n; j++)
        for (int64_t i = 0; i < wg_size(sound[j]); i++) {
            double a = wg_element(sound[j], i), b = wg_element(other[j], i);
            size = fmax(size, fabs(a));
            off = fmax(off, fabs(a - b));
        }
    return off > SAME * size;
}

/* Does the mutant give another derivative on this sample? */
static bool differs(call *c, const mutant *m)
{
    wg_tensor sound[WG_SAMPLE_OPERANDS + OUTPUTS], other[WG_SAMPLE_OPERANDS + OUTPUTS], out[OUTPUTS];
    if (wg_sample_record(c->tape, &m->op, &c->sample, out, OUTPUTS))
        return false;
    if (m->is_forward)
        return !wg_jvp(c->out, c->n_out, c->x, c->t, c->n_x, sound) &&
               !wg_jvp(out, c->n_out, c->x, c->t, c->n_x, other) && others(sound, other, c->n_out);
    return !wg_vjp(c->out, c->g, c->n_out, c->x, c->n_x, sound) && !wg_vjp(out, c->g, c->n_out, c->x, c->n_x, other) &&
           others(sound, other, c->n_x);
}

typedef enum { EQUIVALENT, CAUGHT, PASSED, ABSENT, FATES } fate;

/* Backward: does a check of an output fail? */
static bool is_caught_backward(call *c)
{
    bool caught = false;
    for (c->output = 0; c->output < c->n_out && !caught; c->output++)
        caught = !wg_is_none(c->g[c->output]) && wg_size(c->out[c->output]) &&
                 wg_check_grad(call_again, c->x, c->n_x, .user = c, .seed = c->seed).failed;
    return caught;
}

/* Forward: is it not the transpose of the sound one backward? */
static bool is_caught_forward(call *c)
{
    double out, in;
    return wg_sample_record(c->tape, c->op, &c->sample, c->out, OUTPUTS) || !call_transposes(c, &out, &in);
}

/* 0-d results are left to the other samples: theirs is a path of their own, which asks the kernel and not the rule. */
static fate fate_on(const mutant *m, const char *text, uint64_t seed)
{
    fate found = EQUIVALENT;
    call c = {.tape = wg_tape_new(), .op = m->sound, .text = text, .seed = seed};
    if (c.tape && call_make(&c) && c.n_x && wg_shape_of(c.out[0]).rank && differs(&c, m)) {
        c.op = &m->op;
        found = (m->is_forward ? is_caught_forward : is_caught_backward)(&c) ? CAUGHT : PASSED;
    }
    wg_tape_free(c.tape);
    return found;
}

/* Two seeds: one may draw a mask that is all true. */
static fate fate_of(const wg_op *sound, const mutation *how, bool is_forward, uint64_t seed)
{
    mutant m;
    bool passed = false;
    if (how->fits && !how->fits(sound))
        return ABSENT;
    mutant_make(&m, sound, how, is_forward);
    for (uint64_t s = seed; s < seed + 2; s++)
        for (size_t i = 0; i < sizeof sound->samples / sizeof *sound->samples && sound->samples[i]; i++) {
            fate found = fate_on(&m, sound->samples[i], s);
            if (found == CAUGHT)
                return CAUGHT;
            passed |= found == PASSED;
        }
    return passed ? PASSED : EQUIVALENT;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */
static bool is_mutable(const wg_op *op)
{
    bool any = op->pull != NULL;
    for (int i = 0; i < WG_MAX_OPERANDS; i++)
        any |= op->vjp[i] || (op->map && i < 3 && op->map->slope[i]);
    return any && !op->random && !op->surrogate && !op->output_gradient_free && op->samples[0];
}

static void put_head(const mutations *all)
{
    printf("\n## %s\n\n| operation |", all->title);
    for (int k = 0; k < all->n; k++)
        printf(" %s |", all->list[k].name);
    printf("\n| --- |");
    for (int k = 0; k < all->n; k++)
        printf(" --- |");
    printf("\n");
}

/* The fates, an operation a row. */
typedef struct {
    const char *name;
    fate of[MOST_MUTATIONS];
} row;

static int count_of(const row *rows, int n, int k, fate which)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += rows[i].of[k] == which;
    return count;
}

static void put_foot(const mutations *all, const row *rows, int n)
{
    int caught = 0, passed = 0;
    printf("\n| mutation | what it does | caught | equal | passed |\n| --- | --- | --- | --- | --- |\n");
    for (int k = 0; k < all->n; k++) {
        printf("| %s | %s | %d | %d | %d |\n", all->list[k].name, all->list[k].means, count_of(rows, n, k, CAUGHT),
               count_of(rows, n, k, EQUIVALENT), count_of(rows, n, k, PASSED));
        caught += count_of(rows, n, k, CAUGHT);
        passed += count_of(rows, n, k, PASSED);
    }
    printf("\n%d operations, %d mutants that change the derivative: %d caught, %d not.\n\nEqual ones:\n", n,
           caught + passed, caught, passed);
    for (int k = 0; k < all->n; k++) {
        if (!count_of(rows, n, k, EQUIVALENT))
            continue;
        printf("\n**%s**: %s:", all->list[k].name, all->list[k].when_equal);
        for (int i = 0; i < n; i++)
            if (rows[i].of[k] == EQUIVALENT)
                printf(" `%s`", rows[i].name);
        printf("\n");
    }
}

static int check_row(const mutations *all, row *r, const wg_op *op, uint64_t seed)
{
    static const char *const words[FATES] = {"=", "x", "**passed**", "."};
    int passed = 0;
    r->name = op->name;
    printf("| %s |", op->name);
    for (int k = 0; k < all->n; k++) {
        r->of[k] = fate_of(op, &all->list[k], all->forward, seed);
        passed += r->of[k] == PASSED;
        printf(" %s |", words[r->of[k]]);
    }
    printf("\n");
    fflush(stdout);
    return passed;
}

int check_mutants(bool (*asked)(void *user, const char *family, const wg_op *op), void *user, uint64_t seed)
{
    int passed = 0, most = 0;
    for (int f = 0; wg_op_family(f); f++)
        most += wg_op_family(f)->n;
    row *rows = calloc((size_t)most + 1, sizeof *rows);
    if (!rows)
        return 1;
    printf("# Mutants\n\nMade by `wengert check --mutate`. Each derivative rule is broken in one way at a time, and on "
           "one of "
           "the operation's\nsamples the gradient check has to fail, or the forward rule not to be the transpose of "
           "the backward "
           "one. `x`: it does. `=`: on\nno sample does the broken rule give another derivative. `.`: there is nothing "
           "of the kind "
           "to break. **passed**: it was not\nnoticed.\n");
    for (int d = 0; d < DIRECTIONS; d++) {
        int n = 0;
        put_head(&directions[d]);
        for (int f = 0; wg_op_family(f); f++)
            for (int i = 0; i < wg_op_family(f)->n; i++)
                if (is_mutable(wg_op_family(f)->op[i]) && asked(user, wg_op_family(f)->name, wg_op_family(f)->op[i]))
                    passed += check_row(&directions[d], &rows[n++], wg_op_family(f)->op[i], seed);
        put_foot(&directions[d], rows, n);
    }
    free(rows);
    return passed;
}
