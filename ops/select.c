/* Selection: what is not selected reaches neither value nor gradient, not even as NaN * 0. That is why where and
 * masked_fill have rules of their own: a slope of 1 or 0 times a cotangent would let a NaN through. */
#include "core/tape.h"
#include "wengert/elementwise.h"
#include "wengert/map.h"

#define SELECT(OP)                                                                                                     \
    OP(where) OP(clip) OP(masked_fill)
WG_CONTENTS(SELECT)

/* ---- where ------------------------------------------------------------------------------------------------------- */
WG_MAP_CHOOSE(where, wg_no_options, WG_SELECT, a ? b : c)
static wg_tensor where_da(const wg_call *c, wg_tensor g) { return wg_where(c->in[0], g, 0); }
static wg_tensor where_db(const wg_call *c, wg_tensor g) { return wg_where(c->in[0], 0, g); }
static wg_tensor where_jvp(const wg_call *c)
{
    wg_tensor zero = wg_number(0);
    return wg_where(c->in[0], wg_is_none(c->t[1]) ? zero : c->t[1], wg_is_none(c->t[2]) ? zero : c->t[2]);
}
WG_OP(where) = {
    .name = "where",
    .doc = "y = a where cond is true, b elsewhere; the other's value and gradient do not matter, NaN or not",
    .in = {{"cond", WG_BOOLEAN}, {"a", WG_ANY}, {"b", WG_ANY}},
    .map = &where_map,
    .vjp = {NULL, where_da, where_db},
    .jvp = where_jvp,
    .saves = "cond",
    .samples = {"[2,3]:bool [2,3] [2,3]", "[3]:bool [2,3] []", "[2,1]:bool [1,3] [2,3]", "[]:bool [] []",
                "[0,3]:bool [1] [3]", "[4]:bool [4]:int64:0..9 [4]:int64:0..9"},
};
wg_tensor (wg_where)(wg_tensor cond, wg_tensor a, wg_tensor b) { return WG_RECORD(where, NULL, cond, a, b); }

/* ---- clip -------------------------------------------------------------------------------------------------------- */
/* An absent bound is NaN, and no x is below or above it. */
WG_MAP1_OPTIONS(clip, wg_clip_options,
        x < K(o->min) ? K(o->min) : x > K(o->max) ? K(o->max) : x,
        x < K(o->min) || x > K(o->max) ? 0 : 1)

static wg_status clip_type(wg_call *c)
{
    const wg_clip_options *o = c->options;
    if (o->min > o->max)
        return wg_fail(c, WG_ERROR_VALUE, "min is above max: %g and %g", o->min, o->max);
    return wg_map_type(c);
}

WG_OP(clip) = {
    .name = "clip",
    .doc = "y = x held between min and max, either of which may be absent; derivative 1 on the closed interval",
    .in = {{"x", 0}},
    .options = WG_SCHEMA(wg_clip, WG_ATTR(wg_clip, min), WG_ATTR(wg_clip, max)),
    .map = &clip_map,
    .type = clip_type,
    .saves = "x",
    .points = WG_POINTS(-1, 0, 1),
    .samples = {"[2,3] min=-0.5 max=0.5", "[2,3] min=0", "[] max=0", "[0,3] min=0"},
};
wg_tensor (wg_clip)(wg_tensor x, wg_clip_options options) { return WG_RECORD(clip, &options, x); }

/* ---- masked_fill ------------------------------------------------------------------------------------------------- */
WG_MAP_CHOOSE(masked_fill, wg_masked_fill_options, WG_FILL, b ? K(o->value) : a)

static wg_status masked_fill_type(wg_call *c)
{
    wg_status status = wg_map_type(c);
    if (!status && !wg_type_equal(c->y, &c->x[0]))
        return wg_fail(c, WG_ERROR_SHAPE, "the mask does not broadcast to x: %s and %s", wg_show(c, 1), wg_show(c, 0));
    return status;
}

static wg_tensor masked_fill_dx(const wg_call *c, wg_tensor g) { return wg_masked_fill(g, c->in[1], .value = 0); }
static wg_tensor masked_fill_jvp(const wg_call *c) { return wg_masked_fill(c->t[0], c->in[1], .value = 0); }

WG_OP(masked_fill) = {
    .name = "masked_fill",
    .doc = "y = x, value where mask is true; what x is there does not matter, NaN or not",
    .in = {{"x", WG_ANY}, {"mask", WG_BOOLEAN}},
    .options = WG_SCHEMA(wg_masked_fill, WG_ATTR_REQUIRED(wg_masked_fill, value)),
    .type = masked_fill_type,
    .map = &masked_fill_map,
    .vjp = {masked_fill_dx},
    .jvp = masked_fill_jvp,
    .saves = "mask",
    .samples = {"[2,3] [2,3]:bool value=2", "[2,3] [3]:bool value=-1", "[] []:bool value=0", "[0,3] [3]:bool value=1",
                "[4]:int64:0..9 [4]:bool value=-1"},
};
wg_tensor (wg_masked_fill)(wg_tensor x, wg_tensor mask, wg_masked_fill_options options)
{
    return WG_RECORD(masked_fill, &options, x, mask);
}

WG_FAMILY_OF(select, "selection", SELECT)
