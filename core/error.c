/* Errors and places. The first error stays on the tape; its place is that of the caller, which the public macros tell
 * before or just after the call. */
#include "tape.h"

#include <stdio.h>

static const char *const status_names[] = {"ok",     "shape",  "dtype",       "attr",  "index", "value",
                                           "numeric", "memory", "unsupported", "stale", "file",  "format"};

const char *wg_status_name(wg_status status)
{
    return (unsigned)status < sizeof status_names / sizeof *status_names ? status_names[status] : "?";
}

/* ---- Places ---------------------------------------------------------------------------------------------------- */
#define MOST_FILES 4095
#define LINE_BITS 20

static uint32_t file_found(wg_tape *tape, const char *file)
{
    uint32_t i = 0;
    while (i < tape->files && tape->file[i] != file && strcmp(tape->file[i], file))
        i++;
    if (i == tape->files) {
        if (i == MOST_FILES || !wg_tape_grow(tape, (void **)&tape->file, &tape->file_room, i + 1, sizeof *tape->file))
            return 0;
        tape->file[tape->files++] = file;
    }
    tape->last_file = file;
    tape->last_file_number = i + 1;
    return i + 1;
}

static inline uint32_t file_number(wg_tape *tape, const char *file)
{
    return file == tape->last_file ? tape->last_file_number : file_found(tape, file);
}

uint32_t wg_place(wg_tape *tape, const char *file, int line)
{
    uint32_t most = (1u << LINE_BITS) - 1;
    uint32_t at = line < 0 ? 0 : (uint32_t)line > most ? most : (uint32_t)line;
    uint32_t number = file_number(tape, file);
    return number ? number << LINE_BITS | at : 0;
}

const char *wg_place_text(const wg_tape *tape, uint32_t place, char *text, size_t size)
{
    text[0] = 0;
    uint32_t number = place >> LINE_BITS;
    if (number && number <= tape->files) {
        const char *file = tape->file[number - 1];
        while (!strncmp(file, "../", 3)) /* a build folder beside the sources */
            file += 3;
        snprintf(text, size, "%s:%u", file, place & ((1u << LINE_BITS) - 1));
    }
    return text;
}

wg_tensor wg_at(wg_tensor result, const char *file, int line)
{
    wg_tape *tape = result.tape;
    if (!tape)
        return result;
    if (wg_is_invalid(result)) {
        if (tape->status && !tape->error_place)
            tape->error_place = wg_place(tape, file, line);
        return result;
    }
    if (tape->unplaced < tape->nodes) {
        uint32_t place = wg_place(tape, file, line);
        for (uint32_t i = tape->unplaced; i < tape->nodes; i++)
            if (!wg_node_at(tape, i)->place)
                wg_node_at(tape, i)->place = place;
        tape->unplaced = tape->nodes;
    }
    return result;
}

wg_tape *wg_here(wg_tape *tape, const char *file, int line)
{
    if (tape)
        tape->here = wg_place(tape, file, line);
    return tape;
}

wg_tensor wg_here_at(wg_tensor t, const char *file, int line)
{
    wg_here(t.tape, file, line);
    return t;
}

const wg_tensor *wg_here_in(const wg_tensor *list, int n, const char *file, int line)
{
    for (int i = 0; list && i < n; i++)
        if (list[i].tape) {
            wg_here(list[i].tape, file, line);
            break;
        }
    return list;
}

/* ---- Errors ---------------------------------------------------------------------------------------------------- */
wg_status wg_tape_error(wg_tape *tape, wg_status status, uint32_t place, const char *name, const char *format,
                        va_list va)
{
    char text[sizeof tape->message];
    int n = name && *name ? snprintf(text, sizeof text, "%.100s: ", name) : 0;
    vsnprintf(text + n, sizeof text - (size_t)n, format, va);
    if (tape->scope_now) {
        char path[200];
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " (in %s)", wg_scope_path(tape, tape->scope_now, path, sizeof path));
    }
    if (!tape->status) {
        tape->status = status;
        tape->error_place = place;
        memcpy(tape->message, text, sizeof text);
    }
    if (tape->handler)
        tape->handler(tape->handler_user, status, text);
    return status;
}

wg_status wg_report(wg_tape *tape, const char *name, wg_status status, const char *format, ...)
{
    if (!tape)
        return status;
    va_list va;
    va_start(va, format);
    wg_tape_error(tape, status, tape->here, name, format, va);
    va_end(va);
    wg_forget_place(tape);
    return status;
}

wg_status wg_no_memory(wg_tape *tape, const char *name, size_t bytes)
{
    return wg_report(tape, name, WG_ERROR_MEMORY, "no memory for %zu bytes", bytes);
}

bool wg_failed(const wg_tape *tape) { return !tape || tape->status != WG_OK; }

wg_status wg_error_status(const wg_tape *tape) { return tape ? tape->status : WG_ERROR_MEMORY; }

const char *wg_error(const wg_tape *tape)
{
    if (!tape)
        return "wg_tape_new: no memory for a tape";
    if (!tape->status)
        return "";
    if (!tape->error_place)
        return tape->message;
    wg_tape *own = (wg_tape *)(uintptr_t)tape; /* the text is a cache of what the tape holds */
    char place[256];
    snprintf(own->text, sizeof own->text, "%s: %s", wg_place_text(tape, tape->error_place, place, sizeof place),
             tape->message);
    return tape->text;
}

void wg_clear_error(wg_tape *tape)
{
    if (!tape)
        return;
    tape->status = WG_OK;
    tape->error_place = 0;
    tape->message[0] = 0;
}

void wg_on_error(wg_tape *tape, wg_error_handler *handler, void *user)
{
    if (!tape)
        return;
    tape->handler = handler;
    tape->handler_user = user;
}
