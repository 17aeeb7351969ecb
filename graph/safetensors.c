/* Weights in the safetensors format (github.com/huggingface/safetensors): the header's length as 8 little-endian bytes,
 * the header, a JSON object that gives each tensor's dtype, shape and place, and the data, side by side without holes.
 * A file is checked whole before anything of it is used; no number of it is trusted. */
#include <jansson.h>
#include <stdlib.h>

#include "graph/data.h"
#include "graph/file.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weights are copied as they lie in memory, which is right on little-endian machines only"
#endif

#define MOST_HEADER 100000000 /* bytes, as in the reference implementation */
#define METADATA "__metadata__"

static const struct {
    const char *name;
    size_t size;
    wg_dtype ours;
} dtypes[] = {{"F32", 4, WG_FLOAT32}, {"F64", 8, WG_FLOAT64}, {"I32", 4, WG_INT32},    {"I64", 8, WG_INT64},
              {"BOOL", 1, WG_BOOL},   {"F16", 2, WG_NO_DTYPE}, {"BF16", 2, WG_NO_DTYPE}, {"I8", 1, WG_NO_DTYPE},
              {"U8", 1, WG_NO_DTYPE}, {"I16", 2, WG_NO_DTYPE}, {"U16", 2, WG_NO_DTYPE},  {"U32", 4, WG_NO_DTYPE},
              {"U64", 8, WG_NO_DTYPE}, {"F8_E4M3", 1, WG_NO_DTYPE}, {"F8_E5M2", 1, WG_NO_DTYPE}};
#define N_DTYPES ((int)(sizeof dtypes / sizeof *dtypes))

/* A tensor of a file; its data are bytes [begin, end) behind the header. */
typedef struct {
    const char *name; /* the header's */
    int dtype;        /* of the table above */
    wg_type type;
    size_t begin, end;
} entry;

struct wg_weights {
    wg_tape *tape;
    const char *function, *path; /* for errors; the path only while it is opened */
    char *content;
    size_t bytes;
    const char *data; /* behind the header */
    size_t data_bytes;
    json_t *header;
    entry *entries;
    int n;
    size_t entry_bytes;
};

/* ---- Reading a header -------------------------------------------------------------------------------------------- */
static bool refuse(const wg_weights *w, wg_status status, const char *format, ...) WG_PRINTF(3, 4);
static bool refuse(const wg_weights *w, wg_status status, const char *format, ...)
{
    char text[500];
    va_list va;
    va_start(va, format);
    vsnprintf(text, sizeof text, format, va);
    va_end(va);
    wg_report(w->tape, w->function, status, "%s: %s", wg_path_text(w->path), text);
    return false;
}

/* A size or offset: an integer that is not negative. */
static bool size_of(const json_t *number, int64_t *size)
{
    *size = json_is_integer(number) ? json_integer_value(number) : -1;
    return *size >= 0;
}

static bool read_shape(const wg_weights *w, const json_t *shape, entry *e, int64_t *bytes)
{
    if (!json_is_array(shape))
        return refuse(w, WG_ERROR_FORMAT, "%.100s has no shape", e->name);
    if (json_array_size(shape) > WG_MAX_RANK)
        return refuse(w, WG_ERROR_UNSUPPORTED, "%.100s has %zu dimensions; there are at most %d", e->name,
                      json_array_size(shape), WG_MAX_RANK);
    int64_t most = *bytes; /* were no dimension 0, so that no product of some of them overflows */
    e->type.rank = (int)json_array_size(shape);
    for (int i = 0; i < e->type.rank; i++) {
        int64_t dim;
        if (!size_of(json_array_get(shape, (size_t)i), &dim) || dim > PTRDIFF_MAX / most)
            return refuse(w, WG_ERROR_FORMAT, "%.100s: dimension %d is not a size", e->name, i);
        e->type.dim[i] = dim;
        most *= dim ? dim : 1;
        *bytes *= dim;
    }
    return true;
}

static bool read_entry(const wg_weights *w, const char *name, const json_t *value, entry *e)
{
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_t *offsets = json_object_get(value, "data_offsets");
    int64_t begin, end, bytes;
    *e = (entry){.name = name};
    while (dtype && e->dtype < N_DTYPES && strcmp(dtype, dtypes[e->dtype].name))
        e->dtype++;
    if (!dtype || e->dtype == N_DTYPES)
        return refuse(w, WG_ERROR_FORMAT, "%.100s has the dtype \"%.20s\"", name, dtype ? dtype : "");
    e->type.dtype = dtypes[e->dtype].ours;
    bytes = (int64_t)dtypes[e->dtype].size;
    if (!read_shape(w, json_object_get(value, "shape"), e, &bytes))
        return false;
    if (json_array_size(offsets) != 2 || !size_of(json_array_get(offsets, 0), &begin) ||
        !size_of(json_array_get(offsets, 1), &end) || end < begin)
        return refuse(w, WG_ERROR_FORMAT, "%.100s has no place in the data", name);
    if ((uint64_t)end > w->data_bytes)
        return refuse(w, WG_ERROR_FORMAT, "%.100s ends at byte %lld of %zu", name, (long long)end, w->data_bytes);
    if (end - begin != bytes)
        return refuse(w, WG_ERROR_FORMAT, "%.100s needs %lld bytes and has %lld", name, (long long)bytes,
                      (long long)(end - begin));
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    for (size_t i = e->begin; e->type.dtype == WG_BOOL && i < e->end; i++)
        if ((unsigned char)w->data[i] > 1)
            return refuse(w, WG_ERROR_FORMAT, "%.100s: a boolean is %d", name, (unsigned char)w->data[i]);
    return true;
}

static bool read_metadata(const wg_weights *w, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return refuse(w, WG_ERROR_FORMAT, METADATA " is not an object");
    json_object_foreach(metadata, key, value)
        if (!json_is_string(value))
            return refuse(w, WG_ERROR_FORMAT, METADATA ": \"%.100s\" is not a text", key);
    return true;
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end != y->end ? (x->end < y->end ? -1 : 1) : strcmp(x->name, y->name);
}

static bool read_entries(wg_weights *w)
{
    const char *name;
    json_t *value, *metadata = json_object_get(w->header, METADATA);
    if (!read_metadata(w, metadata))
        return false;
    size_t n = json_object_size(w->header) - (metadata != NULL);
    w->entry_bytes = n * sizeof *w->entries;
    w->entries = wg_tape_allocate(w->tape, w->entry_bytes);
    if (!w->entries) {
        wg_no_memory(w->tape, w->function, w->entry_bytes);
        return false;
    }
    json_object_foreach(w->header, name, value)
        if (strcmp(name, METADATA) && !read_entry(w, name, value, &w->entries[w->n++]))
            return false;
    qsort(w->entries, n, sizeof *w->entries, by_place);
    size_t at = 0;
    for (int i = 0; i < w->n; at = w->entries[i++].end)
        if (w->entries[i].begin != at)
            return refuse(w, WG_ERROR_FORMAT, "%.100s begins at byte %zu of the data; the one before ends at %zu",
                          w->entries[i].name, w->entries[i].begin, at);
    if (at != w->data_bytes)
        return refuse(w, WG_ERROR_FORMAT, "the tensors take %zu bytes, the data are %zu", at, w->data_bytes);
    return true;
}

static bool read_header(wg_weights *w)
{
    uint64_t length = 0;
    if (w->bytes < 8)
        return refuse(w, WG_ERROR_FORMAT, "not a safetensors file: %zu bytes", w->bytes);
    for (int i = 8; i-- > 0;)
        length = length << 8 | (unsigned char)w->content[i];
    if (length > MOST_HEADER || length > w->bytes - 8)
        return refuse(w, WG_ERROR_FORMAT, "not a safetensors file: a header of %llu bytes in a file of %zu",
                      (unsigned long long)length, w->bytes);
    if (!length || w->content[8] != '{')
        return refuse(w, WG_ERROR_FORMAT, "not a safetensors file: its header does not begin with {");
    w->data = w->content + 8 + length;
    w->data_bytes = w->bytes - 8 - (size_t)length;
    json_error_t error;
    w->header = json_loadb(w->content + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!w->header)
        return refuse(w, json_error_code(&error) == json_error_out_of_memory ? WG_ERROR_MEMORY : WG_ERROR_FORMAT,
                      "the header, at byte %d: %s", error.position, error.text);
    return read_entries(w);
}

static void weights_close(wg_weights *w)
{
    json_decref(w->header);
    wg_tape_release(w->tape, w->entries, w->entry_bytes);
    wg_tape_release(w->tape, w->content, w->bytes + 1);
}

/* Reads and checks a file; on failure nothing is held, and the error reported. */
static bool weights_read(wg_weights *w, wg_tape *tape, const char *function, const char *path)
{
    *w = (wg_weights){.tape = tape, .function = function, .path = path};
    w->content = wg_file_read(tape, function, path, PTRDIFF_MAX, &w->bytes);
    if (!w->content)
        return false;
    if (read_header(w))
        return true;
    weights_close(w);
    return false;
}

static const entry *find(const wg_weights *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (!strcmp(w->entries[i].name, name))
            return &w->entries[i];
    return NULL;
}

/* ---- Looking into a file ----------------------------------------------------------------------------------------- */
static void weights_free(void *object)
{
    wg_weights *w = object;
    weights_close(w);
    wg_tape_release(w->tape, w, sizeof *w);
}

wg_weights *(wg_weights_open)(wg_tape *tape, const char *path)
{
    if (!tape || tape->status)
        return NULL;
    wg_weights *w = wg_tape_allocate(tape, sizeof *w);
    if (!w) {
        wg_no_memory(tape, "wg_weights_open", sizeof *w);
        return NULL;
    }
    if (!weights_read(w, tape, "wg_weights_open", path)) {
        wg_tape_release(tape, w, sizeof *w);
        return NULL;
    }
    w->path = NULL;
    wg_forget_place(tape);
    return (wg_tape_own)(tape, w, weights_free) ? NULL : w;
}

int wg_weights_count(const wg_weights *w) { return w ? w->n : 0; }

const char *wg_weights_name(const wg_weights *w, int i) { return w && i >= 0 && i < w->n ? w->entries[i].name : ""; }

wg_type wg_weights_type(const wg_weights *w, int i)
{
    return w && i >= 0 && i < w->n ? w->entries[i].type : (wg_type){.dtype = WG_NO_DTYPE};
}

const char *wg_weights_metadata(const wg_weights *w, const char *key)
{
    return w && key ? json_string_value(json_object_get(json_object_get(w->header, METADATA), key)) : NULL;
}

wg_weights *wg_weights_here(wg_weights *w, const char *file, int line)
{
    if (w)
        wg_here(w->tape, file, line);
    return w;
}

wg_tensor (wg_weights_tensor)(wg_weights *w, const char *name)
{
    if (!w)
        return WG_INVALID;
    const entry *e = name ? find(w, name) : NULL;
    if (!e || e->type.dtype == WG_NO_DTYPE) {
        wg_report(w->tape, "wg_weights_tensor", e ? WG_ERROR_UNSUPPORTED : WG_ERROR_VALUE,
                  e ? "%.100s is of dtype %s" : "there is no tensor %.100s", name ? name : "without a name",
                  e ? dtypes[e->dtype].name : "");
        return wg_invalid_on(w->tape);
    }
    wg_tensor t = wg_leaf(w->tape, &e->type, NULL, 0, "wg_weights_tensor");
    if (!wg_is_tensor(t))
        return t;
    memcpy(wg_node_at(w->tape, t.node)->data, w->data + e->begin, e->end - e->begin);
    return (wg_name)(t, name);
}

/* ---- Tensors by name --------------------------------------------------------------------------------------------- */
/* Are all of them tensors of the tape with names, no two the same? Reports an error where not. */
static bool are_named(wg_tape *tape, const char *function, const wg_tensor *tensors, int n)
{
    for (int i = 0; i < n; i++) {
        const char *name = tensors[i].tape == tape && wg_node_of(tensors[i], function) ? wg_name_of(tensors[i]) : "";
        if (!*name || !strcmp(name, METADATA)) {
            wg_report(tape, function, WG_ERROR_VALUE, "tensor %d of %d is not one of this tape with a name", i, n);
            return false;
        }
        for (int k = 0; k < i; k++)
            if (!strcmp(name, wg_name_of(tensors[k]))) {
                wg_report(tape, function, WG_ERROR_VALUE, "tensors %d and %d are both named %.100s", k, i, name);
                return false;
            }
    }
    return true;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */
/* Can the entry's values go into the tensor? */
static bool fits(const wg_weights *w, const entry *e, wg_tensor t)
{
    const wg_node *node = wg_node_at(t.tape, t.node);
    wg_type type = wg_node_type(node);
    if (!wg_type_equal(&type, &e->type)) {
        wg_shape ours = wg_type_shape(&type), its = wg_type_shape(&e->type);
        char text[2][200];
        return refuse(w, type.dtype == e->type.dtype ? WG_ERROR_SHAPE : WG_ERROR_DTYPE,
                      "%.100s is %s %s, in the file %s %s", e->name, wg_dtype_name(type.dtype),
                      wg_shape_text(&ours, text[0], sizeof text[0]),
                      e->type.dtype == WG_NO_DTYPE ? dtypes[e->dtype].name : wg_dtype_name(e->type.dtype),
                      wg_shape_text(&its, text[1], sizeof text[1]));
    }
    return wg_node_is(node, WG_NODE_CONTIGUOUS) ||
           refuse(w, WG_ERROR_UNSUPPORTED, "%.100s is a view whose elements do not lie side by side", e->name);
}

/* Does everything in the file have its tensor, and every tensor its values? */
static bool match(const wg_weights *w, const wg_tensor *tensors, int n, bool strict)
{
    for (int i = 0; i < n; i++) {
        const entry *e = find(w, wg_name_of(tensors[i]));
        if (!e && strict)
            return refuse(w, WG_ERROR_VALUE, "it has no tensor %.100s", wg_name_of(tensors[i]));
        if (e && !fits(w, e, tensors[i]))
            return false;
    }
    for (int i = 0; strict && i < w->n; i++) {
        int k = 0;
        while (k < n && strcmp(w->entries[i].name, wg_name_of(tensors[k])))
            k++;
        if (k == n)
            return refuse(w, WG_ERROR_VALUE, "nothing takes its tensor %.100s", w->entries[i].name);
    }
    return true;
}

static wg_status load(wg_tape *tape, const char *path, const wg_tensor *tensors, int n, bool strict)
{
    wg_weights w;
    if (!are_named(tape, "wg_load", tensors, n) || !weights_read(&w, tape, "wg_load", path))
        return tape->status;
    bool fitting = match(&w, tensors, n, strict);
    for (int i = 0; fitting && i < n; i++) {
        const entry *e = find(&w, wg_name_of(tensors[i]));
        if (!e)
            continue;
        wg_node *node = wg_node_at(tape, tensors[i].node);
        memcpy(node->data, w.data + e->begin, e->end - e->begin);
        wg_touch(tape, node);
    }
    weights_close(&w);
    return fitting ? WG_OK : tape->status;
}

wg_status (wg_load)(const char *path, const wg_tensor *tensors, int n, wg_load_options options)
{
    wg_tape *tape = tensors && n > 0 ? tensors[0].tape : NULL;
    if (!tape || tape->status)
        return tape ? tape->status : WG_ERROR_VALUE;
    uint32_t before = wg_hold_place(tape);
    wg_status status = load(tape, path, tensors, n, options.strict);
    wg_let_go_place(tape, before);
    return status;
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */
static int dtype_code(wg_dtype dtype)
{
    int i = 0;
    while (dtypes[i].ours != dtype)
        i++;
    return i;
}

/* Larger elements first, as the reference implementation orders them: so all are aligned in the file. */
static const size_t element_sizes[] = {8, 4, 1};
#define N_SIZES ((int)(sizeof element_sizes / sizeof *element_sizes))

static json_t *entry_json(wg_tensor t, size_t *at)
{
    wg_type type = wg_type_of(t);
    size_t begin = *at;
    json_t *shape = json_array();
    for (int i = 0; i < type.rank; i++)
        json_array_append_new(shape, json_integer(type.dim[i]));
    *at += (size_t)wg_type_count(&type) * wg_dtype_size(type.dtype);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtypes[dtype_code(type.dtype)].name, "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)*at);
}

static bool put_metadata(json_t *header, const char *const *metadata)
{
    json_t *pairs = metadata ? json_object() : NULL;
    for (int i = 0; metadata && metadata[i]; i += 2)
        if (!metadata[i + 1] || json_object_set_new(pairs, metadata[i], json_string(metadata[i + 1]))) {
            json_decref(pairs);
            return false;
        }
    return !metadata || json_object_set_new(header, METADATA, pairs) == 0;
}

/* Length and header, padded with blanks to whole words; NULL, and the error reported. */
static char *header_text(wg_tape *tape, json_t *header, const wg_tensor *tensors, int n, const char *const *metadata,
                         size_t *bytes)
{
    size_t at = 0;
    if (!put_metadata(header, metadata)) {
        wg_report(tape, "wg_save", WG_ERROR_VALUE, "the metadata are not pairs of UTF-8 texts");
        return NULL;
    }
    for (int s = 0; s < N_SIZES; s++)
        for (int i = 0; i < n; i++)
            if (wg_dtype_size(wg_type_of(tensors[i]).dtype) == element_sizes[s] &&
                json_object_set_new(header, wg_name_of(tensors[i]), entry_json(tensors[i], &at))) {
                wg_report(tape, "wg_save", WG_ERROR_VALUE, "the name of tensor %d is not UTF-8: %.100s", i,
                          wg_name_of(tensors[i]));
                return NULL;
            }
    size_t size = json_dumpb(header, NULL, 0, JSON_COMPACT), padded = (size + 7) / 8 * 8;
    char *text = size ? wg_tape_allocate(tape, *bytes = 8 + padded) : NULL;
    if (!text || padded > MOST_HEADER) {
        wg_report(tape, "wg_save", WG_ERROR_MEMORY,
                  text ? "the header is too long: %zu bytes" : "no memory for %zu bytes", 8 + padded);
        wg_tape_release(tape, text, *bytes);
        return NULL;
    }
    for (int i = 0; i < 8; i++)
        text[i] = (char)(padded >> 8 * i & 0xff);
    memset(text + 8, ' ', padded);
    json_dumpb(header, text + 8, size, JSON_COMPACT);
    return text;
}

/* The values of a tensor that may be a view. */
static wg_status put_tensor(wg_file *file, wg_tensor t)
{
    const wg_node *node = wg_node_at(t.tape, t.node);
    size_t bytes = (size_t)wg_node_count(node) * wg_dtype_size((wg_dtype)node->dtype);
    if (wg_node_is(node, WG_NODE_CONTIGUOUS)) {
        wg_file_put(file, node->data, bytes);
        return file->status;
    }
    void *copy = wg_tape_allocate(t.tape, bytes);
    if (!copy)
        return wg_no_memory(t.tape, "wg_save", bytes);
    wg_status status = (wg_copy_out)(t, copy);
    if (!status)
        wg_file_put(file, copy, bytes);
    wg_tape_release(t.tape, copy, bytes);
    return status ? status : file->status;
}

static wg_status save(wg_tape *tape, const char *path, const wg_tensor *tensors, int n, const char *const *metadata)
{
    if (!are_named(tape, "wg_save", tensors, n))
        return tape->status;
    json_t *header = json_object();
    size_t bytes = 0;
    char *text = header_text(tape, header, tensors, n, metadata, &bytes);
    json_decref(header);
    if (!text)
        return tape->status;
    wg_file file;
    wg_status status = wg_file_begin(&file, tape, "wg_save", path);
    if (!status) {
        wg_file_put(&file, text, bytes);
        for (int s = 0; s < N_SIZES; s++)
            for (int i = 0; i < n && !status; i++)
                if (wg_dtype_size(wg_type_of(tensors[i]).dtype) == element_sizes[s])
                    status = put_tensor(&file, tensors[i]);
        status = wg_file_end(&file, status);
    }
    wg_tape_release(tape, text, bytes);
    return status;
}

wg_status (wg_save)(const char *path, const wg_tensor *tensors, int n, wg_save_options options)
{
    wg_tape *tape = tensors && n > 0 ? tensors[0].tape : NULL;
    if (!tape || tape->status)
        return tape ? tape->status : WG_ERROR_VALUE;
    uint32_t before = wg_hold_place(tape);
    wg_status status = save(tape, path, tensors, n, options.metadata);
    wg_let_go_place(tape, before);
    return status;
}
