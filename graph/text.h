/* Text that grows in the tape's arena, and the ways of writing a string safely into DOT. Private to graph/. */
#ifndef GRAPH_TEXT_H
#define GRAPH_TEXT_H

#include "core/tape.h"

typedef struct {
    wg_tape *tape;
    char *data; /* NUL-terminated once anything was put */
    size_t size, room;
    bool failed; /* there was no memory: nothing more is put */
} wg_text;

void wg_put(wg_text *text, const char *format, ...) WG_PRINTF(2, 3);
void wg_put_bytes(wg_text *text, const char *data, size_t size);
/* A name as HTML-like label text: & < > " as entities, control bytes and bad UTF-8 as U+FFFD, a backslash doubled
 * (Graphviz expands \N and its kin even there); longer than 30 characters it is cut in the middle. */
void wg_put_label(wg_text *text, const char *name);
/* The same, whole. */
void wg_put_markup(wg_text *text, const char *name);
/* A name inside a quoted DOT string: quotes escaped, the backslash as U+2216. */
void wg_put_quoted(wg_text *text, const char *name);
/* The same, cut in the middle as a label is. */
void wg_put_short(wg_text *text, const char *name);
/* n bytes as a part of a link: percent-encoded, but for letters, digits and ./-_~ */
void wg_put_url(wg_text *text, const char *data, size_t n);
/* A name as text of an XML file. */
void wg_put_xml(wg_text *text, const char *name);

/* A name as a string of JSON, in quotes; a < is written as an escape, so that it can stand in a page. */
void wg_put_json(wg_text *text, const char *name);
/* A number of JSON, with as many digits as it takes to read it back; "nan", "inf" and "-inf" as strings. */
void wg_put_json_number(wg_text *text, double value);

/* A name as plain text: control bytes and bad UTF-8 as U+FFFD, as in all of these. */
void wg_put_plain(wg_text *text, const char *name);
/* The same as a cell of a table, padded to that width and two blanks apart from the next; the last ends the line. */
void wg_put_cell(wg_text *text, const char *cell, size_t width, bool right, bool last);

/* "64×784", "scalar"; " int64" behind it where the dtype differs from `usual`. Into `out`; returns out. */
char *wg_form_text(const wg_type *type, wg_dtype usual, char *out, size_t size);
/* "398 KiB", "512 B". */
char *wg_bytes_text(double bytes, char *out, size_t size);
/* "12.85 M". */
char *wg_flops_text(double flops, char *out, size_t size);
/* "1.2 ms". */
char *wg_time_text(double seconds, char *out, size_t size);
/* With that many digits; "NaN". */
char *wg_number_text(double value, int digits, char *out, size_t size);
/* "101,770". */
char *wg_count_text(int64_t n, char *out, size_t size);
/* Characters of a UTF-8 string. */
size_t wg_text_width(const char *text);

#endif
