/* `wengert diagnose`: healthy networks have no findings; faults in data and settings are named. */
#include "command.h"

enum { ROWS = 600 };

/* Three classes around corners of their own, in four columns. */
static void data_made(double scale, int first_class, int shift)
{
    FILE *file = fopen(in_folder("d.csv"), "w");
    uint64_t state = 99;
    int label[ROWS];
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < ROWS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        label[i] = (int)((state >> 33) % 3);
    }
    fprintf(file, "a,b,c,d,class\n");
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < 4; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            fprintf(file, "%g,", scale * ((double)(state >> 33) / 0x1p31 - 0.5 + (k == label[i])));
        }
        fprintf(file, "%d\n", first_class + label[(i + shift) % ROWS]);
    }
    fclose(file);
}

/* No finding; exit code 0. */
static void is_healthy(const char *line)
{
    int code = ended(start(line));
    ck_assert_msg(code == 0 && !strncmp(out, "no findings", 11), "%s\nexit %d: %s%s", line, code, out, err);
}

/* One that says `with`; exit code 1. */
static void is_told(const char *line, const char *with)
{
    int code = ended(start(line));
    ck_assert_msg(code == 1 && strstr(out, with), "%s\nexit %d, no \"%s\": %s%s", line, code, with, out, err);
}

START_TEST(built_in_network_is_healthy)
{
    static const char *const lines[] = {"diagnose mlp --steps 30", "diagnose lenet --steps 10 --batch 16",
                                        "diagnose lstm --steps 30", "diagnose transformer --steps 10 --batch 2",
                                        "diagnose --steps 50"};
    is_healthy(lines[_i]);
}
END_TEST

START_TEST(data_are_looked_at)
{
    data_made(1, 0, 0);
    is_healthy("diagnose --data d.csv");
    data_made(300, 0, 0);
    is_told("diagnose --data d.csv", "inputs: x\n"); /* once, with no line of the command's own C */
    ck_assert_ptr_nonnull(strstr(out, "1 finding in "));
    data_made(1, 1, 0);
    is_told("diagnose --data d.csv", "class 0 is in none of ");
    data_made(1, 0, 1);
    is_told("diagnose --data d.csv", "by the label of the sample before it");
}
END_TEST

START_TEST(settings_are_looked_at)
{
    data_made(1, 0, 0);
    is_told("diagnose --data d.csv --optimizer sgd --lr 300 --draw g.dot", "learning rate: too high");
    ck_assert_int_eq(access(in_folder("g.dot"), R_OK), 0);
    is_told("diagnose mlp --optimizer sgd --lr 1e5 --steps 20 --json", "\"fault\":\"not finite\",\"what\":\"");
}
END_TEST

START_TEST(run_is_looked_at_afterwards)
{
    static const char log[] = "epoch,loss,valid_loss\n1,2,2\n2,1,1.5\n3,0.5,1.7\n4,0.3,1.9\n";
    data_made(1, 0, 0);
    runs("train --data d.csv --epochs 3 --checkpoint n.safetensors --log l.csv");
    is_healthy("diagnose n.safetensors --data d.csv --log l.csv");
    file_of("o.csv", log, strlen(log));
    is_told("diagnose --log o.csv", "overfitting: validation loss, epoch 2");
    fails("diagnose --log none.csv", 1, "none.csv: No such file");
    fails("diagnose none.safetensors", 1, "none.safetensors");
    fails("diagnose mlp lenet", 2, "one network at a time");
    fails("diagnose --steps 0", 2, "--steps takes a whole number");
}
END_TEST

/* As training itself says it. */
START_TEST(training_stops_where_the_loss_is_not_finite)
{
    data_made(1, 0, 0);
    fails("train --data d.csv --optimizer sgd --lr 1e6 --progress none", 1, "wengert train: the loss is ");
    ck_assert_msg(strstr(err, ", from "), "%s", err);
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1);
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("diagnose");
    TCase *faults = tcase_create("faults");
    tcase_add_checked_fixture(faults, folder_make, tear_down);
    tcase_add_loop_test(faults, built_in_network_is_healthy, 0, 5);
    tcase_add_test(faults, data_are_looked_at);
    tcase_add_test(faults, settings_are_looked_at);
    tcase_add_test(faults, run_is_looked_at_afterwards);
    tcase_add_test(faults, training_stops_where_the_loss_is_not_finite);
    suite_add_tcase(s, faults);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
