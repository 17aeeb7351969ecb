/* A function of the user's from a shared object, checked. */
#ifndef TOOLS_CHECK_OBJECT_H
#define TOOLS_CHECK_OBJECT_H

#include <wengert.h>

/* The function that "./model.so:loss" names; NULL where the argument is not of that form. */
const char *object_function(const char *argument);
/* Checks it and prints the report, with its sweep as an SVG where that is not NULL. Returns an exit code. */
int check_object(const char *argument, uint64_t seed, bool mutate, const char *svg);

#endif
