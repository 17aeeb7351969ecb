/* The text of an elementwise entry as graph code: a recursive descent over C's expressions that records operations as
 * it goes, in one pass and without memory of its own. Numbers stay numbers, and fold in double, until they meet a
 * tensor.
 *
 *   ternary := binary ["?" ternary ":" ternary]         binary := unary {operator unary}, by precedence
 *   unary   := ("-" | "+" | "!") unary | primary        primary := number | name | name "(" ternary {"," ternary} ")"
 *                                         | "o->" option | "IS(o->" option ", '" letter "')" | "(" ternary ")" */
#include "tape.h"

#include <ctype.h>
#include <float.h>
#include <langinfo.h>
#include <stdlib.h>

#define DEEPEST 64 /* nested expressions */
#define LONGEST 48 /* bytes of a name or number */

typedef struct {
    const wg_call *c;
    const char *text, *at;
    int depth;
    bool failed;
    int skipping; /* inside a branch that a number has decided against: nothing is recorded */
} parser;

static wg_tensor ternary(parser *p);

/* ---- Words ------------------------------------------------------------------------------------------------------- */
static void skip_space(parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool accept(parser *p, const char *token)
{
    skip_space(p);
    size_t n = strlen(token);
    if (strncmp(p->at, token, n))
        return false;
    p->at += n;
    return true;
}

/* The first failure is reported; from then on every function returns at once. */
static wg_tensor fail(parser *p, const char *format, ...) WG_PRINTF(2, 3);
static wg_tensor fail(parser *p, const char *format, ...)
{
    char what[120];
    va_list va;
    va_start(va, format);
    vsnprintf(what, sizeof what, format, va);
    va_end(va);
    if (!p->failed)
        wg_fail(p->c, WG_ERROR_UNSUPPORTED, "%s in its expression \"%.200s\", at \"%.40s\"", what, p->text, p->at);
    p->failed = true;
    return wg_invalid_on(p->c->tape);
}

static bool expect(parser *p, const char *token)
{
    if (p->failed)
        return false;
    if (accept(p, token))
        return true;
    fail(p, "there is no %s", token);
    return false;
}

static bool in_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* The name here into `name`; "" where none begins. */
static void read_name(parser *p, char name[LONGEST])
{
    size_t n = 0;
    skip_space(p);
    while (in_name(p->at[n]) && n + 1 < LONGEST)
        n++;
    memcpy(name, p->at, n);
    name[n] = 0;
    p->at += n;
}

/* A C number, in any locale; the suffixes of its type do not matter. */
static wg_tensor read_number(parser *p)
{
    char digits[LONGEST + 8];
    size_t n = 0, used = 0;
    bool hexadecimal = p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X');
    const char *radix = nl_langinfo(RADIXCHAR);
    size_t radix_length = strlen(radix) < 8 ? strlen(radix) : 0;
    while (in_name(p->at[n]) || p->at[n] == '.' ||
           (n && (p->at[n] == '-' || p->at[n] == '+') && strchr(hexadecimal ? "pP" : "eE", p->at[n - 1]))) {
        if (used + 1 >= LONGEST)
            return fail(p, "the number is too long");
        if (p->at[n] == '.') {
            memcpy(digits + used, radix, radix_length);
            used += radix_length;
        } else
            digits[used++] = p->at[n];
        n++;
    }
    digits[used] = 0;
    char *end = digits;
    double value = strtod(digits, &end);
    if (end == digits || strspn(end, "fFlLuU") != strlen(end))
        return fail(p, "that is not a number");
    p->at += n;
    return wg_number(value);
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */
static bool is_bool(wg_tensor t) { return wg_is_tensor(t) && wg_type_of(t).dtype == WG_BOOL; }

static wg_tensor record(parser *p, const char *name, const wg_tensor *in, int n)
{
    if (p->failed)
        return wg_invalid_on(p->c->tape);
    if (p->skipping)
        return wg_number(0);
    const wg_op *op = wg_op_find(p->c->tape, name);
    if (!op)
        return fail(p, "there is no operation %s", name);
    wg_tensor y = wg_record(op, NULL, in, n);
    p->failed = p->failed || !wg_is_tensor(y);
    return y;
}

static wg_tensor as_tensor(parser *p, wg_tensor t)
{
    return wg_is_number(t) && !p->skipping ? wg_constant_of(p->c->tape, p->c->dtype, wg_number_value(t)) : t;
}

static wg_tensor choose(parser *p, wg_tensor condition, wg_tensor a, wg_tensor b)
{
    return record(p, "where", (const wg_tensor[]){condition, as_tensor(p, a), as_tensor(p, b)}, 3);
}

/* As in C: a truth value in arithmetic is 1 or 0, and a number as a truth value is whether it differs from 0. */
static wg_tensor as_number(parser *p, wg_tensor t)
{
    return is_bool(t) ? choose(p, t, wg_number(1), wg_number(0)) : t;
}

static wg_tensor as_truth(parser *p, wg_tensor t)
{
    if (wg_is_tensor(t) && !is_bool(t))
        return record(p, "not_equal", (const wg_tensor[]){t, wg_number(0)}, 2);
    return t;
}

/* ---- Operators --------------------------------------------------------------------------------------------------- */
typedef enum {
    OR, AND, EQUAL, NOT_EQUAL, LESS_EQUAL, GREATER_EQUAL, LESS, GREATER, ADD, SUBTRACT, MULTIPLY, DIVIDE
} binary_op;

static const struct {
    char token[3];
    int precedence;
    const char *name;
} operators[] = {
    [OR] = {"||", 1, "logical_or"},
    [AND] = {"&&", 2, "logical_and"},
    [EQUAL] = {"==", 3, "equal"},
    [NOT_EQUAL] = {"!=", 3, "not_equal"},
    [LESS_EQUAL] = {"<=", 4, "less_equal"},
    [GREATER_EQUAL] = {">=", 4, "greater_equal"},
    [LESS] = {"<", 4, "less"},
    [GREATER] = {">", 4, "greater"},
    [ADD] = {"+", 5, "add"},
    [SUBTRACT] = {"-", 5, "subtract"},
    [MULTIPLY] = {"*", 6, "multiply"},
    [DIVIDE] = {"/", 6, "divide"},
};

static double folded(binary_op op, double a, double b)
{
    switch (op) {
    case OR: return a != 0 || b != 0;
    case AND: return a != 0 && b != 0;
    case EQUAL: return a == b;
    case NOT_EQUAL: return a != b;
    case LESS_EQUAL: return a <= b;
    case GREATER_EQUAL: return a >= b;
    case LESS: return a < b;
    case GREATER: return a > b;
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    }
    return (double)NAN;
}

static wg_tensor apply(parser *p, binary_op op, wg_tensor a, wg_tensor b)
{
    if (p->failed)
        return wg_invalid_on(p->c->tape);
    if (wg_is_number(a) && wg_is_number(b))
        return wg_number(folded(op, wg_number_value(a), wg_number_value(b)));
    if (op != OR && op != AND)
        return record(p, operators[op].name, (const wg_tensor[]){as_number(p, a), as_number(p, b)}, 2);
    if (wg_is_number(a) || wg_is_number(b)) { /* which decides, or leaves it to the other */
        bool truth = wg_number_value(wg_is_number(a) ? a : b) != 0;
        return truth == (op == OR) ? wg_number(truth) : as_truth(p, wg_is_number(a) ? b : a);
    }
    return record(p, operators[op].name, (const wg_tensor[]){as_truth(p, a), as_truth(p, b)}, 2);
}

/* The operator here, of at least this precedence; -1 if none. */
static int operator_here(parser *p, int precedence)
{
    skip_space(p);
    for (int i = 0; i < (int)(sizeof operators / sizeof *operators); i++)
        if (!strncmp(p->at, operators[i].token, strlen(operators[i].token)))
            return operators[i].precedence >= precedence ? i : -1;
    return -1;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */
/* Functions of C, or of map.h, that an operation has under another name; and those worth folding. */
static const struct {
    const char *name, *operation;
    bool with_zero; /* the operation takes 0 as one operand more */
    double (*fold)(double);
} functions[] = {
    {"fabs", "abs", false, fabs},         {"abs", "abs", false, fabs}, {"sqrt", "sqrt", false, sqrt},
    {"exp", "exp", false, exp},           {"log", "log", false, log},  {"rint", "round", false, rint},
    {"nearbyint", "round", false, rint},  {"lgamma", "lgamma", false, lgamma},
    {"log1pexp", "logaddexp", true, NULL}, /* log(exp(x) + exp(0)) */
};

static wg_tensor call(parser *p, const char *name, wg_tensor *in, int n)
{
    if (p->failed)
        return wg_invalid_on(p->c->tape);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name))
            continue;
        if (n == 1 && wg_is_number(in[0]) && functions[i].fold)
            return wg_number(functions[i].fold(wg_number_value(in[0])));
        name = functions[i].operation;
        if (functions[i].with_zero)
            in[n++] = wg_number(0);
        break;
    }
    const wg_op *op = wg_op_find(p->c->tape, name);
    if (!op)
        return fail(p, "there is no operation %s", name);
    bool numbers = true;
    for (int i = 0; i < n; i++) {
        in[i] = op->in[i].flags & WG_BOOLEAN ? as_truth(p, in[i]) : as_number(p, in[i]);
        numbers = numbers && wg_is_number(in[i]);
    }
    if (numbers)
        in[0] = as_tensor(p, in[0]);
    return record(p, name, in, n);
}

/* Behind "IS(": o->option, 'letter'. Does the word that was chosen begin with the letter? */
static wg_tensor read_choice(parser *p)
{
    char name[LONGEST];
    expect(p, "o->");
    read_name(p, name);
    expect(p, ",");
    expect(p, "'");
    char letter = *p->at;
    p->at += letter != 0;
    expect(p, "'");
    expect(p, ")");
    const wg_schema *schema = p->c->op->options;
    for (int i = 0; !p->failed && schema && i < schema->n; i++)
        if (schema->attr[i].kind == WG_ATTR_CHOICE && !strcmp(schema->attr[i].name, name)) {
            const char *const *word = (const void *)((const char *)p->c->options + schema->attr[i].offset);
            return wg_number(*word && **word == letter);
        }
    return fail(p, "o->%s is not an option that is a word", name);
}

/* Behind "name(". K(number) is the number: it only gives it the kernel's type. GIVEN_OR(option, other) is the other
 * where the option was not given. */
static wg_tensor read_call(parser *p, const char *name)
{
    wg_tensor in[4];
    int n = 0;
    if (!strcmp(name, "IS"))
        return read_choice(p);
    do {
        if (n == 3)
            return fail(p, "%s has more than three arguments", name);
        in[n++] = ternary(p);
    } while (!p->failed && accept(p, ","));
    if (!expect(p, ")"))
        return wg_invalid_on(p->c->tape);
    if (n == 1 && !strcmp(name, "K"))
        return in[0];
    if (n == 2 && !strcmp(name, "GIVEN_OR") && wg_is_number(in[0]))
        return isnan(wg_number_value(in[0])) ? in[1] : in[0];
    return call(p, name, in, n);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    double value;
} constants[] = {
    {"INFINITY", (double)INFINITY}, {"NAN", (double)NAN},   {"HUGE_VAL", (double)INFINITY},
    {"M_PI", M_PI},                 {"M_PI_2", M_PI_2},     {"M_PI_4", M_PI_4},
    {"M_1_PI", M_1_PI},             {"M_2_PI", M_2_PI},     {"M_2_SQRTPI", M_2_SQRTPI},
    {"M_SQRT2", M_SQRT2},           {"M_SQRT1_2", M_SQRT1_2}, {"M_E", M_E},
    {"M_LN2", M_LN2},               {"M_LN10", M_LN10},     {"M_LOG2E", M_LOG2E},
    {"M_LOG10E", M_LOG10E},         {"true", 1},            {"false", 0},
};

/* Behind "o->": an option that is a number. */
static wg_tensor read_option(parser *p)
{
    const char *start = p->at;
    char name[LONGEST];
    read_name(p, name);
    const wg_schema *schema = p->c->op->options;
    for (int i = 0; schema && p->c->options && i < schema->n; i++) {
        const wg_attr *attr = &schema->attr[i];
        const void *member = (const char *)p->c->options + attr->offset;
        if (strcmp(attr->name, name))
            continue;
        switch (attr->kind) {
        case WG_ATTR_BOOL: return wg_number(*(const bool *)member);
        case WG_ATTR_AXIS: return wg_number(*(const int *)member);
        case WG_ATTR_INTEGER: return wg_number((double)*(const int64_t *)member);
        case WG_ATTR_REAL: return wg_number(*(const double *)member);
        default: break;
        }
    }
    p->at = start;
    return fail(p, "o->%s is not an option that is a number", name);
}

static wg_tensor read_operand(parser *p, const char *start, int i)
{
    if (wg_given(p->c, i))
        return p->c->in[i];
    p->at = start;
    return fail(p, "operand %d is not given", i);
}

static wg_tensor named(parser *p, const char *start, const char *name)
{
    if (!name[1]) {
        if (name[0] == 'x' || name[0] == 'a')
            return read_operand(p, start, 0);
        if (name[0] == 'b' || name[0] == 'c')
            return read_operand(p, start, name[0] - 'a');
        if (name[0] == 'y' && p->c->out)
            return p->c->out[0];
        if (name[0] == 'o' && accept(p, "->"))
            return read_option(p);
    }
    if (!strcmp(name, "LARGEST"))
        return wg_number(p->c->dtype == WG_FLOAT32 ? (double)FLT_MAX : DBL_MAX);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(constants[i].name, name))
            return wg_number(constants[i].value);
    p->at = start;
    return fail(p, "there is nothing called %s", name);
}

/* ---- Grammar ----------------------------------------------------------------------------------------------------- */
static wg_tensor primary(parser *p)
{
    skip_space(p);
    if (accept(p, "(")) {
        wg_tensor inner = ternary(p);
        return expect(p, ")") ? inner : wg_invalid_on(p->c->tape);
    }
    if (isdigit((unsigned char)p->at[0]) || (p->at[0] == '.' && isdigit((unsigned char)p->at[1])))
        return read_number(p);
    const char *start = p->at;
    char name[LONGEST];
    read_name(p, name);
    if (!name[0])
        return fail(p, "there is no operand");
    return accept(p, "(") ? read_call(p, name) : named(p, start, name);
}

static wg_tensor unary(parser *p)
{
    bool minus = accept(p, "-"), no = !minus && accept(p, "!"), plus = !minus && !no && accept(p, "+");
    if (!minus && !no && !plus)
        return primary(p);
    if (++p->depth > DEEPEST)
        return fail(p, "there are more than %d nested expressions", DEEPEST);
    wg_tensor x = unary(p);
    p->depth--;
    if (p->failed)
        return wg_invalid_on(p->c->tape);
    if (wg_is_number(x)) {
        double value = wg_number_value(x);
        return wg_number(minus ? -value : no ? value == 0 : value);
    }
    x = no ? as_truth(p, x) : as_number(p, x);
    return plus ? x : record(p, no ? "logical_not" : "negative", &x, 1);
}

static wg_tensor binary(parser *p, int precedence)
{
    wg_tensor a = unary(p);
    for (int op; !p->failed && (op = operator_here(p, precedence)) >= 0;) {
        p->at += strlen(operators[op].token);
        bool decided = (op == AND || op == OR) && wg_is_number(a) && (wg_number_value(a) != 0) == (op == OR);
        p->skipping += decided;
        wg_tensor b = binary(p, operators[op].precedence + 1);
        p->skipping -= decided;
        a = apply(p, (binary_op)op, a, decided ? wg_number(0) : b);
    }
    return a;
}

static wg_tensor ternary(parser *p)
{
    if (++p->depth > DEEPEST)
        return fail(p, "there are more than %d nested expressions", DEEPEST);
    wg_tensor condition = binary(p, 1);
    if (!p->failed && accept(p, "?")) {
        bool known = wg_is_number(condition), truth = known && wg_number_value(condition) != 0;
        p->skipping += known && !truth;
        wg_tensor a = ternary(p);
        p->skipping -= known && !truth;
        expect(p, ":");
        p->skipping += known && truth;
        wg_tensor b = p->failed ? a : ternary(p);
        p->skipping -= known && truth;
        if (known)
            condition = truth ? a : b;
        else if (!p->failed)
            condition = choose(p, as_truth(p, condition), as_number(p, a), as_number(p, b));
    }
    p->depth--;
    return condition;
}

wg_tensor wg_expression(const wg_call *c, const char *text)
{
    parser p = {.c = c, .text = text ? text : "", .at = text ? text : ""};
    wg_tensor y = ternary(&p);
    skip_space(&p);
    if (!p.failed && *p.at)
        fail(&p, "nothing can follow");
    if (!p.failed && !(c->op->map && c->op->map->to_bool))
        y = as_number(&p, y);
    return p.failed ? wg_invalid_on(c->tape) : y;
}
