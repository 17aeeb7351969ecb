// The page of a graph. Its pictures were laid out beforehand: the first stands in <main>, the others in templates. The
// id of what is drawn is that of a node ("n7") or a scope ("s:block.0") in the JSON beside them, and its address (#n7).
'use strict';
const $ = (what, at = document) => at.querySelector(what);
const all = (what, at = document) => [...at.querySelectorAll(what)];
const graph = JSON.parse($('#graph').textContent), same = JSON.parse($('#same').textContent);
const main = $('main'), aside = $('aside'), search = $('#search'), depth = $('#depth');

function element(tag, ...inside) {
    const e = document.createElement(tag);
    e.append(...inside);
    return e;
}

function button(text, action) {
    const b = element('button', text);
    b.onclick = action;
    return b;
}

// ---- Nodes and scopes -----------------------------------------------------------------------------------------------
const written = path => path.replaceAll('\\', '∖'); // a scope's path, as Graphviz takes it
const nodes = graph.nodes, groups = new Map(); // scopes and rows of operations, by id
for (const s of graph.scopes) {
    const path = written(s.id.slice(2)), id = 's:' + path;
    groups.set(id, Object.assign(s, { id, path, kind: 'scope' }));
}
const nodeAt = id => nodes[id.slice(1)]?.id === id ? nodes[id.slice(1)] : undefined;
const thing = id => groups.get(id) || nodeAt(id);

// Edges are the numbers of their two ends, one edge behind the other; `end`: 0 where they leave a node, 1 where they
// enter. Gives the ids at the other ends of a node's edges, of none of another thing's.
function others(end) {
    const { edges } = graph, first = new Uint32Array(nodes.length + 1), found = new Uint32Array(edges.length / 2);
    for (let e = end; e < edges.length; e += 2)
        first[edges[e] + 1]++;
    for (let i = 0; i < nodes.length; i++)
        first[i + 1] += first[i];
    const at = first.slice();
    for (let e = end; e < edges.length; e += 2)
        found[at[edges[e]]++] = edges[e ^ 1];
    return id => {
        const i = nodeAt(id) ? +id.slice(1) : nodes.length;
        return Array.from(found.subarray(first[i], first[i + 1]), other => 'n' + other);
    };
}

const takes = others(1), feeds = others(0);
const isScope = id => id[0] === 's';
const scopeIn = n => written(n.scope || '');
const scopeOf = id => groups.get(id)?.path || scopeIn(thing(id) || {});
const within = (path, scope) => path === scope || path.startsWith(scope + '.');
const nameOf = ({ outputs, name, op, kind }) => outputs ? outputs[0].name || op || kind : name;

// The parameters that one operation has to itself are drawn as one card, which has the first one's id.
const users = id => [...new Set(feeds(id))];
const isOwn = id => thing(id)?.kind === 'parameter' && users(id).length === 1;
const card = id => isOwn(id) ? [...new Set(takes(users(id)[0]))].filter(isOwn) : [];

// ---- What is known of them ------------------------------------------------------------------------------------------
const number = x => typeof x !== 'number' ? x : Number.isInteger(x) ? x.toLocaleString('en') : `${+x.toPrecision(4)}`;

function scaled(x, base, units) {
    let i = 0;
    for (; x >= base && i + 1 < units.length; i++)
        x /= base;
    return `${i && x < 100 ? +x.toPrecision(3) : Math.round(x)} ${units[i]}`;
}

const bytes = n => scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
const seconds = s => scaled(s * 1e9, 1000, ['ns', 'µs', 'ms', 's']);
const shape = o => (o.shape.join('×') || 'scalar') + (o.dtype === graph.dtype ? '' : ' ' + o.dtype);
const size = o => o.shape.reduce((n, d) => n * d, { float64: 8, int64: 8, float32: 4, int32: 4 }[o.dtype] || 1);

function outputFacts(o, name) {
    const v = o.values;
    return [[name, shape(o)], ['bytes', bytes(size(o))], ['value', o.value], ['finite', o.finite === false && 'no'],
            ['mean', v && `${number(v.mean)} ± ${number(v.deviation)}`],
            ['range', v && `${number(v.low)} to ${number(v.high)}`],
            ['zero', v?.n && `${number(100 * v.zeros / v.n)} %`], ['gradient norm', o.gradient?.norm]];
}

function nodeFacts(n) {
    const outputs = n.outputs.flatMap((o, i) => outputFacts(o, n.outputs.length > 1 ? 'output ' + i : 'shape'));
    return [['scope', scopeIn(n)], ...outputs, ['numbers', n.numbers], ['options', n.options],
            ['reduction', n.reduction], ['does', n.fused], ['results', n.memory],
            ['found', n.finding], ['evidence', n.evidence],
            ['frozen', n.frozen && 'yes'], ['used by', n.unused && 'nothing'], ['gradient', n.cut && 'does not flow'],
            ['keeps', n.saves], ['kept', n.kept_bytes && bytes(n.kept_bytes)],
            ['FLOPs', n.flops && scaled(n.flops, 1000, ['', 'k', 'M', 'G', 'T'])],
            ['time', n.seconds && seconds(n.seconds)], ['backward', n.seconds_backward && seconds(n.seconds_backward)],
            ['source', n.place]];
}

const known = facts => facts.filter(([, x]) => x || x === 0).map(([name, x]) => [name, number(x)]);
const scopeFacts = s => [['operations', s.operations], ['parameters', s.parameters || '']];
const factsOf = t => known(t.outputs ? nodeFacts(t) : scopeFacts(t));
const graphFacts = known([['nodes', nodes.length], ['parameters', graph.parameters || ''],
                          ['', graph.parameters ? bytes(graph.parameter_bytes) : '']]);

// ---- Pictures -------------------------------------------------------------------------------------------------------
const pictures = [main, ...all('template:not([id])')].map(({ dataset, content = main }) => {
    const { scope = '', run = '', name = graph.title, depth } = dataset, path = written(scope);
    return { at: content.firstElementChild, scope: path + run, opens: run || 's:' + path, name, depth };
});
const depths = pictures.filter(p => !p.scope).sort((p, q) => p.depth - q.depth);
const scopes = pictures.filter(p => p.scope).sort((p, q) => p.scope.length - q.scope.length);
let now = null, whole = pictures[0], picked = '';

// Operations in a row that are drawn as one node, to fit a page: what stands for each of them.
const runOf = new Map();
for (const { at, scope, opens } of scopes.filter(p => !p.opens.startsWith('s:'))) {
    const ids = all('.op', at).map(n => n.id);
    ids.forEach(id => runOf.set(id, opens));
    groups.set(opens, { id: opens, kind: 'operations in a row', name: '…', path: scope, operations: ids.length });
}
const isIn = (n, t) => within(scopeIn(n), t.path) || runOf.get(n.id) === t.id;

// Its nodes, its parts (nodes and open scopes) and, once they are asked for, its edges as [from, to, element]. The
// titles are what Graphviz calls them; those of the backward pass run upwards.
function prepare(p) {
    const drawn = all('.node', p.at), title = e => $('title', e)?.textContent;
    const idOf = new Map(drawn.map(n => [title(n), n.id]));
    p.node = new Map(drawn.map(n => [n.id, n]));
    p.part = new Map([...all('.cluster', p.at).map(c => [c.id, c]), ...p.node]);
    p.edges = () => (p.joined ||= p.at.viewBox ? all('.edge', p.at).map(e => {
        const ends = title(e).split('->').map(t => idOf.get(t));
        return [...(e.matches('.rev') ? ends.reverse() : ends), e];
    }) : listed(p));
    for (const n of drawn) {
        n.tabIndex = 0;
        n.setAttribute('role', 'button');
    }
}

// A list shows no edges: those between what stands for their ends.
function listed(p) {
    const part = nodes.map(n => shownAs(n.id, p)), edges = new Map();
    for (let e = 0; e < graph.edges.length; e += 2) {
        const from = part[graph.edges[e]], to = part[graph.edges[e + 1]];
        if (from && to && from !== to)
            edges.set(from + ' ' + to, [from, to]);
    }
    return [...edges.values()];
}

// What a part is of: of the derivative "b7" and the gradient "g7" it is n7, of a word at the edge what stands there.
function meant(id) {
    const at = id.replace(/^[bg](\d+)$/, 'n$1').replace(/^[ou](?=[ns])/, '');
    return thing(at) ? at : '';
}

// The id of the part that stands for it: itself, its card, a closed scope around it, what it is a view for, its equal.
function shownAs(id, p) {
    if (!p.node)
        prepare(p);
    for (let at = id; at; at = users(at)[0]) {
        const part = p.part.has(at) ? at : [...card(at), runOf.get(at)].find(x => p.part.has(x));
        if (part)
            return part;
        for (let path = scopeOf(at); path; path = path.slice(0, Math.max(path.lastIndexOf('.'), 0)))
            if (p.node.has('s:' + path))
                return 's:' + path;
        if (!isOwn(at) && thing(at)?.kind !== 'view')
            break;
    }
    const equal = nodeAt(id) ? 'n' + (same[id.slice(1)] ?? id.slice(1)) : id;
    return equal === id ? null : shownAs(equal, p);
}

function show(p) {
    if (!p.node)
        prepare(p);
    now = p;
    whole = p.scope ? whole : p;
    main.replaceChildren(p.at);
    if (p.at.viewBox && !p.view)
        fit(0.8);
    place();
    const path = [whole, ...scopes.filter(q => within(p.scope, q.scope))];
    $('nav').replaceChildren(...path.flatMap((q, i) => [i ? element('i', '/') : '',
        q === p ? element('b', q.name) : button(q.name, () => open(q))]));
    depth.parentNode.hidden = depths.length < 2 || !!p.scope;
    depth.value = depths.indexOf(p);
    $('#fit').hidden = !p.at.viewBox;
}

function open(p) {
    show(p);
    pick('');
}

const pictureOf = id => scopes.find(p => p.opens === id);

// ---- Where we look: the point of the picture at the top left, and pixels a unit -------------------------------------
function place() {
    const v = now.view;
    if (v)
        now.at.setAttribute('viewBox', [v.x, v.y, main.clientWidth / v.scale, main.clientHeight / v.scale].join(' '));
}

// All of it, though no smaller than `least`: then its top.
function fit(least = 0) {
    const [x, y, w, h] = now.box ||= now.at.getAttribute('viewBox').split(' ').map(Number);
    const width = main.clientWidth, height = main.clientHeight;
    const scale = Math.max(Math.min(width / w, height / h, 1.4), least);
    now.view = { scale, x: x + (w - width / scale) / 2, y: y + Math.min(0, h - height / scale) / 2 };
    place();
}

// About a point of the window.
function zoom(factor, x, y) {
    const v = now.view, scale = Math.min(Math.max(v.scale * factor, 0.02), 8);
    v.x += x / v.scale - x / scale;
    v.y += y / v.scale - y / scale;
    v.scale = scale;
    place();
}

function middle(node) {
    const b = node.getBoundingClientRect();
    return [(b.left + b.right) / 2, (b.top + b.bottom) / 2];
}

// Into sight, where it is not.
function bring(node) {
    const a = node.getBoundingClientRect(), b = main.getBoundingClientRect(), v = now.view;
    if (a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom)
        return;
    if (!v)
        return node.scrollIntoView({ block: 'center' });
    const [x, y] = middle(node), [toX, toY] = middle(main);
    v.x += (x - toX) / v.scale;
    v.y += (y - toY) / v.scale;
    place();
}

// ---- Beside the picture ---------------------------------------------------------------------------------------------
// Counts on a log scale, of values between plus and minus the largest magnitude.
function histogram(name, s) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const most = Math.log1p(Math.max(...s.histogram)), reach = number(Math.max(-s.low, s.high));
    const bars = s.histogram.map((n, i) => `M${i} 6v-${(6 * Math.log1p(n) / most).toFixed(2)}h.88V6z`);
    svg.setAttribute('viewBox', `-.06 0 ${s.histogram.length} 6`);
    svg.innerHTML = `<path d="${bars.join('')}"/>`;
    return element('figure', svg, element('figcaption', ...['−' + reach, name, reach].map(t => element('span', t))));
}

function told(t) {
    const link = element('a', t.place || ''), drawn = now.part.get(t.id);
    const href = drawn?.querySelector('a')?.getAttribute('xlink:href');
    const rows = factsOf(t).flatMap(([name, text]) => [element('dt', name),
        element('dd', name === 'source' && href ? Object.assign(link, { href }) : text)]);
    const kept = (t.outputs || []).flatMap(o => [['values', o.values], ['gradient', o.gradient]]);
    return [element('h2', nameOf(t)), element('p', t.kind), element('dl', ...rows),
            ...kept.filter(([, s]) => s?.n > 1).map(([name, s]) => histogram(name, s))];
}

function list(title, ids) {
    const each = [...new Set(ids)], first = each.slice(0, 40).map(id => {
        const b = button(nameOf(thing(id)), () => visit(id));
        b.append(' ', element('span', scopeOf(id)));
        return element('li', b);
    });
    return each.length ? [element('h3', title), element('ul', ...first),
                          each.length > 40 ? element('p', `and ${number(each.length - 40)} more`) : ''] : [];
}

function tell(id) {
    const t = thing(id || now.opens);
    if (!t) {
        const rows = graphFacts.flatMap(([name, text]) => [element('dt', name), element('dd', text)]);
        aside.replaceChildren(element('h2', graph.title), element('dl', ...rows), $('#help').content.cloneNode(true));
        return;
    }
    const p = pictureOf(t.id), ids = (t.outputs ? [t] : nodes.filter(n => isIn(n, t))).map(n => n.id);
    const inside = new Set(ids), beside = card(t.id).filter(x => x !== t.id);
    const ends = side => ids.flatMap(side).filter(x => !inside.has(x));
    aside.replaceChildren(...told(t), p && p !== now ? button('open', () => open(p)) : '',
                          ...beside.flatMap(x => told(thing(x))), ...list('takes', ends(takes)),
                          ...list('feeds', ends(feeds)));
}

// ---- Picked ---------------------------------------------------------------------------------------------------------
// All that edges lead to from there; (0, 1): along them, (1, 0): against.
function reach(ids, from, to) {
    const next = new Map(), seen = new Set(ids);
    for (const e of now.edges())
        next.set(e[from], [e[to], next.get(e[from])]);
    for (const at of seen) // it grows meanwhile
        for (let e = next.get(at); e; e = e[1])
            seen.add(e[0]);
    return seen;
}

function dim(keeps, keepsEdge) {
    for (const [id, node] of now.node)
        node.classList.toggle('dim', !!meant(id) && !keeps(id));
    for (const [from, to, edge] of now.edges())
        edge?.classList.toggle('dim', !keepsEdge(from, to));
}

// `part`: what stands for it here; of an open scope, all that is in it counts.
function pick(id, part = id) {
    const ids = now.node.has(part) ? [part] : [...now.node.keys()].filter(x => within(scopeOf(x), scopeOf(id)));
    const up = reach(ids, 1, 0), down = reach(ids, 0, 1);
    dim(x => !id || up.has(x) || down.has(x), (a, b) => !id || up.has(a) && up.has(b) || down.has(a) && down.has(b));
    for (const [key, e] of now.part)
        e.classList.toggle('picked', key === part);
    tell(picked = id);
    history.replaceState(null, '', '#' + encodeURIComponent(id));
}

// An address may be anything.
function unescaped(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return '';
    }
}

// Here, else in the smallest picture that shows it; rather by itself than in a closed scope.
function visit(id) {
    if (!thing(id))
        return;
    const some = [now, whole, ...[...scopes].reverse(), ...depths].filter(p => shownAs(id, p));
    const p = some.find(p => isScope(id) || !isScope(shownAs(id, p))) || some[0];
    if (!p)
        return tell(id);
    if (p !== now)
        show(p);
    const part = shownAs(id, p), e = p.part.get(part);
    pick(id, part);
    bring(e);
    e.focus({ preventScroll: true });
}

// To a part of this picture; a word at the edge leads to what it stands for.
function go(part) {
    const id = meant(part), e = now.part.get(part);
    if (!id || e.matches('.outside'))
        return visit(id);
    pick(id, part);
    bring(e);
    e.focus({ preventScroll: true });
}

// ---- Search ---------------------------------------------------------------------------------------------------------
// What there is to find of a node: its names and facts in words, not its numbers.
const words = n => [n.op, n.kind, scopeIn(n), n.options, n.numbers, n.reduction, n.saves, n.fused, n.memory, n.finding,
    n.place, n.frozen && 'frozen', n.unused && 'used by nothing', n.cut && 'gradient does not flow',
    ...n.outputs.map(o => `${o.name || ''}\n${shape(o)}${o.finite === false ? '\nnot finite' : ''}`)]
    .filter(Boolean).join('\n').toLowerCase();

function find() {
    const word = search.value.trim().toLowerCase();
    pick('');
    if (!word)
        return;
    const found = nodes.filter(n => (n.words ||= words(n)).includes(word)).map(n => n.id);
    const parts = new Set(found.map(id => shownAs(id, now)));
    dim(id => parts.has(id), () => false);
    aside.replaceChildren(element('h2', `${number(found.length)} found`), ...list('', found));
}

// ---- By hand --------------------------------------------------------------------------------------------------------
const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// The neighbour that lies furthest in that direction.
function next(id, [x, y]) {
    const [fromX, fromY] = middle(now.node.get(id));
    let best = 0.3, to = '';
    for (const [a, b] of now.edges()) {
        const other = a === id ? b : b === id ? a : '', node = now.node.get(other);
        if (!node)
            continue;
        const [atX, atY] = middle(node), dx = atX - fromX, dy = atY - fromY;
        const along = (dx * x + dy * y) / Math.hypot(dx, dy);
        if (along > best)
            [best, to] = [along, other];
    }
    return to;
}

let drag = null;
main.onpointerdown = e => { drag = e.button || !now.view ? null : { x: e.clientX, y: e.clientY, moved: 0 }; };
onpointermove = e => {
    if (!drag)
        return;
    const dx = e.clientX - drag.x, dy = e.clientY - drag.y, v = now.view;
    v.x -= dx / v.scale;
    v.y -= dy / v.scale;
    drag = { x: e.clientX, y: e.clientY, moved: drag.moved + Math.abs(dx) + Math.abs(dy) };
    place();
};
onpointerup = onpointercancel = () => setTimeout(() => { drag = null; }); // after the click that ends it

main.onclick = e => {
    const part = e.target.closest('.node, .cluster');
    e.preventDefault(); // the link to a source line is among the facts
    if (drag?.moved > 4)
        return;
    if (part)
        go(part.id);
    else
        pick('');
};
main.ondblclick = e => {
    const p = pictureOf(e.target.closest('.node, .cluster')?.id);
    if (p)
        open(p);
};
main.addEventListener('wheel', e => {
    if (!now.view)
        return;
    e.preventDefault();
    const box = main.getBoundingClientRect();
    zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0015)), e.clientX - box.left, e.clientY - box.top);
}, { passive: false });

// What was looked for or picked is left; then the scope.
function leave() {
    const nothing = !search.value && !picked;
    search.value = '';
    search.blur();
    if (nothing && now.scope)
        open(scopes.filter(p => p !== now && within(now.scope, p.scope)).pop() || whole);
    else
        pick('');
}

onkeydown = e => {
    const id = e.target.closest?.('.node')?.id, p = pictureOf(id);
    if (e.key === 'Escape')
        leave();
    else if (e.target.matches?.('input') || e.ctrlKey || e.altKey || e.metaKey)
        return;
    else if (e.key === '/')
        search.select();
    else if (e.key === '0' && now.view)
        fit();
    else if ((e.key === '+' || e.key === '-') && now.view)
        zoom(e.key === '+' ? 1.25 : 0.8, main.clientWidth / 2, main.clientHeight / 2);
    else if (e.key === 'Enter' && p)
        open(p);
    else if ((e.key === 'Enter' || e.key === ' ') && id)
        go(id);
    else if (ways[e.key] && id)
        go(next(id, ways[e.key]) || id);
    else
        return;
    e.preventDefault();
};

search.oninput = find;
search.onkeydown = e => e.key === 'Enter' && $('aside li button')?.click();
depth.max = depths.length - 1;
depth.oninput = () => open(depths[depth.value]);
$('#fit').onclick = () => now.view && fit();
onresize = place;
onhashchange = () => visit(written(unescaped(location.hash.slice(1))));

document.body.classList.add('live');
all('[hidden]').forEach(e => { e.hidden = false; });
show(whole);
tell('');
onhashchange();
