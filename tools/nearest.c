/* The nearest name, by the optimal string alignment distance (Damerau 1964), which counts an exchange of neighbours
 * once. */
#include "nearest.h"

#include <stdint.h>
#include <wengert.h>

#define LONGEST 60

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t name_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[3][LONGEST + 1]; /* rows i - 2, i - 1 and i of the table, in turn */
    if (n > LONGEST || m > LONGEST)
        return SIZE_MAX;
    for (size_t k = 0; k <= m; k++)
        row[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (size_t k = 1; k <= m; k++) {
            now[k] = least(before[k] + 1, least(now[k - 1] + 1, before[k - 1] + (a[i - 1] != b[k - 1])));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], earlier[k - 2] + 1);
        }
    }
    return row[n % 3][m];
}

int is_near(size_t distance, const char *name) { return distance <= 1 + strlen(name) / 4; }

const char *nearest_operation(const char *name)
{
    const char *found = NULL;
    size_t nearest = SIZE_MAX;
    for (int i = 0; wg_op_family(i); i++)
        for (int k = 0; k < wg_op_family(i)->n; k++) {
            const wg_op *op = wg_op_family(i)->op[k];
            size_t distance = op->hidden ? SIZE_MAX : name_distance(name, op->name);
            if (distance < nearest) {
                nearest = distance;
                found = op->name;
            }
        }
    return found && is_near(nearest, name) ? found : NULL;
}

void operation_words(FILE *file, int before)
{
    (void)before;
    for (int i = 0; wg_op_family(i); i++)
        for (int k = 0; k < wg_op_family(i)->n; k++)
            if (!wg_op_family(i)->op[k]->hidden)
                fprintf(file, "%s\n", wg_op_family(i)->op[k]->name);
}
