/* WENGERT_DRAW=mlp.html ./train: a program, unchanged, draws the graph of a tape's first backward pass, with the
 * gradients that it gave, and goes on. The variable is asked for once a tape, so a pass costs a branch; nothing is kept
 * but on the tape. Of several tapes each draws, and the file is that of the last: it is always one whole picture. */
#include "graph/drawing.h"

#include <stdlib.h>

static bool has_gradients(wg_tensor loss)
{
    for (uint32_t i = 0; i <= loss.node; i++) {
        const wg_node *node = wg_node_at(loss.tape, i);
        if (wg_node_is(node, WG_NODE_PARAM) && node->extra && node->extra->has_grad)
            return true;
    }
    return false;
}

/* Not the tape's errors: the program did not ask for a picture, and its handler may end it. */
void wg_draw_first(wg_tensor loss)
{
    wg_tape *tape = loss.tape;
    if (tape->differentiated)
        return;
    tape->differentiated = true;
    const char *path = secure_getenv("WENGERT_DRAW");
    if (!path || !*path || tape->status)
        return;
    wg_error_handler *handler = tape->handler;
    tape->handler = NULL;
    wg_draw_options options = {wg_draw_defaults, .overlay = has_gradients(loss) ? WG_SHOW_GRAD : WG_SHOW_NOTHING};
    if ((wg_draw)(loss, path, options)) {
        fprintf(stderr, "WENGERT_DRAW: %s\n", wg_error(tape));
        wg_clear_error(tape);
    }
    tape->handler = handler;
}
