/* Would the checks notice? Operations with their derivative rules broken, one way at a time. */
#ifndef TOOLS_MUTANTS_H
#define TOOLS_MUTANTS_H

#include <wengert.h>

/* Checks the operations that `asked` wants with each mutation, and prints a table. Returns how many mutants that change
 * the gradient passed. */
int check_mutants(bool (*asked)(void *user, const char *family, const wg_op *op), void *user, uint64_t seed);

#endif
