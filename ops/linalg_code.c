/* Linear algebra in C that needs nothing but <math.h>: the textbook's algorithms, without blocks, for the small
 * matrices that an exported function has. Every loop has a bound; iterations give up after 60 sweeps. Signs and pivots
 * are chosen as LAPACK chooses them, so that factors are the library's but for rounding.
 *
 * GVL: Golub and Van Loan 2013, Matrix Computations, 4th edition. */
#include "ops/linalg_code.h"

#include "wengert/map.h"

#define ROUTINE(name, ...) static const wg_helper name##_helper = {#name, 0, "static " #__VA_ARGS__};

/* ---- Triangles, Cholesky, LU ------------------------------------------------------------------------------------- */
/* b = op(a)^-1 b for a triangle of a, GVL 3.1.1 and 3.1.2 by rows. */
ROUTINE(substitute, void substitute(int n, int columns, const double *a, bool lower, bool transpose, bool unit,
                                    double *b) {
    const bool forward = lower != transpose;
    for (int k = 0; k < n; k++) {
        const int i = forward ? k : n - 1 - k;
        for (int l = 0; l < k; l++) {
            const int j = forward ? l : n - 1 - l;
            const double factor = transpose ? a[j * n + i] : a[i * n + j];
            for (int c = 0; c < columns; c++) b[i * columns + c] -= factor * b[j * columns + c];
        }
        for (int c = 0; c < columns && !unit; c++) b[i * columns + c] /= a[i * n + i];
    }
})

/* GVL 4.2.3, by rows (Banachiewicz). */
ROUTINE(cholesky_of, int cholesky_of(int n, double *a) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0)) return 1;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    return 0;
})

/* GVL 3.4.1; a zero pivot is not in the way. */
ROUTINE(lu_of, void lu_of(int m, int n, double *a, int32_t *pivot) {
    for (int k = 0; k < m && k < n; k++) {
        int best = k;
        for (int i = k + 1; i < m; i++) if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        pivot[k] = best;
        for (int j = 0; j < n; j++) {
            const double other = a[best * n + j];
            a[best * n + j] = a[k * n + j];
            a[k * n + j] = other;
        }
        for (int i = k + 1; i < m && a[k * n + k] != 0; i++) {
            a[i * n + k] /= a[k * n + k];
            for (int j = k + 1; j < n; j++) a[i * n + j] -= a[i * n + k] * a[k * n + j];
        }
    }
})

ROUTINE(lu_solve, void lu_solve(int n, int columns, const double *lu, const int32_t *pivot, double *b) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < columns; j++) {
            const double other = b[pivot[i] * columns + j];
            b[pivot[i] * columns + j] = b[i * columns + j];
            b[i * columns + j] = other;
        }
    substitute(n, columns, lu, true, false, true, b);
    substitute(n, columns, lu, false, false, false, b);
})

/* Of a vector, by a'. */
ROUTINE(lu_solve_transposed, void lu_solve_transposed(int n, const double *lu, const int32_t *pivot, double *b) {
    substitute(n, 1, lu, false, true, false, b);
    substitute(n, 1, lu, true, true, true, b);
    for (int i = n - 1; i >= 0; i--) {
        const double other = b[pivot[i]];
        b[pivot[i]] = b[i];
        b[i] = other;
    }
})

/* Hager 1984, Condition estimates, with the last guess of Higham 1988, as LAPACK's gecon. */
ROUTINE(lu_estimate, double lu_estimate(int n, const double *lu, const int32_t *pivot, double *room) {
    double *x = room;
    double *y = room + n;
    double *z = room + 2 * n;
    double most = 0;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        if (lu[i * n + i] == 0) return INFINITY;
        x[i] = 1.0 / n;
    }
    for (int times = 0; times < 5; times++) {
        int best = 0;
        sum = 0;
        for (int i = 0; i < n; i++) y[i] = x[i];
        lu_solve(n, 1, lu, pivot, y);
        for (int i = 0; i < n; i++) sum += fabs(y[i]);
        if (sum > most) most = sum;
        else break;
        for (int i = 0; i < n; i++) z[i] = y[i] < 0 ? -1 : 1;
        lu_solve_transposed(n, lu, pivot, z);
        for (int i = 1; i < n; i++) if (fabs(z[i]) > fabs(z[best])) best = i;
        for (int i = 0; i < n; i++) x[i] = i == best ? 1 : 0;
    }
    for (int i = 0; i < n; i++) y[i] = (i % 2 ? -1 : 1) * (1 + (n > 1 ? (double)i / (n - 1) : 0));
    lu_solve(n, 1, lu, pivot, y);
    sum = 0;
    for (int i = 0; i < n; i++) sum += 2 * fabs(y[i]) / (3 * n);
    return sum > most ? sum : most;
})

ROUTINE(norm1_of, double norm1_of(int n, const double *a) {
    double most = 0;
    for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += fabs(a[i * n + j]);
        most = sum > most ? sum : most;
    }
    return most;
})

ROUTINE(lu_singular, bool lu_singular(int n, double *a, int32_t *pivot, double *room, double epsilon) {
    const double norm = norm1_of(n, a);
    lu_of(n, n, a, pivot);
    return !(norm * lu_estimate(n, a, pivot, room) <= 1 / epsilon);
})

/* The determinant from the factors, as a mantissa and a power of two: neither overflows on the way. */
ROUTINE(lu_product, double lu_product(int n, const double *lu, const int32_t *pivot, int *exponent) {
    double mantissa = 1;
    *exponent = 0;
    for (int i = 0; i < n; i++) {
        int more = 0;
        mantissa = frexp(mantissa * (pivot[i] == i ? lu[i * n + i] : -lu[i * n + i]), &more);
        *exponent += more;
    }
    return mantissa;
})

/* The product of all s but those at i and j. */
ROUTINE(product_but_two, double product_but_two(int n, const double *s, int i, int j) {
    double mantissa = 1;
    int exponent = 0;
    for (int k = 0; k < n; k++) {
        int more = 0;
        if (k == i || k == j) continue;
        mantissa = frexp(mantissa * s[k], &more);
        exponent += more;
    }
    return ldexp(mantissa, exponent);
})

/* ---- QR ---------------------------------------------------------------------------------------------------------- */
/* GVL 5.2.1, with the reflectors 1 - tau v v', v[0] = 1, of LAPACK's larfg. */
ROUTINE(reflectors, void reflectors(int m, int n, double *a, double *tau) {
    for (int k = 0; k < m && k < n; k++) {
        double most = 0;
        double sum = 0;
        tau[k] = 0;
        for (int i = k + 1; i < m; i++) most = fmax(most, fabs(a[i * n + k]));
        if (most == 0) continue;
        most = fmax(most, fabs(a[k * n + k]));
        for (int i = k; i < m; i++) sum += a[i * n + k] / most * (a[i * n + k] / most);
        const double first = a[k * n + k];
        const double norm = first > 0 ? -most * sqrt(sum) : most * sqrt(sum);
        tau[k] = (norm - first) / norm;
        for (int i = k + 1; i < m; i++) a[i * n + k] /= first - norm;
        a[k * n + k] = norm;
        for (int j = k + 1; j < n; j++) {
            sum = a[k * n + j];
            for (int i = k + 1; i < m; i++) sum += a[i * n + k] * a[i * n + j];
            a[k * n + j] -= tau[k] * sum;
            for (int i = k + 1; i < m; i++) a[i * n + j] -= tau[k] * sum * a[i * n + k];
        }
    }
})

/* b [m, columns] = q b, or q' b: the reflectors from the last, or from the first. */
ROUTINE(apply_q, void apply_q(int m, int n, const double *a, const double *tau, bool transpose, int columns,
                              double *b) {
    const int count = m < n ? m : n;
    for (int l = 0; l < count; l++) {
        const int k = transpose ? l : count - 1 - l;
        for (int j = 0; j < columns; j++) {
            double sum = b[k * columns + j];
            for (int i = k + 1; i < m; i++) sum += a[i * n + k] * b[i * columns + j];
            b[k * columns + j] -= tau[k] * sum;
            for (int i = k + 1; i < m; i++) b[i * columns + j] -= tau[k] * sum * a[i * n + k];
        }
    }
})

/* ---- Spectra ----------------------------------------------------------------------------------------------------- */
/* The tangent of the angle by which two rows and columns are turned: GVL 8.5.1. */
ROUTINE(turn_of, double turn_of(double by) { return (by < 0 ? -1 : 1) / (fabs(by) + hypot(1, by)); })

/* Columns p and q of a [m, n] turned. */
ROUTINE(turn_columns, void turn_columns(int m, int n, int p, int q, double cosine, double sine, double *a) {
    for (int i = 0; i < m; i++) {
        const double x = a[i * n + p];
        const double y = a[i * n + q];
        a[i * n + p] = cosine * x - sine * y;
        a[i * n + q] = sine * x + cosine * y;
    }
})

/* Column j of v [m, n], and of u, unless that is NULL, turned so that the largest entry in v's is positive. */
ROUTINE(point_up, void point_up(int m, int n, int j, double *v, double *u, int rows) {
    double most = 0;
    for (int i = 0; i < m; i++) most = fabs(v[i * n + j]) > fabs(most) ? v[i * n + j] : most;
    for (int i = 0; i < m && most < 0; i++) v[i * n + j] = -v[i * n + j];
    for (int i = 0; i < rows && most < 0; i++) u[i * n + j] = -u[i * n + j];
})

/* Cyclic Jacobi, GVL 8.5.3. */
ROUTINE(eigen_of, int eigen_of(int n, double *a, double *v) {
    double most = 0;
    bool done = false;
    for (int i = 0; i < n * n; i++) {
        most = fmax(most, fabs(a[i]));
        v[i] = i % (n + 1) == 0 ? 1 : 0;
    }
    for (int sweep = 0; sweep < 60 && !done; sweep++) {
        done = true;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                const double apart = a[p * n + q];
                if (fabs(apart) <= 0.01 * DBL_EPSILON * most) continue;
                const double t = turn_of((a[q * n + q] - a[p * n + p]) / (2 * apart));
                const double cosine = 1 / sqrt(1 + t * t);
                const double on_p = a[p * n + p] - t * apart;
                const double on_q = a[q * n + q] + t * apart;
                turn_columns(n, n, p, q, cosine, t * cosine, a);
                turn_columns(n, n, p, q, cosine, t * cosine, v);
                for (int i = 0; i < n; i++) { a[p * n + i] = a[i * n + p]; a[q * n + i] = a[i * n + q]; }
                a[p * n + p] = on_p;
                a[q * n + q] = on_q;
                a[p * n + q] = 0;
                a[q * n + p] = 0;
                done = false;
            }
    }
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++) if (a[i * n + i] < a[best * n + best]) best = i;
        const double least = a[best * n + best];
        a[best * n + best] = a[k * n + k];
        a[k * n + k] = least;
        for (int i = 0; i < n; i++) {
            const double other = v[i * n + best];
            v[i * n + best] = v[i * n + k];
            v[i * n + k] = other;
        }
        point_up(n, n, k, v, v, 0);
    }
    return done ? 0 : 1;
})

/* Column j of u [m, n], which is 0, as a unit vector orthogonal to those before: of the identity, the one that is
 * furthest from them, twice freed of them. */
ROUTINE(complete_column, void complete_column(int m, int n, int j, double *u) {
    int best = 0;
    double least = 2;
    for (int i = 0; i < m; i++) {
        double sum = 0;
        for (int k = 0; k < j; k++) sum += u[i * n + k] * u[i * n + k];
        best = sum < least ? i : best;
        least = sum < least ? sum : least;
    }
    for (int i = 0; i < m; i++) u[i * n + j] = i == best ? 1 : 0;
    for (int k = 0; k < 2 * j; k++) {
        double sum = 0;
        for (int i = 0; i < m; i++) sum += u[i * n + k % j] * u[i * n + j];
        for (int i = 0; i < m; i++) u[i * n + j] -= sum * u[i * n + k % j];
    }
    double length = 0;
    for (int i = 0; i < m; i++) length += u[i * n + j] * u[i * n + j];
    for (int i = 0; i < m; i++) u[i * n + j] /= sqrt(length);
})

/* The largest entry of column j of u [m, n]. */
ROUTINE(column_most, double column_most(int m, int n, int j, const double *u) {
    double most = 0;
    for (int i = 0; i < m; i++) most = fmax(most, fabs(u[i * n + j]));
    return most;
})

/* One-sided Jacobi, GVL 8.6.4 (Hestenes), of u [m, n], m >= n. Sums of squares are taken of columns brought to 1: one
 * may be 1e-300 of another. What is left of a column where an angle is less than the smallest number is rounding. */
ROUTINE(svd_of, int svd_of(int m, int n, double *u, double *s, double *v) {
    bool done = false;
    double most = 0;
    for (int i = 0; i < m * n; i++) most = fmax(most, fabs(u[i]));
    const double by = most > 0x1p900 ? 0x1p-64 : 1;
    for (int i = 0; i < m * n; i++) u[i] *= by;
    for (int i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0 ? 1 : 0;
    for (int sweep = 0; sweep < 60 && !done; sweep++) {
        done = true;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                const double most_p = column_most(m, n, p, u);
                const double most_q = column_most(m, n, q, u);
                double pp = 0;
                double qq = 0;
                double pq = 0;
                if (most_p == 0 || most_q == 0) continue;
                for (int i = 0; i < m; i++) {
                    const double x = u[i * n + p] / most_p;
                    const double y = u[i * n + q] / most_q;
                    pp += x * x;
                    qq += y * y;
                    pq += x * y;
                }
                if (fabs(pq) <= 2 * DBL_EPSILON * sqrt(pp) * sqrt(qq)) continue;
                const double ratio = most_q / most_p;
                const double t = turn_of((ratio * qq - pp / ratio) / (2 * pq));
                if (t == 0) {
                    for (int i = 0; i < m; i++) u[i * n + (ratio < 1 ? q : p)] = 0;
                    continue;
                }
                const double cosine = 1 / sqrt(1 + t * t);
                turn_columns(m, n, p, q, cosine, t * cosine, u);
                turn_columns(n, n, p, q, cosine, t * cosine, v);
                done = false;
            }
    }
    for (int j = 0; j < n; j++) {
        double sum = 0;
        most = column_most(m, n, j, u);
        for (int i = 0; i < m && most > 0; i++) sum += u[i * n + j] / most * (u[i * n + j] / most);
        s[j] = most * sqrt(sum);
        for (int i = 0; i < m && s[j] > 0; i++) u[i * n + j] /= s[j];
    }
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int j = k + 1; j < n; j++) best = s[j] > s[best] ? j : best;
        const double value = s[best];
        s[best] = s[k];
        s[k] = value / by;
        if (best != k) { swap_columns(m, n, k, best, u); swap_columns(n, n, k, best, v); }
        if (!(value > 0)) complete_column(m, n, k, u);
    }
    return done ? 0 : 1;
})

ROUTINE(swap_columns, void swap_columns(int m, int n, int p, int q, double *a) {
    for (int i = 0; i < m; i++) {
        const double other = a[i * n + q];
        a[i * n + q] = a[i * n + p];
        a[i * n + p] = other;
    }
})

/* ---- Functions --------------------------------------------------------------------------------------------------- */
ROUTINE(product_of, void product_of(int n, const double *a, const double *b, double *y) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) y[i * n + j] = 0;
        for (int k = 0; k < n; k++) for (int j = 0; j < n; j++) y[i * n + j] += a[i * n + k] * b[k * n + j];
    }
})

/* y = (c6 a6 + c4 a4 + c2 a2 + c0) / 2^56, where a2, a4 and a6 lie behind each other. */
ROUTINE(expm_even, void expm_even(int n, double c6, double c4, double c2, double c0, const double *a2, double *y) {
    const double by = 0x1p-56;
    for (int i = 0; i < n * n; i++)
        y[i] = c6 * by * a2[2 * n * n + i] + c4 * by * a2[n * n + i] + c2 * by * a2[i] +
               (i % (n + 1) == 0 ? c0 * by : 0);
})

/* How often the approximant is to be squared: Al-Mohy and Higham 2009, for a, with 2^exponent taken out of it. */
ROUTINE(expm_squarings, int expm_squarings(int n, const double *a, const double *a4, const double *a6, int exponent,
                                           double *u, double *v) {
    product_of(n, a4, a4, u);
    product_of(n, a4, a6, v);
    const double d4 = pow(norm1_of(n, a4), 0.25);
    const double d6 = pow(norm1_of(n, a6), 1.0 / 6);
    const double d8 = pow(norm1_of(n, u), 0.125);
    const double d10 = pow(norm1_of(n, v), 0.1);
    const double eta = fmin(fmax(d4, d6), fmin(fmax(d6, d8), fmax(d8, d10)));
    const double first = eta > 0 ? ceil(log2(eta / 5.371920351148152) + exponent) : 0;
    int s = first > 0 ? (int)first : 0;
    double whole = 0;
    for (int i = 0; i < n; i++) u[i] = 1;
    for (int times = 0; times < 27; times++) {
        for (int i = 0; i < n; i++) {
            v[i] = 0;
            for (int j = 0; j < n; j++) v[i] += fabs(a[i * n + j]) * u[j];
        }
        for (int i = 0; i < n; i++) u[i] = v[i];
    }
    for (int i = 0; i < n; i++) whole = fmax(whole, u[i]);
    if (whole > 0) {
        const double bits = log2(whole / norm1_of(n, a) / 1.1325077560602111e35) + 26.0 * (exponent - s) + 53;
        s += bits > 0 ? (int)ceil(bits / 26) : 0;
    }
    return s;
})

/* Higham 2005, the approximant of degree 13. A sum of finite elements, fewer than 2^32, may be infinite. */
ROUTINE(expm_of, void expm_of(int n, double *a, double *room, int32_t *pivot) {
    double *a2 = room;
    double *a4 = a2 + n * n;
    double *a6 = a4 + n * n;
    double *u = a6 + n * n;
    double *v = u + n * n;
    double *w = v + n * n;
    const int taken = isinf(norm1_of(n, a)) ? 32 : 0;
    int exponent = 0;
    for (int i = 0; i < n * n; i++) a[i] = ldexp(a[i], -taken);
    frexp(norm1_of(n, a), &exponent);
    for (int i = 0; i < n * n; i++) a[i] = ldexp(a[i], -exponent);
    exponent += taken;
    product_of(n, a, a, a2);
    product_of(n, a2, a2, a4);
    product_of(n, a2, a4, a6);
    const int s = expm_squarings(n, a, a4, a6, exponent, u, v);
    for (int i = 0; i < n * n; i++) {
        a[i] = ldexp(a[i], exponent - s);
        a2[i] = ldexp(a2[i], 2 * (exponent - s));
        a4[i] = ldexp(a4[i], 4 * (exponent - s));
        a6[i] = ldexp(a6[i], 6 * (exponent - s));
    }
    expm_even(n, 1, 16380, 40840800, 0, a2, w);
    product_of(n, a6, w, v);
    expm_even(n, 33522128640, 10559470521600, 1187353796428800, 32382376266240000, a2, w);
    for (int i = 0; i < n * n; i++) w[i] += v[i];
    product_of(n, a, w, u);
    expm_even(n, 182, 960960, 1323241920, 0, a2, w);
    product_of(n, a6, w, v);
    expm_even(n, 670442572800, 129060195264000, 7771770303897600, 64764752532480000, a2, w);
    for (int i = 0; i < n * n; i++) {
        const double even = v[i] + w[i];
        v[i] = even - u[i];
        a[i] = even + u[i];
    }
    lu_of(n, n, v, pivot);
    lu_solve(n, n, v, pivot, a);
    for (int times = 0; times < s; times++) {
        product_of(n, a, a, w);
        for (int i = 0; i < n * n; i++) a[i] = w[i];
    }
})

WG_HELPERS_OF(linalg, &substitute_helper, &cholesky_of_helper, &lu_of_helper, &lu_solve_helper,
              &lu_solve_transposed_helper, &lu_estimate_helper, &norm1_of_helper, &lu_singular_helper,
              &lu_product_helper, &product_but_two_helper, &reflectors_helper, &apply_q_helper, &turn_of_helper,
              &turn_columns_helper, &point_up_helper, &eigen_of_helper, &complete_column_helper, &column_most_helper,
              &svd_of_helper, &swap_columns_helper, &product_of_helper, &expm_even_helper, &expm_squarings_helper,
              &expm_of_helper)

/* ---- Stacks ------------------------------------------------------------------------------------------------------ */
void wg_systems_begin(const wg_call *c, wg_code *w, int core)
{
    static const char letters[] = "dfghoprs";
    wg_type lead = c->y[0];
    lead.rank -= core;
    wg_code_line(w, "int q = 0;");
    for (int i = 0; i < lead.rank; i++)
        wg_code_for(w, (const char[]){letters[i], 0}, lead.dim[i]);
    for (int k = 0; k < 2; k++) {
        wg_source at = {.tape = c->tape};
        wg_type own = c->x[k];
        int64_t step[WG_MAX_RANK], size = 1;
        for (int i = k ? core : 2; i > 0; i--)
            size *= own.dim[--own.rank];
        wg_broadcast_strides(&own, NULL, &lead, step);
        for (int i = 0; i < lead.rank; i++)
            step[i] *= size;
        wg_subscript_put(&at, 0, lead.rank, step, letters);
        wg_code_line(w, "const int at_%c = %s;", "ab"[k], at.data ? at.data : "0");
    }
}

wg_status wg_systems_end(const wg_call *c, wg_code *w, int core)
{
    wg_code_line(w, "q++;");
    for (int i = 0; i < c->y[0].rank - core; i++)
        wg_code_end(w);
    w->n_words = 0;
    return w->status;
}

void wg_matrices_begin(const wg_call *c, wg_code *w)
{
    const wg_type *a = &c->x[0];
    int64_t count = 1;
    for (int i = 0; i < a->rank - 2; i++)
        count *= a->dim[i];
    wg_code_size(w, "m", a->dim[a->rank - 2]);
    wg_code_size(w, "n", a->dim[a->rank - 1]);
    wg_code_for(w, "q", count);
}

wg_status wg_matrices_end(wg_code *w)
{
    wg_code_end(w);
    return w->status;
}
