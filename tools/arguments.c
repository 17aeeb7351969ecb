/* Pages of the manual in the language of man(7), and completions, from the tables that argp reads: no second list of
 * options can go stale. */
#include "arguments.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wengert.h>

enum { DEEPEST = 4, LINE = 76 }; /* tables within tables; bytes, before hyphens are escaped */

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */
int64_t arguments_whole(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < least || value > most)
        argp_error(state, "--%s takes a whole number from %lld to %lld, not \"%s\"", option, (long long)least,
                   (long long)most, text);
    return value;
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */
/* The options of a table and of its children: calls see(user, heading, NULL) and see(user, NULL, option). */
typedef void see_option(void *user, const char *heading, const struct argp_option *option);

static void walk(const struct argp *argp, int depth, see_option *see, void *user)
{
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++) {
        if (o->flags & OPTION_HIDDEN)
            continue;
        if (!o->name && !o->key)
            see(user, o->doc, NULL);
        else if (o->name)
            see(user, NULL, o);
    }
    for (const struct argp_child *c = argp->children; c && c->argp && depth < DEEPEST; c++) {
        if (c->header)
            see(user, c->header, NULL);
        walk(c->argp, depth + 1, see, user);
    }
}

/* ---- The manual -------------------------------------------------------------------------------------------------- */
/* A hyphen is a minus sign where it may be typed; a dot or an apostrophe at the start of a line would be a request. */
static void put_roff(FILE *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        bool first = i == 0 || text[i - 1] == '\n';
        if (first && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", to);
        if (text[i] == '-')
            fputs("\\-", to);
        else if (text[i] == '\\')
            fputs("\\e", to);
        else
            fputc(text[i], to);
    }
}

/* Words in lines of 80 bytes. */
static void put_words(FILE *to, const char *text, size_t n)
{
    size_t column = 0;
    for (size_t i = 0; i < n;) {
        size_t length = 0;
        while (i + length < n && text[i + length] != ' ')
            length++;
        if (column)
            fputc(column + 1 + length > LINE ? '\n' : ' ', to);
        column = column && column + 1 + length <= LINE ? column + 1 + length : length;
        put_roff(to, text + i, length);
        i += length;
        while (i < n && text[i] == ' ')
            i++;
    }
    fputc('\n', to);
}

/* Paragraphs; lines that begin with two blanks stand as they are. */
static void put_text(FILE *to, const char *text)
{
    bool as_it_is = false;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        bool kept = n > 2 && at[0] == ' ' && at[1] == ' ';
        if (kept != as_it_is)
            fputs(kept ? ".PP\n.nf\n" : ".fi\n.PP\n", to);
        as_it_is = kept;
        if (kept) {
            put_roff(to, at + 2, n - 2);
            fputc('\n', to);
        } else if (n) {
            put_words(to, at, n);
        }
        at += n + (at[n] == '\n');
    }
    if (as_it_is)
        fputs(".fi\n", to);
}

static void put_option(void *user, const char *heading, const struct argp_option *o)
{
    FILE *to = user;
    if (heading) {
        size_t n = strlen(heading);
        fputs(".SS ", to);
        put_roff(to, heading, n && heading[n - 1] == ':' ? n - 1 : n);
        fputc('\n', to);
        return;
    }
    fputs(".TP\n", to);
    if (o->key > 0 && o->key < 256 && isprint(o->key))
        fprintf(to, "\\fB\\-%c\\fR, ", o->key);
    fputs("\\fB\\-\\-", to);
    put_roff(to, o->name, strlen(o->name));
    fputs("\\fR", to);
    if (o->arg) {
        fputs("=\\fI", to);
        put_roff(to, o->arg, strlen(o->arg));
        fputs("\\fR", to);
    }
    fputc('\n', to);
    put_text(to, o->doc ? o->doc : "");
}

/* A line for each way to call it. */
static void put_synopsis(FILE *to, const char *name, const char *arguments)
{
    fputs(".SH SYNOPSIS\n", to);
    for (const char *at = arguments ? arguments : "";;) {
        size_t n = strcspn(at, "\n");
        fprintf(to, "\\fB%s\\fR [\\fIOPTION\\fR...]%s", name, n ? " " : "");
        put_roff(to, at, n);
        fputc('\n', to);
        if (!at[n])
            return;
        fputs(".br\n", to);
        at += n + 1;
    }
}

static void put_environment(FILE *to)
{
    static const char *const variables[][2] = {
        {"NO_COLOR", "No colour on a terminal."},
        {"CI, TERM=dumb", "Plain lines of progress instead of a live one, as where the output is no terminal."},
        {"COLUMNS", "Columns of a terminal that does not tell how many it has."},
        {"LC_ALL, LC_CTYPE, LANG", "Without UTF-8, bars and curves are drawn in ASCII."},
        {"WENGERT_DRAW", "A file: any program of the library draws the graph of its first backward pass there."}};
    fputs(".SH ENVIRONMENT\n", to);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        fputs(".TP\n.B ", to);
        put_roff(to, variables[i][0], strlen(variables[i][0]));
        fputc('\n', to);
        put_text(to, variables[i][1]);
    }
}

/* How a command's description begins, small, is its name's explanation. */
static void put_name(FILE *to, const char *page, const char *doc, size_t n)
{
    size_t end = strcspn(doc, ".,:");
    end = end < n ? end : n;
    fprintf(to, ".SH NAME\n%s \\- %c", page, tolower((unsigned char)doc[0]));
    put_roff(to, doc + 1, end - 1);
    fputc('\n', to);
}

char *arguments_listed(int key, const char *text, void (*write)(FILE *file))
{
    char *list = NULL;
    size_t size = 0;
    FILE *file = key == ARGP_KEY_HELP_POST_DOC ? open_memstream(&list, &size) : NULL;
    if (!file)
        return (char *)(uintptr_t)text;
    write(file);
    fclose(file);
    return list;
}

void arguments_man(const struct argp *argp, const char *name)
{
    char page[64], title[64];
    const char *doc = argp->doc ? argp->doc : "";
    size_t n = strcspn(doc, "\v");
    char *text = strndup(doc, n), *own = (char *)(uintptr_t)(doc[n] ? doc + n + 1 : "");
    char *more = argp->help_filter ? argp->help_filter(ARGP_KEY_HELP_POST_DOC, own, NULL) : own;
    FILE *to = stdout;
    snprintf(page, sizeof page, "%s", name);
    for (char *c = page; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    snprintf(title, sizeof title, "%s", page);
    for (char *c = title; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    fprintf(to, ".TH %s 1 \"\" \"wengert %s\" \"User Commands\"\n", title, WENGERT_VERSION);
    put_name(to, page, doc, n);
    put_synopsis(to, name, argp->args_doc);
    fputs(".SH DESCRIPTION\n", to);
    put_text(to, text ? text : "");
    if (more && *more) {
        fputs(".PP\n", to);
        put_text(to, more);
    }
    fputs(".SH OPTIONS\n", to);
    walk(argp, 0, put_option, to);
    fputs(".TP\n\\fB\\-?\\fR, \\fB\\-\\-help\\fR\nGive a list of the options.\n", to);
    fputs(".SH \"EXIT STATUS\"\n", to);
    put_text(to, "0 where all went well, 1 where something failed or was found wrong, 2 where the command line was not "
                 "understood.");
    put_environment(to);
    fputs(".SH \"SEE ALSO\"\n.BR wengert (1),\n.BR wengert (3)\n", to);
    free(text);
    if (more != own)
        free(more);
}

/* ---- Completion -------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *begun; /* of the option's name, with its hyphens; looked for: the whole */
    const struct argp_option *found;
    FILE *to;
} search;

static void put_matching(void *user, const char *heading, const struct argp_option *o)
{
    search *s = user;
    char text[80];
    (void)heading;
    if (!o)
        return;
    snprintf(text, sizeof text, "--%s%s", o->name, o->arg ? "=" : "");
    if (!strncmp(text, s->begun, strlen(s->begun)))
        fprintf(s->to, "%s\t%s\n", text, o->doc ? o->doc : "");
}

static void look_for(void *user, const char *heading, const struct argp_option *o)
{
    search *s = user;
    (void)heading;
    if (o && !strcmp(s->begun + 2, o->name))
        s->found = o;
}

static const struct argp_option *option_called(const struct argp *argp, const char *text, size_t n)
{
    char name[80];
    search s = {.begun = name};
    if (n < 3 || n >= sizeof name || strncmp(text, "--", 2))
        return NULL;
    snprintf(name, n + 1, "%s", text);
    walk(argp, 0, look_for, &s);
    return s.found && s.found->arg ? s.found : NULL;
}

/* "a|b|c" are the words that it takes; FILE and PATH are files; of other values nothing is known. */
static void put_values(const struct argp_option *o, const char *before, size_t n, const char *begun, FILE *to)
{
    if (!strcmp(o->arg, "FILE") || !strcmp(o->arg, "PATH"))
        fputs(":files\n", to);
    for (const char *at = o->arg; strchr(o->arg, '|') && *at;) {
        size_t length = strcspn(at, "|");
        if (!strncmp(at, begun, strlen(begun)))
            fprintf(to, "%.*s%.*s\n", (int)n, before, (int)length, at);
        at += length + (at[length] == '|');
    }
}

/* Those that are neither options nor their values. */
static int words_before(const struct argp *argp, char **word, int n)
{
    int words = 0;
    for (int i = 0; i < n; i++) {
        bool option = word[i][0] == '-', cut = i + 1 < n && !strcmp(word[i + 1], "=");
        words += !option;
        if (option && cut)
            i += 2;
        else if (option && option_called(argp, word[i], strlen(word[i])))
            i++;
    }
    return words;
}

/* bash cuts words at an equals sign, zsh does not. */
void arguments_complete(const struct argp *argp, arguments_words *words, char **word, int n, FILE *to)
{
    const char *last = n ? word[n - 1] : "", *equals = strchr(last, '=');
    bool cut = n > 1 && !strcmp(last, "="), behind = n > 2 && !strcmp(word[n - 2], "=");
    const char *option = cut ? word[n - 2] : behind ? word[n - 3] : n > 1 ? word[n - 2] : "";
    const struct argp_option *o = option_called(argp, option, strlen(option));
    if (o && last[0] != '-')
        put_values(o, "", 0, cut ? "" : last, to);
    else if (equals && (o = option_called(argp, last, (size_t)(equals - last))))
        put_values(o, last, (size_t)(equals - last) + 1, equals + 1, to);
    else if (last[0] == '-')
        walk(argp, 0, put_matching, &(search){.begun = last, .to = to});
    else if (words)
        words(to, words_before(argp, word, n - 1));
    else
        fputs(":files\n", to);
}

void arguments_read(const struct argp *argp, int argc, char **argv, void *input, arguments_words *words)
{
    if (argc == 2 && !strcmp(argv[1], "--man")) {
        arguments_man(argp, argv[0]);
        exit(0);
    }
    if (argc > 1 && !strcmp(argv[1], "--complete")) {
        arguments_complete(argp, words, argv + 2, argc - 2, stdout);
        exit(0);
    }
    argp_parse(argp, argc, argv, 0, NULL, input);
}
