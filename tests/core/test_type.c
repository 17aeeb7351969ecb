/* Types: sizes that overflow, strides, and the walks through strided tensors against a naive loop over indices. */
#include <check.h>
#include <stdlib.h>

#include "core/tape.h"

#define ROUNDS 2000
#define MOST 20000 /* elements of the memory walked in */

static uint64_t state;

/* xorshift64 (Marsaglia 2003) */
static int64_t draw(int64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)below);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */
static const struct {
    wg_type type;
    bool fits;
    int64_t count;
} sizes[] = {{{WG_FLOAT32, 0, {0}}, true, 1},
             {{WG_FLOAT64, 2, {3, 4}}, true, 12},
             {{WG_INT64, 3, {5, 0, 7}}, true, 0},
             {{WG_FLOAT64, 1, {INT64_MAX / 8}}, true, INT64_MAX / 8},
             {{WG_FLOAT64, 1, {INT64_MAX / 8 + 1}}, false, 0},
             {{WG_BOOL, 1, {INT64_MAX}}, true, INT64_MAX},
             {{WG_BOOL, 2, {INT64_MAX, 2}}, false, 0},
             {{WG_FLOAT32, 2, {(int64_t)1 << 31, (int64_t)1 << 31}}, false, 0},
             {{WG_FLOAT64, 3, {0, (int64_t)1 << 40, (int64_t)1 << 40}}, false, 0}, /* its strides would overflow */
             {{WG_FLOAT64, 8, {1, 1, 1, 1, 1, 1, 1, 1}}, true, 1},
             {{WG_FLOAT64, 2, {2, -1}}, false, 0},
             {{WG_FLOAT64, 9, {1}}, false, 0},
             {{WG_FLOAT64, -1, {1}}, false, 0},
             {{(wg_dtype)9, 1, {1}}, false, 0}};

START_TEST(a_size_fits_or_is_refused)
{
    int64_t count = -1;
    size_t bytes = 0;
    ck_assert_int_eq(wg_type_fits(&sizes[_i].type, &count, &bytes), sizes[_i].fits);
    if (!sizes[_i].fits)
        return;
    ck_assert_int_eq(count, sizes[_i].count);
    ck_assert_uint_eq(bytes, (size_t)count * wg_dtype_size(sizes[_i].type.dtype));
}
END_TEST

START_TEST(a_shape_is_written_as_far_as_it_fits)
{
    wg_shape shape = WG_SHAPE(64, 784);
    char text[16];
    ck_assert_str_eq(wg_shape_text(&shape, text, sizeof text), "[64, 784]");
    ck_assert_str_eq(wg_shape_text(&shape, text, 5), "[64,");
    ck_assert_str_eq(wg_shape_text(&shape, text, 1), "");
    text[0] = 'k';
    wg_shape_text(&shape, text, 0);
    ck_assert_int_eq(text[0], 'k');
    shape = WG_SCALAR;
    ck_assert_str_eq(wg_shape_text(&shape, text, sizeof text), "[]");
}
END_TEST

static const struct {
    wg_dtype dtype;
    double value, stored;
} stores[] = {{WG_INT32, 1e10, INT32_MAX},
              {WG_INT32, -1e10, INT32_MIN},
              {WG_INT32, -2.9, -2},
              {WG_INT32, NAN, 0},
              {WG_INT64, 0x1p63, (double)INT64_MAX},
              {WG_INT64, -INFINITY, (double)INT64_MIN},
              {WG_BOOL, NAN, 1},
              {WG_BOOL, -0.0, 0},
              {WG_FLOAT32, 1e300, INFINITY}};

START_TEST(a_number_too_large_becomes_the_largest)
{
    _Alignas(8) unsigned char one[8] = {0};
    wg_store_number(stores[_i].dtype, stores[_i].value, one);
    ck_assert_double_eq(wg_load_number(stores[_i].dtype, one), stores[_i].stored);
}
END_TEST

/* ---- Walks ------------------------------------------------------------------------------------------------------- */
/* A random view into MOST elements: any rank, sizes of 0 and 1 among them, strides of either sign and 0, in any order.
 */
static wg_type random_view(int64_t stride[WG_MAX_RANK], int64_t *offset)
{
    static const wg_dtype dtypes[] = {WG_FLOAT32, WG_FLOAT64, WG_INT32, WG_INT64, WG_BOOL};
    wg_type type = {.dtype = dtypes[draw(5)], .rank = (int)draw(WG_MAX_RANK + 1)};
    int64_t low = 0, high = 0;
    bool wide = type.rank < 4;
    for (int i = 0; i < type.rank; i++) {
        type.dim[i] = draw(20) ? 1 + draw(wide ? 20 : 4) : 0;
        int64_t room = (MOST - 1 - (high - low)) / (type.dim[i] > 1 ? type.dim[i] - 1 : 1);
        stride[i] = draw(3) ? draw(3) : draw(room < 40 ? room + 1 : 40);
        if (stride[i] > room)
            stride[i] = 0;
        if (!draw(4))
            stride[i] = -stride[i];
        int64_t reach = type.dim[i] ? stride[i] * (type.dim[i] - 1) : 0;
        *(reach < 0 ? &low : &high) += reach;
    }
    *offset = -low;
    return type;
}

/* Where element i in row-major order is. */
static int64_t naive_place(const wg_type *type, const int64_t *stride, int64_t i)
{
    int64_t place = 0;
    for (int k = type->rank; k-- > 0;) {
        place += i % type->dim[k] * stride[k];
        i /= type->dim[k];
    }
    return place;
}

START_TEST(walks_agree_with_a_naive_loop)
{
    unsigned char *memory = malloc(8 * MOST), *to = malloc(8 * 200000), *back = malloc(8 * MOST);
    state = 88172645463325252u + (uint64_t)_i;
    for (size_t i = 0; i < 8 * MOST; i++)
        memory[i] = (unsigned char)draw(2); /* so that bytes are truth values too */
    for (int round = 0; round < ROUNDS; round++) {
        int64_t stride[WG_MAX_RANK] = {0}, offset;
        wg_type type = random_view(stride, &offset);
        int64_t n = wg_type_count(&type);
        size_t size = wg_dtype_size(type.dtype);
        const unsigned char *from = memory + (size_t)offset * size;
        if (n > 200000)
            continue;
        wg_gather_strided(&type, stride, from, to);
        for (int64_t i = 0; i < n; i++)
            ck_assert_mem_eq(to + (size_t)i * size, from + naive_place(&type, stride, i) * (int64_t)size, size);
        int64_t first = n ? draw(n) : 0, some = n ? 1 + draw(n - first) : 0;
        memset(to, 7, (size_t)(some + 1) * size);
        wg_gather_range(&type, stride, from, first, some, to);
        for (int64_t i = 0; i < some; i++)
            ck_assert_mem_eq(to + (size_t)i * size, from + naive_place(&type, stride, first + i) * (int64_t)size, size);
        ck_assert_uint_eq(to[(size_t)some * size], 7);
        wg_gather_strided(&type, stride, from, to);
        memcpy(back, memory, 8 * MOST);
        for (int64_t i = 0; i < n; i++)
            memset(back + (size_t)(offset + naive_place(&type, stride, i)) * size, 9, size);
        wg_scatter_strided(&type, stride, to, back + (size_t)offset * size);
        ck_assert_mem_eq(back, memory, 8 * MOST); /* what was gathered is where it was */
    }
    free(memory);
    free(to);
    free(back);
}
END_TEST

START_TEST(contiguous_is_what_row_major_order_is)
{
    state = 42 + (uint64_t)_i;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t stride[WG_MAX_RANK] = {0}, offset;
        wg_type type = random_view(stride, &offset);
        int64_t n = wg_type_count(&type);
        bool in_order = true;
        for (int64_t i = 0; i < n && in_order; i++)
            in_order = naive_place(&type, stride, i) == i;
        ck_assert_int_eq(wg_strides_contiguous(&type, stride), in_order);
    }
}
END_TEST

START_TEST(broadcast_strides_stay_where_x_has_one)
{
    wg_type a = wg_type_make(WG_FLOAT32, WG_SHAPE(3, 1)), y = wg_type_make(WG_FLOAT32, WG_SHAPE(5, 3, 4));
    int64_t out[3], own[] = {7, 100};
    wg_broadcast_strides(&a, NULL, &y, out);
    ck_assert(out[0] == 0 && out[1] == 1 && out[2] == 0);
    wg_broadcast_strides(&a, own, &y, out);
    ck_assert(out[0] == 0 && out[1] == 7 && out[2] == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("type");
    TCase *tcase = tcase_create("type");
    tcase_add_loop_test(tcase, a_size_fits_or_is_refused, 0, (int)(sizeof sizes / sizeof *sizes));
    tcase_add_test(tcase, a_shape_is_written_as_far_as_it_fits);
    tcase_add_loop_test(tcase, a_number_too_large_becomes_the_largest, 0, (int)(sizeof stores / sizeof *stores));
    tcase_add_loop_test(tcase, walks_agree_with_a_naive_loop, 0, 2);
    tcase_add_loop_test(tcase, contiguous_is_what_row_major_order_is, 0, 2);
    tcase_add_test(tcase, broadcast_strides_stay_where_x_has_one);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
