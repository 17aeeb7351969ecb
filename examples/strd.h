/* Nonlinear regressions of the Statistical Reference Datasets (NIST Information Technology Laboratory): measurements,
 * the two starts, and the certified least squares solution with its sum of squares. */
#ifndef EXAMPLES_STRD_H
#define EXAMPLES_STRD_H

#include <wengert.h>

enum { STRD_POINTS = 40, STRD_PARAMETERS = 7 };

typedef struct {
    const char *name;
    wg_tensor (*model)(const wg_tensor *b, wg_tensor x); /* of the parameters b, 0-d each, and x, [n] */
    int n, p;                                            /* points, parameters */
    double start[2][STRD_PARAMETERS], certified[STRD_PARAMETERS], squares;
    double y[STRD_POINTS], x[STRD_POINTS];
} strd_problem;

/* b1 (1 - exp(-b2 x)) */
static wg_tensor strd_rise(const wg_tensor *b, wg_tensor x)
{
    return wg_negative(wg_multiply(b[0], wg_expm1(wg_negative(wg_multiply(b[1], x)))));
}

/* b1 x^b2 */
static wg_tensor strd_power(const wg_tensor *b, wg_tensor x) { return wg_multiply(b[0], wg_pow(x, b[1])); }

/* b1 (x^2 + b2 x) / (x^2 + b3 x + b4) */
static wg_tensor strd_quadratic(const wg_tensor *b, wg_tensor x)
{
    wg_tensor square = wg_square(x);
    return wg_divide(wg_multiply(b[0], wg_fma(b[1], x, square)), wg_add(wg_fma(b[2], x, square), b[3]));
}

/* b1 + b2 exp(-b4 x) + b3 exp(-b5 x) */
static wg_tensor strd_decays(const wg_tensor *b, wg_tensor x)
{
    wg_tensor slow = wg_exp(wg_negative(wg_multiply(b[3], x))), fast = wg_exp(wg_negative(wg_multiply(b[4], x)));
    return wg_fma(b[2], fast, wg_fma(b[1], slow, b[0]));
}

/* b1 / (1 + exp(b2 - b3 x)) */
static wg_tensor strd_logistic(const wg_tensor *b, wg_tensor x)
{
    return wg_multiply(b[0], wg_sigmoid(wg_subtract(wg_multiply(b[2], x), b[1])));
}

/* b1 / (1 + exp(b2 - b3 x))^(1 / b4) */
static wg_tensor strd_richards(const wg_tensor *b, wg_tensor x)
{
    wg_tensor log_base = wg_softplus(wg_subtract(b[1], wg_multiply(b[2], x)));
    return wg_multiply(b[0], wg_exp(wg_negative(wg_divide(log_base, b[3]))));
}

/* b1 / b2 exp(-1/2 ((x - b3) / b2)^2) */
static wg_tensor strd_peak(const wg_tensor *b, wg_tensor x)
{
    wg_tensor z = wg_divide(wg_subtract(x, b[2]), b[1]);
    return wg_multiply(wg_divide(b[0], b[1]), wg_exp(wg_multiply(-0.5, wg_square(z))));
}

/* (b1 + b2 x + b3 x^2 + b4 x^3) / (1 + b5 x + b6 x^2 + b7 x^3) */
static wg_tensor strd_cubics(const wg_tensor *b, wg_tensor x)
{
    wg_tensor above = wg_fma(wg_fma(wg_fma(b[3], x, b[2]), x, b[1]), x, b[0]);
    wg_tensor below = wg_fma(wg_fma(wg_fma(b[6], x, b[5]), x, b[4]), x, 1);
    return wg_divide(above, below);
}

static const strd_problem strd_problems[] = {
    {"Misra1a",
     strd_rise,
     14,
     2,
     {{500, 1e-4}, {250, 5e-4}},
     {2.3894212918e+02, 5.5015643181e-04},
     1.2455138894e-01,
     {10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78},
     {77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0}},
    {"DanWood",
     strd_power,
     6,
     2,
     {{1, 5}, {0.7, 4}},
     {7.6886226176e-01, 3.8604055871e+00},
     4.3173084083e-03,
     {2.138, 3.421, 3.597, 4.340, 4.882, 5.660},
     {1.309, 1.471, 1.490, 1.565, 1.611, 1.680}},
    {"MGH17",
     strd_decays,
     33,
     5,
     {{50, 150, -100, 1, 2}, {0.5, 1.5, -1, 0.01, 0.02}},
     {3.7541005211e-01, 1.9358469127e+00, -1.4646871366e+00, 1.2867534640e-02, 2.2122699662e-02},
     5.4648946975e-05,
     {0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751,
      0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490,
      0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406},
     {0,   10,  20,  30,  40,  50,  60,  70,  80,  90,  100, 110, 120, 130, 140, 150, 160,
      170, 180, 190, 200, 210, 220, 230, 240, 250, 260, 270, 280, 290, 300, 310, 320}},
    {"MGH09",
     strd_quadratic,
     11,
     4,
     {{25, 39, 41.5, 39}, {0.25, 0.39, 0.415, 0.39}},
     {1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01},
     3.0750560385e-04,
     {0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246},
     {4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625}},
    {"BoxBOD",
     strd_rise,
     6,
     2,
     {{1, 1}, {100, 0.75}},
     {2.1380940889e+02, 5.4723748542e-01},
     1.1680088766e+03,
     {109, 149, 149, 191, 213, 224},
     {1, 2, 3, 5, 7, 10}},
    {"Rat42",
     strd_logistic,
     9,
     3,
     {{100, 1, 0.1}, {75, 2.5, 0.07}},
     {7.2462237576e+01, 2.6180768402e+00, 6.7359200066e-02},
     8.0565229338e+00,
     {8.930, 10.800, 18.590, 22.330, 39.350, 56.110, 61.730, 64.620, 67.080},
     {9, 14, 21, 28, 42, 57, 63, 70, 79}},
    {"Rat43",
     strd_richards,
     15,
     4,
     {{100, 10, 1, 1}, {700, 5, 0.75, 1.3}},
     {6.9964151270e+02, 5.2771253025e+00, 7.5962938329e-01, 1.2792483859e+00},
     8.7864049080e+03,
     {16.08, 33.83, 65.80, 97.20, 191.55, 326.20, 386.87, 520.53, 590.03, 651.92, 724.93, 699.56, 689.96, 637.56,
      717.41},
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
    {"Eckerle4",
     strd_peak,
     35,
     3,
     {{1, 10, 500}, {1.5, 5, 450}},
     {1.5543827178e+00, 4.0888321754e+00, 4.5154121844e+02},
     1.4635887487e-03,
     {0.0001575, 0.0001699, 0.0002350, 0.0003102, 0.0004917, 0.0008710, 0.0017418, 0.0046400, 0.0065895,
      0.0097302, 0.0149002, 0.0237310, 0.0401683, 0.0712559, 0.1264458, 0.2073413, 0.2902366, 0.3445623,
      0.3698049, 0.3668534, 0.3106727, 0.2078154, 0.1164354, 0.0616764, 0.0337200, 0.0194023, 0.0117831,
      0.0074357, 0.0022732, 0.0008800, 0.0004579, 0.0002345, 0.0001586, 0.0001143, 0.0000710},
     {400,   405, 410,   415, 420,   425, 430,   435, 436.5, 438, 439.5, 441, 442.5, 444, 445.5, 447, 448.5, 450,
      451.5, 453, 454.5, 456, 457.5, 459, 460.5, 462, 463.5, 465, 470,   475, 480,   485, 490,   495, 500}},
    {"Thurber",
     strd_cubics,
     37,
     7,
     {{1000, 1000, 400, 40, 0.7, 0.3, 0.03}, {1300, 1500, 500, 75, 1, 0.4, 0.05}},
     {1.2881396800e+03, 1.4910792535e+03, 5.8323836877e+02, 7.5416644291e+01, 9.6629502864e-01, 3.9797285797e-01,
      4.9727297349e-02},
     5.6427082397e+03,
     {80.574,   84.248,   87.264,   87.195,   89.076,   89.608,   89.868,   90.101,   92.405,   95.854,
      100.696,  101.060,  401.672,  390.724,  567.534,  635.316,  733.054,  759.087,  894.206,  990.785,
      1090.109, 1080.914, 1122.643, 1178.351, 1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509,
      1425.208, 1421.384, 1442.962, 1464.350, 1468.705, 1447.894, 1457.628},
     {-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322, -1.501,
      -1.460, -1.274, -1.212, -1.100, -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309, -0.109, -0.103,
      0.010,  0.119,  0.377,  0.790,  0.963,  1.006,  1.115,  1.572,  1.841,  2.047,  2.200}},
};
#define STRD_PROBLEMS (int)(sizeof strd_problems / sizeof *strd_problems)

/* Model minus measurement, [n], at the parameters b, [p]. */
static wg_tensor strd_residuals(const strd_problem *s, wg_tensor b)
{
    wg_tensor x = wg_array(b.tape, WG_FLOAT64, WG_SHAPE(s->n), s->x), each[STRD_PARAMETERS];
    for (int i = 0; i < s->p; i++)
        each[i] = wg_select(b, 0, i);
    return wg_subtract(s->model(each, wg_name(x, "x")),
                       wg_name(wg_array(b.tape, WG_FLOAT64, WG_SHAPE(s->n), s->y), "y"));
}

/* How many decimal digits of the certified parameters are right: of the worst one, at most the 11 that are given. */
static double strd_digits(const strd_problem *s, const double *b)
{
    double digits = 11;
    for (int i = 0; i < s->p; i++)
        digits = fmin(digits, -log10(fabs(b[i] - s->certified[i]) / fabs(s->certified[i]) + 1e-300));
    return fmax(digits, 0);
}

#endif
