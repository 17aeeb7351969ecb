/* A page's pictures as lists, where there is no Graphviz: a row a node that the picture would have, so that a large
 * graph is as short as it would be drawn, and opens as it would. */
#include "graph/page.h"

/* A scope's path with the backslashes that Graphviz would write. */
static void put_path(wg_text *t, const char *path)
{
    wg_text written = {.tape = t->tape};
    for (const char *c = path; *c; c++)
        wg_put_bytes(&written, *c == '\\' ? "\xe2\x88\x96" : c, *c == '\\' ? 3 : 1);
    wg_put_xml(t, written.size && !written.failed ? written.data : "");
    t->failed |= written.failed;
}

static void put_node(wg_text *t, const wg_facts *f, uint32_t node)
{
    const wg_tensor_fact *output = wg_fact_output(f, node);
    char form[96];
    wg_put(t, "<li class=\"node%s\" id=\"n%u\"><b>", wg_fact_is_leaf(&f->node[node]) ? "" : " op", node);
    wg_put_xml(t, *output->name ? output->name : f->node[node].op);
    wg_put(t, "</b><span>%s</span><span>", wg_form_text(&output->type, f->usual, form, sizeof form));
    wg_put_xml(t, f->node[node].scope);
    wg_put(t, "</span></li>\n");
}

static void put_closed(wg_text *t, const wg_drawing *d, const wg_shown *item)
{
    const wg_place_in *scope = &d->scope[item->stands_for];
    wg_put(t, "<li class=\"node scope\" id=\"");
    if (scope->run) {
        wg_put(t, "s%u", item->node);
    } else {
        wg_put(t, "s:");
        put_path(t, scope->path);
    }
    wg_put(t, "\"><b>");
    wg_put_place_name(t, scope);
    wg_put(t, "</b><span>%u %s</span><span>", scope->ops, scope->ops == 1 ? "op" : "ops");
    wg_put_xml(t, d->scope[item->scope].path);
    wg_put(t, "</span></li>\n");
}

static void put_rows(wg_text *t, const wg_picture *p)
{
    const wg_drawing *d = p->d;
    for (uint32_t i = 0; i < d->ordered; i++) {
        const wg_shown *item = &d->item[d->order[i]];
        uint32_t scope = item->scope;
        while (scope && scope != p->scope)
            scope = d->scope[scope].parent;
        if (scope != p->scope)
            continue;
        if (item->kind == WG_ITEM_CLOSED)
            put_closed(t, d, item);
        else if (!item->rows)
            put_node(t, d->facts, item->node);
        for (uint32_t r = 0; r < item->rows; r++)
            put_node(t, d->facts, d->row[item->first_row + r]);
    }
}

void wg_put_page_list(wg_text *t, const wg_picture *p, const char *why)
{
    wg_put(t, "<section>");
    if (why) {
        wg_put(t, "<p>");
        wg_put_xml(t, why);
        wg_put(t, "</p>\n");
    }
    wg_put(t, "<ol>\n");
    put_rows(t, p);
    wg_put(t, "</ol></section>");
}
