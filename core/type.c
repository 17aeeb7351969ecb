/* Types: dtypes, shapes, strides, and the walks that read or write a strided tensor in row-major order. A walk goes
 * through the index like an odometer, with the innermost axis as its plain loop; nothing here recurses. */
#include "tape.h"

/* ---- Dtypes ---------------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"float32", 4}, {"float64", 8}, {"int32", 4}, {"int64", 8}, {"bool", 1}};

#define N_DTYPES (sizeof dtypes / sizeof *dtypes)

const char *wg_dtype_name(wg_dtype dtype) { return (unsigned)dtype < N_DTYPES ? dtypes[dtype].name : "?"; }

size_t wg_dtype_size(wg_dtype dtype) { return (unsigned)dtype < N_DTYPES ? dtypes[dtype].size : 0; }

/* A real brought into [low, high], the integers that hold it; a NaN becomes 0. */
static int64_t to_integer(double value, double low, double high, int64_t least, int64_t most)
{
    if (value != value)
        return 0;
    return value <= low ? least : value >= high ? most : (int64_t)value;
}

void wg_store_number(wg_dtype dtype, double value, void *to)
{
    union {
        float f;
        double d;
        int32_t i;
        int64_t l;
        bool b;
    } as = {.l = 0};
    switch (dtype) {
    case WG_FLOAT32:
        as.f = (float)value;
        break;
    case WG_FLOAT64:
        as.d = value;
        break;
    case WG_INT32:
        as.i = (int32_t)to_integer(value, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX);
        break;
    case WG_INT64:
        as.l = to_integer(value, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX);
        break;
    case WG_BOOL:
        as.b = value != 0;
        break;
    }
    memcpy(to, &as, wg_dtype_size(dtype));
}

double wg_load_number(wg_dtype dtype, const void *from)
{
    switch (dtype) {
    case WG_FLOAT32:
        return (double)*(const float *)from;
    case WG_FLOAT64:
        return *(const double *)from;
    case WG_INT32:
        return (double)*(const int32_t *)from;
    case WG_INT64:
        return (double)*(const int64_t *)from;
    case WG_BOOL:
        return *(const bool *)from;
    }
    return (double)NAN;
}

/* ---- Types ----------------------------------------------------------------------------------------------------- */
int64_t wg_type_count(const wg_type *type)
{
    int64_t count = 1;
    for (int i = 0; i < type->rank; i++)
        count *= type->dim[i];
    return count;
}

bool wg_type_fits(const wg_type *type, int64_t *count, size_t *bytes)
{
    size_t size = wg_dtype_size(type->dtype);
    if (type->rank < 0 || type->rank > WG_MAX_RANK || !size)
        return false;
    int64_t product = 1; /* of the dimensions that are not 0, so that [0, 2^62, 2^62] is refused too: strides need it */
    bool empty = false;
    for (int i = 0; i < type->rank; i++) {
        int64_t dim = type->dim[i];
        if (dim < 0)
            return false;
        empty |= dim == 0;
        if (dim > 1 && product > (PTRDIFF_MAX / (int64_t)size) / dim)
            return false;
        product *= dim > 1 ? dim : 1;
    }
    *count = empty ? 0 : product;
    *bytes = (size_t)*count * size;
    return true;
}

wg_type wg_type_make(wg_dtype dtype, wg_shape shape)
{
    wg_type type = {.dtype = dtype, .rank = shape.rank};
    memcpy(type.dim, shape.dim, sizeof type.dim);
    return type;
}

wg_shape wg_type_shape(const wg_type *type)
{
    wg_shape shape = {.rank = type->rank};
    memcpy(shape.dim, type->dim, sizeof shape.dim); /* whatever the rank is: it may be wrong */
    return shape;
}

bool wg_type_equal(const wg_type *a, const wg_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

char *wg_shape_text(const wg_shape *shape, char *text, size_t size)
{
    if (!size)
        return text;
    size_t used = 0;
    text[0] = 0;
    int rank = shape->rank < 0 ? 0 : shape->rank < WG_MAX_RANK ? shape->rank : WG_MAX_RANK; /* it may be wrong */
    for (int i = -1; i <= rank && used < size; i++) {
        char part[32];
        if (i == -1 || i == rank)
            snprintf(part, sizeof part, i == -1 ? "[" : "]");
        else
            snprintf(part, sizeof part, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
        snprintf(text + used, size - used, "%s", part);
        used += strlen(part);
    }
    return text;
}

/* ---- Layouts --------------------------------------------------------------------------------------------------- */
wg_type wg_node_type(const wg_node *node)
{
    wg_type type = {.dtype = (wg_dtype)node->dtype, .rank = node->rank};
    for (int i = 0; i < WG_MAX_RANK; i++) /* the bound is known: nothing is copied by a routine made for long
                                             stretches */
        type.dim[i] = i < node->rank ? node->as.layout->dim[i] : 0;
    return type;
}

const int64_t *wg_node_stride(const wg_node *node) { return node->rank ? node->as.layout->stride : NULL; }

static void contiguous_strides(const wg_type *type, int64_t *stride)
{
    int64_t step = 1;
    for (int i = type->rank; i-- > 0;) {
        stride[i] = step;
        step *= type->dim[i] > 1 ? type->dim[i] : 1;
    }
}

wg_layout *wg_layout_new(wg_tape *tape, const wg_type *type, const int64_t *stride)
{
    size_t rank = (size_t)type->rank;
    wg_layout *layout = wg_arena(tape, sizeof *layout + 2 * rank * sizeof(int64_t));
    if (!layout)
        return NULL;
    layout->count = wg_type_count(type);
    layout->dim = (int64_t *)(layout + 1);
    layout->stride = layout->dim + rank;
    memcpy(layout->dim, type->dim, rank * sizeof(int64_t));
    if (stride)
        memcpy(layout->stride, stride, rank * sizeof(int64_t));
    else
        contiguous_strides(type, layout->stride);
    return layout;
}

bool wg_strides_contiguous(const wg_type *type, const int64_t *stride)
{
    int64_t step = 1;
    bool in_order = true;
    for (int i = type->rank; i-- > 0;) {
        if (type->dim[i] == 0)
            return true;
        in_order &= type->dim[i] == 1 || stride[i] == step;
        step *= type->dim[i];
    }
    return in_order;
}

void wg_broadcast_strides(const wg_type *x, const int64_t *stride, const wg_type *y, int64_t *out)
{
    int64_t own[WG_MAX_RANK];
    if (!stride) {
        contiguous_strides(x, own);
        stride = own;
    }
    int lead = y->rank - x->rank;
    for (int i = 0; i < y->rank; i++)
        out[i] = i < lead || x->dim[i - lead] == 1 ? 0 : stride[i - lead];
}

/* ---- Walks ----------------------------------------------------------------------------------------------------- */
/* A place in a tensor: its index, and the offset of that element. */
typedef struct {
    const wg_type *type;
    const int64_t *stride;
    int64_t at[WG_MAX_RANK], offset;
} walk;

static void walk_start(walk *w, const wg_type *type, const int64_t *stride, int64_t first)
{
    *w = (walk){.type = type, .stride = stride};
    for (int i = type->rank; i-- > 0;) {
        w->at[i] = first % type->dim[i];
        first /= type->dim[i];
        w->offset += w->at[i] * stride[i];
    }
}

/* Past the rest of the innermost axis. */
static void walk_on(walk *w, int64_t steps)
{
    int i = w->type->rank - 1;
    w->at[i] += steps;
    w->offset += steps * w->stride[i];
    while (i > 0 && w->at[i] == w->type->dim[i]) {
        w->offset += w->stride[i - 1] - w->at[i] * w->stride[i];
        w->at[i] = 0;
        w->at[--i]++;
    }
}

#define COPY_LOOP(T)                                                                                                   \
    {                                                                                                                  \
        const T *source = from;                                                                                        \
        T *target = to;                                                                                                \
        for (int64_t i = 0; i < n; i++)                                                                                \
            target[i * to_step] = source[i * from_step];                                                               \
    }

static void copy_elements(size_t size, int64_t n, const void *from, int64_t from_step, void *to, int64_t to_step)
{
    if (from_step == 1 && to_step == 1)
        memcpy(to, from, (size_t)n * size);
    else if (size == 4)
        COPY_LOOP(uint32_t)
    else if (size == 8)
        COPY_LOOP(uint64_t)
    else
        COPY_LOOP(uint8_t)
}

void wg_gather_range(const wg_type *type, const int64_t *stride, const void *from, int64_t first, int64_t n, void *to)
{
    size_t size = wg_dtype_size(type->dtype);
    if (n <= 0)
        return;
    if (!type->rank) {
        memcpy(to, from, size);
        return;
    }
    int inner = type->rank - 1;
    int64_t length = type->dim[inner];
    walk w;
    walk_start(&w, type, stride, first);
    for (int64_t done = 0, step; done < n; done += step) {
        step = length - w.at[inner] < n - done ? length - w.at[inner] : n - done;
        copy_elements(size, step, (const unsigned char *)from + w.offset * (int64_t)size, stride[inner],
                      (unsigned char *)to + (size_t)done * size, 1);
        walk_on(&w, step);
    }
}

/* Elements of a tile along the axis that is read in steps, and along the one that lies side by side. */
#define TILE_READ 8
#define TILE_WRITE 256

/* The axis that lies side by side in memory where the last one does not, both long enough to be worth tiles; -1:
 * none. */
static int tiled_axis(const wg_type *type, const int64_t *stride)
{
    int inner = type->rank - 1;
    if (inner < 1 || type->dim[inner] < TILE_READ || stride[inner] == 1 || stride[inner] == 0)
        return -1;
    for (int i = 0; i < inner; i++)
        if (stride[i] == 1 && type->dim[i] >= TILE_READ)
            return i;
    return -1;
}

#define TILE_LOOP(T)                                                                                                   \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        for (int64_t k = 0; k < m; k++)                                                                                \
            ((T *)to)[i * to_step + k] = ((const T *)from)[i + k * from_step];

/* to[i, k] = from[k, i] for n rows and m columns of it. */
static void copy_tile(size_t size, int64_t n, int64_t m, const void *from, int64_t from_step, void *to, int64_t to_step)
{
    if (size == 4)
        TILE_LOOP(uint32_t)
    else if (size == 8)
        TILE_LOOP(uint64_t)
    else
        TILE_LOOP(uint8_t)
}

/* Plane by plane of axis `axis` and the last, each in tiles that read and write whole cache lines. */
static void gather_tiles(const wg_type *type, const int64_t *stride, int axis, const unsigned char *from,
                         unsigned char *to)
{
    int inner = type->rank - 1;
    int64_t own[WG_MAX_RANK], n = type->dim[axis], m = type->dim[inner], size = (int64_t)wg_dtype_size(type->dtype);
    contiguous_strides(type, own);
    for (int64_t plane = 0, planes = wg_type_count(type) / (n * m); plane < planes; plane++) {
        int64_t rest = plane, source = 0, target = 0;
        for (int i = inner; i-- > 0;) {
            if (i == axis)
                continue;
            source += rest % type->dim[i] * stride[i];
            target += rest % type->dim[i] * own[i];
            rest /= type->dim[i];
        }
        for (int64_t k = 0; k < m; k += TILE_READ)
            for (int64_t i = 0; i < n; i += TILE_WRITE)
                copy_tile((size_t)size, n - i < TILE_WRITE ? n - i : TILE_WRITE, m - k < TILE_READ ? m - k : TILE_READ,
                          from + (source + i + k * stride[inner]) * size, stride[inner],
                          to + (target + i * own[axis] + k) * size, own[axis]);
    }
}

void wg_gather_strided(const wg_type *type, const int64_t *stride, const void *from, void *to)
{
    int64_t n = wg_type_count(type);
    int axis = n ? tiled_axis(type, stride) : -1;
    if (axis >= 0)
        gather_tiles(type, stride, axis, from, to);
    else
        wg_gather_range(type, stride, from, 0, n, to);
}

void wg_scatter_strided(const wg_type *type, const int64_t *stride, const void *from, void *to)
{
    size_t size = wg_dtype_size(type->dtype);
    int64_t n = wg_type_count(type);
    if (!n)
        return;
    if (!type->rank) {
        memcpy(to, from, size);
        return;
    }
    int64_t length = type->dim[type->rank - 1];
    walk w;
    walk_start(&w, type, stride, 0);
    for (int64_t done = 0; done < n; done += length) {
        copy_elements(size, length, (const unsigned char *)from + (size_t)done * size, 1,
                      (unsigned char *)to + w.offset * (int64_t)size, stride[type->rank - 1]);
        walk_on(&w, length);
    }
}
