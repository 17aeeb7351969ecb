/* Arrays in NumPy's .npy format (numpy.lib.format): a magic text, a version, the header's length, the header, a Python
 * dictionary as text, then the elements. The dictionary is read in the one form in which NumPy writes it. */
#include <stdlib.h>

#include "graph/data.h"
#include "graph/file.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6
#define ALIGNMENT 64 /* bytes; the elements begin at a multiple of it */

static const struct {
    const char *descr;
    wg_dtype dtype;
} dtypes[] = {{"<f4", WG_FLOAT32}, {"<f8", WG_FLOAT64}, {"<i4", WG_INT32}, {"<i8", WG_INT64}, {"|b1", WG_BOOL}};
#define N_DTYPES ((int)(sizeof dtypes / sizeof *dtypes))

/* ---- Writing ----------------------------------------------------------------------------------------------------- */
/* Magic, version 1.0, length and dictionary, padded to the elements' alignment; returns their bytes. */
static size_t header_of(const wg_type *type, char *text, size_t size)
{
    char shape[200] = "";
    size_t at = 0;
    int code = 0;
    while (dtypes[code].dtype != type->dtype)
        code++;
    for (int i = 0; i < type->rank; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, i ? ", %lld" : "%lld", (long long)type->dim[i]);
    size_t used = 10;
    memcpy(text, MAGIC "\x01", MAGIC_BYTES + 2);
    used += (size_t)snprintf(text + used, size - used, "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }",
                             dtypes[code].descr, shape, type->rank == 1 ? "," : "");
    size_t whole = (used + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* a line's end at least */
    memset(text + used, ' ', whole - used);
    text[whole - 1] = '\n';
    text[8] = (char)((whole - 10) & 0xff);
    text[9] = (char)((whole - 10) >> 8);
    return whole;
}

wg_status (wg_save_npy)(const char *path, wg_tensor t)
{
    wg_tape *tape = t.tape;
    const wg_node *node = tape && !tape->status ? wg_node_of(t, "wg_save_npy") : NULL;
    if (!node)
        return tape && tape->status ? tape->status : WG_ERROR_VALUE;
    wg_type type = wg_node_type(node);
    size_t bytes = (size_t)wg_node_count(node) * wg_dtype_size(type.dtype);
    char header[512];
    size_t header_bytes = header_of(&type, header, sizeof header);
    char *content = wg_tape_allocate(tape, header_bytes + bytes);
    if (!content)
        return wg_no_memory(tape, "wg_save_npy", header_bytes + bytes);
    memcpy(content, header, header_bytes);
    wg_gather_strided(&type, wg_node_stride(node), node->data, content + header_bytes);
    wg_status status = wg_file_write(tape, "wg_save_npy", path, content, header_bytes + bytes);
    wg_tape_release(tape, content, header_bytes + bytes);
    wg_forget_place(tape);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */
typedef struct {
    wg_type type;
    bool fortran;
    const char *data;
    size_t bytes; /* of the elements */
} array;

/* Skips `text` at *at, and says whether it was there. */
static bool skip(const char **at, const char *end, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(end - *at) < n || memcmp(*at, text, n))
        return false;
    *at += n;
    return true;
}

/* "(3, 4)", "(3,)" or "()". */
static bool read_shape(const char **at, const char *end, wg_type *type)
{
    if (!skip(at, end, "("))
        return false;
    while (!skip(at, end, ")")) {
        int64_t dim = 0;
        const char *digit = *at;
        for (; digit < end && *digit >= '0' && *digit <= '9' && dim < INT64_MAX / 16; digit++)
            dim = 10 * dim + (*digit - '0');
        if (digit == *at || type->rank == WG_MAX_RANK)
            return false;
        type->dim[type->rank++] = dim;
        *at = digit;
        if (!skip(at, end, ", ") && !skip(at, end, ",") && (*at == end || **at != ')'))
            return false;
    }
    return true;
}

/* What is wrong with the header, or NULL. */
static const char *read_header(const char *content, size_t size, array *a)
{
    if (size < 12 || memcmp(content, MAGIC, MAGIC_BYTES))
        return "not an .npy file";
    const unsigned char *byte = (const unsigned char *)content;
    size_t start = byte[6] == 1 ? 10 : 12, length = (size_t)byte[8] | (size_t)byte[9] << 8;
    if (byte[6] < 1 || byte[6] > 3)
        return "its version is not 1, 2 or 3";
    if (byte[6] > 1)
        length |= (size_t)byte[10] << 16 | (size_t)byte[11] << 24;
    if (length > size - start)
        return "the file ends within its header";
    const char *at = content + start, *end = at + length;
    if (!skip(&at, end, "{'descr': '"))
        return "the header is not as NumPy writes it";
    int code = 0;
    while (code < N_DTYPES && !skip(&at, end, dtypes[code].descr))
        code++;
    if (code == N_DTYPES)
        return "the elements are not little-endian float32, float64, int32, int64 or bool";
    a->type.dtype = dtypes[code].dtype;
    if (!skip(&at, end, "', 'fortran_order': "))
        return "the header is not as NumPy writes it";
    a->fortran = skip(&at, end, "True");
    if ((!a->fortran && !skip(&at, end, "False")) || !skip(&at, end, ", 'shape': ") ||
        !read_shape(&at, end, &a->type) || !skip(&at, end, ", }"))
        return "the header is not as NumPy writes it";
    int64_t count;
    if (!wg_type_fits(&a->type, &count, &a->bytes) || a->bytes != (size_t)(content + size - end))
        return "the shape and the file's length disagree";
    a->data = end;
    for (size_t i = 0; a->type.dtype == WG_BOOL && i < a->bytes; i++)
        if ((unsigned char)a->data[i] > 1)
            return "a boolean is neither 0 nor 1";
    return NULL;
}

/* The elements into a leaf; `aligned` is memory of the caller's for them on the way. */
static wg_tensor leaf_of(wg_tape *tape, const array *a, char *aligned)
{
    wg_tensor t = wg_leaf(tape, &a->type, NULL, 0, "wg_load_npy");
    if (!wg_is_tensor(t))
        return t;
    int64_t stride[WG_MAX_RANK], step = 1;
    for (int i = 0; i < a->type.rank; i++) {
        stride[i] = step;
        step *= a->type.dim[i];
    }
    void *to = wg_node_at(tape, t.node)->data;
    memmove(aligned, a->data, a->bytes);
    if (a->fortran && a->type.rank > 1)
        wg_gather_strided(&a->type, stride, aligned, to);
    else
        memcpy(to, aligned, a->bytes);
    return t;
}

wg_tensor (wg_load_npy)(wg_tape *tape, const char *path)
{
    size_t bytes;
    if (!tape || tape->status)
        return wg_invalid_on(tape);
    char *content = wg_file_read(tape, "wg_load_npy", path, PTRDIFF_MAX, &bytes);
    if (!content)
        return wg_invalid_on(tape);
    array a = {.data = NULL};
    const char *wrong = read_header(content, bytes, &a);
    if (wrong)
        wg_report(tape, "wg_load_npy", WG_ERROR_FORMAT, "%s: %s", wg_path_text(path), wrong);
    wg_tensor t = wrong ? wg_invalid_on(tape) : leaf_of(tape, &a, content);
    wg_tape_release(tape, content, bytes + 1);
    return t;
}
