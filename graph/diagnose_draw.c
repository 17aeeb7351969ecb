/* What a diagnosis found, at the nodes of a graph: findings name things in words, and the words lead back to what they
 * are of. Findings of a whole step have no node; the caption tells all. */
#include "graph/diagnosis.h"

#define KEPT_OF_NAMES 32 /* bytes of each in a list of names */

/* In a node there is room for a word or two. */
static const char *const words[] = {
    [WG_FAULT_NOT_FINITE] = "not finite",    [WG_FAULT_LABELS] = "wrong labels",
    [WG_FAULT_INPUTS] = "scale far from 1",  [WG_FAULT_CUT_OFF] = "cut off",
    [WG_FAULT_NOT_MOVED] = "not moved",      [WG_FAULT_VANISHING] = "gradient fades",
    [WG_FAULT_DEAD_UNITS] = "dead units",
};

/* Is the name one of "fc1.weight, fc1.bias and fc2.weight"? */
static bool is_listed(const char *list, const char *name)
{
    size_t n = strnlen(name, KEPT_OF_NAMES);
    for (const char *at = list; n && *at; at++)
        if ((at == list || at[-1] == ' ') && !strncmp(at, name, n) && (!at[n] || at[n] == ',' || at[n] == ' '))
            return true;
    return false;
}

static const char *word_of(wg_fault fault)
{
    return (size_t)fault < sizeof words / sizeof *words ? words[fault] : NULL;
}

/* Unused parameters and the origin of a NaN are drawn as such whether anybody looked for them or not. */
static bool is_of(const wg_facts *f, const wg_finding *found, uint32_t tape_node, const wg_fact *node)
{
    char what[WG_NAME_KEPT], where[WG_NAME_KEPT];
    if (!word_of(found->fault) || node->not_finite)
        return false;
    wg_node_text(f->tape, tape_node, what, where);
    if (node->kind == WG_FACT_PARAMETER)
        return is_listed(found->what, what);
    if (found->fault == WG_FAULT_CUT_OFF || strcmp(found->what, what))
        return false;
    return node->kind == WG_FACT_INPUT || !strcmp(found->where, where);
}

void wg_facts_diagnosed(wg_facts *f, wg_diagnosis *d)
{
    const wg_finding *list;
    int n = wg_diagnosis_findings(d, &list);
    for (int k = 0; k < n; k++)
        for (uint32_t i = 0; i < f->at_nodes; i++) {
            wg_fact *node = f->at[i] == WG_NOWHERE ? NULL : &f->node[f->at[i]];
            if (!node || *node->finding || !is_of(f, &list[k], i, node))
                continue;
            node->finding = word_of(list[k].fault);
            node->evidence = list[k].evidence;
        }
}
