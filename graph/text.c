/* Text in the arena, escaping, and how numbers are written for people. */
#include "graph/text.h"

#include <stdlib.h>

#define LONGEST 30 /* characters of a name in a drawing */
#define REPLACEMENT "\xef\xbf\xbd"

static bool text_fits(wg_text *text, size_t more)
{
    if (text->failed)
        return false;
    if (text->size + more < text->room)
        return true;
    size_t room = text->room ? 2 * text->room : 4096;
    while (room <= text->size + more)
        room *= 2;
    char *data = wg_arena(text->tape, room);
    if (!data) {
        text->failed = true;
        return false;
    }
    if (text->size)
        memcpy(data, text->data, text->size);
    text->data = data;
    text->room = room;
    return true;
}

void wg_put_bytes(wg_text *text, const char *data, size_t size)
{
    if (!text_fits(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

void wg_put(wg_text *text, const char *format, ...)
{
    va_list va;
    size_t room = text->room > text->size ? text->room - text->size : 0;
    va_start(va, format);
    int n = vsnprintf(room ? text->data + text->size : NULL, room, format, va);
    va_end(va);
    if (n < 0 || text->failed)
        return;
    if ((size_t)n >= room) {
        if (!text_fits(text, (size_t)n + 1))
            return;
        va_start(va, format);
        vsnprintf(text->data + text->size, (size_t)n + 1, format, va);
        va_end(va);
    }
    text->size += (size_t)n;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */
/* Bytes of the UTF-8 character at s; 0 where there is none. */
static size_t character(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    size_t n = c[0] < 0x80                   ? 1
               : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
               : (c[0] & 0xf0) == 0xe0       ? 3
               : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (n == 3 && c[0] == 0xe0 && c[1] < 0xa0) || (n == 4 && c[0] == 0xf0 && c[1] < 0x90);
    bool surrogate = n == 3 && c[0] == 0xed && c[1] >= 0xa0, beyond = n == 4 && c[0] == 0xf4 && c[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : n;
}

size_t wg_text_width(const char *text)
{
    size_t n = 0;
    for (const char *at = text; *at; n++)
        at += character(at) ? character(at) : 1;
    return n;
}

typedef struct {
    const char *from, *to;
} replacement;

static const replacement in_markup[] = {{"&", "&amp;"},   {"<", "&lt;"},  {">", "&gt;"},
                                        {"\"", "&quot;"}, {"\\", "\\\\"}, {0}};
static const replacement in_xml[] = {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {0}};
static const replacement in_json[] = {{"\"", "\\\""}, {"\\", "\\\\"}, {"<", "\\u003c"}, {0}};
static const replacement as_it_is[] = {{0}};
static const replacement in_quotes[] = {{"\"", "\\\""}, {"\\", "\xe2\x88\x96"}, {0}};

/* Puts the character at s, replaced as the table says; returns its bytes. */
static size_t put_character(wg_text *text, const char *s, const replacement *table)
{
    size_t n = character(s);
    if (!n || (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7f))) {
        wg_put_bytes(text, REPLACEMENT, 3);
        return n ? n : 1;
    }
    for (const replacement *r = table; n == 1 && r->from; r++)
        if (*s == *r->from) {
            wg_put_bytes(text, r->to, strlen(r->to));
            return 1;
        }
    wg_put_bytes(text, s, n);
    return n;
}

/* Letters, digits and what stands between them stay as they are everywhere. */
static bool is_simple(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == ' ';
}

static void put_name(wg_text *text, const char *name, const replacement *table, size_t longest)
{
    size_t simple = 0;
    while (is_simple(name[simple]))
        simple++;
    if (!name[simple] && simple <= longest) {
        wg_put_bytes(text, name, simple);
        return;
    }
    size_t width = wg_text_width(name), at = 0;
    for (const char *s = name; *s; at++) {
        if (width > longest && at == longest / 2)
            wg_put_bytes(text, "\xe2\x80\xa6", 3);
        if (width > longest && at >= longest / 2 && at < width - (longest - longest / 2 - 1))
            s += character(s) ? character(s) : 1;
        else
            s += put_character(text, s, table);
    }
}

void wg_put_plain(wg_text *text, const char *name) { put_name(text, name, as_it_is, SIZE_MAX / 2); }
void wg_put_label(wg_text *text, const char *name) { put_name(text, name, in_markup, LONGEST); }
void wg_put_markup(wg_text *text, const char *name) { put_name(text, name, in_markup, SIZE_MAX / 2); }
void wg_put_short(wg_text *text, const char *name) { put_name(text, name, in_quotes, LONGEST); }
void wg_put_quoted(wg_text *text, const char *name) { put_name(text, name, in_quotes, SIZE_MAX / 2); }
void wg_put_xml(wg_text *text, const char *name) { put_name(text, name, in_xml, SIZE_MAX / 2); }

void wg_put_cell(wg_text *text, const char *cell, size_t width, bool right, bool last)
{
    size_t own = wg_text_width(cell), pad = width > own ? width - own : 0;
    for (size_t i = 0; right && i < pad; i++)
        wg_put(text, " ");
    wg_put_plain(text, cell);
    for (size_t i = 0; !right && !last && i < pad; i++)
        wg_put(text, " ");
    wg_put(text, last ? "\n" : "  ");
}

void wg_put_url(wg_text *text, const char *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)data[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("./-_~", c));
        wg_put(text, plain ? "%c" : "%%%02X", c);
    }
}

void wg_put_json(wg_text *text, const char *name)
{
    wg_put(text, "\"");
    put_name(text, name, in_json, SIZE_MAX / 2);
    wg_put(text, "\"");
}

void wg_put_json_number(wg_text *text, double value)
{
    char digits[40];
    if (!isfinite(value)) {
        wg_put(text, value != value ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"");
        return;
    }
    static const int lengths[] = {6, 9, 15, 16, 17};
    for (int i = 0; i < 5; i++) {
        snprintf(digits, sizeof digits, "%.*g", lengths[i], value);
        if (strtod(digits, NULL) == value)
            break;
    }
    wg_put(text, "%s", digits);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */
char *wg_form_text(const wg_type *type, wg_dtype usual, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < type->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? "\xc3\x97" : "", (long long)type->dim[i]);
    if (!type->rank)
        used = (size_t)snprintf(out, size, "scalar");
    if (type->dtype != usual && used < size)
        snprintf(out + used, size - used, " %s", wg_dtype_name(type->dtype));
    return out;
}

char *wg_bytes_text(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    bool whole = unit == 0 || bytes >= 10 || bytes == floor(bytes);
    snprintf(out, size, whole ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

char *wg_flops_text(double flops, char *out, size_t size)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    int unit = 0;
    while (flops >= 1000 && unit < 4) {
        flops /= 1000;
        unit++;
    }
    snprintf(out, size, unit ? "%.4g%s" : "%.0f%s", flops, units[unit]);
    return out;
}

char *wg_time_text(double seconds, char *out, size_t size)
{
    static const char *const units[] = {"s", "ms", "\xc2\xb5s", "ns"};
    int unit = 0;
    while (seconds < 0.9995 && unit < 3) {
        seconds *= 1000;
        unit++;
    }
    snprintf(out, size, seconds >= 99.5 ? "%.0f %s" : "%.2g %s", seconds, units[unit]);
    return out;
}

char *wg_number_text(double value, int digits, char *out, size_t size)
{
    if (value != value)
        snprintf(out, size, "NaN");
    else
        snprintf(out, size, "%.*g", digits, value);
    return out;
}

char *wg_count_text(int64_t n, char *out, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < size; i++) {
        if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
    return out;
}
