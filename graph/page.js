// The page of a graph. Its pictures were laid out beforehand: the first stands in <main>, the others in templates. The id
// of what is drawn is that of a node ("n7") or a scope ("s:block.0") of the JSON beside them, and the address of it (#n7).
'use strict';
const $ = (what, at = document) => at.querySelector(what);
const all = (what, at = document) => [...at.querySelectorAll(what)];
const graph = JSON.parse($('#graph').textContent);
const thing = new Map([...graph.nodes, ...graph.scopes].map(t => [t.id, t]));
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

// ---- What is known of nodes and scopes ------------------------------------------------------------------------------
const takes = new Map(graph.nodes.map(n => [n.id, []])), feeds = new Map(graph.nodes.map(n => [n.id, []]));
for (const e of graph.edges) {
    takes.get(e.to).push(e.from);
    feeds.get(e.from).push(e.to);
}
const scopeOf = id => thing.get(id)?.scope || '';
const within = (path, scope) => path === scope || path.startsWith(scope + '.');
const nodesIn = scope => graph.nodes.filter(n => within(n.scope || '', scope));
const isParameter = id => thing.get(id)?.kind === 'parameter';
// The parameters of an operation that has them to itself: they are drawn as one card, which has the first one's id.
const ownParameters = op => [...new Set(takes.get(op))].filter(id => isParameter(id) && new Set(feeds.get(id)).size === 1);
const cardOf = id => isParameter(id) && feeds.get(id).length ? ownParameters(feeds.get(id)[0]) : [];

const nameOf = id => {
    const t = thing.get(id);
    return t.outputs ? t.outputs[0].name || t.op || t.kind : t.name;
};
const number = x => Number.isInteger(x) ? x.toLocaleString('en') : +x?.toPrecision(4) === x ? String(x) : (+x).toPrecision(4);
const shape = o => (o.shape.join('×') || 'scalar') + (o.dtype === graph.dtype ? '' : ' ' + o.dtype);
const scaled = (x, base, units) => {
    let i = 0;
    for (; x >= base && i + 1 < units.length; i++)
        x /= base;
    return (i && x < 10 ? +x.toFixed(1) : Math.round(x)) + ' ' + units[i];
};
const bytes = n => scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
const sizes = { float64: 8, int64: 8, float32: 4, int32: 4, bool: 1 };
const elements = o => o.shape.reduce((a, b) => a * b, 1);

function factsOfOutput(o, name) {
    const v = o.values, g = o.gradient;
    return [[name, shape(o)], ['bytes', bytes(elements(o) * (sizes[o.dtype] || 1))], ['value', o.value],
            ['mean', v && `${number(v.mean)} ± ${number(v.deviation)}`], ['range', v && `${number(v.low)} to ${number(v.high)}`],
            ['zero', v && v.n && `${number(100 * v.zeros / v.n)} %`], ['gradient norm', g?.norm],
            ['not finite', o.finite === false && 'yes']];
}

function factsOf(t) {
    const facts = !t.outputs ? [['operations', t.operations], ['parameters', t.parameters]] :
        [['scope', t.scope], ...t.outputs.flatMap((o, i) => factsOfOutput(o, t.outputs.length > 1 ? 'output ' + i : 'shape')),
         ['numbers', t.numbers], ['options', t.options], ['reduction', t.reduction], ['frozen', t.frozen && 'yes'],
         ['used', t.unused && 'by nothing'], ['gradient', t.cut && 'does not flow'], ['keeps', t.saves],
         ['kept', t.kept_bytes && bytes(t.kept_bytes)], ['FLOPs', t.flops && scaled(t.flops, 1000, ['', 'k', 'M', 'G', 'T'])],
         ['time', t.seconds && scaled(t.seconds * 1e9, 1000, ['ns', 'µs', 'ms', 's'])], ['source', t.place]];
    return facts.filter(f => f[1] || f[1] === 0).map(([name, x]) => [name, typeof x === 'number' ? number(x) : x]);
}

// ---- Pictures -------------------------------------------------------------------------------------------------------
const pictures = [main, ...all('template:not([id])')].map(at => ({
    at: (at.content || at).firstElementChild, scope: at.dataset.scope || '', name: at.dataset.name, depth: at.dataset.depth }));
const depths = pictures.filter(p => !p.scope);
let now = null, whole = pictures[0], picked = '';

// Its nodes by id, and its edges: [from, to, element]. A list shows none. Titles are what Graphviz calls them.
function prepare(p) {
    const title = e => $('title', e)?.textContent, idOf = new Map(all('.node', p.at).map(n => [title(n), n.id]));
    p.node = new Map(all('.node', p.at).map(n => [n.id, n]));
    p.edges = p.at.viewBox ? all('.edge', p.at).map(e => [...title(e).split('->').map(t => idOf.get(t)), e])
                           : graph.edges.map(e => [e.from, e.to]);
    for (const n of p.node.values()) {
        n.tabIndex = 0;
        n.setAttribute('role', 'button');
    }
}

// The id of what stands for a node in a picture: its own, its card's, that of a closed scope around it, that of what a
// view is a note in.
function shownAs(id, p) {
    const has = x => p.node.has(x);
    if (!p.node)
        prepare(p);
    for (let at = id; at; at = feeds.get(at)?.[0]) {
        const drawn = [at, ...cardOf(at)].find(has);
        if (drawn)
            return drawn;
        for (let path = scopeOf(at); path; path = path.slice(0, Math.max(path.lastIndexOf('.'), 0)))
            if (has('s:' + path))
                return 's:' + path;
        if (!isParameter(at) && thing.get(at)?.kind !== 'view')
            return null;
    }
    return null;
}

function show(p) {
    if (!p.node)
        prepare(p);
    now = p;
    if (!p.scope)
        whole = p;
    main.replaceChildren(p.at);
    if (p.at.viewBox && !p.view)
        fit(0.6);
    place();
    const path = [whole, ...pictures.filter(q => q.scope && within(p.scope, q.scope)).sort((a, b) => a.scope.length - b.scope.length)];
    $('nav').replaceChildren(...path.flatMap((q, i) => {
        const name = q.name || graph.title;
        return [i ? element('i', '/') : '', q === p ? element('b', name) : button(name, () => open(q))];
    }));
    depth.parentNode.hidden = depths.length < 2 || !!p.scope;
    depth.value = depths.indexOf(p);
}

function open(p) {
    show(p);
    pick('');
}

const opens = id => id?.startsWith('s:') && pictures.find(p => p.scope === id.slice(2));

// ---- Where we look: the point of the picture at the top left, and pixels a unit -------------------------------------
function place() {
    const v = now.view;
    if (v)
        now.at.setAttribute('viewBox', [v.x, v.y, main.clientWidth / v.scale, main.clientHeight / v.scale].join(' '));
}

// All of it, though no smaller than `least`: then its top.
function fit(least = 0) {
    const box = now.box ||= now.at.getAttribute('viewBox').split(' ').map(Number), [x, y, w, h] = box;
    const width = main.clientWidth, height = main.clientHeight;
    const scale = Math.max(Math.min(width / w, height / h, 1.4), least);
    now.view = { scale, x: x + (w - width / scale) / 2, y: y + Math.min(0, h - height / scale) / 2 };
    place();
}

function zoom(factor, x, y) {
    const v = now.view, scale = Math.min(Math.max(v.scale * factor, 0.02), 8);
    v.x += x / v.scale - x / scale;
    v.y += y / v.scale - y / scale;
    v.scale = scale;
    place();
}

// Into sight, where it is not.
function bring(node) {
    const a = node.getBoundingClientRect(), b = main.getBoundingClientRect(), v = now.view;
    if (a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom)
        return;
    if (!v)
        return node.scrollIntoView({ block: 'center' });
    v.x += (a.left + a.right - b.left - b.right) / 2 / v.scale;
    v.y += (a.top + a.bottom - b.top - b.bottom) / 2 / v.scale;
    place();
}

// ---- Facts ----------------------------------------------------------------------------------------------------------
// Counts on a log scale, over values between plus and minus the largest magnitude.
function histogram(name, s) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const most = Math.log1p(Math.max(...s.histogram, 1)), reach = number(Math.max(-s.low, s.high));
    const bars = s.histogram.map((n, i) => [i, Math.log1p(n) / most * 6]).filter(b => b[1]);
    svg.setAttribute('viewBox', `0 0 ${s.histogram.length} 6`);
    svg.innerHTML = '<path d="' + bars.map(([i, h]) => `M${i + .06} 6v${-h.toFixed(2)}h.88v${h.toFixed(2)}z`).join('') + '"/>';
    return element('figure', svg, element('figcaption', ...['−' + reach, name, reach].map(t => element('span', t))));
}

const histograms = t => t.outputs?.flatMap(o => [['values', o.values], ['gradient', o.gradient]])
    .filter(([, s]) => s?.n > 1).map(([name, s]) => histogram(name, s)) || [];

const table = facts => element('dl', ...facts.flatMap(([name, text]) => [element('dt', name), element('dd', text)]));

function list(title, ids) {
    const some = [...new Set(ids)], shown = some.slice(0, 40);
    if (!some.length)
        return [];
    return [element('h3', title), element('ul', ...shown.map(id => {
        const b = button(nameOf(id), () => visit(id));
        b.append(' ', element('span', scopeOf(id)));
        return element('li', b);
    })), some.length > shown.length ? element('p', `and ${some.length - shown.length} more`) : ''];
}

function tell(id) {
    const t = thing.get(id), scope = t && !t.outputs && id.slice(2);
    if (!t) {
        aside.replaceChildren(element('h2', graph.title), table([['nodes', number(graph.nodes.length)],
            ['parameters', number(graph.parameters)], ['', bytes(graph.parameter_bytes)]]), $('#help').content.cloneNode(true));
        return;
    }
    const nodes = scope ? nodesIn(scope) : [t], inside = new Set(nodes.map(n => n.id));
    const ends = (side) => nodes.flatMap(n => side.get(n.id)).filter(x => !inside.has(x));
    aside.replaceChildren(element('h2', nameOf(id)), element('p', t.kind || 'scope'), table(factsOf(t)),
                          opens(id) && opens(id) !== now ? button('open', () => open(opens(id))) : '', ...histograms(t),
                          ...cardOf(id).filter(x => x !== id).flatMap(x =>
                              [element('h2', nameOf(x)), table(factsOf(thing.get(x))), ...histograms(thing.get(x))]),
                          ...list('takes', ends(takes)), ...list('feeds', ends(feeds)));
}

// ---- Picked ---------------------------------------------------------------------------------------------------------
// All that edges lead to from there; (0, 1): along them, (1, 0): against.
function reach(id, from, to) {
    const next = new Map();
    for (const e of now.edges)
        next.set(e[from], [...next.get(e[from]) || [], e[to]]);
    const seen = new Set([id]);
    for (const at of seen) // it grows meanwhile
        for (const x of next.get(at) || [])
            seen.add(x);
    return seen;
}

function dim(keeps, keepsEdge) {
    for (const [id, node] of now.node)
        node.classList.toggle('dim', !keeps(id));
    for (const [from, to, edge] of now.edges)
        edge?.classList.toggle('dim', !keepsEdge(from, to));
}

// `drawn`: the id of what stands for it here.
function pick(id, drawn = id) {
    const up = reach(drawn, 1, 0), down = reach(drawn, 0, 1);
    dim(x => !drawn || up.has(x) || down.has(x), (a, b) => !drawn || up.has(a) && up.has(b) || down.has(a) && down.has(b));
    for (const [key, node] of now.node)
        node.classList.toggle('picked', key === drawn);
    tell(picked = id);
    history.replaceState(null, '', '#' + encodeURIComponent(id));
}

// Here, else in the first picture that shows it.
function visit(id) {
    const p = thing.has(id) && [now, ...pictures].find(p => shownAs(id, p)), drawn = p && shownAs(id, p);
    if (!p)
        return;
    if (p !== now)
        show(p);
    pick(id, drawn);
    bring(p.node.get(drawn));
    p.node.get(drawn).focus({ preventScroll: true });
}

// ---- Search ---------------------------------------------------------------------------------------------------------
const words = t => [nameOf(t.id), t.kind, t.op, ...factsOf(t).flat()].join('\n').toLowerCase();

function find() {
    const word = search.value.trim().toLowerCase();
    pick('');
    if (!word)
        return;
    const found = graph.nodes.filter(t => (t.words ||= words(t)).includes(word)).map(t => t.id);
    const drawn = new Set(found.map(id => shownAs(id, now)));
    dim(id => drawn.has(id), () => false);
    aside.replaceChildren(element('h2', number(found.length) + ' found'), ...list('', found));
}

// ---- By hand --------------------------------------------------------------------------------------------------------
const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// The neighbour that lies furthest in that direction.
function next(id, [x, y]) {
    const middle = n => { const b = n.getBoundingClientRect(); return [(b.left + b.right) / 2, (b.top + b.bottom) / 2]; };
    const from = middle(now.node.get(id));
    let best = 0.3, to = null;
    for (const [a, b] of now.edges) {
        const other = a === id ? b : b === id ? a : null, node = now.node.get(other);
        if (!node)
            continue;
        const at = middle(node), dx = at[0] - from[0], dy = at[1] - from[1], along = (dx * x + dy * y) / Math.hypot(dx, dy);
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
    const id = e.target.closest('.node')?.id;
    if (!(drag?.moved > 4))
        pick(thing.has(id) ? id : '');
};
main.ondblclick = e => {
    const p = opens(e.target.closest('.node')?.id);
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
    const p = pictures.filter(p => p !== now && p.scope && within(now.scope, p.scope)).pop() || whole;
    const nothing = !search.value && !picked;
    search.value = '';
    search.blur();
    nothing ? open(p) : pick('');
}

onkeydown = e => {
    const id = e.target.closest?.('.node')?.id, typing = e.target.matches?.('input');
    if (e.key === 'Escape')
        leave();
    else if (typing || e.ctrlKey || e.altKey || e.metaKey)
        return;
    else if (e.key === '/')
        search.select();
    else if (e.key === '0' && now.view)
        fit();
    else if ((e.key === '+' || e.key === '-') && now.view)
        zoom(e.key === '+' ? 1.25 : 0.8, main.clientWidth / 2, main.clientHeight / 2);
    else if ((e.key === 'Enter' || e.key === ' ') && thing.has(id))
        id === picked && opens(id) ? open(opens(id)) : pick(id);
    else if (ways[e.key] && id)
        visit(next(id, ways[e.key]));
    else
        return;
    e.preventDefault();
};

search.oninput = find;
search.onkeydown = e => { if (e.key === 'Enter') $('aside li button')?.click(); };
depth.max = depths.length - 1;
depth.oninput = () => open(depths[depth.value]);
$('#fit').onclick = () => now.view && fit();
onresize = place;
onhashchange = () => visit(decodeURIComponent(location.hash.slice(1)));

document.body.classList.add('live');
all('[hidden]').forEach(e => { e.hidden = false; });
show(pictures[0]);
tell('');
onhashchange();
