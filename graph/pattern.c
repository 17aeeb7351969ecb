/* Structures of sparse matrices: rows of ascending column numbers, shared by reference where operations do not change
 * them. */
#include "graph/pattern.h"

#include <stdlib.h>

/* ---- Memory ------------------------------------------------------------------------------------------------------ */
#define HEADER 64 /* bytes before what is given out: its size, and alignment */

void *wg_room_new(wg_tape *tape, int64_t n, size_t size)
{
    if (n < 0 || (uint64_t)n > (SIZE_MAX / 2 - HEADER) / size)
        return NULL;
    size_t bytes = HEADER + (size_t)n * size;
    size_t *memory = wg_tape_allocate(tape, bytes);
    if (!memory)
        return NULL;
    *memory = bytes;
    return (char *)memory + HEADER;
}

static size_t room_bytes(const void *room) { return *(const size_t *)(const void *)((const char *)room - HEADER); }

void wg_room_free(wg_tape *tape, void *room)
{
    if (room)
        wg_tape_release(tape, (char *)room - HEADER, room_bytes(room));
}

void *wg_room_grown(wg_tape *tape, void *room, int64_t n, size_t size)
{
    void *grown = wg_room_new(tape, n, size);
    if (!grown)
        return NULL;
    memcpy(grown, room, room_bytes(room) - HEADER);
    wg_room_free(tape, room);
    return grown;
}

static wg_pattern *pattern_new(wg_tape *tape, int64_t rows, int64_t columns, int64_t n)
{
    wg_pattern *p = wg_room_new(tape, 1, sizeof *p);
    if (!p)
        return NULL;
    *p = (wg_pattern){.rows = rows, .columns = columns, .refs = 1};
    p->start = wg_room_new(tape, rows + 1, sizeof *p->start);
    p->index = wg_room_new(tape, n, sizeof *p->index);
    if (p->start && p->index)
        return p;
    wg_pattern_free(tape, p);
    return NULL;
}

void wg_pattern_free(wg_tape *tape, wg_pattern *p)
{
    if (!p || --p->refs > 0)
        return;
    wg_room_free(tape, p->start);
    wg_room_free(tape, p->index);
    wg_room_free(tape, p);
}

/* ---- Made at once ------------------------------------------------------------------------------------------------ */
wg_pattern *wg_pattern_identity(wg_tape *tape, int64_t rows, int64_t columns, int64_t first)
{
    wg_pattern *p = pattern_new(tape, rows, columns, rows);
    for (int64_t r = 0; p && r < rows; r++) {
        p->start[r + 1] = r + 1;
        p->index[r] = first + r;
    }
    return p;
}

wg_pattern *wg_pattern_spread(wg_tape *tape, const wg_pattern *p)
{
    int64_t n = p->uniform ? p->start[1] : 0;
    if (p->uniform && n && p->rows > INT64_MAX / n)
        return NULL;
    wg_pattern *q = pattern_new(tape, p->rows, p->columns, p->uniform ? p->rows * n : wg_pattern_count(p));
    for (int64_t r = 0; q && r < p->rows; r++) {
        const int64_t *row = wg_pattern_row(p, r, &n);
        memcpy(q->index + q->start[r], row, (size_t)n * sizeof *row);
        q->start[r + 1] = q->start[r] + n;
    }
    return q;
}

wg_pattern *wg_pattern_transposed(wg_tape *tape, const wg_pattern *p)
{
    int64_t n = wg_pattern_count(p);
    wg_pattern *t = pattern_new(tape, p->columns, p->rows, n);
    int64_t *next = t ? wg_room_new(tape, p->columns + 1, sizeof *next) : NULL;
    if (!next) {
        wg_pattern_free(tape, t);
        return NULL;
    }
    for (int64_t k = 0; k < n; k++)
        t->start[p->index[k] + 1]++;
    for (int64_t c = 0; c < p->columns; c++)
        next[c + 1] = t->start[c + 1] += t->start[c];
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
            t->index[next[p->index[k]]++] = r;
    wg_room_free(tape, next);
    return t;
}

wg_pattern *wg_pattern_symmetric(wg_tape *tape, const wg_pattern *p)
{
    wg_pattern *t = wg_pattern_transposed(tape, p), *s = NULL;
    int64_t *mark = t ? wg_room_new(tape, p->columns, sizeof *mark) : NULL;
    if (mark) {
        wg_weave w = wg_weave_begin(tape, p->rows, p->columns, mark, 0);
        for (int64_t r = 0, n; r < p->rows; r++) {
            const int64_t *row = wg_pattern_row(p, r, &n);
            wg_weave_add(&w, row, n, 0);
            row = wg_pattern_row(t, r, &n);
            wg_weave_add(&w, row, n, 0);
            wg_weave_row(&w);
        }
        s = wg_weave_end(&w);
    }
    wg_room_free(tape, mark);
    wg_pattern_free(tape, t);
    return s;
}

/* Sorted by transposing twice: each transposition puts the entries of a row in order. */
wg_pattern *wg_pattern_entries(wg_tape *tape, int64_t rows, int64_t columns, int64_t n, const int64_t *row,
                               const int64_t *column)
{
    wg_pattern *p = pattern_new(tape, rows, columns, n), *t = NULL, *sorted = NULL;
    int64_t *next = p ? wg_room_new(tape, rows + 1, sizeof *next) : NULL;
    if (next) {
        for (int64_t k = 0; k < n; k++)
            p->start[row[k] + 1]++;
        for (int64_t r = 0; r < rows; r++)
            next[r + 1] = p->start[r + 1] += p->start[r];
        for (int64_t k = 0; k < n; k++)
            p->index[next[row[k]]++] = column[k];
        t = wg_pattern_transposed(tape, p);
        sorted = t ? wg_pattern_transposed(tape, t) : NULL;
    }
    int64_t kept = 0, first = 0;
    for (int64_t r = 0; sorted && r < rows; r++) {
        int64_t end = sorted->start[r + 1], begin = kept;
        for (int64_t k = first; k < end; k++)
            if (kept == begin || sorted->index[kept - 1] != sorted->index[k])
                sorted->index[kept++] = sorted->index[k];
        first = end;
        sorted->start[r + 1] = kept;
    }
    wg_room_free(tape, next);
    wg_pattern_free(tape, p);
    wg_pattern_free(tape, t);
    return sorted;
}

/* ---- Made row by row --------------------------------------------------------------------------------------------- */
wg_weave wg_weave_begin(wg_tape *tape, int64_t rows, int64_t columns, int64_t *mark, int64_t marks)
{
    wg_weave w = {
        .tape = tape, .made = pattern_new(tape, rows, columns, rows), .mark = mark, .room = rows, .marks = marks};
    w.failed = !w.made;
    return w;
}

static bool weave_room(wg_weave *w, int64_t more)
{
    if (w->n + more <= w->room)
        return true;
    int64_t room = w->n + more + w->room / 2;
    int64_t *grown = wg_room_grown(w->tape, w->made->index, room, sizeof *grown);
    if (!grown)
        return false;
    w->made->index = grown;
    w->room = room;
    return true;
}

void wg_weave_add(wg_weave *w, const int64_t *index, int64_t n, int64_t shift)
{
    if (!n || w->failed)
        return;
    if (!weave_room(w, n)) {
        w->failed = true;
        return;
    }
    int64_t *to = w->made->index, now = w->marks + w->row + 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t column = index[i] + shift;
        if (w->mark[column] == now)
            continue;
        w->mark[column] = now;
        to[w->n++] = column;
    }
    w->sources++;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_row(int64_t *row, int64_t n)
{
    if (n > 32) {
        qsort(row, (size_t)n, sizeof *row, ascending);
        return;
    }
    for (int64_t i = 1; i < n; i++) {
        int64_t at = i, value = row[i];
        for (; at > 0 && row[at - 1] > value; at--)
            row[at] = row[at - 1];
        row[at] = value;
    }
}

void wg_weave_row(wg_weave *w)
{
    if (w->failed)
        return;
    int64_t *start = w->made->start;
    if (w->sources > 1)
        sort_row(w->made->index + start[w->row], w->n - start[w->row]);
    start[++w->row] = w->n;
    w->sources = 0;
}

wg_pattern *wg_weave_end(wg_weave *w)
{
    w->marks += w->row;
    if (!w->failed)
        return w->made;
    wg_pattern_free(w->tape, w->made);
    return NULL;
}
