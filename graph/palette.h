/* The palette of all pictures: one table, light and dark side by side. A literal stands for one role only, so that the
 * dark picture is the light one with its literals replaced. */
#ifndef GRAPH_PALETTE_H
#define GRAPH_PALETTE_H

#define WG_PALETTE(COLOR)                                                                                              \
    COLOR(page, "#ffffff", "#14181d")                                                                                  \
    COLOR(ink, "#1b2026", "#e8ecf1")                                                                                   \
    COLOR(muted, "#5a6470", "#9ba6b3")                                                                                 \
    COLOR(line, "#7d8792", "#6f7a87")                                                                                  \
    COLOR(scope, "#f4f6f8", "#1b2128")                                                                                 \
    COLOR(closed, "#eaedf1", "#232a33")                                                                                \
    COLOR(scope_line, "#cdd4dc", "#3a444f")                                                                            \
    COLOR(op, "#fefefe", "#2a323c")                                                                                    \
    COLOR(op_line, "#7e8893", "#8893a0")                                                                               \
    COLOR(input, "#dcecf8", "#123a57")                                                                                 \
    COLOR(input_line, "#0072b2", "#56b4e9")                                                                            \
    COLOR(param, "#fbecc8", "#4a3607")                                                                                 \
    COLOR(param_line, "#b07800", "#e69f00")                                                                            \
    COLOR(loss, "#f5e0ec", "#4c2239")                                                                                  \
    COLOR(loss_line, "#a3417c", "#e8a6cc")                                                                             \
    COLOR(constant_line, "#8b949e", "#77828e")                                                                         \
    COLOR(unused_line, "#b4bcc4", "#4d5761")                                                                           \
    COLOR(unused_ink, "#8a939d", "#6d7884")                                                                            \
    COLOR(bad, "#ffe0ea", "#450a20")                                                                                   \
    COLOR(bad_line, "#c2004d", "#ff4d6d")                                                                              \
    COLOR(kept, "#007a5a", "#17a57f")                                                                                  \
    COLOR(heat1, "#e9c46a", "#5c4417")                                                                                 \
    COLOR(heat2, "#e8a23c", "#87601a")                                                                                 \
    COLOR(heat3, "#dd7a1c", "#b9781c")                                                                                 \
    COLOR(heat4, "#c25510", "#e2962b")                                                                                 \
    COLOR(heat5, "#97390d", "#f6bc55")                                                                                 \
    COLOR(heat6, "#66230c", "#ffe19c")                                                                                 \
    COLOR(on_heat3, "#1a2026", "#14181e") /* words on heat3, and on those above it */                                  \
    COLOR(on_heat4, "#fffffe", "#13181d")                                                                              \
    COLOR(back, "#f7f9fa", "#29313b")                                                                                  \
    COLOR(back_line, "#75808c", "#8792a1")

#define WG_COLOR_NAME(name, light, dark) WG_COLOR_##name,
typedef enum { WG_PALETTE(WG_COLOR_NAME) WG_COLORS } wg_color;
#undef WG_COLOR_NAME

/* The light literal; the dark one that replaces it. */
const char *wg_color_light(wg_color color);
const char *wg_color_dark(wg_color color);
static inline const char *wg_color_in(wg_color color, int dark)
{
    return dark ? wg_color_dark(color) : wg_color_light(color);
}

#endif
