/* Numbers with a point, whatever the program's locale: for files that machines read. Private to graph/. */
#ifndef GRAPH_PLAIN_H
#define GRAPH_PLAIN_H

#include <locale.h>
#include <stdbool.h>

typedef struct {
    locale_t plain, before;
} wg_plain;

/* From here to wg_plain_end, on this thread. False, and nothing to end, where there is no memory. */
static inline bool wg_plain_begin(wg_plain *p)
{
    p->plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (p->plain)
        p->before = uselocale(p->plain);
    return p->plain;
}

static inline void wg_plain_end(const wg_plain *p)
{
    uselocale(p->before);
    freelocale(p->plain);
}

#endif
