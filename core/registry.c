/* Operations by name. The table belongs to a tape and is built at the first look-up: its entries point at the built-in
 * families, which are constant data, and at what the caller has added. */
#include "tape.h"

/* The table's memory is the tape's, and running out of it is an ordinary error. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(bytes) wg_tape_allocate(tape, bytes)
#define uthash_free(memory, bytes) wg_tape_release(tape, memory, bytes)
#include <uthash.h>

struct wg_registered {
    const wg_op *op;
    UT_hash_handle hh;
};

static bool add(wg_tape *tape, const wg_op *op)
{
    struct wg_registered *made = wg_tape_allocate(tape, sizeof *made);
    if (!made)
        return false;
    made->op = op;
    HASH_ADD_KEYPTR(hh, tape->registry, op->name, strlen(op->name), made);
    if (made->hh.tbl) /* NULL where there was no memory for its place */
        return true;
    wg_tape_release(tape, made, sizeof *made);
    return false;
}

static wg_status build(wg_tape *tape, const char *function)
{
    if (tape->registry)
        return WG_OK;
    for (int i = 0; wg_families[i]; i++)
        for (int k = 0; k < wg_families[i]->n; k++)
            if (!add(tape, wg_families[i]->op[k])) {
                wg_registry_free(tape);
                return wg_no_memory(tape, function, sizeof(struct wg_registered));
            }
    return WG_OK;
}

void wg_registry_free(wg_tape *tape)
{
    struct wg_registered *entry, *next;
    HASH_ITER(hh, tape->registry, entry, next) {
        HASH_DEL(tape->registry, entry);
        wg_tape_release(tape, entry, sizeof *entry);
    }
}

const wg_op *(wg_op_find)(wg_tape *tape, const char *name)
{
    if (!tape || !name || build(tape, "wg_op_find"))
        return NULL;
    struct wg_registered *found = NULL;
    HASH_FIND_STR(tape->registry, name, found);
    wg_forget_place(tape);
    return found ? found->op : NULL;
}

wg_status (wg_op_add)(wg_tape *tape, const wg_op *op)
{
    if (!tape)
        return WG_ERROR_VALUE;
    if (!op || !op->name || !op->name[0])
        return wg_report(tape, "wg_op_add", WG_ERROR_VALUE, "the operation has no name");
    wg_status status = build(tape, "wg_op_add");
    if (status)
        return status;
    struct wg_registered *found = NULL;
    HASH_FIND_STR(tape->registry, op->name, found);
    if (found)
        return wg_report(tape, "wg_op_add", WG_ERROR_VALUE, "there is an operation %s already", op->name);
    if (!add(tape, op))
        return wg_no_memory(tape, "wg_op_add", sizeof(struct wg_registered));
    wg_forget_place(tape);
    return WG_OK;
}

const wg_family *wg_op_family(int i)
{
    int n = 0;
    while (wg_families[n])
        n++;
    return i >= 0 && i < n ? wg_families[i] : NULL;
}

int wg_op_operands(const wg_op *op)
{
    int n = 0;
    while (op && n < WG_MAX_OPERANDS && op->in[n].name)
        n++;
    return n;
}

int wg_op_outputs(const wg_op *op)
{
    int n = 0;
    while (op && n < WG_MAX_OUTPUTS && op->out[n])
        n++;
    return n ? n : 1;
}
