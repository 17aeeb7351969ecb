/* Compiled functions of one body, by the types of their inputs. */
#include "graph/closure.h"
#include "graph/plan.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(bytes) wg_tape_allocate(tape, bytes)
#define uthash_free(memory, bytes) wg_tape_release(tape, memory, bytes)
#include <uthash.h>

/* The types as numbers: dtype, rank and sizes of each. */
typedef struct {
    wg_function *function;
    size_t bytes; /* of all of this */
    UT_hash_handle hh;
    int64_t key[];
} special;

struct wg_specialised {
    wg_tape *tape;
    wg_body *f;
    void *user;
    bool backward, reads;
    int n_out;
    special *known;
};

static void specialised_free(void *object)
{
    wg_specialised *s = object;
    wg_tape *tape = s->tape;
    special *entry, *next;
    HASH_ITER(hh, s->known, entry, next) { /* the functions are the tape's own */
        HASH_DEL(s->known, entry);
        wg_tape_release(tape, entry, entry->bytes);
    }
    wg_tape_release(tape, s, sizeof *s);
}

wg_specialised *(wg_specialise)(wg_tape *tape, wg_body *f, int n_out, wg_specialise_options options)
{
    if (!tape || tape->status)
        return NULL;
    if (!f || n_out < 1) {
        wg_report(tape, "wg_specialise", WG_ERROR_VALUE, f ? "%d results" : "the function is NULL", n_out);
        return NULL;
    }
    wg_specialised *s = wg_tape_allocate(tape, sizeof *s);
    if (!s) {
        wg_no_memory(tape, "wg_specialise", sizeof *s);
        return NULL;
    }
    *s = (wg_specialised){.tape = tape,
                          .f = f,
                          .user = options.user,
                          .backward = options.backward,
                          .reads = options.reads,
                          .n_out = n_out};
    if (wg_tape_own(tape, s, specialised_free))
        s = NULL;
    wg_forget_place(tape);
    return s;
}

static size_t key_length(const wg_type *types, int n)
{
    size_t length = 0;
    for (int i = 0; i < n; i++)
        length += 2 + (size_t)types[i].rank;
    return length;
}

static void key_write(const wg_type *types, int n, int64_t *key)
{
    for (int i = 0; i < n; i++) {
        *key++ = types[i].dtype;
        *key++ = types[i].rank;
        for (int d = 0; d < types[i].rank; d++)
            *key++ = types[i].dim[d];
    }
}

static wg_function *recorded(const wg_specialised *s, const wg_type *types, int n)
{
    wg_tape *tape = s->tape;
    wg_tensor *in = wg_arena(tape, (size_t)(n + s->n_out + 1) * sizeof *in), *out = in + n;
    if (!in) {
        wg_no_memory(tape, "wg_specialised_for", (size_t)n * sizeof *in);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        in[i] = wg_array(tape, types[i].dtype, wg_type_shape(&types[i]), NULL);
        if (!wg_is_tensor(in[i]))
            return NULL;
    }
    if (wg_body_call(tape, "wg_specialised_for", s->f, s->user, in, out, s->n_out))
        return NULL;
    return (wg_compile)(tape, (wg_tensors){in, n}, (wg_tensors){out, s->n_out},
                        (wg_compile_options){.backward = s->backward, .reads = s->reads});
}

static wg_function *made(wg_specialised *s, const wg_type *types, int n, special *entry, size_t length)
{
    wg_tape *tape = s->tape;
    wg_trial trial = wg_trial_begin(tape);
    entry->function = recorded(s, types, n);
    wg_trial_end(tape, &trial);
    if (!entry->function)
        return NULL;
    HASH_ADD_KEYPTR(hh, s->known, entry->key, length * sizeof *entry->key, entry);
    if (entry->hh.tbl) /* NULL where there was no memory for its place */
        return entry->function;
    wg_function_free(entry->function);
    wg_no_memory(tape, "wg_specialised_for", sizeof *entry);
    return NULL;
}

wg_function *wg_specialised_for(wg_specialised *s, const wg_type *types, int n)
{
    if (!s || s->tape->status)
        return NULL;
    wg_tape *tape = s->tape;
    for (int i = 0; i < n || n < 0; i++)
        if (n < 0 || !types || types[i].rank < 0 || types[i].rank > WG_MAX_RANK) {
            wg_report(tape, "wg_specialised_for", WG_ERROR_VALUE, n < 0 ? "%d inputs" : "type %d is not one",
                      n < 0 ? n : i);
            return NULL;
        }
    size_t length = key_length(types, n), bytes = sizeof(special) + length * sizeof(int64_t);
    special *entry = wg_tape_allocate(tape, bytes), *found = NULL;
    if (!entry) {
        wg_no_memory(tape, "wg_specialised_for", bytes);
        return NULL;
    }
    entry->bytes = bytes;
    key_write(types, n, entry->key);
    HASH_FIND(hh, s->known, entry->key, length * sizeof(int64_t), found);
    wg_function *function = found ? found->function : made(s, types, n, entry, length);
    if (found || !function)
        wg_tape_release(tape, entry, bytes);
    return function;
}

int wg_specialised_count(const wg_specialised *s) { return s ? (int)HASH_COUNT(s->known) : 0; }
