/* Data sets: what a batch holds and in which order, and files of every kind of wrong. */
#include "files.h"

#include <sys/stat.h>
#include <zlib.h>

static wg_tape *tape;

static void set_up(void)
{
    tape = wg_tape_new(.seed = 7);
    folder_make();
}

static void tear_down(void)
{
    folder_remove();
    wg_tape_free(tape);
}

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

/* ---- IDX files of a test's own ----------------------------------------------------------------------------------- */
#define BYTES(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

/* Image i of n, 2 x 3, is six times the byte i; its label is i % 4. */
static size_t images_of(int n, unsigned char *to)
{
    unsigned char header[16] = {0, 0, 8, 3, 0, 0, (unsigned char)(n >> 8), (unsigned char)n, 0, 0, 0, 2, 0, 0, 0, 3};
    memcpy(to, header, 16);
    for (int i = 0; i < 6 * n; i++)
        to[16 + i] = (unsigned char)(i / 6);
    return 16 + 6 * (size_t)n;
}

static size_t labels_of(int n, unsigned char *to)
{
    unsigned char header[8] = {0, 0, 8, 1, 0, 0, (unsigned char)(n >> 8), (unsigned char)n};
    memcpy(to, header, 8);
    for (int i = 0; i < n; i++)
        to[8 + i] = (unsigned char)(i % 4);
    return 8 + (size_t)n;
}

static const char *compressed(const char *name, const void *data, size_t size)
{
    const char *path = in_folder(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(file, data, (unsigned)size), (int)size);
    gzclose(file);
    return path;
}

#define N 250
static const char *images_file(void)
{
    unsigned char data[16 + 6 * N];
    return file_of("images", data, images_of(N, data));
}

static const char *labels_file(void)
{
    unsigned char data[8 + N];
    return compressed("labels.gz", data, labels_of(N, data));
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */
START_TEST(batches_hold_every_sample_once_with_its_label)
{
    wg_data *data = wg_data_idx(tape, images_file(), labels_file());
    no_error();
    ck_assert_int_eq(wg_data_size(data), N);
    ck_assert_int_eq(wg_data_batches(data, 64), 4);
    ck_assert_int_eq(wg_data_classes(data), 4);
    ck_assert_int_eq(wg_data_shape(data).rank, 1);
    ck_assert_int_eq(wg_data_shape(data).dim[0], 6);
    wg_mark start = wg_tape_mark(tape);
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[N] = {0}, batches = 0;
        for (wg_batch b; wg_data_next(data, 64, &b); wg_rewind(tape, start), batches++) {
            ck_assert_int_eq(b.n, batches < 3 ? 64 : N - 3 * 64);
            ck_assert_int_eq(wg_shape_of(b.x).dim[0], b.n);
            ck_assert_int_eq(wg_type_of(b.x).dtype, WG_FLOAT32);
            ck_assert_int_eq(wg_type_of(b.y).dtype, WG_INT64);
            ck_assert_str_eq(wg_name_of(b.x), "x");
            ck_assert_str_eq(wg_name_of(b.y), "y");
            for (int64_t i = 0; i < b.n; i++) {
                int image = (int)lrint(wg_element(b.x, 6 * i) * 255);
                ck_assert_double_eq(wg_element(b.x, 6 * i + 5), (double)((float)image * (float)(1 / 255.0)));
                ck_assert_double_eq(wg_element(b.y, i), image % 4);
                seen[image]++;
            }
        }
        ck_assert_int_eq(batches, 4);
        for (int i = 0; i < N; i++)
            ck_assert_int_eq(seen[i], 1);
    }
    no_error();
}
END_TEST

/* The first n labels of the next epoch, and past its end. */
static void epoch_labels(wg_data *data, double *label)
{
    for (wg_batch b; wg_data_next(data, 7, &b);)
        for (int64_t i = 0; i < b.n; i++)
            *label++ = wg_element(b.y, i);
}

START_TEST(the_order_is_of_the_seed_and_the_epoch)
{
    double label[6][100] = {{0}}, number[100];
    for (int i = 0; i < 100; i++)
        number[i] = i;
    wg_tape *other = wg_tape_new(.seed = 7, .threads = 2), *third = wg_tape_new(.seed = 8);
    wg_tape *tapes[] = {tape, other, third};
    for (int k = 0; k < 3; k++) {
        wg_tensor x = wg_array(tapes[k], WG_FLOAT64, WG_SHAPE(100), number);
        wg_data *data = wg_data_arrays(tapes[k], x, x);
        epoch_labels(data, label[k]);
        if (k)
            continue;
        epoch_labels(data, label[3]);
        wg_data_reset(data);
        epoch_labels(data, label[4]);
        wg_data_start(data, 1);
        epoch_labels(data, label[5]);
    }
    ck_assert_mem_eq(label[0], label[1], sizeof label[0]);
    ck_assert_mem_eq(label[0], label[4], sizeof label[0]);
    ck_assert_mem_eq(label[3], label[5], sizeof label[0]);
    ck_assert(memcmp(label[0], label[2], sizeof label[0]));
    ck_assert(memcmp(label[0], label[3], sizeof label[0]));
    wg_tape_free(other);
    wg_tape_free(third);
    no_error();
}
END_TEST

/* Where sample 0 goes in 4000 shuffles of five: 800 times to each place, give or take 5 standard deviations, of
 * 25.3. */
START_TEST(a_shuffle_is_fair)
{
    int count[5] = {0};
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(5), ((float[]){0, 1, 2, 3, 4}));
    wg_data *data = wg_data_arrays(tape, x, WG_NONE);
    wg_mark start = wg_tape_mark(tape);
    for (int epoch = 0; epoch < 4000; epoch++, wg_rewind(tape, start)) {
        wg_batch b;
        ck_assert(wg_data_next(data, 5, &b));
        for (int i = 0; i < 5; i++)
            count[i] += wg_element(b.x, i) == 0;
        ck_assert(!wg_data_next(data, 5, &b));
    }
    for (int i = 0; i < 5; i++)
        ck_assert_int_lt(abs(count[i] - 800), 127);
}
END_TEST

START_TEST(unshuffled_data_keep_their_order)
{
    wg_data *data = wg_data_idx(tape, images_file(), labels_file(), .shuffle = false, .flatten = false, .limit = 10,
                                .dtype = WG_FLOAT64, .scale = 2);
    wg_batch b;
    ck_assert(wg_data_next(data, 100, &b));
    ck_assert_int_eq(b.n, 10);
    ck_assert_int_eq(wg_shape_of(b.x).rank, 3);
    for (int i = 0; i < 10; i++)
        ck_assert_double_eq(wg_element(b.x, 6 * i), 2 * i);
    no_error();
}
END_TEST

START_TEST(a_steady_loop_allocates_nothing)
{
    failing f = {.fail_at = 0};
    wg_tape *own = wg_tape_new(.memory = {failing_allocate, failing_release, &f});
    wg_data *data = wg_data_idx(own, images_file(), labels_file());
    wg_mark start = wg_tape_mark(own);
    int after_first = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        for (wg_batch b; wg_data_next(data, 64, &b); wg_rewind(own, start))
            ;
        after_first = epoch ? after_first : f.calls;
    }
    ck_assert_int_eq(f.calls, after_first);
    wg_tape_free(own);
    ck_assert_uint_eq(f.held, 0);
}
END_TEST

START_TEST(a_split_takes_every_sample_to_one_side)
{
    double number[101];
    for (int i = 0; i < 101; i++)
        number[i] = i;
    wg_data *data = wg_data_arrays(tape, wg_array(tape, WG_FLOAT64, WG_SHAPE(101), number), WG_NONE), *second;
    ck_assert_int_eq(wg_data_split(data, 0.2, &second), WG_OK);
    ck_assert_int_eq(wg_data_size(data), 81);
    ck_assert_int_eq(wg_data_size(second), 20);
    int seen[101] = {0};
    wg_data *part[] = {data, second};
    for (int k = 0; k < 2; k++)
        for (wg_batch b; wg_data_next(part[k], 8, &b);)
            for (int64_t i = 0; i < b.n; i++)
                seen[(int)wg_element(b.x, i)]++;
    for (int i = 0; i < 101; i++)
        ck_assert_int_eq(seen[i], 1);
    ck_assert_int_ne(wg_data_split(data, 1.5, &second), WG_OK);
    ck_assert_ptr_null(second);
}
END_TEST

START_TEST(no_data_set_does_nothing)
{
    wg_batch b = {.n = 3};
    wg_data *second;
    ck_assert(!wg_data_next(NULL, 64, &b));
    ck_assert(wg_is_none(b.x) && b.n == 0);
    ck_assert_int_eq(wg_data_size(NULL), 0);
    ck_assert_int_eq(wg_data_batches(NULL, 64), 0);
    ck_assert_int_eq(wg_data_classes(NULL), 0);
    ck_assert_int_eq(wg_data_shape(NULL).rank, 0);
    wg_data_reset(NULL);
    ck_assert_int_ne(wg_data_split(NULL, 0.5, &second), WG_OK);
    ck_assert_ptr_null(wg_data_idx(NULL, "a", "b"));
    ck_assert_ptr_null(wg_data_csv(NULL, "a"));
    ck_assert_ptr_null(wg_data_spirals(NULL, 4));
}
END_TEST

START_TEST(a_failed_tape_has_no_more_batches)
{
    wg_data *data = wg_data_spirals(tape, 100);
    wg_batch b;
    ck_assert(wg_data_next(data, 10, &b));
    ck_assert(!wg_data_next(data, 0, &b));
    ck_assert_str_eq(strstr(wg_error(tape), "wg_data_next"), "wg_data_next: batches of 0 samples");
    ck_assert(strstr(wg_error(tape), "test_data.c:"));
    ck_assert(!wg_data_next(data, 10, &b));
}
END_TEST

/* ---- IDX types and files that are wrong -------------------------------------------------------------------------- */
static const struct {
    const char *why;
    const unsigned char *data;
    size_t size;
    double first, second;
} typed[] = {
    {"signed bytes", BYTES(0, 0, 9, 1, 0, 0, 0, 2, 0xff, 5), -1, 5},
    {"shorts", BYTES(0, 0, 0xb, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0), -2, 256},
    {"integers", BYTES(0, 0, 0xc, 1, 0, 0, 0, 2, 0x80, 0, 0, 0, 0, 1, 0, 0), -2147483648.0, 65536},
    {"floats", BYTES(0, 0, 0xd, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0), 1, -2},
    {"doubles", BYTES(0, 0, 0xe, 1, 0, 0, 0, 2, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0), 1, -2},
};
START_TEST(elements_of_every_type_are_read)
{
    wg_data *data = wg_data_idx(tape, file_of("typed", typed[_i].data, typed[_i].size), NULL, .shuffle = false);
    wg_batch b;
    ck_assert_msg(wg_data_next(data, 2, &b), "%s: %s", typed[_i].why, wg_error(tape));
    ck_assert_double_eq(wg_element(b.x, 0), typed[_i].first);
    ck_assert_double_eq(wg_element(b.x, 1), typed[_i].second);
    ck_assert(wg_is_none(b.y));
}
END_TEST

static const struct {
    const unsigned char *data;
    size_t size;
    wg_status status;
    const char *says;
} bad_idx[] = {
    {BYTES(0), WG_ERROR_FORMAT, "the file ends within its header"},
    {BYTES(0, 0, 8, 3, 0, 0, 0), WG_ERROR_FORMAT, "the file ends within its header"},
    {BYTES(0x89, 'P', 'N', 'G', 13, 10, 26, 10), WG_ERROR_FORMAT, "not an IDX file: it begins with 89 50 4e 47"},
    {BYTES(0, 0, 10, 1, 0, 0, 0, 1, 7), WG_ERROR_FORMAT, "not an IDX file: it begins with 00 00 0a 01"},
    {BYTES(0, 0, 8, 0, 7), WG_ERROR_FORMAT, "not an IDX file: it begins with 00 00 08 00"},
    {BYTES(0, 0, 8, 9, 0, 0, 0, 1, 0, 0, 0, 1), WG_ERROR_FORMAT, "not an IDX file: it begins with 00 00 08 09"},
    {BYTES(0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3), WG_ERROR_FORMAT,
     "[60000, 28, 28] unsigned bytes need 47040000 bytes; the file ends after 3"},
    {BYTES(0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3), WG_ERROR_FORMAT, "the file goes on behind its last element"},
    {BYTES(0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), WG_ERROR_MEMORY,
     "at most 268435456 samples and 17179869184 bytes are read"},
    {BYTES(0, 0, 8, 3, 0, 0, 1, 0, 0, 1, 0, 0, 0x10, 0, 0, 0), WG_ERROR_MEMORY,
     "at most 268435456 samples and 17179869184 bytes"},
    {BYTES(0, 0, 8, 2, 0, 0, 1, 0, 0, 0, 0, 0), WG_ERROR_FORMAT, "samples of no elements"},
    {BYTES(0, 0, 8, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
     WG_ERROR_MEMORY, "17179869184 bytes are read"},
};
START_TEST(a_wrong_idx_file_is_refused)
{
    ck_assert_ptr_null(wg_data_idx(tape, file_of("bad", bad_idx[_i].data, bad_idx[_i].size), NULL));
    ck_assert_int_eq(wg_error_status(tape), bad_idx[_i].status);
    ck_assert_msg(strstr(wg_error(tape), bad_idx[_i].says) && strstr(wg_error(tape), "/bad: "), "%s", wg_error(tape));
}
END_TEST

START_TEST(a_wrong_compressed_file_is_refused)
{
    unsigned char data[16 + 6 * N], packed[sizeof data + 100] = {0};
    static const char *const says[] = {"the file ends within its header", "bytes; the file ends after",
                                       "incorrect data check", "the compressed file ends too early",
                                       "cannot stand for the 10000000000"};
    size_t size = images_of(N, data);
    if (_i == 4)
        memcpy(data, ((unsigned char[]){0, 0, 8, 2, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0}), 12); /* 100000 x 100000 */
    FILE *file = fopen(compressed("whole.gz", data, size), "rb");
    size_t whole = fread(packed, 1, sizeof packed, file);
    fclose(file);
    if (_i == 2)
        packed[whole - 6] ^= 1; /* of the checksum */
    size_t kept[] = {12, whole / 2, whole, whole - 5, whole};
    ck_assert_ptr_null(wg_data_idx(tape, file_of("bad.gz", packed, kept[_i]), NULL));
    ck_assert_msg(strstr(wg_error(tape), says[_i]), "%s", wg_error(tape));
    ck_assert_int_eq(wg_error_status(tape), WG_ERROR_FORMAT);
}
END_TEST

START_TEST(labels_must_fit_the_images)
{
    unsigned char label[8 + 7];
    ck_assert_ptr_null(wg_data_idx(tape, images_file(), file_of("few", label, labels_of(7, label))));
    ck_assert_msg(strstr(wg_error(tape), "few: 7 labels for 250 images"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_ptr_null(wg_data_idx(tape, images_file(), images_file()));
    ck_assert_msg(strstr(wg_error(tape), "labels are one integer each; these are [250, 2, 3] unsigned bytes"), "%s",
                  wg_error(tape));
}
END_TEST

/* What cannot be read as a file, for each reader. */
static const struct {
    const char *name;
    const char *says;
} unreadable[] = {{"absent", "No such file or directory"}, {"folder", "Is a directory"}, {"pipe", "not a regular file"},
                  {"locked", "Permission denied"},        {"empty", "empty"}};
START_TEST(what_is_no_readable_file_is_refused)
{
    ck_assert_int_eq(mkdir(in_folder("folder"), 0755) | mkfifo(in_folder("pipe"), 0644), 0);
    file_of("empty", "", 0);
    chmod(file_of("locked", "1,2\n", 4), 0);
    if (!geteuid())
        ck_assert_int_eq(chmod(folder, 0755) | seteuid(65534), 0);
    for (int reader = 0; reader < 2; reader++) {
        const char *path = in_folder(unreadable[_i].name);
        ck_assert_ptr_null(reader ? wg_data_csv(tape, path) : wg_data_idx(tape, path, path));
        ck_assert_msg(strstr(wg_error(tape), unreadable[_i].says) && strstr(wg_error(tape), unreadable[_i].name), "%s",
                      wg_error(tape));
        wg_clear_error(tape);
    }
    if (!getuid())
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* ---- CSV --------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *text;
    char separator;
    int label;
    int64_t n, columns;
    double x0, y1; /* x's first element, the second label */
} tables[] = {
    {"1,2,0\n3,4,1\n", ',', -1, 2, 2, 1, 1},
    {"a,b,class\r\n1,2,0\r\n3,4,1", ',', -1, 2, 2, 1, 1},
    {"\xef\xbb\xbf\"a, b\",c\n\"1.5\",2\n\n3,4\n", ',', 0, 2, 1, 2, 3},
    {"1e3;-.5;7\n+3;4.;8\n", ';', 0, 2, 2, -0.5, 3},
    {"1\t2\n3\t4\n", '\t', 1, 2, 1, 1, 4},
    {"  1   2 \n 3\t4\n", ' ', 1, 2, 1, 1, 4},
    {"1,2\n3,4\n", ',', WG_NO_AXIS, 2, 2, 1, 0},
};
START_TEST(a_table_is_read)
{
    const char *path = file_of("table", tables[_i].text, strlen(tables[_i].text));
    wg_data *data =
        wg_data_csv(tape, path, .separator = tables[_i].separator, .label = tables[_i].label, .shuffle = false);
    wg_batch b;
    no_error();
    ck_assert_int_eq(wg_data_size(data), tables[_i].n);
    ck_assert_int_eq(wg_data_shape(data).dim[0], tables[_i].columns);
    ck_assert(wg_data_next(data, 10, &b));
    ck_assert_double_eq(wg_element(b.x, 0), tables[_i].x0);
    if (tables[_i].label == WG_NO_AXIS)
        ck_assert(wg_is_none(b.y));
    else
        ck_assert_double_eq(wg_element(b.y, 1), tables[_i].y1);
    no_error();
}
END_TEST

START_TEST(labels_are_integers_where_all_are)
{
    wg_batch b;
    wg_data *data = wg_data_csv(tape, file_of("t", "1,2\n3,4\n", 8));
    ck_assert(wg_data_next(data, 2, &b));
    ck_assert_int_eq(wg_type_of(b.y).dtype, WG_INT64);
    ck_assert_int_eq(wg_data_classes(data), 5);
    data = wg_data_csv(tape, in_folder("t"), .label_dtype = WG_FLOAT32);
    ck_assert(wg_data_next(data, 2, &b));
    ck_assert_int_eq(wg_type_of(b.y).dtype, WG_FLOAT32);
    data = wg_data_csv(tape, file_of("t", "1,2\n3,4.5\n", 10), .dtype = WG_FLOAT64);
    ck_assert(wg_data_next(data, 2, &b));
    ck_assert_int_eq(wg_type_of(b.y).dtype, WG_FLOAT64);
    ck_assert_int_eq(wg_data_classes(data), 0);
    no_error();
}
END_TEST

static const struct {
    const char *text;
    int label;
    wg_header header;
    wg_status status;
    const char *says;
} bad_tables[] = {
    {"1,2\n3,4,5\n", -1, 0, WG_ERROR_FORMAT, "line 2 has 3 fields, line 1 2"},
    {"1,2\n\n3,setosa\n", -1, 0, WG_ERROR_FORMAT, "line 3, field 2: \"setosa\" is not a number"},
    {"1,2\n,4\n", -1, 0, WG_ERROR_FORMAT, "line 2, field 1: nothing is there"},
    {"a,b\n1,2\n", -1, WG_HEADER_NO, WG_ERROR_FORMAT, "line 1, field 1: \"a\" is not a number"},
    {"1,2\n0x10,2\n", -1, 0, WG_ERROR_FORMAT, "\"0x10\" is not a number"},
    {"1,2\nnan,2\n", -1, 0, WG_ERROR_FORMAT, "\"nan\" is not a number"},
    {"1,2\n1e39,2\n", -1, 0, WG_ERROR_FORMAT, "\"1e39\" does not fit float32"},
    {"1,2\n1 2,2\n", -1, 0, WG_ERROR_FORMAT, "\"1 2\" is not a number"},
    {"1,2\n3,4\n", 2, 0, WG_ERROR_INDEX, "there is no column 2 for the label; lines have 2 fields"},
    {"1,2\n3,4\n", -3, 0, WG_ERROR_INDEX, "there is no column -3 for the label"},
    {"\n \n\n", -1, 0, WG_ERROR_FORMAT, "the file is empty"},
};
START_TEST(a_wrong_table_is_refused)
{
    const char *path = file_of("table", bad_tables[_i].text, strlen(bad_tables[_i].text));
    ck_assert_ptr_null(wg_data_csv(tape, path, .label = bad_tables[_i].label, .header = bad_tables[_i].header));
    ck_assert_int_eq(wg_error_status(tape), bad_tables[_i].status);
    ck_assert_msg(strstr(wg_error(tape), bad_tables[_i].says), "%s", wg_error(tape));
}
END_TEST

/* ---- Made data --------------------------------------------------------------------------------------------------- */
START_TEST(spirals_are_of_the_seed)
{
    wg_data *data = wg_data_spirals(tape, 99, .classes = 3, .noise = 0, .shuffle = false, .dtype = WG_FLOAT64);
    wg_batch b;
    ck_assert_int_eq(wg_data_classes(data), 3);
    ck_assert(wg_data_next(data, 99, &b));
    ck_assert_double_eq_tol(hypot(wg_element(b.x, 0), wg_element(b.x, 1)), 0.1, 1e-15);
    ck_assert_double_eq_tol(hypot(wg_element(b.x, 196), wg_element(b.x, 197)), 1, 1e-15);
    double first[2];
    for (int k = 0; k < 2; k++) {
        wg_seed(tape, 3);
        ck_assert(wg_data_next(wg_data_spirals(tape, 9), 9, &b));
        first[k] = wg_element(b.x, 0);
    }
    ck_assert_double_eq(first[0], first[1]);
    no_error();
}
END_TEST

START_TEST(arrays_must_have_as_many_samples)
{
    wg_tensor x = wg_array(tape, WG_FLOAT32, WG_SHAPE(4, 2), NULL), y = wg_array(tape, WG_INT32, WG_SHAPE(3), NULL);
    ck_assert_ptr_null(wg_data_arrays(tape, x, y));
    ck_assert_msg(strstr(wg_error(tape), "wg_data_arrays: x has 4 samples, y 3"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_ptr_null(wg_data_arrays(tape, wg_scalar(tape, 1), WG_NONE));
    ck_assert_msg(strstr(wg_error(tape), "x has no dimension that counts samples"), "%s", wg_error(tape));
}
END_TEST

START_TEST(a_data_set_of_no_samples_ends_at_once)
{
    wg_batch b;
    wg_data *data = wg_data_arrays(tape, wg_array(tape, WG_FLOAT32, WG_SHAPE(0, 2), NULL), WG_NONE);
    ck_assert_ptr_nonnull(data);
    for (int i = 0; i < 3; i++)
        ck_assert(!wg_data_next(data, 5, &b));
    ck_assert_int_eq(wg_data_batches(data, 5), 0);
    no_error();
}
END_TEST

/* ---- No memory --------------------------------------------------------------------------------------------------- */
static void read_all(wg_tape *own)
{
    wg_data *idx = wg_data_idx(own, in_folder("images"), in_folder("labels.gz")), *half;
    wg_data *csv = wg_data_csv(own, in_folder("table"));
    wg_data_split(idx, 0.5, &half);
    wg_data *data[] = {idx, csv, wg_data_spirals(own, 5000), half};
    for (int i = 0; i < COUNT(data); i++)
        for (wg_batch b; wg_data_next(data[i], 4096, &b);)
            ;
}

START_TEST(running_out_of_memory_is_an_error)
{
    images_file();
    labels_file();
    file_of("table", "1,2\n3,4\n", 8);
    fail_each_allocation(read_all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, batches_hold_every_sample_once_with_its_label);
    tcase_add_test(values, the_order_is_of_the_seed_and_the_epoch);
    tcase_add_test(values, a_shuffle_is_fair);
    tcase_add_test(values, unshuffled_data_keep_their_order);
    tcase_add_test(values, a_steady_loop_allocates_nothing);
    tcase_add_test(values, a_split_takes_every_sample_to_one_side);
    tcase_add_test(values, no_data_set_does_nothing);
    tcase_add_test(values, a_failed_tape_has_no_more_batches);
    tcase_add_loop_test(values, elements_of_every_type_are_read, 0, COUNT(typed));
    tcase_add_loop_test(values, a_wrong_idx_file_is_refused, 0, COUNT(bad_idx));
    tcase_add_loop_test(values, a_wrong_compressed_file_is_refused, 0, 5);
    tcase_add_test(values, labels_must_fit_the_images);
    tcase_add_loop_test(values, what_is_no_readable_file_is_refused, 0, COUNT(unreadable));
    tcase_add_loop_test(values, a_table_is_read, 0, COUNT(tables));
    tcase_add_test(values, labels_are_integers_where_all_are);
    tcase_add_loop_test(values, a_wrong_table_is_refused, 0, COUNT(bad_tables));
    tcase_add_test(values, spirals_are_of_the_seed);
    tcase_add_test(values, arrays_must_have_as_many_samples);
    tcase_add_test(values, a_data_set_of_no_samples_ends_at_once);
    tcase_add_test(values, running_out_of_memory_is_an_error);
    suite_add_tcase(suite, values);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
