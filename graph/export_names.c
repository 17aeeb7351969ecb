/* Names in exported C: those that tensors and scopes have in the program, made C names, each once. */
#include "graph/export.h"

#include <ctype.h>

#define LONGEST 48 /* bytes, before what makes it differ from others */

/* What C, or the file itself, has another meaning for. */
static bool is_reserved(const char *name)
{
    static const char words[] =
        " auto break case char const continue default do double else enum extern float for goto if inline int long "
        "main "
        "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
        "bool "
        "true false int32_t int64_t work memory f32 f64 i32 i64 truth printf i j k l m n o p q NAN INFINITY EOF NULL "
        "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor "
        "fma "
        "fmax fmin fmod frexp gamma hypot ilogb isfinite isinf isnan isnormal j0 j1 jn ldexp lgamma llrint llround log "
        "log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round "
        "scalb scalbln scalbn signbit significand sin sinh sqrt tan tanh tgamma trunc y0 y1 yn ";
    char word[LONGEST + 3];
    int n = snprintf(word, sizeof word, " %s ", name);
    if (strstr(words, word))
        return true;
    if (n > 3 && word[n - 2] == 'f') { /* expf */
        word[n - 2] = ' ';
        word[n - 1] = 0;
        if (strstr(words, word))
            return true;
    }
    return name[0] == 'v' && isdigit((unsigned char)name[1]);
}

/* Is it one that the file's own functions may have? */
static bool is_of_file(const wg_export *e, const char *name)
{
    size_t n = strlen(e->prefix);
    return !strncmp(name, e->prefix, n) && (!name[n] || name[n] == '_');
}

static bool is_taken(const wg_export *e, const char *name)
{
    if (is_reserved(name) || is_of_file(e, name))
        return true;
    for (const wg_export_taken *t = e->taken; t; t = t->next)
        if (!strcmp(t->name, name))
            return true;
    return false;
}

const char *wg_export_name(wg_export *e, const char *wish)
{
    char base[LONGEST + 1], name[LONGEST + 16];
    size_t n = 0;
    for (const char *at = wish; *at && n < LONGEST; at++) {
        bool fits = isalnum((unsigned char)*at) && (unsigned char)*at < 128;
        if (fits || (n && base[n - 1] != '_'))
            base[n++] = fits ? *at : '_';
    }
    while (n && base[n - 1] == '_')
        n--;
    base[n] = 0;
    bool begins = n && !isdigit((unsigned char)base[0]) && !is_of_file(e, base);
    snprintf(name, sizeof name, "%s%s", begins ? "" : "x", base);
    for (unsigned k = 2; is_taken(e, name); k++)
        snprintf(name, sizeof name, "%s%s_%u", begins ? "" : "x", base, k);
    wg_export_taken *t = wg_arena(e->p.tape, sizeof *t + strlen(name) + 1);
    if (!t) {
        wg_no_memory(e->p.tape, "wg_export_c", sizeof *t);
        return "x";
    }
    t->next = e->taken;
    e->taken = t;
    return strcpy(t->name, name);
}

const char *wg_export_name_of(wg_export *e, uint32_t i)
{
    const wg_node *node = wg_plan_node(&e->p, i);
    char path[200], wish[300];
    if (node->extra && node->extra->name)
        return wg_export_name(e, node->extra->name);
    wg_scope_path(e->p.tape, node->scope, path, sizeof path);
    const char *what = wg_is_leaf_node(node) ? "constant" : node->op->name;
    if (!wg_is_leaf_node(node) && node->n_out > 1 && node->out < WG_MAX_OUTPUTS && node->op->out[node->out])
        what = node->op->out[node->out];
    snprintf(wish, sizeof wish, "%s%s%s_%u", path, *path ? "_" : "", what, i);
    return wg_export_name(e, wish);
}

const char *wg_export_shape(wg_export *e, const wg_type *type)
{
    wg_shape shape = wg_type_shape(type);
    char *text = wg_arena(e->p.tape, 160);
    return text ? wg_shape_text(&shape, text, 160) : "";
}
