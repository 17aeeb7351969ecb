/* Wengert: what an operation is.
 *
 * An operation is one constant entry: a name, a doc line, what it takes, a rule for its result's type, a kernel, and
 * its chain rule written as graph code. The built-in ones and your own are made of the same; see
 * examples/custom_operation.c. */
#ifndef WENGERT_OPERATION_H
#define WENGERT_OPERATION_H

#include "wengert/code.h"
#include "wengert/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WG_MAX_OPERANDS 10 /* named operands of an entry; a variadic one stands for any number */
#define WG_MAX_OUTPUTS 6   /* named outputs and saved values of an entry */
#define WG_MAX_SHARED 4    /* tensors that the rules of one call share */

typedef struct wg_op wg_op;

/* ---- A call ------------------------------------------------------------------------------------------------------
 * What every rule of an entry is given: the operands, their types, the options. Which members are set depends on the
 * rule that is asked; the others are NULL. */
typedef struct wg_call {
    wg_tape *tape;
    const wg_op *op;
    const void *options;           /* the entry's wg_NAME_options: checked, axes counted from the front */
    int n_in, n_out;               /* operands given, absent ones included; outputs, saved values included */
    const wg_tensor *in;           /* operands; WG_NONE for an absent one */
    const wg_type *x;              /* their types */
    const int64_t *const *stride;  /* run of a `strided` entry, view: their strides, in elements */
    const void *const *from;       /* run: their values, row-major and contiguous unless the entry is `strided` */
    wg_type *y;                    /* types of the outputs: type writes them, the others read them */
    void *const *to;               /* run: where the outputs go, row-major and contiguous */
    const wg_tensor *out;          /* vjp and jvp: the outputs recorded */
    const wg_tensor *g;            /* vjp: the cotangent of each output; WG_NONE where it is zero */
    const wg_tensor *t;            /* jvp: the tangent of each operand; WG_NONE where it is zero */
    const wg_tensor *shared;       /* vjp and jvp of an entry with `share`: what that made */
    int which;                     /* vjp: the operand asked for; jvp: the output */
    bool recording;                /* vjp and jvp: may the derivative be differentiated again? */
    wg_dtype dtype;                /* the dtype its differentiable operands share */
} wg_call;

/* Reports what is wrong with a call; the message gets the operation's name, its scope and place. Returns status. */
WG_API wg_status wg_fail(const wg_call *c, wg_status status, const char *format, ...) WG_PRINTF(3, 4);
/* The same where a tensor is to be returned: the invalid one. */
WG_API wg_tensor wg_fail_tensor(const wg_call *c, wg_status status, const char *format, ...) WG_PRINTF(3, 4);
/* "[64, 784] (x)": operand i for a message, by its name on the tape or the entry's. Lives until the rule returns. */
WG_API const char *wg_show(const wg_call *c, int i);
/* Memory that is gone when the rule returns, aligned to 64 bytes; NULL, and the error reported, when there is none. */
WG_API void *wg_scratch(const wg_call *c, size_t bytes);
/* Saved value i, counted behind the outputs; WG_NONE while a float one must not be used, because the derivative is
 * being recorded and would not see that the saved value depends on the operands: compute it again as graph code. */
WG_API wg_tensor wg_saved(const wg_call *c, int i);
/* Is operand i there? */
static inline bool wg_given(const wg_call *c, int i) { return i < c->n_in && !wg_is_none(c->in[i]); }

/* ---- Work on several threads -------------------------------------------------------------------------------------
 * Calls work(argument, i) for i in [0, n), on the tape's threads, in any order. What is done for one i must not depend
 * on the number of threads: then the results are the same bits with any number. */
typedef void wg_work(void *argument, int64_t i);
WG_API void wg_parallel(wg_tape *tape, int64_t n, wg_work *work, void *argument);
/* How many elements one piece of elementwise work has; how many pieces n elements make. */
#define WG_PIECE 16384
static inline int64_t wg_pieces(int64_t n) { return (n + WG_PIECE - 1) / WG_PIECE; }

/* ---- Elementwise entries -----------------------------------------------------------------------------------------
 * Written once, as C text: WG_MAP1(tanh, tanh(x), 4 * sigmoid(2 * x) * sigmoid(-2 * x)) gives the float32 and float64
 * kernels of the function and of its slope, for each instruction set; the text itself is the graph code of the slope
 * when a derivative is recorded. It may use x (or a and b), y (the result), numbers as K(0.5), options as K(o->beta), a
 * chosen word's first letter as IS(o->approximate, 't'), the operators + - * / < <= > >= == != && || ! ?:, and the
 * elementwise operations by their names. */
typedef void wg_kernel(int64_t n, void *to, const void *const *from, const void *options);

typedef struct {
    const char *value, *slope[3];  /* the text */
    wg_kernel *run[5];             /* one a dtype; NULL: does not take it. from = the operands */
    wg_kernel *pull[3][2];         /* g times slope i, 0 where g is: from = the operands, the result, g */
    bool to_bool;                  /* the result is boolean, whatever the operands are */
} wg_map;

/* The C of a function that texts call, for files that are exported: its body in terms of x, or a and b, and of their
 * type T; with n = 0, a whole definition in terms of doubles, with WG_ROUTINE one in terms of T. */
#define WG_ROUTINE (-1)
typedef struct {
    const char *name;
    int n; /* operands; 0; WG_ROUTINE */
    const char *text;
} wg_helper;

/* ---- Attributes --------------------------------------------------------------------------------------------------
 * A schema reads the struct of options: where each member is, of what kind, whether it may be left out. Before an
 * entry's rules see the options they are checked and resolved: axes are counted from the front and sorted, lists are
 * filled in.
 *
 * A required member is missing while it holds what stands behind `missing` below; that is then its default. */
typedef enum {
    WG_ATTR_BOOL,    /* bool. Never missing in C; by name, whoever sets it must see to it */
    WG_ATTR_AXIS,    /* int: one axis, negative counts from the end; WG_NO_AXIS stays. Missing: WG_NO_AXIS */
    WG_ATTR_INTEGER, /* int64_t. Missing: WG_NO_INTEGER */
    WG_ATTR_REAL,    /* double. Missing: WG_NO_REAL */
    WG_ATTR_CHOICE,  /* const char *: one of the choices, resolved to the entry's own string, so strcmp will do; any
                        text where the entry has none, copied. Missing: NULL, which stays where it is not required */
    WG_ATTR_AXES,    /* wg_axes: one or several axes; none, or WG_NO_AXES: all. Missing: WG_NO_AXES */
    WG_ATTR_SHAPE,   /* wg_shape. Missing: WG_NO_SHAPE, resolved to 0-d */
    WG_ATTR_INTS,    /* wg_ints: a list of integers. Missing: WG_NO_INTS, resolved to none */
    WG_ATTR_LIST,    /* wg_list: integers, any number of them; copied. Missing: n == -1 */
    WG_ATTR_LISTS,   /* wg_ints[n]: lists of one length, or one number: the first has it, the others nothing
                        (tensordot). Missing: the first is WG_NO_INTS */
    WG_ATTR_SPATIAL, /* int64_t[n]: one a spatial axis; a 0 takes the first one's value, unless raw. Missing: the first
                        is WG_NO_INTEGER, or 0 unless raw */
    WG_ATTR_PAIRS,   /* int64_t[8][2]: one pair an axis of operand 0. Missing: the first number is WG_NO_INTEGER */
    WG_ATTR_DTYPE    /* wg_dtype. Missing: WG_NO_DTYPE, which stays where it is not required */
} wg_attr_kind;

#define WG_NO_DTYPE ((wg_dtype)-1)
#define WG_MAX_CHOICES 6

typedef struct {
    const char *name;
    wg_attr_kind kind;
    uint16_t offset, size;  /* bytes */
    bool required;
    const char *choices[WG_MAX_CHOICES]; /* of a WG_ATTR_CHOICE: {"mean", "sum", "none"}; none: any text */
    int extra_rank;         /* AXIS and AXES: axes count in operand 0's rank plus this (stack: 1); -1, AXES only: plus
                               the length of the list itself (expand_dims) */
    bool raw;               /* AXIS and AXES: the entry's own rule counts the axes; SPATIAL: a 0 is a 0 (padding) */
} wg_attr;

typedef struct {
    size_t size;            /* bytes of the options */
    const void *defaults;
    int n;
    const wg_attr *attr;
} wg_schema;

/* Was the list not given? Asked of defaults and of options as they came; resolved, it is all axes, or empty. */
static inline bool wg_is_no_axes(const wg_axes *axes) { return axes->n == 1 && axes->at[0] == WG_NO_AXIS; }
static inline bool wg_is_no_ints(const wg_ints *ints) { return ints->n == 1 && ints->at[0] == WG_NO_INTEGER; }
static inline bool wg_is_no_shape(const wg_shape *shape) { return shape->rank == 1 && shape->dim[0] == WG_NO_INTEGER; }

static inline bool wg_choice_is(const char *choice, const char *word) { return choice && !strcmp(choice, word); }

/* An option's value from outside the program: JSON, a sample, a command line. */
typedef enum {
    WG_VALUE_BOOL,
    WG_VALUE_INTEGER,
    WG_VALUE_REAL,
    WG_VALUE_TEXT,
    WG_VALUE_LIST, /* of integers */
    WG_VALUE_LISTS /* of lists of integers */
} wg_value_kind;

typedef struct {
    wg_value_kind kind;
    bool truth;
    int64_t integer;
    double real;
    const char *text;
    wg_list list;
    int n; /* lists */
    wg_ints lists[WG_MAX_RANK];
} wg_value;

/* Sets the member `name`, converted as its kind allows: an integer for a real, one number for a list (SPATIAL: for all
 * of its entries), "nan", "inf", "-inf" for a real, "float32" for a dtype. The value, and a text or list in it, must
 * live until the options are used. What is wrong is put into `message`, of `size` bytes: WG_ERROR_ATTR for an unknown
 * name or another type. */
WG_API wg_status wg_option_set(const wg_schema *schema, void *options, const char *name, const wg_value *value,
                               char *message, size_t size);
/* The options that differ from the defaults, "axis=[0, 1] keepdims=true", cut to `size` bytes; "" where none does. */
WG_API wg_status wg_options_text(const wg_op *op, const void *options, char *text, size_t size);

/* ---- The entry --------------------------------------------------------------------------------------------------- */
enum {
    WG_OPTIONAL = 1,      /* may be WG_NONE */
    WG_VARIADIC = 2,      /* any number from here on; the last operand named */
    WG_INTEGER = 4,       /* int32 or int64: indices, labels */
    WG_BOOLEAN = 8,       /* bool: masks */
    WG_ANY = 16,          /* any dtype (the same for all operands so marked); differentiable where it is a float */
    WG_INDEX_OR_FLOAT = 32, /* int32, int64 or the call's float dtype; differentiable where it is a float */
    WG_NO_GRADIENT = 64,  /* float, but not differentiated: running statistics */
    WG_BOOL_OR_FLOAT = 128, /* bool or the call's float dtype, which another operand decides; differentiable where it is
                               a float: masks that select or are added */
    WG_SYMMETRIC = 256,    /* a symmetric matrix, of which one triangle is read; its derivatives are symmetrised */
    WG_MIXED = 512        /* any dtype, whatever the others have; differentiable where it is a float */
};

typedef struct {
    const char *name;
    unsigned flags;
} wg_operand;

typedef enum {
    WG_NONLINEAR = 0,
    WG_JOINTLY,    /* linear in all float operands together: jvp = the operation of the tangents */
    WG_SEPARATELY, /* linear in each alone: jvp = the sum, over the operands, of the operation with one of them
                      replaced */
} wg_linearity;

/* How it does the same for many operands side by side, which have one more axis in front. */
typedef enum {
    WG_LANES_NONE = 0, /* by a call each */
    WG_LANES_LEADING,  /* as it is: leading axes broadcast, and its options do not count from the front */
    WG_LANES_SHIFTED   /* its axes one further, its shapes with one more axis, all operands with the lanes */
} wg_lanes;

/* A list of numbers. */
typedef struct {
    int n;
    const double *at;
} wg_points;

typedef wg_tensor wg_vjp_rule(const wg_call *c, wg_tensor g); /* the cotangent of operand c->which; g is c->g[0] */
typedef wg_tensor wg_jvp_rule(const wg_call *c);              /* the tangent of output c->which, from c->t */
typedef wg_status wg_places_rule(const wg_call *c, int64_t *at); /* the operand that is moved is not read */
typedef void wg_formula_rule(const wg_call *c, wg_tensor *out); /* all outputs, from c->in and the options */
typedef void wg_share_rule(const wg_call *c, wg_tensor *shared); /* tensors for all of these rules, WG_NONE at first */

struct wg_op {
    const char *name;
    const char *doc;    /* y = formula, and what happens at the edge */
    const char *source; /* paper or standard */
    const char *domain; /* where x may be, as words: "x > 0" */
    wg_operand in[WG_MAX_OPERANDS];
    const char *out[WG_MAX_OUTPUTS];   /* names of the outputs; none: "y" */
    const char *saved[WG_MAX_OUTPUTS]; /* more outputs that only the rules see */
    const wg_schema *options;
    int (*count)(const wg_call *c);    /* how many outputs, where the operands or options decide (split) */
    wg_status (*type)(wg_call *c);     /* writes c->y; elementwise entries need none */
    wg_status (*run)(const wg_call *c);/* writes c->to */
    wg_status (*view)(const wg_call *c, int64_t *stride, int64_t *offset); /* the strides of a view of operand 0, in
                                          elements; WG_ERROR_UNSUPPORTED where none exists: then it is copied */
    const wg_map *map;                 /* elementwise: type, run, the chain rule and exported C follow */
    wg_status (*c)(const wg_call *c, wg_code *w); /* writes the body of an exported C function; see wengert/code.h */
    wg_vjp_rule *vjp[WG_MAX_OPERANDS]; /* one an operand; the variadic one's stands for all of them */
    wg_jvp_rule *jvp;                  /* where neither .map nor .linear implies it */
    wg_share_rule *share;              /* called once before the rules of a call: before vjp's where c->g is set, before
                                          jvp's where c->t is */
    /* In place of vjp and jvp, where one piece of work gives all of them: the cotangents of the operands that are
     * wanted, the tangents of the outputs. What is left WG_NONE is zero. */
    wg_status (*pull)(const wg_call *c, const bool *wanted, wg_tensor *out);
    wg_status (*push)(const wg_call *c, wg_tensor *out);
    wg_linearity linear;
    /* What run computes, as graph code over other operations: the formula as one writes it down, slow, and with no care
     * for overflow. The gradient check evaluates it with 32 digits. What it takes through wg_stop_gradient counts as a
     * constant there. An output may be left WG_NONE. Elementwise entries need none. */
    wg_formula_rule *formula;
    wg_lanes lanes;                    /* elementwise entries need none */
    const char *saves;                 /* what the chain rule needs: "x y", by operand and output names; "" nothing */
    wg_points kinks, points;           /* arguments without, and of interest for, a derivative */
    const char *samples[16];           /* calls for the tests, as below */
    double (*flops)(const wg_call *c); /* floating-point operations a call takes, from c's types; none: not stated */
    bool (*in_line)(const wg_call *c); /* are the results, one behind the other in memory, the operands, one behind the
                                          other? A compiled function then copies none of them, or few */
    /* Of an entry that moves elements of one operand to where the others, of integers, say: which element of it each
     * one of the result is; or to which element of the result each of its own is added, -1 for none. A compiled
     * function asks once where those are constants. */
    wg_places_rule *taken_from, *added_to;
    bool strided;                      /* run takes operands of any strides */
    bool in_place;                     /* run may be given operand i's memory for output i: see wg_update */
    bool random;                       /* draws numbers: not the same function twice */
    bool calls_back;                   /* its results are a function of the program's, which run does not call again */
    bool hidden;                       /* the library's own, not in the contract */
    bool output_gradient_free;         /* no output has a gradient */
    unsigned constant_outputs;         /* bit k: output k has none, though others do: running statistics */
    bool surrogate;                    /* its chain rule is not the derivative of its value, on purpose */
    bool commutes;                     /* f(a, b) = f(b, a), to the bit; what a compiled function may use, like the
                                          next: */
    bool idempotent, involution;       /* f(f(x)) = f(x); f(f(x)) = x */
    double neutral;                    /* f(x, neutral) = x, to the bit, where bit 1 of neutral_in is set, and */
    unsigned neutral_in;               /* f(neutral, x) = x where bit 0 is */
};

/* A sample is the operands, then the options, apart by spaces. An operand is a shape and, behind colons, what fills it:
 *     [2,3]               floats around 0, from a seed
 *     [2,3]:0.1..5        floats in an interval            []:2.5              a float of that value everywhere
 *     [4]:int64:0..2      integers, ends included          [2,3]:bool          truth values
 *     [3,3]:definite      symmetric positive definite matrices
 *     [5]:ascending       floats around 0, each above the one before
 *     -                   an optional operand left out
 * and an option is name=value, the value a number, true, false, a word, or a list in brackets: "[2,3,4]
 * axis=[0,-1]". */

/* Records op on the operands: computes its value, appends its nodes. Returns its first output, or all of them. The tape
 * is that of the operands; name it for an operation that takes none. */
WG_API wg_tensor wg_record(const wg_op *op, const void *options, const wg_tensor *in, int n_in);
WG_API wg_status wg_record_on(wg_tape *tape, const wg_op *op, const void *options, const wg_tensor *in, int n_in,
                              wg_tensor *out, int n_out);
/* Runs an `in_place` entry on its operands' own memory: output i is written over operand i, all contiguous leaves;
 * nothing is recorded. This is how an optimiser's step changes parameters. */
WG_API wg_status wg_update(const wg_op *op, const void *options, const wg_tensor *in, int n_in);

/* ---- Operations by name ------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name;
    int n;
    const wg_op *const *op;
} wg_family;

/* The entry of that name, built in or added; NULL if there is none. */
WG_API const wg_op *wg_op_find(wg_tape *tape, const char *name);
/* Makes an entry of the caller's known by name on this tape. It must outlive the tape. */
WG_API wg_status wg_op_add(wg_tape *tape, const wg_op *op);
/* The families of built-in operations, in the order of the contract; NULL past the last. */
WG_API const wg_family *wg_op_family(int i);
/* Operands the entry names; outputs, saved values left out, of an entry without .count. */
WG_API int wg_op_operands(const wg_op *op);
WG_API int wg_op_outputs(const wg_op *op);

/* ---- Rules that many entries share ------------------------------------------------------------------------------- */
/* The shape that a and b broadcast to; reports an error if none. */
WG_API wg_status wg_broadcast_shapes(const wg_call *c, const wg_type *a, const wg_type *b, wg_type *y);
/* y has operand 0's type. */
WG_API wg_status wg_type_as_first(wg_call *c);
/* Axis `axis` of rank `rank`, counted from the front; -1, and the error reported, where there is none. */
WG_API int wg_resolve_axis(const wg_call *c, int axis, int rank);

#ifdef __cplusplus
}
#endif

/* ---- How short calls are made ---------------------------------------------------------------------------------- */
#ifndef __cplusplus
#define wg_record_on(tape, ...) (wg_record_on)(WG_HERE(tape), __VA_ARGS__)
#define wg_op_find(tape, name) (wg_op_find)(WG_HERE(tape), name)
#define wg_op_add(tape, op) (wg_op_add)(WG_HERE(tape), op)
#endif

/* ---- How entries are written -------------------------------------------------------------------------------------
 * #define PRODUCTS(OP) OP(matmul) OP(linear)     the contents of a family
 * WG_CONTENTS(PRODUCTS)
 * WG_OP(matmul) = {.name = "matmul", ...};       an entry: refused unless it is listed
 * WG_FAMILY(products, PRODUCTS)                  refused unless each listed one has its entry */
#define WG_CONTENTS(LIST) enum { LIST(WG_LISTED) };
#define WG_LISTED(op) op##_is_listed,
#define WG_OP(op) _Static_assert(op##_is_listed >= 0, "listed"); static const wg_op op##_op
#define WG_FAMILY(name, LIST) WG_FAMILY_OF(name, #name, LIST)
/* One of several lists that make up a family. */
#define WG_FAMILY_OF(name, family, LIST)                                                                               \
    static const wg_op *const name##_list[] = {LIST(WG_ADDRESS)};                                                      \
    extern const wg_family wg_family_##name;                                                                           \
    const wg_family wg_family_##name = {family, (int)(sizeof name##_list / sizeof name##_list[0]), name##_list};
#define WG_ADDRESS(op) &op##_op,
#define WG_RECORD(op, options, ...)                                                                                    \
    wg_record(&op##_op, options, (const wg_tensor[]){__VA_ARGS__},                                                     \
              (int)(sizeof((const wg_tensor[]){__VA_ARGS__}) / sizeof(wg_tensor)))

#define WG_POINTS(...) {(int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__}}

/* WG_SCHEMA(wg_sum, WG_ATTR(wg_sum, axis), WG_ATTR(wg_sum, keepdims)) */
#define WG_SCHEMA(f, ...)                                                                                              \
    &(const wg_schema){sizeof(f##_options), &(const f##_options){f##_defaults},                                        \
                       (int)(sizeof((const wg_attr[]){__VA_ARGS__}) / sizeof(wg_attr)), (const wg_attr[]){__VA_ARGS__}}
#define WG_ATTR(...) WG_ATTR_(__VA_ARGS__, )
#define WG_ATTR_(f, member, ...)                                                                                       \
    {.name = #member, .kind = WG_ATTR_KIND(((f##_options *)0)->member), .offset = offsetof(f##_options, member),       \
     .size = sizeof(((f##_options *)0)->member), __VA_ARGS__}
#define WG_ATTR_REQUIRED(...) WG_ATTR_REQUIRED_(__VA_ARGS__, )
#define WG_ATTR_REQUIRED_(f, member, ...) WG_ATTR_(f, member, .required = true, __VA_ARGS__)
#define WG_ATTR_KIND(member)                                                                                           \
    _Generic((member), bool: WG_ATTR_BOOL, int: WG_ATTR_AXIS, int64_t: WG_ATTR_INTEGER, double: WG_ATTR_REAL,          \
             const char *: WG_ATTR_CHOICE, wg_axes: WG_ATTR_AXES, wg_shape: WG_ATTR_SHAPE, wg_ints: WG_ATTR_INTS,      \
             wg_list: WG_ATTR_LIST, wg_ints *: WG_ATTR_LISTS, int64_t *: WG_ATTR_SPATIAL,                             \
             int64_t(*)[2]: WG_ATTR_PAIRS, wg_dtype: WG_ATTR_DTYPE)

#endif
