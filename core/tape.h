/* What a tape is made of: nodes in chunks of an arena, and the state that recording needs. Private to the library. */
#ifndef CORE_TAPE_H
#define CORE_TAPE_H

#include <stdarg.h>

#include "wengert/operation.h"

#define WG_ABSENT UINT32_MAX /* the index of an operand that is not there */
#define WG_CHUNK 256         /* nodes in a chunk */
#define WG_ALIGN 64          /* bytes */

/* Dimensions and strides, in elements, of a tensor of rank 1 or more; shared by views of the same form. */
typedef struct {
    int64_t count;
    int64_t *dim, *stride;
} wg_layout;

/* What few nodes have. */
typedef struct {
    const void *options;
    const char *name;
    uint32_t written, written_epoch; /* nodes recorded when the value was last changed in place; of a buffer's owner */
    uint32_t grad;                   /* of a parameter: the leaf that holds its gradient */
    bool has_grad;                   /* something was accumulated since it was last taken */
} wg_extra;

enum {
    WG_NODE_CONTIGUOUS = 1,
    WG_NODE_LEAF = 2,
    WG_NODE_PARAM = 4,
    WG_NODE_CUT = 8,     /* recorded without gradient */
    WG_NODE_INLINE = 16, /* a 0-d value, kept in the node */
    WG_NODE_VIEW = 32,   /* shares its owner's buffer */
    WG_NODE_FROZEN = 64,
    WG_NODE_NUMBER = 128 /* a C number that became an operand */
};

typedef struct {
    const wg_op *op;
    void *data; /* the first element */
    union {
        const wg_layout *layout; /* rank > 0 */
        unsigned char scalar[8]; /* WG_NODE_INLINE */
    } as;
    union {
        uint32_t in[2];
        const uint32_t *ins; /* more than two */
        uint64_t serial;     /* of a number */
    } of;
    wg_extra *extra;
    uint32_t epoch;
    uint32_t place; /* file << 20 | line; 0: not known */
    uint32_t owner; /* the node whose buffer this is */
    uint32_t scope;
    uint16_t n_in;
    uint8_t dtype, rank, flags, out, n_out; /* out: which of its call's n_out outputs */
    bool unrecorded : 1; /* a derivative that was not recorded: it cannot be differentiated again */
    bool derived : 1;    /* recorded by a derivative */
    bool read : 1;       /* by the caller: it has a wg_decision */
    bool scalar : 1;     /* a call on 0-d operands, at most three, of its own dtype */
} wg_node;

_Static_assert(sizeof(wg_node) == 64, "a node is one cache line");

typedef struct wg_block {
    struct wg_block *next;
    size_t size; /* bytes behind the header */
    size_t used;
} wg_block;

typedef struct {
    uint32_t parent;
    int index; /* -1: none */
    const char *name;
    uint32_t hash, next; /* the one before in its bucket; 0: none */
} wg_scope;

/* Memory that outlives the arena's rewinds, for a node that does: see wg_node_memory. */
typedef struct wg_kept {
    struct wg_kept *next;
    size_t bytes; /* behind the header */
    uint32_t node;
} wg_kept;

typedef struct wg_owned {
    struct wg_owned *next;
    void *object;
    void (*release)(void *object);
} wg_owned;

/* Where the next buffer of so many bytes is to be put: the traversal's adjoint, so that it need not be copied there. */
typedef struct {
    void *data;
    size_t bytes;
} wg_hint;

typedef struct {
    uint64_t bits;
    uint64_t serial; /* also kept by the node: tells it from another that took its place */
    uint32_t node, epoch;
    wg_dtype dtype;
} wg_constant;

#define WG_CONSTANTS 64

/* A value by which something was decided while the tape was recorded: that nodes [from, to) are what they are,
 * maybe. */
typedef struct {
    const char *name;  /* of the function that read it */
    uint32_t node;     /* whose value it is; WG_ABSENT: of nodes that are gone */
    uint32_t from, to; /* the node itself among them: that is how it was found */
    uint32_t at;       /* nodes there were */
    uint32_t place;
} wg_decision;

/* Who is told of calls: that which recorded `node` took so long. */
typedef struct wg_observer {
    void (*called)(struct wg_observer *self, uint32_t node, double seconds);
} wg_observer;

struct wg_tape {
    wg_memory memory;
    unsigned char *buffer; /* a caller's fixed buffer */
    size_t buffer_bytes, buffer_used;
    size_t bytes; /* held from the allocator */

    wg_block *first, *block;
    wg_node **chunk;
    uint32_t chunks, chunk_room;
    uint32_t nodes, epoch;
    uint32_t marked; /* nodes that a rewind to a mark may leave */
    wg_kept *kept;

    wg_status status;
    char message[1024], text[1400];
    uint32_t error_place;
    wg_error_handler *handler;
    void *handler_user;

    const char **file; /* by number, from 1 */
    uint32_t files, file_room;
    const char *last_file;
    uint32_t last_file_number;
    uint32_t unplaced; /* the first node without a place */
    uint32_t here;     /* of the call being made */
    uint32_t held;     /* of the call that makes other ones */
    uint32_t rule_place, rule_scope; /* of the node being differentiated */

    wg_scope *scope; /* 0 is the outermost */
    uint32_t scopes, scope_room, scope_now;
    uint32_t *scope_bucket, scope_buckets; /* the last of each hash; a power of two of them */
    uint32_t scope_unopened; /* begun but for want of memory or a name not opened */
    int no_grad;
    int deriving;        /* what is recorded is a derivative */
    wg_observer *observer, *observed; /* while it is told; what it was told, once it was */
    bool differentiated; /* there was a backward pass */

    wg_hint hint;
    void *staged; /* what a function of the caller's gave, while its own record is taken back; by 64 bytes */
    uint32_t staged_room;
    wg_constant constant[WG_CONSTANTS];
    uint64_t serial; /* numbers that became tensors */
    uint32_t written, written_epoch; /* nodes recorded when any value was last changed in place */
    wg_decision *decision, unnoted; /* of those that there was no memory for, all in one; without a name: none */
    uint32_t decisions, decision_room;
    struct wg_registered *registry;
    wg_owned *owned;
    struct wg_pool *pool;
    int threads;
    uint64_t seed;
    uint64_t stream; /* random operations recorded */
    char show[4][160];
    int shown;
};

static inline wg_node *wg_node_at(const wg_tape *tape, uint32_t i) { return &tape->chunk[i / WG_CHUNK][i % WG_CHUNK]; }
static inline wg_tensor wg_node_tensor(wg_tape *tape, uint32_t i)
{
    wg_tensor t = {tape, i, wg_node_at(tape, i)->epoch};
    return t;
}
static inline const uint32_t *wg_node_in(const wg_node *node) { return node->n_in > 2 ? node->of.ins : node->of.in; }
static inline int64_t wg_node_count(const wg_node *node) { return node->rank ? node->as.layout->count : 1; }
static inline size_t wg_node_bytes(const wg_node *node)
{
    return (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype);
}
static inline size_t wg_type_bytes(const wg_type *type)
{
    return (size_t)wg_type_count(type) * wg_dtype_size(type->dtype);
}
static inline bool wg_node_is(const wg_node *node, unsigned flag) { return node->flags & flag; }
static inline const void *wg_node_options(const wg_node *node) { return node->extra ? node->extra->options : NULL; }
static inline wg_tensor wg_invalid_on(wg_tape *tape)
{
    wg_tensor t = {tape, UINT32_MAX, 0};
    return t;
}

/* ---- memory.c ---- */
void *wg_tape_allocate(wg_tape *tape, size_t bytes); /* from the allocator; zeroed; NULL without an error */
void wg_tape_release(wg_tape *tape, void *memory, size_t bytes);
/* The object of wg_tape_own that is released so; NULL: the tape has none. */
void *wg_tape_owned(const wg_tape *tape, void (*release)(void *object));
/* A table of `room` entries of `size` bytes, grown to hold `need`; false when there is no memory. */
bool wg_tape_grow(wg_tape *tape, void **table, uint32_t *room, size_t need, size_t size);
void *wg_arena(wg_tape *tape, size_t bytes); /* aligned to 64 from 64 bytes on, else to 8; NULL without an error */
/* For the values of a tensor: in cache lines of their own. Before a loop gcc looks whether arrays overlap, to the
 * length of a vector register: short ones side by side would send it the scalar way, to other last bits for the same
 * values. */
static inline size_t wg_in_lines(size_t bytes) { return (bytes + WG_ALIGN - 1) & ~(size_t)(WG_ALIGN - 1); }
static inline void *wg_arena_values(wg_tape *tape, size_t bytes)
{
    return bytes <= SIZE_MAX - WG_ALIGN ? wg_arena(tape, bytes ? wg_in_lines(bytes) : WG_ALIGN) : NULL;
}
bool wg_chunk_append(wg_tape *tape); /* room for WG_CHUNK nodes more; false: no memory */
/* The next node, not counted until tape->nodes is raised; NULL: no memory. */
static inline wg_node *wg_node_append(wg_tape *tape, uint32_t *index)
{
    *index = tape->nodes;
    return *index / WG_CHUNK < tape->chunks || wg_chunk_append(tape) ? wg_node_at(tape, *index) : NULL;
}
/* Memory of node i for as long as the node lives: also where it survives a rewind that releases what the arena gives
 * now. NULL when there is none. */
void *wg_node_memory(wg_tape *tape, uint32_t i, size_t bytes);
/* Gives it back before, where it is not the arena's. */
void wg_node_memory_back(wg_tape *tape, const void *memory);
wg_extra *wg_node_extra(wg_tape *tape, uint32_t i); /* made on first use; NULL when there is no memory */
/* The arena alone, without nodes: for work that records nothing. */
typedef struct {
    wg_block *block;
    size_t used;
} wg_arena_mark;
static inline wg_arena_mark wg_arena_at(const wg_tape *tape)
{
    wg_arena_mark mark = {tape->block, tape->block ? tape->block->used : 0};
    return mark;
}
void wg_arena_back(wg_tape *tape, wg_arena_mark mark);
/* Nodes and scopes from there on are gone, with what was kept for them. */
void wg_nodes_back(wg_tape *tape, uint32_t nodes, uint32_t chunks, uint32_t scopes);

/* ---- type.c ---- */
wg_type wg_node_type(const wg_node *node);
const int64_t *wg_node_stride(const wg_node *node); /* NULL for rank 0 */
wg_layout *wg_layout_new(wg_tape *tape, const wg_type *type, const int64_t *stride); /* NULL stride: contiguous */
bool wg_strides_contiguous(const wg_type *type, const int64_t *stride);
bool wg_type_fits(const wg_type *type, int64_t *count, size_t *bytes); /* false where the size overflows */
/* Elements in row-major order from a strided tensor, or into one. */
void wg_gather_strided(const wg_type *type, const int64_t *stride, const void *from, void *to);
void wg_scatter_strided(const wg_type *type, const int64_t *stride, const void *from, void *to);
/* Elements [first, first + n) of the same order. `stride` may hold zeros, where x broadcasts to the type. */
void wg_gather_range(const wg_type *type, const int64_t *stride, const void *from, int64_t first, int64_t n, void *to);
/* The strides with which x is read as if it had y's type; `stride` NULL where x is contiguous. */
void wg_broadcast_strides(const wg_type *x, const int64_t *stride, const wg_type *y, int64_t *out);
/* `value` as one element of the dtype. */
void wg_store_number(wg_dtype dtype, double value, void *to);
double wg_load_number(wg_dtype dtype, const void *from);

/* ---- error.c ---- */
wg_status wg_tape_error(wg_tape *tape, wg_status status, uint32_t place, const char *name, const char *format,
                        va_list va);
wg_status wg_no_memory(wg_tape *tape, const char *name, size_t bytes);
uint32_t wg_place(wg_tape *tape, const char *file, int line);
/* A call's place is forgotten when it returns. One that makes other calls holds it while they do. */
static inline void wg_forget_place(wg_tape *tape) { tape->here = tape->held; }
static inline uint32_t wg_hold_place(wg_tape *tape)
{
    uint32_t before = tape->held;
    if (tape->here)
        tape->held = tape->here;
    return before;
}
static inline void wg_let_go_place(wg_tape *tape, uint32_t before) { tape->here = tape->held = before; }
const char *wg_place_text(const wg_tape *tape, uint32_t place, char *text, size_t size); /* "train.c:42", "" */

/* ---- decision.c ---- */
/* Function `name` went by a value: node's, or WG_ABSENT: one that is gone. Nodes [from, to) may be as they are because
 * of it. */
void wg_decided(wg_tape *tape, const char *name, uint32_t node, uint32_t from, uint32_t to);
/* The same of all nodes to come, where the value is given to the program: the call has a place, which one of the
 * library's own has not. */
void wg_read_by_caller(wg_tape *tape, const char *name, uint32_t node);
/* Forgets what was decided when there were more than `nodes`. */
void wg_decisions_back(wg_tape *tape, uint32_t nodes);

/* ---- scope.c ---- */
/* Scopes from number `scopes` on are no more. */
void wg_scopes_back(wg_tape *tape, uint32_t scopes);
/* "block.3.attention", "" for the outermost. */
const char *wg_scope_path(const wg_tape *tape, uint32_t scope, char *text, size_t size);

/* ---- leaf.c ---- */
extern const wg_op wg_leaf_op;
/* The node of a handle; NULL, and the error reported for function `name`, where it is not a tensor or stale. */
wg_node *wg_node_of(wg_tensor t, const char *name);
/* A leaf without values of its own: its data are the given ones, or fresh zeros (NULL). */
wg_tensor wg_leaf(wg_tape *tape, const wg_type *type, void *data, unsigned flags, const char *name);
/* A zero of the dtype, 0-d, which must be one: of these there may be very many. */
wg_tensor wg_leaf_0d(wg_tape *tape, wg_dtype dtype, unsigned flags, const char *name);
/* A number as a tensor of the dtype, the same node while it lives. */
wg_tensor wg_constant_of(wg_tape *tape, wg_dtype dtype, double value);
void wg_touch(wg_tape *tape, wg_node *node); /* its value changes now */
/* Is `name` one of the words of `list`? */
bool wg_word_in(const char *list, const char *name);
/* The entry's name of operand i; a variadic one has all that follow. NULL: none. */
const char *wg_operand_name(const wg_op *op, int i);
/* Was a value that node i's chain rule needs changed since it was recorded? Names the operand. */
bool wg_saved_overwritten(const wg_tape *tape, const wg_node *node, uint32_t index, const char **which);
static inline bool wg_overwritten(const wg_tape *tape, const wg_node *node, uint32_t index, const char **which)
{
    bool later = node->epoch > tape->written_epoch || (node->epoch == tape->written_epoch && index >= tape->written);
    return !later && wg_saved_overwritten(tape, node, index, which);
}

/* ---- init.c ---- */
/* Fills a parameter's values as wg_init says; `name` is the parameter's, for errors. */
wg_status wg_initialise(wg_tape *tape, const wg_type *type, void *data, wg_init init, double gain, const char *name);

/* ---- record.c ---- */
double wg_seconds(void); /* of a clock that only goes on */
wg_status wg_call_failed(wg_tape *tape, const wg_op *op, wg_status status, const char *format, ...) WG_PRINTF(4, 5);
/* Nodes and arena as they are, to give back what a rule or a failed call took. Handles made in between must not be
 * used. */
typedef struct {
    wg_arena_mark arena;
    uint32_t nodes, chunks, scopes;
} wg_short_mark;
static inline wg_short_mark wg_short_at(const wg_tape *tape)
{
    wg_short_mark mark = {wg_arena_at(tape), tape->nodes, tape->chunks, tape->scopes};
    return mark;
}
void wg_short_back(wg_tape *tape, wg_short_mark mark);
/* Not an element is read or written: there is nothing to run. A kernel would still go over the rows of [4294967296,
 * 0]. */
bool wg_call_is_empty(const wg_call *c);
/* The call that recorded a node, for its rules: operands, types, options and outputs, in the arena. */
wg_call *wg_call_again(wg_tape *tape, uint32_t index);

/* ---- options.c ---- */
/* Checks options against a schema and writes them resolved to `to`. `c` gives operation and operands. */
wg_status wg_options_resolve(const wg_call *c, const void *options, void *to);

/* ---- map.c ---- */
/* *y = the type that a and b broadcast to, of a's dtype. False: there is none. */
bool wg_broadcasts(const wg_type *a, const wg_type *b, wg_type *y);
wg_status wg_map_type(wg_call *c);
wg_status wg_map_run(const wg_call *c);
/* The same by another kernel, over the call's operands, up to 5, and its first output. */
wg_status wg_map_loop(const wg_call *c, wg_kernel *kernel, const void *options);
/* g times the slope with respect to operand `which`, of the result's shape, contiguous, into `to`. c is as for run: it
 * has the operands' `from` and `stride`, and in to[0] the result's values, which are read. */
wg_status wg_map_pull(const wg_call *c, int which, const void *g, void *to);

/* ---- expression.c ---- */
/* The text of an elementwise entry as graph code over c's operands and result; a number where it names neither. */
wg_tensor wg_expression(const wg_call *c, const char *text);

/* ---- init.c ---- */
/* The start of parameter `name`, by its shape; draws from the tape's next stream. */
wg_status wg_initialise(wg_tape *tape, const wg_type *type, void *data, wg_init init, double gain, const char *name);

/* ---- thread.c ---- */
void wg_pool_free(wg_tape *tape);

/* ---- registry.c ---- */
void wg_registry_free(wg_tape *tape);
extern const wg_family *const wg_families[]; /* NULL at the end; ops/families.c */
/* Is it an operation of the library, not the user's own? */
bool wg_is_built_in(const wg_op *op);

/* ---- random.c ---- */
/* Words [4 i, 4 i + 4) of the stream. */
void wg_philox(uint64_t key, uint64_t stream, uint64_t i, uint32_t word[4]);
/* In (0, 1), of 52 bits: with 53, the half that keeps off 0 would round up to 1. */
static inline double wg_uniform_from(uint32_t high, uint32_t low)
{
    return ((double)(int32_t)(high >> 6) * 0x1p26 + (double)(int32_t)(low >> 6) + 0.5) * 0x1p-52;
}
#define WG_DRAWS 512 /* numbers that are drawn at a time; divides WG_PIECE */
_Static_assert(WG_PIECE % WG_DRAWS == 0, "a piece is whole draws");
/* WG_DRAWS numbers of the stream from element `first` on, which WG_DRAWS divides: uniform in (0, 1), and normal
 * ones. */
void wg_draw_uniform(uint64_t key, uint64_t stream, uint64_t first, double *u);
void wg_draw_normal(uint64_t key, uint64_t stream, uint64_t first, double *z);
/* Element i is made of words 2 i and 2 i + 1 (uniform: in the open interval), or of block i / 2 (normal); of a float
 * dtype. */
void wg_fill_uniform(wg_tape *tape, wg_type type, void *to, uint64_t stream, double low, double high);
void wg_fill_normal(wg_tape *tape, wg_type type, void *to, uint64_t stream, double mean, double std);

#endif
