/* A command's table of options, read three ways: as arguments, as a page of the manual, as what a shell may
 * complete. */
#ifndef TOOLS_ARGUMENTS_H
#define TOOLS_ARGUMENTS_H

#include <argp.h>
#include <stdint.h>
#include <stdio.h>

/* Prints the words that may stand behind so many others that are no options, a line each: "WORD", "WORD<tab>what it
 * is", or ":files" for the names of files. */
typedef void arguments_words(FILE *file, int before);

/* argp_parse into `input`. With --man as the only argument it prints the page of the manual and ends the program, with
 * --complete the words that may follow those behind it; words NULL: names of files. */
void arguments_read(const struct argp *argp, int argc, char **argv, void *input, arguments_words *words);

/* The whole number that `text` is, from `least` to `most`; anything else ends the program, as argp_error does. */
int64_t arguments_whole(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most);

/* For a help_filter: `write` prints what stands behind the options. */
char *arguments_listed(int key, const char *text, void (*write)(FILE *file));

/* For a program of commands. */
void arguments_man(const struct argp *argp, const char *name);
/* The n words begun so far, the last one unfinished, to `to`. */
void arguments_complete(const struct argp *argp, arguments_words *words, char **word, int n, FILE *to);

#endif
