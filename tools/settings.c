/* The settings of `wengert train`. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef enum { LAYERS, REAL, WHOLE, WORD, PATH, FLAG } kind;

static const struct {
    const char *name, *argument, *doc; /* argument: of a WORD those that it may be, "a|b|c" */
    int group;
    kind kind;
    size_t offset;
    double low, high; /* of numbers */
    bool kept;        /* in the checkpoint */
} table[] = {
#define AT(member) offsetof(settings, member)
    {"layers", "A,B,...",
     "Sizes; the first and last fit the data (default: 128,64 between them; 32,32 for few features)", 1, LAYERS,
     AT(net), 0, 0, true},
    {"activation", "relu|tanh|sigmoid|gelu|silu", "Of the hidden units (relu)", 1, WORD, AT(net.activation), 0, 0,
     true},
    {"dropout", "P", "Part of the hidden units left out at each step (0)", 1, REAL, AT(dropout), 0, 0.99, true},
    {"data", "PATH",
     "A folder of the four (Fashion-)MNIST files, or a .csv whose last column is the class, or a number to be fitted; "
     "without "
     "it two spirals are made from the seed",
     2, PATH, AT(data), 0, 0, false},
    {"validation", "F", "Part of the samples held out (0.1; 0: none)", 2, REAL, AT(validation), 0, 0.9, true},
    {"batch", "N", "Samples a step (64)", 2, WHOLE, AT(batch), 1, 1e9, true},
    {"optimizer", "adam|adamw|sgd|rmsprop", "How the parameters move (adam)", 3, WORD, AT(optimizer), 0, 0, true},
    {"lr", "F", "Learning rate (1e-3; spirals: 5e-3; sgd: 0.1)", 3, REAL, AT(lr), 0, 1e6, true},
    {"momentum", "F", "Of sgd and rmsprop (0)", 3, REAL, AT(momentum), 0, 0.9999, true},
    {"weight-decay", "F", "Part by which parameters shrink a step, times the rate (0)", 3, REAL, AT(decay), 0, 1e6,
     true},
    {"schedule", "constant|step|cosine|linear",
     "Of the learning rate: cosine and linear go down to 0, step to a tenth after each third of the epochs (constant)",
     3, WORD, AT(schedule), 0, 0, true},
    {"loss", "cross_entropy|mse", "What becomes small (cross_entropy; mse where a number is fitted)", 3, WORD, AT(loss),
     0, 0, true},
    {"clip", "NORM", "Scale the gradient down to this norm", 3, REAL, AT(clip), 1e-12, 1e12, true},
    {"epochs", "N", "Passes over the data (5; spirals: 40)", 3, WHOLE, AT(epochs), 1, 1e9, true},
    {"patience", "N", "Stop after N epochs without a better validation loss", 3, WHOLE, AT(patience), 1, 1e9, true},
    {"seed", "N", "Of weights, order, dropout and spirals (0)", 3, WHOLE, AT(seed), 0, 9007199254740992.0, true},
    {"threads", "N", "The same bits with any number (1)", 3, WHOLE, AT(threads), 1, 1024, false},
    {"checkpoint", "FILE", "Weights, optimiser and where the training stands, after each epoch: .safetensors", 4, PATH,
     AT(checkpoint), 0, 0, false},
    {"resume", NULL, "Go on from the checkpoint, with its settings where no others are given", 4, FLAG, AT(resume), 0,
     0, false},
    {"curve", "FILE", "Learning curve, .svg", 4, PATH, AT(curve), 0, 0, false},
    {"graph", "FILE", "The graph of a step: .svg, .png, .dot or .txt", 4, PATH, AT(graph), 0, 0, false},
    {"boundary", "FILE", "Decision boundary of two features, .svg (spirals: spirals.svg)", 4, PATH, AT(boundary), 0, 0,
     false},
    {"confusion", "FILE", "Confusion matrix of the test or validation data, .svg", 4, PATH, AT(confusion), 0, 0, false},
    {"log", "FILE", "A line an epoch, .csv", 4, PATH, AT(log), 0, 0, false},
    {"progress", "auto|live|plain|json|none", "What is told on standard error (auto)", 5, WORD, AT(progress), 0, 0,
     false},
    {"color", "auto|always|never", "Of the live line; auto: on a terminal, unless NO_COLOR is set (auto)", 5, WORD,
     AT(color), 0, 0, false},
    {"json", NULL, "The results as one JSON object", 5, FLAG, AT(json), 0, 0, false},
#undef AT
};
static const char *const groups[] = {"The network", "The data", "The training", "What is written", "What is shown"};
enum { TRAINING = 3 }; /* the last group that changes what is learned */
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

_Static_assert(sizeof table / sizeof *table + sizeof groups / sizeof *groups < SETTINGS, "settings have room");

const settings settings_default = {.net.activation = "relu",
                                   .validation = 0.1,
                                   .lr = -1,
                                   .batch = 64,
                                   .threads = 1,
                                   .optimizer = "adam",
                                   .schedule = "constant",
                                   .loss = "auto",
                                   .progress = "auto",
                                   .color = "auto"};

/* ---- Setting one ------------------------------------------------------------------------------------------------- */
static bool word_among(const char *words, const char *text)
{
    size_t n = strlen(text);
    for (const char *at = words; n && (at = strstr(at, text)); at += n)
        if ((at == words || at[-1] == '|') && (!at[n] || at[n] == '|'))
            return true;
    return false;
}

static bool number_set(int i, const char *text, void *to)
{
    char *end;
    errno = 0;
    int64_t whole = table[i].kind == WHOLE ? strtoll(text, &end, 10) : 0;
    double real = table[i].kind == WHOLE ? (double)whole : strtod(text, &end);
    if (end == text || *end || (errno && table[i].kind == WHOLE) || !(real >= table[i].low && real <= table[i].high))
        return false;
    if (table[i].kind == WHOLE)
        memcpy(to, &whole, sizeof whole);
    else
        memcpy(to, &real, sizeof real);
    return true;
}

/* False, and what it takes in `message`, where the text is no value of it. */
static bool set(settings *s, int i, const char *text, char *message, size_t size)
{
    void *to = (char *)s + table[i].offset;
    switch (table[i].kind) {
    case LAYERS:
        if (model_sizes(text, to))
            return true;
        snprintf(message, size, "--layers takes 2 to %d sizes, as in 784,128,10, not \"%s\"", MODEL_LAYERS + 1, text);
        return false;
    case REAL:
    case WHOLE:
        if (number_set(i, text, to))
            return true;
        snprintf(message, size, "--%s takes a %snumber from %.10g to %.10g, not \"%s\"", table[i].name,
                 table[i].kind == WHOLE ? "whole " : "", table[i].low, table[i].high, text);
        return false;
    case WORD:
        if (!word_among(table[i].argument, text)) {
            snprintf(message, size, "--%s is one of %s, not \"%s\"", table[i].name, table[i].argument, text);
            return false;
        }
        snprintf(to, SETTING_WORD, "%s", text);
        return true;
    case PATH:
        memcpy(to, &text, sizeof text);
        return true;
    case FLAG:
        *(bool *)to = true;
        return true;
    }
    return false;
}

/* ---- The command line -------------------------------------------------------------------------------------------- */
void settings_options(struct argp_option *options, bool only_training)
{
    int n = 0;
    for (int group = 1; group <= (only_training ? TRAINING : COUNT(groups)); group++) {
        options[n++] = (struct argp_option){.doc = groups[group - 1], .group = group};
        for (int i = 0; i < COUNT(table); i++)
            if (table[i].group == group)
                options[n++] = (struct argp_option){table[i].name, 256 + i, table[i].argument, 0, table[i].doc, group};
    }
    options[n] = (struct argp_option){0};
}

error_t settings_parse(int key, char *text, struct argp_state *state)
{
    settings *s = state->input;
    char message[256];
    if (key == ARGP_KEY_ARG)
        argp_error(state, "what is \"%s\"? Data are named by --data", text);
    if (key == ARGP_KEY_END && s->resume && !s->checkpoint)
        argp_error(state, "--resume takes a --checkpoint to go on from");
    if (key < 256 || key >= 256 + COUNT(table))
        return ARGP_ERR_UNKNOWN;
    if (!set(s, key - 256, text, message, sizeof message))
        argp_error(state, "%s", message);
    s->given[key - 256] = true;
    return 0;
}

/* ---- The checkpoint ---------------------------------------------------------------------------------------------- */
static char *value_text(const settings *s, int i, char *text)
{
    const void *from = (const char *)s + table[i].offset;
    double real;
    int64_t whole;
    if (table[i].kind == LAYERS)
        return model_text(from, text, SETTING_TEXT);
    if (table[i].kind == REAL) {
        memcpy(&real, from, sizeof real);
        snprintf(text, SETTING_TEXT, "%.17g", real);
    } else if (table[i].kind == WHOLE) {
        memcpy(&whole, from, sizeof whole);
        snprintf(text, SETTING_TEXT, "%lld", (long long)whole);
    } else {
        snprintf(text, SETTING_TEXT, "%s", (const char *)from);
    }
    return text;
}

/* One that has no value, such as a clipping norm of 0, is outside its own limits, and left out. */
int settings_kept(const settings *s, const char **pairs, char text[SETTINGS][SETTING_TEXT])
{
    int n = 0;
    for (int i = 0; i < COUNT(table); i++) {
        settings trial = *s;
        char message[256];
        if (!table[i].kept || !set(&trial, i, value_text(s, i, text[n / 2]), message, sizeof message))
            continue;
        pairs[n] = table[i].name;
        pairs[n + 1] = text[n / 2];
        n += 2;
    }
    return n;
}

/* A checkpoint is of one network and one optimiser: those must agree, everything else may be given anew. */
static bool must_agree(int i)
{
    return table[i].offset == offsetof(settings, net) || table[i].offset == offsetof(settings, net.activation) ||
           table[i].offset == offsetof(settings, optimizer);
}

bool settings_restore(settings *s, const wg_weights *checkpoint, char *message, size_t size)
{
    for (int i = 0; i < COUNT(table); i++) {
        const char *text = table[i].kept ? wg_weights_metadata(checkpoint, table[i].name) : NULL;
        char own[SETTING_TEXT], why[256];
        if (must_agree(i) && !text) {
            snprintf(message, size, "it was not written by `wengert train': it has no %s", table[i].name);
            return false;
        }
        if (text && !s->given[i] && !set(s, i, text, why, sizeof why)) {
            snprintf(message, size, "its settings cannot be read: %s", why);
            return false;
        }
        if (must_agree(i) && s->given[i] && strcmp(value_text(s, i, own), text)) {
            snprintf(message, size, "it has --%s %s, not %s", table[i].name, text, own);
            return false;
        }
    }
    return true;
}
