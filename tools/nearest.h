/* The nearest of the names there are to one that is not, for messages. */
#ifndef TOOLS_NEAREST_H
#define TOOLS_NEAREST_H

#include <stddef.h>
#include <stdio.h>

/* Insertions, deletions, replacements and exchanges of neighbours between two names; SIZE_MAX for a very long one. */
size_t name_distance(const char *a, const char *b);
/* Is a name that far away one that may have been meant? */
int is_near(size_t distance, const char *name);
/* The nearest operation, NULL if none is near. */
const char *nearest_operation(const char *name);
/* Their names, a line each. */
void operation_words(FILE *file, int before);

#endif
