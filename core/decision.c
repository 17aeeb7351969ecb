/* What was decided by a value while the tape was recorded. A value that C code reads, or that a function of the library
 * goes by, may be why later nodes are what they are; who runs the nodes again on other values has to know. A rewind
 * forgets what was read since its mark. Reading never fails: without memory, all that is noted is that something was
 * read. */
#include "tape.h"

void wg_decided(wg_tape *tape, const char *name, uint32_t node, uint32_t from, uint32_t to)
{
    wg_decision made = {.name = name, .node = node, .from = from, .to = to, .at = tape->nodes, .place = tape->here};
    if (wg_tape_grow(tape, (void **)&tape->decision, &tape->decision_room, (size_t)tape->decisions + 1, sizeof made)) {
        tape->decision[tape->decisions++] = made;
        return;
    }
    if (!tape->unnoted.name)
        tape->unnoted = (wg_decision){.name = name, .node = WG_ABSENT, .from = from, .to = UINT32_MAX,
                                      .at = tape->nodes, .place = tape->here};
    else if (from < tape->unnoted.from)
        tape->unnoted.from = from;
}

void wg_read_by_caller(wg_tape *tape, const char *name, uint32_t node)
{
    wg_node *read = wg_node_at(tape, node);
    bool callers = tape->here && tape->here != tape->held && !tape->deriving && !tape->rule_place;
    if (!callers || read->read)
        return;
    read->read = true;
    wg_decided(tape, name, node, tape->nodes, UINT32_MAX);
}

void wg_decisions_back(wg_tape *tape, uint32_t nodes)
{
    while (tape->decisions && tape->decision[tape->decisions - 1].at > nodes) {
        uint32_t node = tape->decision[--tape->decisions].node;
        if (node < nodes)
            wg_node_at(tape, node)->read = false;
    }
    if (tape->unnoted.at > nodes)
        tape->unnoted.name = NULL;
}
