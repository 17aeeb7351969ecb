/* What the evaluations share: reading the input onto the tape, compiling, running, and writing what came out. */
#include "gradbench.h"

#include <stdlib.h>

#define NAME "gradbench"

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
/* A member of the input, or of an object in it: "data.points". */
static const json_t *member(problem *p, const char *key)
{
    const json_t *json = p->input;
    const char *part = key;
    for (size_t n; json && *part; part += n + (part[n] == '.')) {
        char name[64];
        n = strcspn(part, ".");
        snprintf(name, sizeof name, "%.*s", (int)n, part);
        json = json_object_get(json, name);
    }
    if (!json)
        wg_report(p->tape, NAME, WG_ERROR_VALUE, "the input has no \"%s\"", key);
    return json;
}

size_t length(problem *p, const char *key) { return json_array_size(member(p, key)); }

void *room(problem *p, size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory)
        wg_report(p->tape, NAME, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
    return memory && !wg_tape_own(p->tape, memory, free) ? memory : NULL;
}

/* The numbers below `json`, all of whose arrays are as long as the shape says. Returns the place behind the last, NULL
 * where one is not. */
static double *numbers_read(const json_t *json, const wg_shape *shape, int axis, double *to)
{
    if (axis == shape->rank) {
        *to = json_number_value(json);
        return json_is_number(json) ? to + 1 : NULL;
    }
    if (!json_is_array(json) || json_array_size(json) != (size_t)shape->dim[axis])
        return NULL;
    for (size_t i = 0; to && i < (size_t)shape->dim[axis]; i++)
        to = numbers_read(json_array_get(json, i), shape, axis + 1, to);
    return to;
}

static int64_t count_of(const wg_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

wg_tensor reals(problem *p, const char *key, int rank)
{
    const json_t *json = member(p, key), *row = json;
    wg_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++, row = json_array_get(row, 0))
        shape.dim[i] = (int64_t)json_array_size(row);
    double *values = json ? malloc(((size_t)count_of(&shape) + 1) * sizeof *values) : NULL;
    wg_tensor t = WG_INVALID;
    if (json && !values)
        wg_report(p->tape, NAME, WG_ERROR_MEMORY, "no memory for \"%s\"", key);
    else if (json && !numbers_read(json, &shape, 0, values))
        wg_report(p->tape, NAME, WG_ERROR_VALUE, "\"%s\" is not numbers in arrays of equal lengths, %d deep", key,
                  rank);
    else if (json)
        t = wg_name(wg_array(p->tape, WG_FLOAT64, shape, values), key);
    free(values);
    return t;
}

wg_tensor variable(problem *p, const char *key, int rank)
{
    wg_tensor x = reals(p, key, rank);
    if (p->n < MOST_VARIABLES) {
        p->name[p->n] = key;
        p->x[p->n++] = x;
    }
    return x;
}

double real(problem *p, const char *key)
{
    const json_t *json = member(p, key);
    if (json && !json_is_number(json))
        wg_report(p->tape, NAME, WG_ERROR_VALUE, "\"%s\" is not a number", key);
    return json_number_value(json);
}

bool truth(problem *p, const char *key)
{
    const json_t *json = member(p, key);
    if (json && !json_is_boolean(json))
        wg_report(p->tape, NAME, WG_ERROR_VALUE, "\"%s\" is neither true nor false", key);
    return json_is_true(json);
}

wg_tensor wholes(problem *p, const char *key, int rank, int64_t least, int64_t end)
{
    wg_tensor x = reals(p, key, rank);
    const double *value = wg_is_tensor(x) ? wg_values(x) : NULL;
    for (int64_t i = 0; value && i < wg_size(x); i++)
        if (value[i] != floor(value[i]) || !(value[i] >= (double)least && value[i] < (double)end)) {
            wg_report(p->tape, NAME, WG_ERROR_INDEX,
                      "\"%s\" holds %g, which is no whole number from %lld on, below %lld", key, value[i],
                      (long long)least, (long long)end);
            return WG_INVALID;
        }
    return wg_cast(x, .dtype = WG_INT64);
}

int64_t whole(problem *p, const char *key)
{
    double value = real(p, key);
    if (!(fabs(value) < 9e15) || value != floor(value)) {
        wg_report(p->tape, NAME, WG_ERROR_VALUE, "\"%s\" is not a whole number", key);
        return 0;
    }
    return (int64_t)value;
}

/* ---- Answering --------------------------------------------------------------------------------------------------- */
static wg_status function_run(problem *p) { return wg_function_run(p->f, p->value, NULL); }

static void compiled(problem *p, wg_tensors outputs)
{
    for (int i = 0; i < p->n; i++)
        p->value[i] = wg_values(p->x[i]);
    p->f = wg_compile(p->tape, ((wg_tensors){p->x, p->n}), outputs);
    p->run = function_run;
}

static void write_output(const problem *p, answer *a, int k)
{
    wg_type type = wg_function_output_type(p->f, k);
    write_reals(a, &type, wg_function_output(p->f, k));
}

static void write_one(const problem *p, answer *a) { write_output(p, a, 0); }

static void write_object(const problem *p, answer *a)
{
    for (int k = 0; k < wg_function_outputs(p->f); k++) {
        fprintf(a->to, "%s\"%s\":", k ? "," : "{", p->name[k]);
        write_output(p, a, k);
    }
    fputc('}', a->to);
}

void answered_by(problem *p, wg_tensor y)
{
    compiled(p, WG_TENSORS(y));
    p->write = write_one;
}

void solved_by(problem *p, wg_tensor y)
{
    if (!p->derivative) {
        answered_by(p, y);
        return;
    }
    wg_tensor g[MOST_VARIABLES];
    if (wg_grad(y, p->x, p->n, g, .record = true))
        return;
    compiled(p, (wg_tensors){g, p->n});
    p->write = p->n == 1 ? write_one : write_object;
}

static const double *write_axis(answer *a, const wg_type *type, int axis, const double *values)
{
    if (axis == type->rank) {
        a->finite &= (bool)isfinite(*values);
        fprintf(a->to, "%.17g", *values);
        return values + 1;
    }
    fputc('[', a->to);
    for (int64_t i = 0; i < type->dim[axis]; i++) {
        if (i)
            fputc(',', a->to);
        values = write_axis(a, type, axis + 1, values);
    }
    fputc(']', a->to);
    return values;
}

void write_reals(answer *a, const wg_type *type, const double *values) { write_axis(a, type, 0, values); }
