/* What is asked of every SVG that is written without Graphviz: that it is XML, with a title, and no number that is
 * none. */
#ifndef TESTS_GRAPH_XML_H
#define TESTS_GRAPH_XML_H

#include "files.h"

/* The whole file; to be freed. */
static inline char *content_of(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(*size + 1, 1);
    ck_assert_uint_eq(fread(text, 1, *size, file), *size);
    fclose(file);
    return text;
}

/* ---- XML --------------------------------------------------------------------------------------------------------- */
static inline bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Behind the text up to `end`, in which there is no < and every & is one of the known entities. */
static inline const char *text_read(const char *at, char end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (; *at && *at != end; at++) {
        int known = *at != '&';
        for (int i = 0; i < COUNT(entities); i++)
            known |= !strncmp(at, entities[i], strlen(entities[i]));
        ck_assert_msg(known && *at != '<' && (*at == '\n' || (unsigned char)*at >= 0x20), "not XML: %.40s", at);
    }
    return at;
}

/* An attribute with a number in it has one. */
static inline void is_numbers(const char *from, const char *to)
{
    for (const char *at = from; at + 3 <= to && strncmp(from, "data:", 5); at++)
        ck_assert_msg(strncmp(at, "nan", 3) && strncmp(at, "inf", 3), "no number: %.*s", (int)(to - from), from);
}

/* Tags nest and close, attributes are quoted; there is a title. Not all of XML, but all that is written. */
static inline void is_xml(const char *text)
{
    char open[64][16] = {{0}};
    int depth = 0;
    ck_assert_msg(!strncmp(text, "<svg ", 5), "no svg: %.40s", text);
    ck_assert_ptr_nonnull(strstr(text, "<title>"));
    for (const char *at = text; *at;) {
        if (*at != '<') {
            at = text_read(at, '<');
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes, *end = name;
        while (is_name(*end))
            end++;
        ck_assert_int_gt(end - name, 0);
        ck_assert_int_lt(end - name, 15);
        for (at = end; *at == ' ';) {
            const char *attribute = ++at;
            while (is_name(*at))
                at++;
            ck_assert_msg(at > attribute && at[0] == '=' && at[1] == '"', "not an attribute: %.40s", attribute);
            const char *value = at + 2;
            at = text_read(value, '"');
            is_numbers(value, at);
            at++;
        }
        if (closes) {
            ck_assert_int_gt(depth, 0);
            depth--;
            ck_assert_msg(strlen(open[depth]) == (size_t)(end - name) &&
                              !strncmp(open[depth], name, (size_t)(end - name)),
                          "%s is closed by %.20s", open[depth], name);
        } else if (*at != '/') {
            ck_assert_int_lt(depth, 64);
            snprintf(open[depth++], 16, "%.*s", (int)(end - name), name);
        }
        at += *at == '/';
        ck_assert_msg(*at == '>', "not closed: %.40s", name);
        at++;
    }
    ck_assert_int_eq(depth, 0);
}

static inline size_t is_chart(const char *path, const char *with)
{
    size_t size;
    char *text = content_of(path, &size);
    is_xml(text);
    ck_assert_msg(!with || strstr(text, with), "no %s in %.3000s", with, text);
    free(text);
    return size;
}

#endif
