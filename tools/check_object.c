/* `wengert check ./model.so:loss`: a function of the user's, from a shared object. It is a wg_check_function; its
 * inputs are made by `loss_inputs` of the same object, which returns how many there are:
 *
 *     wg_tensor loss(const wg_tensor *inputs, void *user);
 *     int loss_inputs(wg_tape *tape, wg_tensor *inputs); */
#include "check_object.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

typedef int inputs_function(wg_tape *tape, wg_tensor *inputs);

const char *object_function(const char *argument)
{
    const char *colon = strrchr(argument, ':');
    return colon && strchr(argument, '/') && colon[1] ? colon + 1 : NULL;
}

/* C has no conversion from an object pointer to a function's; POSIX says that this is one. */
static bool found(void *object, const char *name, void *function)
{
    void *symbol = dlsym(object, name);
    memcpy(function, &symbol, sizeof symbol);
    if (!symbol)
        fprintf(stderr, "wengert check: %s\n", dlerror());
    return symbol;
}

static int check_function(wg_check_function *f, inputs_function *inputs, uint64_t seed, bool mutate, const char *svg)
{
    wg_tensor x[WG_CHECK_INPUTS];
    wg_tape *tape = wg_tape_new(.seed = seed);
    if (!tape)
        return EXIT_FAILED;
    int n = inputs(tape, x);
    wg_check_report report = wg_check_grad(f, x, n, .seed = seed, .sweep = svg != NULL);
    wg_check_print(&report, stdout);
    if (svg && !*report.message && wg_check_svg(tape, &report, svg))
        fprintf(stderr, "wengert check: %s\n", wg_error(tape));
    bool fine = !report.failed;
    if (mutate && fine) {
        wg_check_mutants_report mutants = wg_check_mutants(f, x, n, .seed = seed);
        wg_check_mutants_print(&mutants, stdout);
        fine = !*mutants.message && mutants.noticed == mutants.mutants;
    }
    wg_tape_free(tape);
    return fine ? EXIT_FINE : EXIT_FAILED;
}

int check_object(const char *argument, uint64_t seed, bool mutate, const char *svg)
{
    const char *name = object_function(argument);
    size_t n = (size_t)(name - 1 - argument);
    char *path = strndup(argument, n), symbol[256];
    void *object = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    wg_check_function *f = NULL;
    inputs_function *inputs = NULL;
    int code = EXIT_USAGE;
    snprintf(symbol, sizeof symbol, "%s_inputs", name);
    if (!object)
        fprintf(stderr, "wengert check: %s\n", dlerror());
    else if (found(object, name, &f) && found(object, symbol, &inputs))
        code = check_function(f, inputs, seed, mutate, svg);
    if (object)
        dlclose(object);
    free(path);
    return code;
}
