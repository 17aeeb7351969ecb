/* `wengert check`: the derivatives of operations against numerical ones and against each other, on every sample call of
 * their entries. */
#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wengert.h>

#include "check_call.h"
#include "check_object.h"
#include "arguments.h"
#include "command.h"
#include "mutants.h"
#include "nearest.h"

#define CLOSE_SECOND 1e-8 /* two ways to a second derivative, whose parts cancel, relatively */
#define UNSTEADY 16       /* or by so many times what a few last digits of the operands change of it */

typedef struct {
    const char **names, *family;
    int n_names;
    uint64_t seed, seeds; /* the first; how many */
    bool json, mutate;
    const char *svg; /* a file for a check's sweep over the step */
} asked;

#define ORACLES 3
/* As wg_oracle numbers them */
static const char *const oracles[ORACLES] = {"Ridders", "double-double", "complex step"};

/* What became of an operation's samples. */
typedef struct {
    int samples, checked, failed;
    int64_t by[ORACLES]; /* derivatives confirmed, by where the numerical one is from */
    wg_check_input worst[WG_SAMPLE_OPERANDS]; /* of all samples, by operand */
    const char *svg; /* where a sweep is to be drawn; NULL: nowhere */
    enum { NOTHING, ONE_THAT_HOLDS, ONE_THAT_FAILS } drawn;
    char *why; /* of those that failed: a line and more each */
    size_t size;
    FILE *to;
} outcome;

static const char *const verdicts[] = {[WG_CHECK_PASSED] = "ok", [WG_CHECK_FAILED] = "FAILED",
                                       [WG_CHECK_UNCHECKED] = "not checked"};

/* How far off a derivative is, relatively where it is above 1. */
static double off_by(const wg_check_input *in)
{
    return fabs(in->analytic - in->numeric) / fmax(fabs(in->numeric), 1);
}

/* One that does not hold is further than any that does. */
static double distance(const wg_check_input *in)
{
    double off = off_by(in);
    return (in->verdict != WG_CHECK_PASSED ? 1e300 : 0) + (isfinite(off) ? fmin(off, 1e299) : 1e299);
}

static void worst_noted(const call *c, const wg_check_report *report, outcome *o)
{
    for (int i = 0; i < report->n && i < c->n_x; i++) {
        wg_check_input *worst = &o->worst[c->at[i]];
        if (report->input[i].checked && (!worst->checked || distance(&report->input[i]) > distance(worst)))
            *worst = report->input[i];
    }
}

/* The first sweep, until that of a failed check takes its place. */
static void sweep_drawn(const call *c, const wg_check_report *report, outcome *o)
{
    if (!o->svg || *report->message || !report->steps || o->drawn > (report->failed ? ONE_THAT_HOLDS : NOTHING))
        return;
    o->drawn = report->failed ? ONE_THAT_FAILS : ONE_THAT_HOLDS;
    if (wg_check_svg(c->tape, report, o->svg))
        fprintf(stderr, "wengert check: %s\n", wg_error(c->tape));
}

/* ---- What is checked --------------------------------------------------------------------------------------------- */
/* The vjp against numerical derivatives. */
static bool vjp_holds(call *c, outcome *o)
{
    bool any = false, fine = true;
    for (int j = 0; j < c->n_x; j++)
        any |= wg_size(c->x[j]) > 0;
    for (c->output = 0; c->output < c->n_out && any && !c->op->surrogate; c->output++) {
        if (wg_is_none(c->g[c->output]) || !wg_size(c->out[c->output]))
            continue;
        wg_check_report report =
            wg_check_grad(call_again, c->x, c->n_x, .user = c, .seed = c->seed, .sweep = o->svg != NULL);
        worst_noted(c, &report, o);
        sweep_drawn(c, &report, o);
        for (int i = 0; i < report.n; i++) {
            o->by[WG_ORACLE_DOUBLE_DOUBLE] += report.input[i].precise;
            o->by[WG_ORACLE_COMPLEX_STEP] += report.input[i].stepped;
            o->by[WG_ORACLE_RIDDERS] += report.input[i].checked - report.input[i].wrong - report.input[i].precise -
                                        report.input[i].stepped;
        }
        if (!report.failed)
            continue;
        fprintf(o->to, "%s of \"%s\", seed %llu, output %d: ", c->op->name, c->text, (unsigned long long)c->seed,
                c->output);
        wg_check_print(&report, o->to);
        fine = false;
    }
    return fine;
}

/* The jvp against the vjp. */
static bool jvp_holds(call *c, FILE *why)
{
    double out, in;
    if (call_transposes(c, &out, &in))
        return true;
    if (wg_failed(c->tape))
        fprintf(why, "%s of \"%s\": %s\n", c->op->name, c->text, wg_error(c->tape));
    else
        fprintf(why, "%s of \"%s\", seed %llu: jvp is not the vjp's transpose: <u, J v> = %.15g, <J' u, v> = %.15g\n",
                c->op->name, c->text, (unsigned long long)c->seed, out, in);
    return false;
}

/* The outputs at x, each times its cotangent, summed. */
static wg_tensor weighted(call *c, const wg_tensor *x)
{
    wg_tensor y = WG_NONE;
    for (c->output = 0; c->output < c->n_out; c->output++) {
        if (wg_is_none(c->g[c->output]))
            continue;
        wg_tensor part = wg_sum(wg_multiply(call_again(x, c), c->g[c->output]));
        if (wg_type_of(part).dtype == WG_FLOAT32)
            part = wg_cast(part, .dtype = WG_FLOAT64);
        y = wg_is_none(y) ? part : wg_add(y, part);
    }
    return y;
}

/* The largest distance of two lists of tensors like c->x; size is raised to their largest element. */
static double apart(const call *c, const wg_tensor *p, const wg_tensor *q, double *size)
{
    double off = 0;
    for (int j = 0; j < c->n_x; j++)
        for (int64_t i = 0; i < wg_size(c->x[j]); i++) {
            double a = wg_element(p[j], i), b = wg_element(q[j], i);
            *size = fmax(*size, fmax(fabs(a), fabs(b)));
            off = a == b || (isnan(a) && isnan(b)) ? off : fmax(off, isfinite(a - b) ? fabs(a - b) : (double)INFINITY);
        }
    return off;
}

/* How far the second derivative moves when the operands do, by a few of their last digits: its conditioning. */
static double unsteadiness(call *c, const wg_tensor *here)
{
    wg_tensor x[WG_SAMPLE_OPERANDS], there[WG_SAMPLE_OPERANDS];
    double size = 0;
    for (int j = 0; j < c->n_x; j++)
        x[j] = wg_add(c->x[j], wg_multiply(c->t[j], 0x1p-50));
    return wg_hvp(weighted(c, x), x, c->t, c->n_x, there) ? 0 : apart(c, here, there, &size);
}

/* Forward over reverse is reverse over reverse. */
static bool hvp_holds(call *c, FILE *why)
{
    wg_tensor forward[WG_SAMPLE_OPERANDS], reverse[WG_SAMPLE_OPERANDS], y = weighted(c, c->x);
    if (wg_hvp(y, c->x, c->t, c->n_x, forward) || wg_hvp(y, c->x, c->t, c->n_x, reverse, .reverse = true))
        return fprintf(why, "%s of \"%s\": %s\n", c->op->name, c->text, wg_error(c->tape)) < 0;
    double size = 1e-3, off = apart(c, forward, reverse, &size);
    return off <= CLOSE_SECOND * size || off <= UNSTEADY * unsteadiness(c, forward) ||
           fprintf(why, "%s of \"%s\", seed %llu: hvp forward and reverse over reverse differ by %g of %g\n",
                   c->op->name, c->text, (unsigned long long)c->seed, off, size) < 0;
}

static void check_sample(const wg_op *op, const char *text, uint64_t seed, outcome *o)
{
    call c = {.tape = wg_tape_new(), .op = op, .text = text, .seed = seed};
    o->samples++;
    if (!c.tape || !call_make(&c)) {
        fprintf(o->to, "%s of \"%s\": %s\n", op->name, text, wg_error(c.tape));
        o->failed++;
    } else {
        bool any = false;
        for (int k = 0; k < c.n_out; k++)
            any |= !wg_is_none(c.g[k]);
        if (any && c.n_x) {
            bool vjp = vjp_holds(&c, o), jvp = jvp_holds(&c, o->to), hvp = hvp_holds(&c, o->to);
            o->checked++;
            o->failed += !vjp || !jvp || !hvp;
        }
    }
    wg_tape_free(c.tape);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */
static bool is_asked_for(void *user, const char *family, const wg_op *op)
{
    const asked *a = user;
    if (a->family && strcmp(a->family, family))
        return false;
    for (int i = 0; i < a->n_names; i++)
        if (name_distance(a->names[i], op->name) == 0)
            return true;
    return a->n_names == 0 && !op->hidden;
}

/* A line an operand, of the derivative that is furthest from its numerical one. */
static void print_operands(const wg_op *op, const outcome *o)
{
    for (int i = 0; i < WG_SAMPLE_OPERANDS; i++) {
        const wg_check_input *in = &o->worst[i];
        int k = i < WG_MAX_OPERANDS ? i : WG_MAX_OPERANDS - 1;
        while (k > 0 && !op->in[k].name) /* a variadic one stands for all that follow */
            k--;
        char shape[128];
        if (in->checked)
            printf("  %-14s %-14s %-11s %.1e worst, h %.1e\n", op->in[k].name,
                   wg_shape_text(&in->shape, shape, sizeof shape), verdicts[in->verdict],
                   off_by(in), in->step);
    }
}

static void print_outcome(const asked *a, const char *family, const wg_op *op, const outcome *o)
{
    if (!a->json) {
        printf("%-34s %2d sample%s %s", op->name, o->samples, o->samples == 1 ? " " : "s",
               o->failed ? "FAILED" : o->checked ? "ok" : "no gradient");
        for (int k = ORACLES; k-- > 0;)
            if (o->by[k])
                printf("  %lld by %s", (long long)o->by[k], oracles[k]);
        printf("\n");
        if (a->n_names)
            print_operands(op, o);
        printf("%s", o->why);
        return;
    }
    json_t *line = json_pack("{ss ss si si si sI sI sI ss}", "op", op->name, "family", family, "samples", o->samples,
                             "checked", o->checked, "failed", o->failed, "double_double",
                             (json_int_t)o->by[WG_ORACLE_DOUBLE_DOUBLE], "complex_step",
                             (json_int_t)o->by[WG_ORACLE_COMPLEX_STEP], "ridders", (json_int_t)o->by[WG_ORACLE_RIDDERS],
                             "why", o->why);
    if (line)
        json_dumpf(line, stdout, JSON_COMPACT);
    json_decref(line);
    putchar('\n');
}

/* How many samples failed. */
static int check_operation(const asked *a, const char *family, const wg_op *op)
{
    outcome o = {.svg = a->svg};
    o.to = open_memstream(&o.why, &o.size);
    if (!o.to)
        return 1;
    for (uint64_t seed = a->seed; seed < a->seed + a->seeds; seed++)
        for (size_t i = 0; i < sizeof op->samples / sizeof *op->samples && op->samples[i]; i++)
            check_sample(op, op->samples[i], seed, &o);
    fclose(o.to);
    print_outcome(a, family, op, &o);
    free(o.why);
    return o.failed;
}

static bool all_known(const asked *a)
{
    wg_tape *tape = wg_tape_new();
    bool known = tape != NULL;
    for (int i = 0; i < a->n_names && known; i++)
        if (!wg_op_find(tape, a->names[i])) {
            const char *near = nearest_operation(a->names[i]);
            fprintf(stderr, "wengert check: there is no operation \"%s\"%s%s%s\n", a->names[i],
                    near ? "; the nearest is \"" : "", near ? near : "", near ? "\"" : "");
            known = false;
        }
    wg_tape_free(tape);
    return known;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    asked *a = state->input;
    switch (key) {
    case 'o':
    case ARGP_KEY_ARG:
        a->names[a->n_names++] = text;
        return 0;
    case 'f':
        a->family = text;
        return 0;
    case 's':
        a->seed = (uint64_t)arguments_whole(state, "seed", text, 1, UINT32_MAX);
        return 0;
    case 'n':
        a->seeds = (uint64_t)arguments_whole(state, "seeds", text, 1, UINT32_MAX);
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case 'g':
        a->svg = text;
        return 0;
    case 'm':
        a->mutate = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_check(int argc, char **argv)
{
    static const struct argp_option list[] = {
        {"op", 'o', "NAME", 0, "An operation to check, as if it were an argument", 0},
        {"family", 'f', "NAME", 0, "Only the operations of this family", 0},
        {"seed", 's', "NUMBER", 0, "Of operands, cotangents and directions; 1 if none is given", 0},
        {"seeds", 'n', "NUMBER", 0, "How many seeds, from that one on; 1 if none is given", 0},
        {"json", 'j', NULL, 0, "A JSON object a line instead of a table", 0},
        {"svg", 'g', "FILE", 0, "A picture of numerical differences against their step: of the first check that fails, "
         "else of the first", 0},
        {"mutate", 'm', NULL, 0,
         "Break each derivative rule in turn, and print which breaks were noticed; of a function of yours, the rules "
         "of "
         "its operations",
         0},
        {0}};
    static const struct argp argp = {
        .options = list,
        .parser = parse,
        .args_doc = "[OPERATION...]\n./MODEL.so:FUNCTION",
        .doc =
            "Check derivatives on every sample call of the operations: the vjp against numerical derivatives, the jvp "
            "against the vjp, Hessian-vector products forward and reverse over reverse.\v"
            "A FUNCTION of a shared object is a wg_check_function, and FUNCTION_inputs(wg_tape *, wg_tensor *) makes "
            "its inputs and returns how many they are. The exit code is 1 where anything failed or was left "
            "unchecked."};
    asked a = {.names = calloc((size_t)argc + 1, sizeof *a.names), .seed = 1, .seeds = 1};
    if (!a.names)
        return EXIT_FAILED;
    arguments_read(&argp, argc, argv, &a, operation_words);
    if (a.n_names == 1 && object_function(a.names[0])) {
        int code = check_object(a.names[0], a.seed, a.mutate, a.svg);
        free(a.names);
        return code;
    }
    if (!all_known(&a)) {
        free(a.names);
        return EXIT_USAGE;
    }
    if (a.mutate) {
        int passed = check_mutants(is_asked_for, &a, a.seed);
        free(a.names);
        return passed ? EXIT_FAILED : EXIT_FINE;
    }
    int operations = 0, failed = 0;
    for (int f = 0; wg_op_family(f); f++)
        for (int i = 0; i < wg_op_family(f)->n; i++)
            if (is_asked_for(&a, wg_op_family(f)->name, wg_op_family(f)->op[i])) {
                operations++;
                failed += check_operation(&a, wg_op_family(f)->name, wg_op_family(f)->op[i]) > 0;
            }
    if (!operations)
        fprintf(stderr, "wengert check: there is no such operation in a family \"%s\"\n", a.family ? a.family : "");
    else if (!a.json)
        printf("%d operation%s, %d failed\n", operations, operations == 1 ? "" : "s", failed);
    free(a.names);
    return operations ? failed ? EXIT_FAILED : EXIT_FINE : EXIT_USAGE;
}
