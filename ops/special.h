/* Special functions that the texts of several elementwise families use; each is an operation, see special.c. */
#ifndef OPS_SPECIAL_H
#define OPS_SPECIAL_H

#include "wengert/map.h"

/* exp(-x^2 / 2). The square is taken with its rounding error, which the exponential would multiply by x^2. From 60 on
 * the result is 0, and the square need not be larger. */
WG_HELPERS(gaussian, T z = fabs(x) > 60 ? K(60) : x; T z2 = z * z; T rest = fma(z, z, -z2);
           return exp(-z2 / 2) * (1 - rest / 2);)
#define gaussian(x) WG_EITHER(gaussian, x)

/* erfc(-x / sqrt(2)) / 2, the argument z again with its rounding error d:
 * erfc(z + d) = erfc(z) - d 2 / sqrt(pi) exp(-z^2). */
WG_HELPERS(ndtr, const long double root = 0.707106781186547524400844362104849039L; T c = (T)root;
           T rest = (T)(root - c); T w = fabs(x) > 60 ? copysign(K(60), x) : x; T z = -w * c;
           T d = fma(-w, c, -z) - w * rest; return (erfc(z) - d * K(M_2_SQRTPI) * exp(-z * z)) / 2;)
#define ndtr(x) WG_EITHER(ndtr, x)

#endif
