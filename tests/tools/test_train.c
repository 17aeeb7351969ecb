/* `wengert train` and `wengert predict`, asked as a user asks them: that a network learns, that a run which was stopped
 * goes on with the same bits, and what is told where something is wrong. The command is WENGERT_COMMAND. */
#include "command.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>

static double result(const char *name)
{
    json_t *all = json_loads(out, 0, NULL);
    ck_assert_msg(json_is_number(json_object_get(all, name)), "no %s in %s", name, out);
    double value = json_number_value(json_object_get(all, name));
    json_decref(all);
    return value;
}

/* The log without its times. */
static char *log_text(const char *name)
{
    char *text = file_text(name), *to = text;
    for (char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        char *last = end;
        while (*last != ',')
            last--;
        memmove(to, at, (size_t)(last - at));
        to += last - at;
        *to++ = '\n';
    }
    *to = 0;
    return text;
}

static void same_log(const char *a, const char *b)
{
    char *first = log_text(a), *second = log_text(b);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}

/* The tensors of two files are the same bits; metadata hold times, and may differ. */
static void same_tensors(const char *a, const char *b)
{
    wg_tape *tape = wg_tape_new();
    wg_weights *first = wg_weights_open(tape, in_folder(a)), *second = wg_weights_open(tape, in_folder(b));
    int n = wg_weights_count(first);
    ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
    ck_assert_int_gt(n, 4);
    ck_assert_int_eq(n, wg_weights_count(second));
    for (int i = 0; i < n; i++) {
        const char *name = wg_weights_name(first, i);
        wg_tensor x = wg_weights_tensor(first, name), y = wg_weights_tensor(second, name);
        ck_assert_msg(!wg_failed(tape), "%s", wg_error(tape));
        ck_assert_msg(!memcmp(wg_values(x), wg_values(y), (size_t)wg_size(x) * wg_dtype_size(wg_type_of(x).dtype)),
                      "%s differs", name);
    }
    wg_tape_free(tape);
}

/* ---- Learning ---------------------------------------------------------------------------------------------------- */
START_TEST(two_spirals_are_told_apart)
{
    runs("train --seed 1 --json --curve c.svg --confusion m.svg --graph g.dot --log l.csv --checkpoint n.safetensors");
    ck_assert_double_gt(result("accuracy"), 0.95);
    ck_assert_double_gt(result("valid_accuracy"), 0.95);
    ck_assert_double_eq(result("epochs"), 40);
    static const char *const made[] = {"c.svg", "m.svg", "g.dot", "l.csv", "n.safetensors", "spirals.svg"};
    for (int i = 0; i < COUNT(made); i++)
        ck_assert_msg(access(in_folder(made[i]), R_OK) == 0, "no %s", made[i]);
    ck_assert_int_eq(files_in_folder(), COUNT(made) + 2);
    file_of("x.csv", "0,0.9\n0.05,0.9\n", 15);
    runs("predict --model n.safetensors --data x.csv --proba");
    int classes[2];
    double p[4];
    ck_assert_msg(
        sscanf(out, "class,p0,p1\n%d,%lf,%lf\n%d,%lf,%lf", &classes[0], &p[0], &p[1], &classes[1], &p[2], &p[3]) == 6,
        "%s", out);
    ck_assert_int_eq(classes[0], p[1] > p[0]);
    ck_assert_double_eq_tol(p[2] + p[3], 1, 1e-5);
}
END_TEST

/* The run of tools/demo: 784-128-64-10, Adam, batch 64, five epochs; on two threads the same bits as on one. */
#define FASHION "train --data /usr/share/datasets/fashion-mnist --layers 784,128,64,10 --batch 64 --epochs 5 --json"
START_TEST(fashion_is_learned_in_five_epochs)
{
    if (access("/usr/share/datasets/fashion-mnist", R_OK) || getenv("WENGERT_SANITIZED"))
        return; /* Debian's dataset-fashion-mnist is not there (tools/test sees to it), or it would take minutes */
    runs(FASHION " --schedule cosine --log a.csv --checkpoint a.safetensors");
    ck_assert_double_ge(result("test_accuracy"), 0.87);
    runs(FASHION " --schedule cosine --log b.csv --checkpoint b.safetensors --threads 2");
    same_log("a.csv", "b.csv");
    same_tensors("a.safetensors", "b.safetensors");
}
END_TEST

static const char *const ways[] = {
    "--optimizer sgd --momentum 0.9 --schedule cosine",
    "--optimizer adamw --weight-decay 0.01 --schedule linear --clip 1",
    "--optimizer rmsprop --momentum 0.5 --lr 1e-3 --activation tanh",
    "--loss mse --activation sigmoid --schedule step --dropout 0.1",
    "--activation gelu --layers 2,24,2 --batch 900 --validation 0",
    "--activation silu --layers 2,2 --batch 7 --patience 2",
};

START_TEST(every_way_to_train_lowers_the_loss)
{
    char line[400];
    snprintf(line, sizeof line, "train --json --epochs 6 --log l.csv %s", ways[_i]);
    runs(line);
    char *text = file_text("l.csv");
    double first = strtod(strstr(text, "\n1,") + 3, NULL);
    ck_assert_double_lt(result("loss"), first);
    free(text);
}
END_TEST

START_TEST(a_number_is_fitted)
{
    FILE *file = fopen(in_folder("line.csv"), "w");
    fprintf(file, "x,y\n");
    for (int i = 0; i < 200; i++)
        fprintf(file, "%g,%g\n", i / 100.0 - 1, 0.25 - 0.5 * (i / 100.0 - 1));
    fclose(file);
    runs("train --data line.csv --layers 1,1 --epochs 60 --lr 0.05 --json --checkpoint n.safetensors");
    ck_assert_double_lt(result("valid_loss"), 1e-4);
    file_of("x.csv", "x\n1\n", 4);
    runs("predict --model n.safetensors --data x.csv");
    double y;
    ck_assert_msg(sscanf(out, "value\n%lf", &y) == 1, "%s", out);
    ck_assert_double_eq_tol(y, -0.25, 0.02);
}
END_TEST

/* ---- The same bits ----------------------------------------------------------------------------------------------- */
START_TEST(threads_change_nothing)
{
    runs("train --epochs 3 --log a.csv --checkpoint a.safetensors");
    runs("train --epochs 3 --log b.csv --checkpoint b.safetensors --threads 3");
    same_log("a.csv", "b.csv");
    same_tensors("a.safetensors", "b.safetensors");
}
END_TEST

START_TEST(more_epochs_go_on_with_the_same_bits)
{
    runs("train --seed 3 --dropout 0.1 --epochs 6 --log a.csv --checkpoint a.safetensors");
    runs("train --seed 3 --dropout 0.1 --epochs 2 --checkpoint b.safetensors");
    runs("train --resume --epochs 6 --log b.csv --checkpoint b.safetensors");
    same_log("a.csv", "b.csv");
    same_tensors("a.safetensors", "b.safetensors");
}
END_TEST

/* Stopped by signals again and again, wherever it is, it comes to the same end. */
START_TEST(stopped_run_goes_on_with_the_same_bits)
{
#define RUN "--layers 2,64,64,2 --schedule cosine --momentum 0.9 --optimizer sgd --batch 4 --clip 5 --epochs 12"
    runs("train " RUN " --log a.csv --checkpoint a.safetensors");
    for (int stops = 0, code = -1; code; stops++) {
        int sent = stops % 2 ? SIGTERM : SIGINT;
        bool begun = !access(in_folder("b.safetensors"), F_OK);
        pid_t pid = start(begun ? "train --resume --log b.csv --checkpoint b.safetensors"
                                : "train " RUN " --log b.csv --checkpoint b.safetensors");
        usleep(50000 + 20000 * (unsigned)stops);
        kill(pid, sent);
        code = ended(pid);
        ck_assert_int_lt(stops, 100);
        if (!code || code == -sent) /* it was through, or had not even begun */
            continue;
        ck_assert_msg(code == 128 + sent, "exit %d: %s", code, err);
        ck_assert_msg(strstr(err, "go on with: wengert train --resume --checkpoint b.safetensors") != NULL, "%s", err);
    }
    same_log("a.csv", "b.csv");
    same_tensors("a.safetensors", "b.safetensors");
}
END_TEST

/* ---- What is wrong ----------------------------------------------------------------------------------------------- */
static const struct {
    const char *line;
    int code;
    const char *told;
} wrong[] = {
    {"train --layers 784,x", 2, "--layers takes 2 to 33 sizes"},
    {"train --layers 3,2", 2, "--layers 3,2: the data have 2 features and 2 classes"},
    {"train --layers 2,1", 2, "2 features and 2 classes"},
    {"train --activation relux", 2, "--activation is one of relu|tanh|sigmoid|gelu|silu, not \"relux\""},
    {"train --optimizer adam.", 2, "--optimizer is one of"},
    {"train --lr -1", 2, "--lr takes a number from 0"},
    {"train --lr nan", 2, "--lr takes a number from 0"},
    {"train --batch 0", 2, "--batch takes a whole number from 1"},
    {"train --epochs 1e3", 2, "--epochs takes a whole number from 1"},
    {"train --validation 1", 2, "--validation takes a number from 0 to 0.9"},
    {"train --seed 99999999999999999999", 2, "--seed takes a whole number"},
    {"train file.csv", 2, "what is \"file.csv\"?"},
    {"train --nothing", 2, "nothing"},
    {"train --resume", 2, "--resume takes a --checkpoint"},
    {"train --data line.csv --loss cross_entropy", 2, "--loss cross_entropy takes classes"},
    {"train --data line.csv --boundary b.svg", 2, "--boundary takes two features and classes"},
    {"train --data no/where", 1, "no/where: No such file or directory"},
    {"train --data .", 1, "train-images-idx3-ubyte: No such file or directory"},
    {"train --data text.csv", 1, "text.csv"},
    {"train --data empty.csv", 1, "empty.csv"},
    {"train --checkpoint no/where.safetensors", 1, "no/where.safetensors: No such file or directory"},
    {"train --curve no/c.svg", 1, "no/c.svg: No such file or directory"},
    {"train --resume --checkpoint none.safetensors", 1, "none.safetensors: No such file or directory"},
    {"train --resume --checkpoint text.csv", 1, "text.csv: not a safetensors file"},
    {"train --optimizer sgd --lr 1e6 --epochs 9", 1, "a smaller --lr or --clip may help"},
    {"predict", 2, "--model is missing"},
    {"predict --model n.safetensors", 2, "--data is missing"},
    {"predict --model none.safetensors --data line.csv", 1, "none.safetensors: No such file or directory"},
    {"predict --model text.csv --data line.csv", 1, "text.csv: not a safetensors file"},
};

START_TEST(what_is_wrong_is_told_in_a_sentence)
{
    file_of("line.csv", "0,0.5\n1,0.25\n2,0.125\n", 21);
    file_of("text.csv", "a,b\nc,d\n", 8);
    file_of("empty.csv", "", 0);
    int code = ended(start(wrong[_i].line));
    ck_assert_msg(code == wrong[_i].code, "%s\nexit %d, not %d: %s", wrong[_i].line, code, wrong[_i].code, err);
    ck_assert_msg(strstr(err, wrong[_i].told) != NULL, "%s\ntells \"%s\", not \"%s\"", wrong[_i].line, err,
                  wrong[_i].told);
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(files_in_folder(), 5); /* and nothing was written */
}
END_TEST

START_TEST(checkpoint_of_another_run_is_refused)
{
    static const struct {
        const char *with, *told;
    } other[] = {{"--layers 2,8,8,2", "it has --layers 2,8,2, not 2,8,8,2"},
                 {"--activation tanh", "it has --activation relu, not tanh"},
                 {"--optimizer sgd", "it has --optimizer adam, not sgd"},
                 {"--epochs 1", "more epochs than --epochs"}};
    char line[200];
    runs("train --layers 2,8,2 --epochs 2 --checkpoint n.safetensors");
    for (int i = 0; i < COUNT(other); i++) {
        snprintf(line, sizeof line, "train --resume --checkpoint n.safetensors %s", other[i].with);
        int code = ended(start(line));
        ck_assert_int_eq(code, 1);
        ck_assert_msg(strstr(err, other[i].told) != NULL, "%s", err);
    }
}
END_TEST

/* Metadata from elsewhere, each wrong in a way of its own. */
static const struct {
    const char *key, *value, *told;
} hostile[] = {
    {"layers", "2,8,2,", "cannot be read: --layers"},
    {"layers", "2,99999999999999999999,2", "cannot be read: --layers"},
    {"lr", "-1", "cannot be read: --lr"},
    {"activation", "a word far too long for any buffer that is there", "cannot be read: --activation"},
    {"history", "1 2 3", "a history that cannot be read"},
    {"history", "1 2 3 4 5\n1 2 3 4 5\n1 2 3 4 5\n", "more epochs than --epochs"},
    {"history", "x", "a history that cannot be read"},
    {"within", "", "within the epoch cannot be read"},
    {"within", "-1 0 0 0 0", "within the epoch cannot be read"},
    {"within", "1e300 0 0 0 0", "within the epoch cannot be read"},
    {"within", "3 64 0 0 0", "of other batches"},
    {"within", "nan nan 0 0 0", "within the epoch cannot be read"},
};

START_TEST(checkpoint_with_hostile_metadata_is_refused)
{
    const char *about[] = {"layers", "2,8,2", "activation", "relu",        "optimizer", "sgd",       "lr", "0.1",
                           "epochs", "2",     "history",    "1 2 3 4 5\n", "within",    "0 0 0 0 0", NULL};
    for (int i = 0; about[i]; i += 2)
        if (!strcmp(about[i], hostile[_i].key))
            about[i + 1] = hostile[_i].value;
    wg_tape *tape = wg_tape_new();
    wg_tensor p[] = {wg_param(tape, "fc1.weight", WG_SHAPE(2, 8)), wg_param(tape, "fc1.bias", WG_SHAPE(8)),
                     wg_param(tape, "fc2.weight", WG_SHAPE(8, 2)), wg_param(tape, "fc2.bias", WG_SHAPE(2)),
                     wg_name(wg_array(tape, WG_INT64, WG_SCALAR, NULL), "optimizer.steps")};
    ck_assert_int_eq(wg_save(in_folder("n.safetensors"), p, COUNT(p), .metadata = about), WG_OK);
    wg_tape_free(tape);
    int code = ended(start("train --resume --checkpoint n.safetensors"));
    ck_assert_msg(code == 1 && strstr(err, hostile[_i].told) != NULL, "exit %d: %s", code, err);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("train");
    TCase *learning = tcase_create("learning"), *bits = tcase_create("bits"), *errors = tcase_create("errors");
    tcase_add_checked_fixture(learning, folder_make, tear_down);
    tcase_set_timeout(learning, 600); /* five epochs under a sanitizer */
    tcase_add_test(learning, two_spirals_are_told_apart);
    tcase_add_test(learning, fashion_is_learned_in_five_epochs);
    tcase_add_loop_test(learning, every_way_to_train_lowers_the_loss, 0, COUNT(ways));
    tcase_add_test(learning, a_number_is_fitted);
    tcase_add_checked_fixture(bits, folder_make, tear_down);
    tcase_add_test(bits, threads_change_nothing);
    tcase_add_test(bits, more_epochs_go_on_with_the_same_bits);
    tcase_add_test(bits, stopped_run_goes_on_with_the_same_bits);
    tcase_add_checked_fixture(errors, folder_make, tear_down);
    tcase_add_loop_test(errors, what_is_wrong_is_told_in_a_sentence, 0, COUNT(wrong));
    tcase_add_test(errors, checkpoint_of_another_run_is_refused);
    tcase_add_loop_test(errors, checkpoint_with_hostile_metadata_is_refused, 0, COUNT(hostile));
    suite_add_tcase(s, learning);
    suite_add_tcase(s, bits);
    suite_add_tcase(s, errors);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
