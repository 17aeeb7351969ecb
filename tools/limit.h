/* How much memory the programs that answer requests may take. */
#ifndef TOOLS_LIMIT_H
#define TOOLS_LIMIT_H

/* A request for more memory than there is gets an error for an answer, and not the program killed by the system. */
void memory_limit(void);

#endif
