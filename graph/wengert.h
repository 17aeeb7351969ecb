/* Wengert: reverse-mode automatic differentiation in C.
 *
 * Tensors record operations onto a tape; one generic backward traversal applies each operation's chain rule. The
 * chapters, in the order to read them: */
#ifndef WENGERT_H
#define WENGERT_H

#define WENGERT_VERSION "0.1.0"

#include "wengert/types.h"
#include "wengert/tape.h"
#include "wengert/operation.h"
#include "wengert/elementwise.h"
#include "wengert/reductions.h"
#include "wengert/shape.h"
#include "wengert/indexing.h"
#include "wengert/products.h"
#include "wengert/linalg.h"
#include "wengert/convolution.h"
#include "wengert/softmax.h"
#include "wengert/networks.h"
#include "wengert/sequences.h"
#include "wengert/losses.h"
#include "wengert/random.h"
#include "wengert/spectral.h"
#include "wengert/compile.h"
#include "wengert/derivatives.h"
#include "wengert/sparse.h"
#include "wengert/export.h"
#include "wengert/control.h"
#include "wengert/check.h"
#include "wengert/training.h"
#include "wengert/data.h"
#include "wengert/pictures.h"
#include "wengert/charts.h"
#include "wengert/progress.h"
#include "wengert/diagnose.h"

#endif
