/* Compiled functions that run as C of their own: exported, made a shared object, loaded, and called in place of the
 * instructions. */
#include <dlfcn.h>

#include "graph/export.h"

typedef size_t bytes_function(void);
typedef int run_function(const void *const *in, void *const *out, void *work);

typedef struct {
    wg_function *f;
    run_function *run;
    int n_in, n_out; /* inputs and parameters; outputs and gradients */
    const void **in;
    void **out, *work;
    uint32_t *param; /* nodes */
} loaded;

static wg_status loaded_run(const void *with)
{
    const loaded *l = with;
    const wg_function *f = l->f;
    for (int i = 0; i < l->n_in; i++)
        l->in[i] = i < f->n_in ? f->slot[i].bound : wg_node_at(f->tape, l->param[i - f->n_in])->data;
    for (int k = 0; k < l->n_out; k++)
        l->out[k] = f->slot[f->n_in + k].bound;
    int status = l->run(l->in, l->out, l->work);
    if (status == 1)
        return wg_report(f->tape, "wg_function_run", WG_ERROR_INDEX,
                         "an index, a label or a parameter is out of range");
    if (status)
        return wg_report(f->tape, "wg_function_run", WG_ERROR_NUMERIC,
                         "a matrix is singular, not definite or not finite");
    return WG_OK;
}

static void object_closed(wg_function *f) { dlclose(f->released); }

/* POSIX has function pointers in object pointers. */
static bool function_found(void *object, const char *name, const char *which, void *function)
{
    char symbol[100];
    snprintf(symbol, sizeof symbol, "%s_%s", name, which);
    void *at = dlsym(object, symbol);
    memcpy(function, &at, sizeof at);
    return at != NULL;
}

static wg_status loaded_into(wg_export *e, void *object, const char *name)
{
    wg_function *f = e->f;
    bytes_function *bytes = NULL;
    run_function *run = NULL;
    if (!function_found(object, name, "bytes", &bytes) || !function_found(object, name, "run", &run))
        return wg_report(f->tape, "wg_function_load_c", WG_ERROR_FILE, "the object has no %s_run that was exported",
                         name);
    loaded *l = wg_hold_take(f, sizeof *l);
    wg_instruction *only = wg_hold_take(f, sizeof *only);
    size_t n_in = (size_t)f->n_in + (size_t)e->n_params, n_out = (size_t)f->n_out + (size_t)f->n_grad;
    if (!l || !only)
        return WG_ERROR_MEMORY;
    *l = (loaded){.f = f, .run = run, .n_in = (int)n_in, .n_out = (int)n_out};
    l->in = wg_hold_take(f, n_in * sizeof *l->in);
    l->out = wg_hold_take(f, n_out * sizeof *l->out);
    l->param = wg_hold_take(f, (size_t)e->n_params * sizeof *l->param);
    l->work = wg_hold_take(f, bytes());
    if (!l->in || !l->out || !l->param || !l->work)
        return WG_ERROR_MEMORY;
    memcpy(l->param, e->param, (size_t)e->n_params * sizeof *l->param);
    *only = (wg_instruction){loaded_run, l};
    f->instruction = only;
    f->n_instructions = 1;
    if (f->release)
        f->release(f);
    f->release = object_closed;
    f->released = object;
    return WG_OK;
}

static wg_status text_loaded(wg_export *e, const wg_source *file, void *argument)
{
    const wg_function_load_c_options *o = argument;
    void *object = o->object ? dlopen(o->object, RTLD_NOW | RTLD_LOCAL) : wg_object_of(e->p.tape, file);
    if (!object)
        return e->p.tape->status ? e->p.tape->status
                                 : wg_report(e->p.tape, "wg_function_load_c", WG_ERROR_FILE, "%s", dlerror());
    wg_status status = loaded_into(e, object, e->prefix);
    if (status)
        dlclose(object);
    return status;
}

wg_status (wg_function_load_c)(wg_function *f, wg_function_load_c_options options)
{
    if (!f)
        return WG_ERROR_VALUE;
    wg_export_c_options how = {.name = options.name ? options.name : "exported", .entry = true};
    return wg_export_text_of(f, "", &how, text_loaded, &options);
}
