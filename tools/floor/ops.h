/* What the floors of single operations share. */
#ifndef FLOOR_OPS_H
#define FLOOR_OPS_H

#include <stdint.h>

float *array(int64_t n);
/* The benchmarks' own numbers: input number k of a row. */
float *input(int64_t n, uint64_t k, double scale);

typedef struct {
    const float *values;
    int64_t n;
} result;

/* Times `run` and prints its line: the least of the runs after the first, and the sum of |value| over the results. */
void measure(const char *row, const char *variant, void (*run)(void *argument), void *argument, const result *out,
             int n);

/* exp(x) for x <= 0, within 2 ulp; 0 from -87 down. Cody and Waite's reduction, the polynomial of Cephes. */
static inline float quick_exp(float x)
{
    union {
        float number;
        int32_t bits;
    } power;
    x = x < -87.0f ? -87.0f : x;
    float n = x * 1.44269504f + 12582912.0f; /* 1.5 2^23: rounds to an integer */
    int32_t whole;
    memcpy(&whole, &n, sizeof whole);
    n -= 12582912.0f;
    x = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = ((((1.9875691500e-4f * x + 1.3981999507e-3f) * x + 8.3334519073e-3f) * x + 4.1665795894e-2f) * x +
               1.6666665459e-1f) *
                  x +
              5.0000001201e-1f;
    power.bits = (int32_t)((uint32_t)whole << 23) + 0x3f800000;
    return (p * x * x + x + 1) * power.number;
}

void softmax_rows(const float *x, float *y, int64_t rows, int64_t n);
void softmax_back_rows(const float *y, const float *g, float *dx, int64_t rows, int64_t n, float factor);

/* The rows made of products. */
void matmul_row(void);
void attention_row(void);
void conv2d_row(void);

#endif
