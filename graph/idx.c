/* IDX files, the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a type, a rank, the dimensions as
 * big-endian 32-bit numbers, then the elements, big-endian and row-major. zlib reads plain and compressed files alike.
 * What a header declares is held against the size of the file before memory is taken for it. */
#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "graph/data.h"
#include "graph/file.h"

#define MOST_BYTES (INT64_C(1) << 34)   /* of elements in one file */
#define MOST_SAMPLES (INT64_C(1) << 28) /* in one file; their order takes memory too */
#define DEFLATED 1032                 /* no byte of a gzip file stands for more bytes (zlib's technical details) */
#define PART 65536                    /* bytes decoded at a time; a multiple of every element's size */
#define FUNCTION "wg_data_idx"

/* What the types' codes stand for; 0x0a is not in use. */
static const struct {
    int size;
    const char *name;
} types[] = {[0x08] = {1, "unsigned bytes"}, [0x09] = {1, "signed bytes"}, [0x0b] = {2, "16-bit integers"},
             [0x0c] = {4, "32-bit integers"}, [0x0d] = {4, "floats"}, [0x0e] = {8, "doubles"}};
#define UNSIGNED_BYTES 0x08
#define FLOATS 0x0d

typedef struct {
    wg_tape *tape;
    const char *path;
    gzFile file;
    int64_t size; /* of the file on the disc, bytes */
    int type;
    wg_shape shape;
    int64_t bytes; /* that the header declares for the elements */
} idx;

/* ---- The header -------------------------------------------------------------------------------------------------- */
static bool format_error(const idx *f, const char *what)
{
    wg_report(f->tape, FUNCTION, WG_ERROR_FORMAT, "%s: %s", wg_path_text(f->path), what);
    return false;
}

/* What zlib has to say; false where it has nothing. */
static bool stream_error(const idx *f)
{
    int code;
    const char *text = gzerror(f->file, &code), *behind = strstr(text, ": "); /* "<fd:3>: incorrect data check" */
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) /* the last: the file ends too early */
        return false;
    char system[128];
    wg_report(f->tape, FUNCTION,
              code == Z_MEM_ERROR ? WG_ERROR_MEMORY : code == Z_ERRNO ? WG_ERROR_FILE : WG_ERROR_FORMAT, "%s: %s",
              wg_path_text(f->path),
              code == Z_ERRNO ? strerror_r(errno, system, sizeof system) : behind ? behind + 2 : text);
    return true;
}

static void describe(const idx *f, char *text, size_t size)
{
    char shape[200];
    snprintf(text, size, "%s %s", wg_shape_text(&f->shape, shape, sizeof shape), types[f->type].name);
}

/* "60000 images of 28 x 28 need 47040000 bytes; the file ends after 1024" */
static bool too_short(const idx *f, int64_t got)
{
    char text[300];
    describe(f, text, sizeof text);
    wg_report(f->tape, FUNCTION, WG_ERROR_FORMAT, "%s: %s need %lld bytes; the file ends after %lld",
              wg_path_text(f->path), text, (long long)f->bytes, (long long)got);
    return false;
}

/* Sizes that are read: a sample is something, and there are not more of them or of their bytes than the limits say. */
static bool shape_in_order(idx *f)
{
    char text[300];
    int64_t most = types[f->type].size; /* bytes, were there one sample at least: no product below overflows */
    describe(f, text, sizeof text);
    for (int i = 0; i < f->shape.rank; i++) {
        int64_t dim = f->shape.dim[i];
        if (!dim && i)
            return format_error(f, "samples of no elements");
        if (dim > (i ? MOST_BYTES / most : MOST_SAMPLES)) {
            wg_report(f->tape, FUNCTION, WG_ERROR_MEMORY, "%s: %s; at most %lld samples and %lld bytes are read",
                      wg_path_text(f->path), text, (long long)MOST_SAMPLES, (long long)MOST_BYTES);
            return false;
        }
        most *= dim ? dim : 1;
    }
    f->bytes = f->shape.dim[0] ? most : 0;
    return true;
}

static bool read_shape(idx *f)
{
    unsigned char dim[4 * WG_MAX_RANK];
    int n = 4 * f->shape.rank;
    if (gzread(f->file, dim, (unsigned)n) != n)
        return stream_error(f) ? false : format_error(f, "the file ends within its header");
    for (int i = 0; i < f->shape.rank; i++) {
        const unsigned char *d = dim + 4 * i;
        f->shape.dim[i] = (int64_t)d[0] << 24 | d[1] << 16 | d[2] << 8 | d[3];
    }
    return shape_in_order(f);
}

static bool read_header(idx *f)
{
    unsigned char magic[4];
    int got = gzread(f->file, magic, sizeof magic);
    if (got != sizeof magic)
        return stream_error(f) ? false
                               : format_error(f, f->size ? "the file ends within its header" : "the file is empty");
    f->type = magic[2];
    f->shape.rank = magic[3];
    bool known = f->type < (int)(sizeof types / sizeof *types) && types[f->type].size;
    if (magic[0] || magic[1] || !known || !f->shape.rank || f->shape.rank > WG_MAX_RANK) {
        wg_report(f->tape, FUNCTION, WG_ERROR_FORMAT, "%s: not an IDX file: it begins with %02x %02x %02x %02x",
                  wg_path_text(f->path), magic[0], magic[1], magic[2], magic[3]);
        return false;
    }
    if (!read_shape(f))
        return false;
    int64_t header = 4 + 4 * f->shape.rank;
    if (gzdirect(f->file))
        return f->size - header < f->bytes ? too_short(f, f->size - header) : true;
    if (f->bytes / DEFLATED > f->size) {
        char text[200];
        snprintf(text, sizeof text, "%lld compressed bytes cannot stand for the %lld that are declared",
                 (long long)f->size, (long long)f->bytes);
        return format_error(f, text);
    }
    return true;
}

static bool idx_open(idx *f, wg_tape *tape, const char *path)
{
    *f = (idx){.tape = tape, .path = path};
    int descriptor = wg_file_open(tape, FUNCTION, path, &f->size);
    if (descriptor < 0)
        return false;
    f->file = gzdopen(descriptor, "rb");
    if (!f->file) {
        close(descriptor);
        wg_report(tape, FUNCTION, WG_ERROR_MEMORY, "%s: no memory", wg_path_text(path));
        return false;
    }
    return read_header(f);
}

static void idx_close(idx *f)
{
    if (f->file)
        gzclose_r(f->file);
    f->file = NULL;
}

/* ---- The elements ------------------------------------------------------------------------------------------------ */
static double element(int type, const unsigned char *from)
{
    uint64_t bits = 0;
    union {
        uint32_t u;
        float f;
    } single;
    union {
        uint64_t u;
        double d;
    } whole;
    for (int i = 0; i < types[type].size; i++)
        bits = bits << 8 | from[i];
    switch (type) {
    case 0x09:
        return (int8_t)bits;
    case 0x0b:
        return (int16_t)bits;
    case 0x0c:
        return (int32_t)bits;
    case 0x0d:
        single.u = (uint32_t)bits;
        return (double)single.f;
    case 0x0e:
        whole.u = bits;
        return whole.d;
    default:
        return (double)bits;
    }
}

/* The next `size` bytes; *done counts all that were read so far. */
static bool read_part(const idx *f, void *to, size_t size, int64_t *done)
{
    for (size_t at = 0; at < size;) {
        size_t part = size - at < INT_MAX ? size - at : INT_MAX;
        int got = gzread(f->file, (char *)to + at, (unsigned)part);
        if (got > 0) {
            at += (size_t)got;
            *done += got;
        } else {
            return stream_error(f) ? false : too_short(f, *done);
        }
    }
    return true;
}

/* The first n samples into the column; all of them were to be read where `whole`, so that nothing may follow. */
static bool read_values(const idx *f, wg_column *column, int64_t n, bool whole)
{
    size_t size = (size_t)types[f->type].size, out = wg_dtype_size(column->dtype);
    int64_t count = n * wg_column_width(column), done = 0;
    if (column->pixels) {
        if (!read_part(f, column->values, (size_t)count, &done))
            return false;
    } else {
        unsigned char part[PART];
        int64_t most = (int64_t)(PART / size);
        for (int64_t first = 0; first < count; first += most) {
            int64_t elements = count - first < most ? count - first : most;
            if (!read_part(f, part, (size_t)elements * size, &done))
                return false;
            for (int64_t i = 0; i < elements; i++)
                wg_store_number(column->dtype, column->scale * element(f->type, part + (size_t)i * size),
                                (char *)column->values + (size_t)(first + i) * out);
        }
    }
    char more;
    if (whole && gzread(f->file, &more, 1) > 0)
        return format_error(f, "the file goes on behind its last element");
    int code = Z_OK;
    if (whole)
        gzerror(f->file, &code);
    return !whole || (code == Z_BUF_ERROR ? format_error(f, "the compressed file ends too early") : !stream_error(f));
}

/* ---- Images and labels ------------------------------------------------------------------------------------------- */
static bool read_images(const idx *f, wg_column *x, int64_t n, const wg_data_idx_options *o)
{
    bool bytes = f->type == UNSIGNED_BYTES;
    *x = (wg_column){.dtype = o->dtype, .row = {.rank = f->shape.rank - 1}, .pixels = bytes, .scale = o->scale};
    if (isnan(o->scale))
        x->scale = bytes ? 1 / 255.0 : 1;
    memcpy(x->row.dim, f->shape.dim + 1, (size_t)(f->shape.rank - 1) * sizeof *x->row.dim);
    if (o->flatten)
        x->row = (wg_shape){{wg_column_width(x)}, 1};
    return wg_column_new(f->tape, FUNCTION, x, n) && read_values(f, x, n, n == f->shape.dim[0]);
}

static bool read_labels(const idx *f, wg_column *y, int64_t n)
{
    *y = (wg_column){.dtype = WG_INT64, .scale = 1};
    return wg_column_new(f->tape, FUNCTION, y, n) && read_values(f, y, n, n == f->shape.dim[0]);
}

/* Labels that fit the images. */
static bool open_labels(idx *f, wg_tape *tape, const char *path, const idx *images)
{
    char text[300];
    if (!idx_open(f, tape, path))
        return false;
    if (f->shape.rank != 1 || f->type >= FLOATS) {
        describe(f, text, sizeof text);
        wg_report(tape, FUNCTION, WG_ERROR_FORMAT, "%s: labels are one integer each; these are %s", wg_path_text(path),
                  text);
        return false;
    }
    if (f->shape.dim[0] == images->shape.dim[0])
        return true;
    wg_report(tape, FUNCTION, WG_ERROR_SHAPE, "%s: %lld labels for %lld images", wg_path_text(path),
              (long long)f->shape.dim[0], (long long)images->shape.dim[0]);
    return false;
}

wg_data *(wg_data_idx)(wg_tape *tape, const char *images, const char *labels, wg_data_idx_options options)
{
    if (!tape || tape->status)
        return NULL;
    if (!wg_is_float(options.dtype) || options.limit < 0 || isinf(options.scale)) {
        wg_report(tape, FUNCTION, WG_ERROR_ATTR, "dtype %s, limit %lld, scale %g", wg_dtype_name(options.dtype),
                  (long long)options.limit, options.scale);
        return NULL;
    }
    idx x_file = {0}, y_file = {0};
    wg_column x = {0}, y = {0};
    bool read = idx_open(&x_file, tape, images) && (!labels || open_labels(&y_file, tape, labels, &x_file));
    int64_t n = read ? x_file.shape.dim[0] : 0;
    if (options.limit && options.limit < n)
        n = options.limit;
    read = read && read_images(&x_file, &x, n, &options) && (!labels || read_labels(&y_file, &y, n));
    idx_close(&x_file);
    idx_close(&y_file);
    if (read)
        return wg_data_new(tape, FUNCTION, &x, &y, n, options.shuffle);
    wg_column_free(tape, &x);
    wg_column_free(tape, &y);
    return NULL;
}
