/* Which back end multiplies, and how a product is cut into pieces for the tape's threads. Both follow from the machine,
 * the dtype and the sizes alone: never from the number of threads, a clock or what ran before. */
#include "ops/backend.h"

#include "core/tape.h"
#include "wengert/products.h"

/* ---- The choice ----------------------------------------------------------------------------------------------------
 * By reach first: the vectors a back end uses on this machine decide by a factor of 2 to 5. The sizes below decide
 * between equals; they are where the measured speeds cross (float32, one core, AVX2 and AVX-512). Of products of less
 * than LARGE our own loops take no longer than the libraries, which ask for memory, or check what they are given, at
 * each call. */
#define TINY 512        /* multiply-adds up to which a call of a library costs more than the product */
#define LARGE (1 << 25) /* from which the libraries' blocking is ahead; of them BLAS on AVX2 machines */

typedef enum { LOOPS, BLAS, DNNL } engine;

/* BLAS and oneDNN count in int and need leading dimensions of at least 1. */
static bool library_takes(int64_t m, int64_t n, int64_t k) { return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX; }

static engine choose(wg_dtype dtype, int64_t m, int64_t n, int64_t k)
{
    double work = (double)m * (double)n * (double)k;
    if (work <= TINY || !library_takes(m, n, k))
        return LOOPS;
    wg_reach dnnl = dtype == WG_FLOAT32 ? wg_dnnl_reach() : WG_REACH_NONE, blas = wg_blas_reach();
    if (m == 1 || n == 1) /* memory is what takes time */
        return dnnl ? DNNL : blas ? BLAS : LOOPS;
    if (dtype == WG_FLOAT32 && work < LARGE && wg_machine_reach() > WG_REACH_BASE)
        return LOOPS;
    if (dnnl && dnnl >= blas && dnnl >= wg_machine_reach())
        return dnnl == blas && blas < WG_REACH_AVX512 && work >= LARGE ? BLAS : DNNL;
    return blas >= wg_machine_reach() ? BLAS : LOOPS;
}

const char *wg_backend_name(wg_dtype dtype, int64_t m, int64_t n, int64_t k)
{
    engine e = choose(dtype, m, n, k);
    return e == DNNL ? "dnnl" : e == BLAS ? wg_blas_name() : "loops";
}

/* ---- The pieces ----------------------------------------------------------------------------------------------------
 * A product of more than WORTH multiply-adds is cut along its longer side into strips of STRIP rows or columns. */
#define WORTH (1 << 23)
#define STRIP 256

typedef struct {
    const wg_gemm *p;
    const wg_gemm_at *at; /* NULL: one product */
    int64_t pieces, strips, teams;
    bool by_rows;
    engine engine;
    unsigned char *room; /* `room_bytes` a team, or NULL */
    size_t room_bytes;
} cutting;

static const void *advanced(const wg_gemm *p, const void *from, int64_t elements)
{
    return (const unsigned char *)from + elements * (int64_t)wg_dtype_size(p->dtype);
}

static void run_with(engine e, const wg_gemm *p, void *room)
{
    if (e == DNNL)
        wg_dnnl_gemm(p);
    else if (e == BLAS)
        wg_blas_gemm(p);
    else
        wg_loops_gemm(p, room);
}

static void run_piece(const cutting *plan, int64_t i, void *room)
{
    wg_gemm p = *plan->p;
    wg_gemm_at at = {0};
    if (plan->at)
        at = plan->at[i / plan->strips];
    int64_t first = i % plan->strips * STRIP;
    if (plan->strips > 1 && plan->by_rows) {
        p.m = p.m - first < STRIP ? p.m - first : STRIP;
        at.a += p.transposed_a ? first : first * p.lda;
        at.y += first * p.ldy;
    } else if (plan->strips > 1) {
        p.n = p.n - first < STRIP ? p.n - first : STRIP;
        at.b += p.transposed_b ? first * p.ldb : first;
        at.y += first;
    }
    p.a = advanced(&p, p.a, at.a);
    p.b = advanced(&p, p.b, at.b);
    p.y = (unsigned char *)p.y + at.y * (int64_t)wg_dtype_size(p.dtype);
    run_with(plan->engine, &p, room);
}

/* A team does a run of pieces, one after the other, in room of its own. */
static void run_team(void *argument, int64_t team)
{
    const cutting *plan = argument;
    int64_t first = plan->pieces * team / plan->teams, last = plan->pieces * (team + 1) / plan->teams;
    for (int64_t i = first; i < last; i++)
        run_piece(plan, i, plan->room ? plan->room + (size_t)team * plan->room_bytes : NULL);
}

wg_status wg_products(const wg_call *c, const wg_gemm *p, int64_t batch, const wg_gemm_at *at)
{
    if (p->m == 0 || p->n == 0 || batch == 0)
        return WG_OK;
    double work = (double)p->m * (double)p->n * (double)p->k;
    int64_t longer = p->m >= p->n ? p->m : p->n;
    cutting plan = {.p = p, .at = at, .strips = 1, .by_rows = p->m >= p->n, .engine = LOOPS};
    if (work > WORTH && longer >= 2 * STRIP)
        plan.strips = (longer + STRIP - 1) / STRIP;
    if (library_takes(p->lda, p->ldb, p->ldy))
        plan.engine = choose(p->dtype, p->m, p->n, p->k);
    plan.pieces = batch * plan.strips;
    plan.teams = work * (double)batch > WORTH / 8 ? c->tape->threads : 1;
    if (plan.teams > plan.pieces)
        plan.teams = plan.pieces;
    plan.room_bytes = plan.engine == LOOPS ? (wg_loops_room(p) + 63) & ~(size_t)63 : 0;
    if (plan.room_bytes) {
        plan.room = wg_scratch(c, (size_t)plan.teams * plan.room_bytes);
        if (!plan.room)
            return WG_ERROR_MEMORY;
    }
    wg_parallel(c->tape, plan.teams, run_team, &plan);
    return WG_OK;
}

void wg_product_here(const wg_gemm *p, void *room)
{
    if (p->m > 0 && p->n > 0)
        run_with(library_takes(p->lda, p->ldb, p->ldy) ? choose(p->dtype, p->m, p->n, p->k) : LOOPS, p, room);
}

wg_status wg_product(const wg_call *c, const wg_gemm *p) { return wg_products(c, p, 1, NULL); }
