/* `wengert plot`: that each chart is made of each kind of file, and what is told where a file is not what it should be.
 */
#include "command.h"

static void is_picture(const char *name, const char *with)
{
    char *text = file_text(name);
    ck_assert_msg(!strncmp(text, "<svg ", 5) && strstr(text, with), "no %s in %.3000s", with, text);
    free(text);
}

START_TEST(run_is_drawn_from_its_log_and_its_checkpoint)
{
    runs("train --seed 1 --epochs 3 --log l.csv --checkpoint n.safetensors");
    runs("plot curve l.csv -o a.svg --title run");
    runs("plot curve n.safetensors -o b.svg --title run");
    char *a = file_text("a.svg"), *b = file_text("b.svg");
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
    is_picture("a.svg", ">best validation loss ");
    runs("plot weights n.safetensors fc2.weight -o w.svg");
    is_picture("w.svg", ">fc2.weight<");
    runs("plot weights n.safetensors fc2.weight -o w.png --size 4x8");
    runs("plot histogram n.safetensors fc2.weight -o h.svg --bins 7");
    is_picture("h.svg", ">1,024 elements ");
    runs("plot histogram l.csv accuracy -o h.svg");
    is_picture("h.svg", ">accuracy<");
    runs("plot histogram l.csv 2 -o h.svg");
}
END_TEST

START_TEST(network_is_drawn_over_data)
{
    static const char points[] = "x,y,class\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n", bare[] = "0,0\n0,1\n";
    file_of("p.csv", points, strlen(points));
    file_of("bare.csv", bare, strlen(bare));
    runs("train --data p.csv --validation 0 --epochs 1 --checkpoint n.safetensors");
    runs("plot boundary n.safetensors --data p.csv -o b.svg");
    is_picture("b.svg", ">class 1<");
    runs("plot confusion n.safetensors --data p.csv -o m.svg");
    is_picture("m.svg", " of 4 right<");
    fails("plot boundary n.safetensors -o b.svg", 1, "name them by --data");
    fails("plot boundary n.safetensors --data bare.csv -o b.svg", 1, "has 0 classes");
}
END_TEST

START_TEST(table_is_drawn_as_it_is_named)
{
    static const char log[] = "epoch,loss,val_loss\r\n1,0.5,\r\n\r\n2,0.25,0.375\r\n", counts[] = "cat,dog\n5,1\n0,4\n";
    file_of("l.csv", log, strlen(log));
    file_of("m.csv", counts, strlen(counts));
    runs("plot curve l.csv -o c.svg");
    is_picture("c.svg", ">best validation loss 0.375 at epoch 2<");
    runs("plot confusion m.csv -o m.svg");
    is_picture("m.svg", ">90.00 % of 10 right<");
    is_picture("m.svg", ">dog<");
    runs("plot histogram m.csv cat -o h.svg");
    is_picture("h.svg", ">2 elements ");
}
END_TEST

static const struct {
    const char *content, *line;
    int code;
    const char *with;
} wrong[] = {
    {"a,b\n1,2\n", "plot curve f.csv -o c.svg", 1, "no column is named loss"},
    {"loss\n1\nx\n", "plot curve f.csv -o c.svg", 1, "f.csv: row 2, column 1: \"x\" is not a number"},
    {"loss\n1\n1,2\n", "plot curve f.csv -o c.svg", 1, "row 2 has 2 fields, the first line has 1"},
    {"", "plot curve f.csv -o c.svg", 1, "f.csv: it is empty"},
    {"loss\n", "plot curve f.csv -o c.svg", 1, "there are no epochs"},
    {"1,2\n", "plot histogram f.csv -o c.svg", 1, "f.csv has 2 columns: name one"},
    {"1,2\n", "plot histogram f.csv 3 -o c.svg", 1, "and none is 3"},
    {"1,2\n", "plot confusion f.csv -o c.svg", 1, "as wide as it is high"},
    {"1.5\n", "plot confusion f.csv -o c.svg", 1, "its entries are counts"},
    {"1\n", "plot weights f.csv -o no/where.svg", 1, "no/where.svg"},
    {"1\n", "plot weights f.csv -o c.svg --size 3x3", 1, "[1] is not images of [3, 3]"},
    {"1\n", "plot curve none.csv -o c.svg", 1, "none.csv: No such file"},
    {"1\n", "plot curve . -o c.svg", 1, ".: Is a directory"},
    {"1\n", "plot weights f.safetensors -o c.svg", 1, "f.safetensors"},
    {"1\n", "plot", 2, "which chart?"},
    {"1\n", "plot pie f.csv", 2, "\"pie\" is none of curve, weights, histogram, boundary, confusion"},
    {"1\n", "plot curve", 2, "curve of which file?"},
    {"1\n", "plot curve f.csv", 2, "name the picture by --output"},
    {"1\n", "plot curve f.csv name -o c.svg", 2, "what is \"name\"?"},
    {"1\n", "plot weights f.csv -o c.svg --size 3", 2, "--size is like 28x28"},
    {"1\n", "plot histogram f.csv -o c.svg --bins 121", 2, "--bins takes a whole number from 1 to 120"},
};

START_TEST(bad_file_is_told)
{
    file_of("f.csv", wrong[_i].content, strlen(wrong[_i].content));
    fails(wrong[_i].line, wrong[_i].code, wrong[_i].with);
    ck_assert_int_ne(access(in_folder("c.svg"), F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plot");
    TCase *charts = tcase_create("charts");
    tcase_add_checked_fixture(charts, folder_make, tear_down);
    tcase_add_test(charts, run_is_drawn_from_its_log_and_its_checkpoint);
    tcase_add_test(charts, network_is_drawn_over_data);
    tcase_add_test(charts, table_is_drawn_as_it_is_named);
    tcase_add_loop_test(charts, bad_file_is_told, 0, COUNT(wrong));
    suite_add_tcase(s, charts);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
