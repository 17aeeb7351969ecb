/* Weights and arrays in files: what is written comes back to the bit, what is wrong changes nothing. */
#include "files.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static wg_tape *tape;

static void set_up(void)
{
    tape = wg_tape_new();
    folder_make();
}

static void tear_down(void)
{
    folder_remove();
    wg_tape_free(tape);
}

static void no_error(void) { ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape)); }

/* A file's bytes. */
static size_t content(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t n = fread(to, 1, size, file);
    fclose(file);
    return n;
}

/* A file with this header, and `size` bytes of zeros for data. */
static const char *weights_of(const char *header, size_t size)
{
    char text[4096] = {0};
    size_t n = strlen(header);
    text[0] = (char)(n & 0xff);
    text[1] = (char)(n >> 8);
    memcpy(text + 8, header, n);
    return file_of("w", text, 8 + n + size);
}

/* ---- There and back ---------------------------------------------------------------------------------------------- */
#define N_DTYPES 5
static void make(wg_tape *on, wg_tensor t[N_DTYPES + 2], bool filled)
{
    static const float f[6] = {1, -0.0f, 3.5f, 1e-42f, -1e38f, 6};
    static const double d[2] = {0.1, -1e-310};
    static const int32_t i[3] = {INT32_MIN, 0, 7};
    static const int64_t l = INT64_MAX;
    static const bool b[3] = {true, false, true};
    t[0] = wg_param(on, "block.0.weight", WG_SHAPE(2, 3), .data = filled ? f : NULL);
    t[1] = wg_name(wg_array(on, WG_FLOAT64, WG_SHAPE(2, 1), filled ? d : NULL), "d");
    t[2] = wg_name(wg_array(on, WG_INT32, WG_SHAPE(3), filled ? i : NULL), "i \"quoted\"");
    t[3] = wg_name(wg_array(on, WG_INT64, WG_SCALAR, filled ? &l : NULL), "steps");
    t[4] = wg_name(wg_array(on, WG_BOOL, WG_SHAPE(3), filled ? b : NULL), "b");
    t[5] = wg_name(wg_array(on, WG_FLOAT32, WG_SHAPE(0, 4), NULL), "empty");
    t[6] = wg_name(wg_array(on, WG_FLOAT32, WG_SCALAR, filled ? f + 2 : NULL), "scale");
}

START_TEST(every_dtype_comes_back_to_the_bit)
{
    wg_tensor a[N_DTYPES + 2], b[COUNT(a)];
    wg_tape *other = wg_tape_new();
    make(tape, a, true);
    make(other, b, false);
    ck_assert_int_eq(
        wg_save(in_folder("w"), a, COUNT(a), .metadata = (const char *[]){"format", "wengert", "\xc3\xa9", "", NULL}),
        WG_OK);
    ck_assert_int_eq(files_in_folder(), 1);
    ck_assert_msg(wg_load(in_folder("w"), b, COUNT(b)) == WG_OK, "%s", wg_error(other));
    for (int i = 0; i < COUNT(a); i++) {
        wg_type type = wg_type_of(a[i]);
        ck_assert_mem_eq(wg_values(a[i]), wg_values(b[i]), (size_t)wg_size(a[i]) * wg_dtype_size(type.dtype));
    }
    wg_weights *w = wg_weights_open(other, in_folder("w"));
    ck_assert_int_eq(wg_weights_count(w), COUNT(a));
    ck_assert_str_eq(wg_weights_metadata(w, "format"), "wengert");
    ck_assert_ptr_null(wg_weights_metadata(w, "none"));
    for (int i = 0; i < COUNT(a); i++) {
        wg_type type = wg_weights_type(w, i);
        int k = 0;
        while (strcmp(wg_name_of(a[k]), wg_weights_name(w, i)))
            k++;
        wg_type own = wg_type_of(a[k]);
        ck_assert(wg_type_equal(&type, &own));
        wg_tensor t = wg_weights_tensor(w, wg_weights_name(w, i));
        ck_assert_str_eq(wg_name_of(t), wg_name_of(a[k]));
        ck_assert_mem_eq(wg_values(t), wg_values(a[k]), (size_t)wg_size(t) * wg_dtype_size(type.dtype));
    }
    ck_assert_msg(!wg_failed(other), "%s", wg_error(other));
    wg_tape_free(other);
    no_error();
}
END_TEST

START_TEST(the_file_is_as_the_format_says)
{
    wg_tensor t[] = {wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(2), ((float[]){1, 2})), "a"),
                     wg_name(wg_array(tape, WG_FLOAT64, WG_SHAPE(1), ((double[]){3})), "b")};
    static const char header[] = "{\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}";
    char text[1024];
    ck_assert_int_eq(wg_save(in_folder("w"), t, 2), WG_OK);
    size_t size = content(in_folder("w"), text, sizeof text), padded = (sizeof header - 1 + 7) / 8 * 8;
    ck_assert_uint_eq(size, 8 + padded + 16);
    ck_assert_uint_eq((unsigned char)text[0], padded);
    ck_assert_mem_eq(text + 8, header, sizeof header - 1);
    ck_assert_double_eq(((double *)(void *)(text + 8 + padded))[0], 3);
    no_error();
}
END_TEST

START_TEST(a_view_is_written_in_its_own_order)
{
    wg_tensor t =
        wg_name(wg_matrix_transpose(wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 2), ((float[]){1, 2, 3, 4}))), "t");
    wg_tensor back = wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(2, 2), NULL), "t");
    ck_assert_int_eq(wg_save(in_folder("w"), &t, 1), WG_OK);
    ck_assert_int_eq(wg_load(in_folder("w"), &back, 1), WG_OK);
    ck_assert_double_eq(wg_element(back, 1), 3);
    ck_assert_int_eq(wg_load(in_folder("w"), &t, 1), WG_ERROR_UNSUPPORTED);
}
END_TEST

START_TEST(loading_counts_as_a_change)
{
    wg_tensor p = wg_param(tape, "p", WG_SHAPE(2), .init = WG_ONES);
    ck_assert_int_eq(wg_save(in_folder("w"), &p, 1), WG_OK);
    wg_tensor loss = wg_sum(wg_multiply(p, p));
    ck_assert_int_eq(wg_load(in_folder("w"), &p, 1), WG_OK);
    ck_assert_int_eq(wg_backward(loss), WG_ERROR_STALE);
}
END_TEST

START_TEST(what_is_not_strict_takes_what_is_there)
{
    wg_tensor a = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(1), 1), "a");
    wg_tensor b = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(1), 2), "b"), saved[] = {a, b};
    wg_tensor other = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(1), 3), "a");
    wg_tensor more = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(1), 4), "c"), targets[] = {other, more};
    ck_assert_int_eq(wg_save(in_folder("w"), saved, 2), WG_OK);
    ck_assert_int_eq(wg_load(in_folder("w"), targets, 2), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "/w: it has no tensor c"), "%s", wg_error(tape));
    ck_assert_double_eq(wg_item(other), 3);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_load(in_folder("w"), &other, 1), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "/w: nothing takes its tensor b"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_load(in_folder("w"), targets, 2, .strict = false), WG_OK);
    ck_assert_double_eq(wg_item(other), 1);
    ck_assert_double_eq(wg_item(more), 4);
    no_error();
}
END_TEST

/* ---- Files that are wrong ---------------------------------------------------------------------------------------- */
#define A(dtype, shape, offsets) "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define PAIR(a, b)                                                                                                     \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" a                                                      \
    "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" b "}}"
static const struct {
    const char *header;
    size_t data;
    wg_status status;
    const char *says;
} bad[] = {
    {"", 0, WG_ERROR_FORMAT, "does not begin with {"},
    {"[]", 0, WG_ERROR_FORMAT, "does not begin with {"},
    {"{\"a\":", 0, WG_ERROR_FORMAT, "the header, at byte"},
    {"{} x", 0, WG_ERROR_FORMAT, "the header, at byte"},
    {"{}", 3, WG_ERROR_FORMAT, "the tensors take 0 bytes, the data are 3"},
    {"{\"a\":3}", 0, WG_ERROR_FORMAT, "a has the dtype \"\""},
    {A("F31", "[2]", "[0,8]"), 8, WG_ERROR_FORMAT, "a has the dtype \"F31\""},
    {A("F32", "2", "[0,8]"), 8, WG_ERROR_FORMAT, "a has no shape"},
    {A("F32", "[-2]", "[0,8]"), 8, WG_ERROR_FORMAT, "a: dimension 0 is not a size"},
    {A("F32", "[2.0]", "[0,8]"), 8, WG_ERROR_FORMAT, "a: dimension 0 is not a size"},
    {A("F32", "[4294967296,4294967296]", "[0,8]"), 8, WG_ERROR_FORMAT, "a: dimension 1 is not a size"},
    {A("F32", "[0,4294967296,4294967296]", "[0,0]"), 0, WG_ERROR_FORMAT, "a: dimension 2 is not a size"},
    {A("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, WG_ERROR_UNSUPPORTED, "a has 9 dimensions; there are at most 8"},
    {A("F32", "[2]", "[0]"), 8, WG_ERROR_FORMAT, "a has no place in the data"},
    {A("F32", "[2]", "[8,0]"), 8, WG_ERROR_FORMAT, "a has no place in the data"},
    {A("F32", "[2]", "[-8,0]"), 8, WG_ERROR_FORMAT, "a has no place in the data"},
    {A("F32", "[2]", "[0,8]"), 4, WG_ERROR_FORMAT, "a ends at byte 8 of 4"},
    {A("F32", "[2]", "[0,9223372036854775807]"), 8, WG_ERROR_FORMAT, "a ends at byte 9223372036854775807 of 8"},
    {A("F32", "[2]", "[0,9223372036854775808]"), 8, WG_ERROR_FORMAT, "too big integer"},
    {A("F32", "[2]", "[0,4]"), 8, WG_ERROR_FORMAT, "a needs 8 bytes and has 4"},
    {A("F32", "[2]", "[4,12]"), 12, WG_ERROR_FORMAT, "a begins at byte 4 of the data; the one before ends at 0"},
    {A("F32", "[2]", "[0,8]"), 9, WG_ERROR_FORMAT, "the tensors take 8 bytes, the data are 9"},
    {PAIR("[0,4]", "[0,4]"), 4, WG_ERROR_FORMAT, "b begins at byte 0 of the data; the one before ends at 4"},
    {PAIR("[0,4]", "[2,6]"), 6, WG_ERROR_FORMAT, "b begins at byte 2 of the data; the one before ends at 4"},
    {"{\"a\":{},\"a\":{}}", 0, WG_ERROR_FORMAT, "duplicate object key"},
    {"{\"__metadata__\":{\"k\":1}}", 0, WG_ERROR_FORMAT, "\"k\" is not a text"},
    {"{\"__metadata__\":[]}", 0, WG_ERROR_FORMAT, "__metadata__ is not an object"},
    {A("F32", "[3]", "[0,12]"), 12, WG_ERROR_SHAPE, "a is float32 [2], in the file float32 [3]"},
    {A("F64", "[2]", "[0,16]"), 16, WG_ERROR_DTYPE, "a is float32 [2], in the file float64 [2]"},
    {A("BF16", "[2]", "[0,4]"), 4, WG_ERROR_DTYPE, "a is float32 [2], in the file BF16 [2]"},
};
START_TEST(a_wrong_file_changes_nothing)
{
    wg_tensor a = wg_name(wg_full(tape, WG_FLOAT32, WG_SHAPE(2), 5), "a");
    ck_assert_int_eq(wg_load(weights_of(bad[_i].header, bad[_i].data), &a, 1), bad[_i].status);
    ck_assert_msg(strstr(wg_error(tape), bad[_i].says), "%s", wg_error(tape));
    ck_assert(strstr(wg_error(tape), "test_safetensors.c:"));
    ck_assert_double_eq(wg_element(a, 0), 5);
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_refused)
{
    static const unsigned char lengths[][8] = {
        {1}, {200}, {0, 0xe1, 0xf5, 5}, {1, 0xe1, 0xf5, 5}, {255, 255, 255, 255, 255, 255, 255, 255}};
    for (int i = 0; i < COUNT(lengths); i++) {
        ck_assert_ptr_null(wg_weights_open(tape, file_of("w", lengths[i], 8)));
        ck_assert_msg(strstr(wg_error(tape), "bytes in a file of 8"), "%s", wg_error(tape));
        wg_clear_error(tape);
    }
    ck_assert_ptr_null(wg_weights_open(tape, file_of("w", "abc", 3)));
    ck_assert_msg(strstr(wg_error(tape), "not a safetensors file: 3 bytes"), "%s", wg_error(tape));
}
END_TEST

START_TEST(a_boolean_is_0_or_1)
{
    wg_tensor a = wg_name(wg_array(tape, WG_BOOL, WG_SHAPE(2), NULL), "a");
    char text[512];
    size_t n = content(weights_of(A("BOOL", "[2]", "[0,2]"), 2), text, sizeof text);
    text[n - 1] = 2;
    ck_assert_int_eq(wg_load(file_of("w", text, n), &a, 1), WG_ERROR_FORMAT);
    ck_assert_msg(strstr(wg_error(tape), "a: a boolean is 2"), "%s", wg_error(tape));
}
END_TEST

START_TEST(tensors_need_names_of_their_own)
{
    wg_tensor a = wg_name(wg_scalar(tape, 1), "a"), twice[] = {a, wg_name(wg_scalar(tape, 2), "a")};
    wg_tensor nameless[] = {a, wg_scalar(tape, 3)}, bad_text = wg_name(wg_scalar(tape, 1), "\xff");
    ck_assert_int_eq(wg_save(in_folder("w"), twice, 2), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "tensors 0 and 1 are both named a"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_save(in_folder("w"), nameless, 2), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "tensor 1 of 2 is not one of this tape with a name"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_save(in_folder("w"), &bad_text, 1), WG_ERROR_VALUE);
    ck_assert_msg(strstr(wg_error(tape), "the name of tensor 0 is not UTF-8"), "%s", wg_error(tape));
    wg_clear_error(tape);
    ck_assert_int_eq(wg_save(in_folder("w"), &a, 1, .metadata = (const char *[]){"key", NULL}), WG_ERROR_VALUE);
    ck_assert_int_ne(wg_save(in_folder("w"), NULL, 0), WG_OK);
    ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

/* ---- Writing that fails ------------------------------------------------------------------------------------------ */
START_TEST(a_failing_save_leaves_the_old_file)
{
    static float zeros[100000];
    wg_tensor t = wg_name(wg_array(tape, WG_FLOAT32, WG_SHAPE(100000), zeros), "t");
    struct rlimit limit = {4096, 4096}; /* bytes a file may have */
    char text[16];
    file_of("w", "old", 3);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(wg_save(in_folder("w"), &t, 1), WG_ERROR_FILE);
    ck_assert_msg(strstr(wg_error(tape), "/w: File too large"), "%s", wg_error(tape));
    ck_assert_uint_eq(content(in_folder("w"), text, sizeof text), 3);
    ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

static const struct {
    const char *name, *says;
} no_places[] = {
    {"folder", "Is a directory"}, {"pipe", "not a regular file"}, {"absent/w", "No such file or directory"}};
START_TEST(where_no_file_can_be_nothing_is_written)
{
    wg_tensor t = wg_name(wg_scalar(tape, 1), "t");
    ck_assert_int_eq(mkdir(in_folder("folder"), 0700) | mkfifo(in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(wg_save(in_folder(no_places[_i].name), &t, 1), WG_ERROR_FILE);
    ck_assert_msg(strstr(wg_error(tape), no_places[_i].says), "%s", wg_error(tape));
    ck_assert_int_eq(files_in_folder(), 2);
    wg_clear_error(tape);
    ck_assert_int_eq(wg_load(in_folder(no_places[_i].name), &t, 1), WG_ERROR_FILE);
}
END_TEST

START_TEST(a_link_stays_and_so_does_the_mode)
{
    wg_tensor t = wg_name(wg_scalar(tape, 1), "t");
    struct stat about;
    chmod(file_of("w", "old", 3), 0640);
    ck_assert_int_eq(symlink(in_folder("w"), in_folder("link")), 0);
    ck_assert_int_eq(wg_save(in_folder("link"), &t, 1), WG_OK);
    ck_assert_int_eq(lstat(in_folder("link"), &about), 0);
    ck_assert(S_ISLNK(about.st_mode));
    ck_assert_int_eq(stat(in_folder("w"), &about), 0);
    ck_assert_int_eq(about.st_mode & 0777, 0640);
    ck_assert_int_eq(wg_load(in_folder("w"), &t, 1), WG_OK);
}
END_TEST

/* ---- NPY --------------------------------------------------------------------------------------------------------- */
START_TEST(an_array_comes_back_from_npy)
{
    wg_tensor t[N_DTYPES + 2];
    make(tape, t, true);
    ck_assert_int_eq(wg_save_npy(in_folder("t.npy"), t[_i]), WG_OK);
    wg_tensor back = wg_load_npy(tape, in_folder("t.npy"));
    no_error();
    wg_type a = wg_type_of(t[_i]), b = wg_type_of(back);
    ck_assert(wg_type_equal(&a, &b));
    ck_assert_mem_eq(wg_values(t[_i]), wg_values(back), (size_t)wg_size(back) * wg_dtype_size(b.dtype));
}
END_TEST

#define NPY(header) "\x93NUMPY\x01\x00" header
static const struct {
    const char *text;
    size_t size;
    const char *says; /* NULL: it is right, 2 x 2, and element 1 is 3 */
} arrays[] = {
    {NPY("\x3e\0{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2), }   \n\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"), 88,
     NULL},
    {NPY("\x3e\0{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2), }   \n\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"), 87,
     "the shape and the file's length disagree"},
    {NPY("\x3e\0{'descr': '>i4', 'fortran_order': True, 'shape': (2, 2), }   \n\1\0\0\0"), 76, "the elements are not"},
    {NPY("\x3e\0{'descr': '<i4', 'fortran_order': True, 'shape': (2 2), }     \n\1\0\0\0"), 76,
     "not as NumPy writes it"},
    {NPY("\x3e\0{'descr': '<i4', 'fortran_order': Perhaps, 'shape': (2,), }   \n\1\0\0\0"), 76,
     "not as NumPy writes it"},
    {NPY("\xff\xff{'descr': '<i4'"), 25, "the file ends within its header"},
    {"\x93NUMPY\x04\x00\0\0\0\0\0\0", 14, "its version is not 1, 2 or 3"},
    {"PK\3\4 an .npz file", 17, "not an .npy file"},
    {"", 0, "not an .npy file"},
};
START_TEST(an_npy_file_is_checked)
{
    wg_tensor t = wg_load_npy(tape, file_of("a.npy", arrays[_i].text, arrays[_i].size));
    if (arrays[_i].says)
        ck_assert_msg(wg_is_invalid(t) && strstr(wg_error(tape), arrays[_i].says), "%s", wg_error(tape));
    else
        ck_assert_double_eq(wg_element(t, 1), 3);
}
END_TEST

/* ---- No memory --------------------------------------------------------------------------------------------------- */
static void save_and_load(wg_tape *own)
{
    wg_tensor t[N_DTYPES + 2];
    make(own, t, true);
    wg_save(in_folder("w"), t, COUNT(t));
    wg_load(in_folder("w"), t, COUNT(t));
    wg_weights_tensor(wg_weights_open(own, in_folder("w")), "d");
    wg_save_npy(in_folder("npy"), t[0]);
    wg_load_npy(own, in_folder("npy"));
}

START_TEST(running_out_of_memory_is_an_error) { fail_each_allocation(save_and_load); }
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, every_dtype_comes_back_to_the_bit);
    tcase_add_test(files, the_file_is_as_the_format_says);
    tcase_add_test(files, a_view_is_written_in_its_own_order);
    tcase_add_test(files, loading_counts_as_a_change);
    tcase_add_test(files, what_is_not_strict_takes_what_is_there);
    tcase_add_loop_test(files, a_wrong_file_changes_nothing, 0, COUNT(bad));
    tcase_add_test(files, a_header_longer_than_the_file_is_refused);
    tcase_add_test(files, a_boolean_is_0_or_1);
    tcase_add_test(files, tensors_need_names_of_their_own);
    tcase_add_test(files, a_failing_save_leaves_the_old_file);
    tcase_add_loop_test(files, where_no_file_can_be_nothing_is_written, 0, COUNT(no_places));
    tcase_add_test(files, a_link_stays_and_so_does_the_mode);
    tcase_add_loop_test(files, an_array_comes_back_from_npy, 0, N_DTYPES + 2);
    tcase_add_loop_test(files, an_npy_file_is_checked, 0, COUNT(arrays));
    tcase_add_test(files, running_out_of_memory_is_an_error);
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
