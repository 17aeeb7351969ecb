/* A GradBench tool (github.com/gradbench/gradbench): requests to evaluate functions and their derivatives, a JSON
 * object a line; answers likewise, with the times that the runs took. An evaluation is a file of its own: it reads the
 * input, records the function once, and has it compiled; each run is then one call. */
#ifndef GRADBENCH_H
#define GRADBENCH_H

#include <jansson.h>
#include <wengert.h>

/* ---- A request ---------------------------------------------------------------------------------------------------
 * Errors are the tape's: the first one is the answer. */
typedef struct problem problem;

typedef struct {
    FILE *to;
    bool finite; /* JSON has no other numbers */
} answer;

#define MOST_VARIABLES 8

struct problem {
    wg_tape *tape;
    const json_t *input;
    bool derivative; /* is asked for, and not the function itself */
    int n;           /* variables: what the function is differentiated by */
    wg_tensor x[MOST_VARIABLES];
    const char *name[MOST_VARIABLES];
    wg_function *f;
    const void *value[MOST_VARIABLES]; /* of the variables */
    void *own;                         /* the evaluation's; it belongs to the tape */
    /* What the evaluation may replace: a run is a call of f on the variables' values, the answer f's outputs. */
    wg_status (*run)(problem *p);
    void (*write)(const problem *p, answer *a);
};

typedef struct {
    const char *module, *function;
    void (*prepare)(problem *p);
    bool derivative;
} evaluation;

/* The list ends with one without a module. */
extern const evaluation *const evaluations[];
/* NULL where there is none; of any function where that is NULL. */
const evaluation *evaluation_found(const char *module, const char *function);

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
/* A member of the input, or of an object in it ("data.points"): an array of reals, nested `rank` deep, as a constant of
 * float64; the same as a variable; a whole number; a real; a truth value. What is missing or of another kind is
 * reported; the result is then not to be used. */
wg_tensor reals(problem *p, const char *key, int rank);
wg_tensor variable(problem *p, const char *key, int rank);
int64_t whole(problem *p, const char *key);
double real(problem *p, const char *key);
bool truth(problem *p, const char *key);
/* Elements of an array. */
size_t length(problem *p, const char *key);
/* An array of whole numbers, `rank` deep, each at least `least` and less than `end`, as int64. */
wg_tensor wholes(problem *p, const char *key, int rank, int64_t least, int64_t end);

/* Memory that lives as long as the tape, zeroed; NULL, and the error reported, where there is none. */
void *room(problem *p, size_t bytes);

/* ---- Answering --------------------------------------------------------------------------------------------------- */
/* The answer is y, of one element, or its gradient by the variables: of one variable an array, of several an object. */
void solved_by(problem *p, wg_tensor y);
/* The answer is y as it is. */
void answered_by(problem *p, wg_tensor y);

/* Numbers as nested arrays of the type's shape. */
void write_reals(answer *a, const wg_type *type, const double *values);

/* ---- Descent -----------------------------------------------------------------------------------------------------
 * By the gradient, with a step that is doubled after ten that went down, and halved after one that did not. */
typedef struct {
    wg_tensor (*value)(const void *user, wg_tensor x); /* of one element */
    const void *user;
    bool forward; /* the mode of its gradient */
} objective;

/* d y / d x in one mode or the other, recorded. */
wg_tensor gradient_of(wg_tensor y, wg_tensor x, bool forward);
/* Where the descent from x ends. All of it is recorded, to be differentiated; or, where `forgetting`, it comes back as
 * a leaf, the tape as it was before. */
wg_tensor descent(const objective *f, wg_tensor x, bool forgetting);

/* ---- The session ------------------------------------------------------------------------------------------------- */
/* Writes the answer to the request in the `n` bytes of `line`, and a newline, to `to`; nothing for a blank line. */
void session_answer(const char *line, size_t n, FILE *to);
/* The answer to a request that there is no memory to read. */
void session_too_long(FILE *to);

#endif
