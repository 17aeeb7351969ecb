/* Writing C: the texts of entries, token by token, into source that a person would read. In a text T is the dtype of
 * the call, K(e) a number of it, o->beta an option; functions get the name they have for the dtype, expf or exp.
 * Statements are laid out one a line, by their braces and semicolons. */
#include "core/code.h"

#include <ctype.h>
#include <float.h>
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>

#define LONGEST 64 /* bytes of a word */

/* ---- Source that grows ------------------------------------------------------------------------------------------- */
static bool room_made(wg_source *s, size_t more)
{
    if (s->tape->status)
        return false;
    if (s->room - s->size > more)
        return true;
    size_t room = 2 * (s->size + more) + 1024;
    char *data = wg_arena(s->tape, room);
    if (!data) {
        wg_no_memory(s->tape, "wg_export_c", room);
        return false;
    }
    if (s->size)
        memcpy(data, s->data, s->size);
    s->data = data;
    s->room = room;
    return true;
}

void wg_source_bytes(wg_source *s, const char *data, size_t size)
{
    if (!room_made(s, size + 1))
        return;
    if (size)
        memcpy(s->data + s->size, data, size);
    s->size += size;
    s->data[s->size] = 0;
}

void wg_source_put(wg_source *s, const char *format, ...)
{
    va_list va, again;
    va_start(va, format);
    va_copy(again, va);
    int n = vsnprintf(NULL, 0, format, va);
    va_end(va);
    if (n > 0 && room_made(s, (size_t)n + 1)) {
        vsnprintf(s->data + s->size, (size_t)n + 1, format, again);
        s->size += (size_t)n;
    }
    va_end(again);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */
const char *wg_c_type(wg_dtype dtype)
{
    static const char *const names[] = {"float", "double", "int32_t", "int64_t", "bool"};
    return names[dtype];
}

/* The fewest digits that read back to the same value, with a point whatever the locale's is. */
static void digits_of(double value, bool narrow, char *text, size_t size)
{
    for (int n = narrow ? 6 : 15; n <= (narrow ? 9 : 17); n++) {
        snprintf(text, size, "%.*g", n, value);
        double back = strtod(text, NULL);
        if (narrow ? (float)back == (float)value : back == value)
            break;
    }
    const char *radix = nl_langinfo(RADIXCHAR);
    char *at = *radix && strcmp(radix, ".") ? strstr(text, radix) : NULL;
    if (at) {
        *at = '.';
        memmove(at + 1, at + strlen(radix), strlen(at + strlen(radix)) + 1);
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
}

void wg_source_number(wg_source *s, wg_dtype dtype, double value, bool inside)
{
    char text[64];
    if (!wg_is_float(dtype)) {
        wg_source_integer(s, dtype, (int64_t)value);
        return;
    }
    if (isnan(value)) {
        wg_source_put(s, "%s", dtype == WG_FLOAT32 ? "NAN" : "(double)NAN");
        return;
    }
    if (isinf(value)) {
        snprintf(text, sizeof text, "%sINFINITY", value < 0 ? "-" : "");
        wg_source_put(s, inside ? "(%s)" : "%s", text);
        return;
    }
    digits_of(value, dtype == WG_FLOAT32, text, sizeof text);
    const char *suffix = dtype == WG_FLOAT32 ? "F" : "";
    wg_source_put(s, inside && signbit(value) ? "(%s%s)" : "%s%s", text, suffix);
}

void wg_source_integer(wg_source *s, wg_dtype dtype, int64_t value)
{
    if (dtype == WG_BOOL)
        wg_source_put(s, "%s", value ? "true" : "false");
    else if (value == INT64_MIN)
        wg_source_put(s, "INT64_MIN");
    else if (value == INT32_MIN)
        wg_source_put(s, "INT32_MIN");
    else if (dtype == WG_INT64 && (value > INT32_MAX || value < INT32_MIN))
        wg_source_put(s, "%sINT64_C(%lld)", value < 0 ? "-" : "", (long long)(value < 0 ? -value : value));
    else
        wg_source_put(s, "%lld", (long long)value);
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */
/* What <math.h> of C99 has, for a T. */
static const char *const functions[] = {
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "erf",
    "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fma", "fmax", "fmin", "fmod", "frexp", "hypot", "ldexp", "lgamma",
    "log", "log10", "log1p", "log2", "nearbyint", "nextafter", "pow", "rint", "round", "scalbn", "sin", "sinh", "sqrt",
    "tan", "tanh", "tgamma", "trunc",
};

static const struct {
    const char *name;
    double value;
} constants[] = {
    {"M_PI", M_PI},         {"M_PI_2", M_PI_2},     {"M_PI_4", M_PI_4},         {"M_1_PI", M_1_PI},
    {"M_2_PI", M_2_PI},     {"M_LN2", M_LN2},       {"M_LN10", M_LN10},         {"M_LOG2E", M_LOG2E},
    {"M_E", M_E},           {"M_SQRT2", M_SQRT2},   {"M_SQRT1_2", M_SQRT1_2},   {"M_2_SQRTPI", M_2_SQRTPI},
    {"M_LOG10E", M_LOG10E},
};

typedef struct {
    wg_code *w;
    const char *at;  /* in the text */
    bool statements; /* laid out, else an expression in one line */
    /* of the layout: */
    bool fresh;      /* at the start of a line */
    bool spaced;     /* white space was read */
    bool headed;     /* for, if or while was put, and its parenthesis is open */
    bool header;     /* for, if, while or else: what follows, unless a block, is indented on its own line */
    bool closed;     /* behind a }, which else may follow */
    int parens, inline_braces;
    int hang, hang_of_if;
    int base[32];    /* depth outside of each block */
    int blocks;
    char last;       /* the last character put */
} writer;

static wg_status failed(wg_code *w, const char *what, const char *word)
{
    if (!w->status)
        w->status = wg_fail(w->call, WG_ERROR_UNSUPPORTED, "its C text has %s \"%.60s\"", what, word);
    return w->status;
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static void word_read(const char **at, char word[LONGEST])
{
    size_t n = 0;
    while (in_word((*at)[n]) && n + 1 < LONGEST)
        n++;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
}

static void skip_space(const char **at)
{
    while (isspace((unsigned char)**at))
        ++*at;
}

static bool is_math(const char *word)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i], word))
            return true;
    return false;
}

/* "exp" of "exp_double". */
static bool double_of(const char *word, char *name)
{
    size_t n = strlen(word);
    if (n < 8 || strcmp(word + n - 7, "_double"))
        return false;
    memcpy(name, word, n - 7);
    name[n - 7] = 0;
    return is_math(name);
}

/* What C may have in front of a parenthesis besides. */
static bool is_c(const char *word)
{
    static const char *const words[] = {"isnan", "isinf", "isfinite", "signbit", "sizeof", "return"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], word))
            return true;
    return false;
}

static const double *constant_named(const char *word)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(constants[i].name, word))
            return &constants[i].value;
    return NULL;
}

/* The member of the call's options; NULL where there is none of the name. */
static const void *option_named(const wg_code *w, const char *name, wg_attr_kind *kind)
{
    const wg_schema *schema = w->call->op->options;
    for (int i = 0; schema && w->call->options && i < schema->n; i++)
        if (!strcmp(schema->attr[i].name, name)) {
            *kind = schema->attr[i].kind;
            return (const char *)w->call->options + schema->attr[i].offset;
        }
    return NULL;
}

/* Behind "o->". False: no number of that name. */
static bool option_value(wg_code *w, const char *name, double *value)
{
    wg_attr_kind kind = WG_ATTR_BOOL;
    const void *member = option_named(w, name, &kind);
    bool found =
        member && (kind == WG_ATTR_BOOL || kind == WG_ATTR_AXIS || kind == WG_ATTR_INTEGER || kind == WG_ATTR_REAL);
    if (!found) {
        failed(w, "an option that is no number,", name);
        return false;
    }
    *value = kind == WG_ATTR_BOOL      ? *(const bool *)member
             : kind == WG_ATTR_AXIS    ? *(const int *)member
             : kind == WG_ATTR_INTEGER ? (double)*(const int64_t *)member
                                       : *(const double *)member;
    return true;
}

/* ---- Helpers ----------------------------------------------------------------------------------------------------- */
static const wg_helper *helper_named(const char *word)
{
    for (int i = 0; wg_helpers[i]; i++)
        for (const wg_helper *const *h = wg_helpers[i]; *h; h++)
            if (!strcmp((*h)->name, word))
                return *h;
    return NULL;
}

/* Puts the helper's definition, behind those that it needs itself, where that was not done. */
static void helper_needed(wg_code *w, const wg_helper *h)
{
    wg_dtype dtype = h->n ? w->dtype : WG_FLOAT64;
    wg_helpers_put *put = w->helpers;
    for (int i = 0; i < put->n[dtype]; i++)
        if (put->done[dtype][i] == h)
            return;
    if (put->n[dtype] == WG_MOST_HELPERS) {
        failed(w, "one helper too many,", h->name);
        return;
    }
    put->done[dtype][put->n[dtype]++] = h;
    wg_source own = {.tape = w->to->tape};
    wg_code inner = {.call = w->call, .dtype = dtype, .to = &own, .helpers = put, .depth = h->n > 0 ? 1 : 0};
    if (wg_code_text(&inner, h->text) || own.tape->status) {
        w->status = inner.status;
        return;
    }
    const char *type = wg_c_type(dtype), *suffix = dtype == WG_FLOAT32 ? "f" : "";
    if (h->n > 0)
        wg_source_put(put->to, "static %s %s_%s%s(%s %s", type, put->prefix, h->name, suffix, type,
                      h->n == 1 ? "x" : "a");
    if (h->n == 2)
        wg_source_put(put->to, ", %s b", type);
    wg_source_put(put->to, h->n > 0 ? ")\n{\n%s}\n\n" : "%s\n", own.data);
}

/* ---- Layout ------------------------------------------------------------------------------------------------------ */
static void new_line(writer *p)
{
    if (!p->fresh)
        wg_source_put(p->w->to, "\n");
    p->fresh = true;
}

/* Before a token: the line break or the space that is due. */
static void begin(writer *p, const char *token)
{
    if (p->header && *token != '{' && !(p->last == 'e' && !strcmp(token, "if"))) {
        new_line(p);
        p->hang++;
    } else if (p->closed && strcmp(token, "else")) {
        new_line(p);
    } else if (p->closed) {
        wg_source_put(p->w->to, " ");
        p->spaced = false;
    }
    p->header = p->closed = false;
    if (p->statements && p->fresh)
        wg_source_put(p->w->to, "%*s", 4 * (p->w->depth + p->hang), "");
    else if (p->spaced && !p->fresh)
        wg_source_put(p->w->to, " ");
    p->fresh = p->spaced = false;
}

static void token_put(writer *p, const char *token)
{
    begin(p, token);
    wg_source_put(p->w->to, "%s", token);
    p->last = token[strlen(token) - 1];
}

static void block_opened(writer *p)
{
    if (p->last == '=' || p->last == ',' || p->inline_braces || p->parens) {
        token_put(p, "{");
        p->inline_braces++;
        return;
    }
    if (!p->header && p->last == ')') /* of a function */
        new_line(p);
    if (!p->header)
        p->spaced = false;
    else
        p->spaced = !p->fresh;
    p->header = false;
    token_put(p, "{");
    p->base[p->blocks++ & 31] = p->w->depth;
    p->w->depth += 1 + p->hang;
    p->hang = 0;
    new_line(p);
}

static void block_closed(writer *p)
{
    if (p->inline_braces) {
        p->inline_braces--;
        token_put(p, "}");
        return;
    }
    new_line(p);
    p->closed = false;
    p->w->depth--;
    token_put(p, "}");
    p->w->depth = p->base[--p->blocks & 31];
    p->closed = true;
}

static void mark_put(writer *p)
{
    char token[2] = {*p->at++, 0};
    bool outside = !p->parens && !p->inline_braces;
    if (!p->statements) {
        token_put(p, token);
        return;
    }
    if (*token == '{') {
        block_opened(p);
        return;
    }
    if (*token == '}') {
        block_closed(p);
        return;
    }
    token_put(p, token);
    p->parens += (*token == '(') - (*token == ')');
    if (p->headed && *token == ')' && !p->parens) {
        p->headed = false;
        p->header = true;
    }
    if (*token == ';' && outside) {
        p->hang = 0;
        new_line(p);
    }
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */
/* The end of the parenthesis whose inside begins at `at`. */
static const char *matching(const char *at)
{
    for (int depth = 1; *at; at++) {
        depth += (*at == '(') - (*at == ')');
        if (!depth)
            return at;
    }
    return at;
}

/* Behind "K(": a literal, a constant or an option by its value; anything else converted. */
static void number_put(writer *p)
{
    wg_code *w = p->w;
    const char *end = matching(p->at), *at = p->at;
    char word[LONGEST], *stop = NULL;
    double value = 0;
    bool known = false;
    skip_space(&at);
    if (!strncmp(at, "o->", 3)) {
        at += 3;
        word_read(&at, word);
        skip_space(&at);
        known = at == end && option_value(w, word, &value);
    } else if (isdigit((unsigned char)*at) || *at == '-' || *at == '.') {
        value = strtod(at, &stop);
        known = stop == end;
    } else {
        word_read(&at, word);
        const double *constant = constant_named(word);
        known = at == end && constant;
        value = known ? *constant : 0;
    }
    if (known) {
        begin(p, "K");
        wg_source_number(w->to, w->dtype, value, true);
        p->last = '0';
        p->at = end + 1;
        return;
    }
    token_put(p, "(");
    token_put(p, wg_c_type(w->dtype));
    token_put(p, ")(");
    p->parens++;
}

/* Behind "IS(". */
static void choice_put(writer *p)
{
    char name[LONGEST];
    skip_space(&p->at);
    p->at += 3; /* o-> */
    word_read(&p->at, name);
    const char *quote = strchr(p->at, '\'');
    wg_attr_kind kind = WG_ATTR_BOOL;
    const void *member = option_named(p->w, name, &kind);
    if (!member || kind != WG_ATTR_CHOICE || !quote) {
        failed(p->w, "an option that is no word,", name);
        p->at += strlen(p->at);
        return;
    }
    const char *word = *(const char *const *)member;
    token_put(p, word && *word == quote[1] ? "1" : "0");
    p->at = strchr(quote, ')') + 1;
}

/* Behind "GIVEN_OR(": the option, or the other where that is NaN, as an absent one is. */
static void given_put(writer *p)
{
    char name[LONGEST];
    double value = 0;
    const char *end = matching(p->at), *comma = strchr(p->at, ',');
    skip_space(&p->at);
    p->at += 3; /* o-> */
    word_read(&p->at, name);
    if (!comma || !option_value(p->w, name, &value))
        return;
    if (isnan(value)) { /* what is behind the comma follows, in parentheses */
        token_put(p, "(");
        p->parens++;
        p->at = comma + 1;
        return;
    }
    begin(p, "o");
    wg_source_number(p->w->to, p->w->dtype, value, true);
    p->last = '0';
    p->at = end + 1;
}

static void option_put(writer *p)
{
    char name[LONGEST];
    double value = 0;
    p->at += 2;
    word_read(&p->at, name);
    if (!option_value(p->w, name, &value))
        return;
    begin(p, "o");
    wg_source_number(p->w->to, value == rint(value) && fabs(value) < 1e9 ? WG_INT32 : WG_FLOAT64, value, true);
    p->last = '0';
}

static void each_put(writer *p)
{
    for (int k = 0; k < p->w->n_each; k++) {
        char head[80];
        snprintf(head, sizeof head, "for (int %c = 0; %c < %lld; %c++)", p->w->each[k].index, p->w->each[k].index,
                 (long long)p->w->each[k].n, p->w->each[k].index);
        token_put(p, head);
        p->header = true;
    }
}

static bool keyword_put(writer *p, const char *word)
{
    static const char *const headers[] = {"for", "if", "while"};
    if (!p->statements)
        return false;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (strcmp(headers[i], word))
            continue;
        token_put(p, word);
        if (*word == 'i')
            p->hang_of_if = p->hang;
        p->parens = 0;
        p->headed = true;
        return true;
    }
    if (!strcmp(word, "EACH")) {
        each_put(p);
        return true;
    }
    if (strcmp(word, "else"))
        return false;
    if (p->fresh)
        p->hang = p->hang_of_if;
    token_put(p, word);
    p->header = true;
    return true;
}

static void helper_put(writer *p, const wg_helper *h)
{
    char name[2 * LONGEST];
    helper_needed(p->w, h);
    snprintf(name, sizeof name, "%.60s_%s%s", p->w->helpers->prefix, h->name,
             h->n && p->w->dtype == WG_FLOAT32 ? "f" : "");
    token_put(p, name);
}

static void word_put(writer *p)
{
    wg_code *w = p->w;
    char word[LONGEST], named[LONGEST + 2];
    word_read(&p->at, word);
    const char *next = p->at;
    skip_space(&next);
    bool called = *next == '(';
    size_t n = strlen(word);
    if (called && n > 2 && !strcmp(word + n - 2, "_T")) /* exp_T, where exp would be a macro before it became text */
        word[n - 2] = 0;
    for (int i = 0; i < w->n_words; i++)
        if (!strcmp(w->word[i].word, word) && !called) {
            token_put(p, w->word[i].as);
            return;
        }
    if (!strcmp(word, "o") && !strncmp(p->at, "->", 2)) {
        option_put(p);
        return;
    }
    if (called && (!strcmp(word, "K") || !strcmp(word, "IS") || !strcmp(word, "GIVEN_OR"))) {
        p->at = next + 1;
        *word == 'K' ? number_put(p) : *word == 'I' ? choice_put(p) : given_put(p);
        return;
    }
    if (keyword_put(p, word))
        return;
    const double *constant = constant_named(word);
    const wg_helper *helper = helper_named(word);
    if (!strcmp(word, "T")) {
        token_put(p, wg_c_type(w->dtype));
    } else if (!strcmp(word, "FAIL")) {
        w->fails = 1;
        token_put(p, "return 1");
    } else if (!strcmp(word, "BREAKDOWN")) {
        w->fails = 2;
        token_put(p, "return 2");
    } else if (!strcmp(word, "LARGEST")) {
        token_put(p, w->dtype == WG_FLOAT32 ? "FLT_MAX" : "DBL_MAX");
    } else if (constant) {
        begin(p, "M");
        wg_source_number(w->to, w->dtype, *constant, true);
        p->last = '0';
    } else if (helper && (called || !helper->n)) {
        helper_put(p, helper);
    } else if (called && double_of(word, named)) {
        token_put(p, named);
    } else if (called && (is_math(word) || !strcmp(word, "abs"))) {
        snprintf(named, sizeof named, "%s%s", *word == 'a' && word[1] == 'b' ? "fabs" : word,
                 w->dtype == WG_FLOAT32 ? "f" : "");
        token_put(p, named);
    } else if (called && !is_c(word)) {
        failed(w, "a function that has no C,", word);
    } else {
        token_put(p, word);
    }
}

/* A C number, as it stands. */
static void digits_put(writer *p)
{
    char digits[LONGEST];
    size_t n = 0;
    while (n + 1 < LONGEST && (in_word(p->at[n]) || p->at[n] == '.' ||
                               (n && (p->at[n] == '-' || p->at[n] == '+') && strchr("eEpP", p->at[n - 1]))))
        n++;
    memcpy(digits, p->at, n);
    digits[n] = 0;
    p->at += n;
    token_put(p, digits);
}

static void put_text(wg_code *w, const char *text, bool statements)
{
    writer p = {.w = w, .at = text, .statements = statements, .fresh = true};
    while (*p.at && !w->status) {
        if (isspace((unsigned char)*p.at)) {
            p.spaced = true;
            p.at++;
        } else if (isdigit((unsigned char)*p.at) || (*p.at == '.' && isdigit((unsigned char)p.at[1]))) {
            digits_put(&p);
        } else if (in_word(*p.at)) {
            word_put(&p);
        } else {
            mark_put(&p);
        }
    }
    if (statements)
        new_line(&p);
}

wg_status wg_code_expression(wg_code *w, const char *text)
{
    put_text(w, text, false);
    return w->status;
}

wg_status wg_code_text(wg_code *w, const char *text)
{
    put_text(w, text, true);
    return w->status;
}

void wg_subscript_put(wg_source *s, int64_t offset, int n, const int64_t *step, const char *index)
{
    bool first = !offset;
    if (offset)
        wg_source_put(s, "%lld", (long long)offset);
    for (int i = 0; i < n; i++) {
        if (!step[i])
            continue;
        wg_source_put(s, first ? step[i] < 0 ? "-" : "" : step[i] < 0 ? " - " : " + ");
        if (step[i] != 1 && step[i] != -1)
            wg_source_put(s, "%lld * ", (long long)(step[i] < 0 ? -step[i] : step[i]));
        wg_source_put(s, "%c", index[i]);
        first = false;
    }
    if (first)
        wg_source_put(s, "0");
}

const char *wg_code_operand(const wg_call *c, int i)
{
    int named = wg_op_operands(c->op);
    const char *name = c->op->in[i < named ? i : named - 1].name;
    if (i < named && !(c->op->in[i].flags & WG_VARIADIC))
        return name;
    wg_source text = {.tape = c->tape};
    wg_source_put(&text, "%s%d", name, i - named + 1);
    return text.data ? text.data : name;
}

static bool is_operand(const wg_op *op, const char *word)
{
    for (int i = 0; i < wg_op_operands(op); i++)
        if (!strcmp(op->in[i].name, word))
            return true;
    return false;
}

const char *wg_code_output(const wg_call *c, int k)
{
    const wg_op *op = c->op;
    int named = wg_op_outputs(op);
    const char *name = op->count             ? "y"
                       : k >= named          ? op->saved[k - named]
                       : op->out[0]          ? op->out[k]
                       : is_operand(op, "y") ? "z"
                                             : "y";
    wg_source text = {.tape = c->tape};
    if (op->count)
        wg_source_put(&text, "y%d", k);
    else if (is_operand(op, name))
        wg_source_put(&text, "next_%s", name);
    return text.data ? text.data : name;
}

/* ---- What a rule writes besides ---------------------------------------------------------------------------------- */
void wg_code_line(wg_code *w, const char *format, ...)
{
    char line[600];
    va_list va;
    va_start(va, format);
    vsnprintf(line, sizeof line, format, va);
    va_end(va);
    wg_source_put(w->to, "%*s%s\n", 4 * w->depth, "", line);
}

static wg_status fits(wg_code *w, const char *name, int64_t value)
{
    if (!w->status && (value > INT32_MAX || value < INT32_MIN))
        w->status = wg_fail(w->call, WG_ERROR_UNSUPPORTED, "%s is %lld, which an int of exported C does not hold", name,
                            (long long)value);
    return w->status;
}

wg_status wg_code_size(wg_code *w, const char *name, int64_t value)
{
    wg_code_line(w, "enum { %s = %lld };", name, (long long)value);
    return fits(w, name, value);
}

wg_status wg_code_sizes(wg_code *w, const char *name, int n, const int64_t *value)
{
    wg_source_put(w->to, "%*sstatic const int %s[] = {%s", 4 * w->depth, "", name, n > 0 ? "" : "0");
    for (int i = 0; i < n; i++) {
        wg_source_put(w->to, "%s%lld", i ? ", " : "", (long long)value[i]);
        fits(w, name, value[i]);
    }
    wg_source_put(w->to, "};\n");
    return w->status;
}

void wg_code_number(wg_code *w, const char *name, double value)
{
    wg_source_put(w->to, "%*sconst double %s = ", 4 * w->depth, "", name);
    wg_source_number(w->to, WG_FLOAT64, value, false);
    wg_source_put(w->to, ";\n");
}

wg_status wg_code_room(wg_code *w, const char *name, wg_dtype dtype, int64_t n)
{
    if (w->n_rooms == WG_MOST_ROOMS) {
        w->status = wg_fail(w->call, WG_ERROR_UNSUPPORTED, "its C works in more than %d arrays", WG_MOST_ROOMS);
        return w->status;
    }
    w->room[w->n_rooms].word = name;
    w->room[w->n_rooms].dtype = dtype;
    w->room[w->n_rooms++].n = n;
    return fits(w, name, n);
}

void wg_code_for(wg_code *w, const char *name, int64_t n)
{
    wg_code_line(w, "for (int %s = 0; %s < %lld; %s++) {", name, name, (long long)n, name);
    fits(w, name, n);
    w->depth++;
}

void wg_code_end(wg_code *w)
{
    w->depth--;
    wg_code_line(w, "}");
}
