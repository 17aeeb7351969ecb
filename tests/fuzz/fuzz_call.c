/* Requests of `wengert call`, any number of lines of anything: each is answered by one line of JSON, or is blank. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(engine *e, const char *line, size_t n)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return;
    engine_answer(e, line, n, to);
    fclose(to);
    json_t *json = size ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (size && (!json || memchr(text, '\n', size) != text + size - 1))
        abort();
    json_decref(json);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    engine *e = engine_new();
    const char *at = (const char *)data, *end = at + size;
    while (e && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        ask(e, at, n);
        at += n + (newline != NULL);
    }
    engine_free(e);
    return 0;
}
