#!/usr/bin/python3
"""Reference values of images in other sizes, by torch in float64: writes resample.jsonl beside this file."""
import os

import numpy as np
import torch.nn.functional as F

from torch_cases import bad, case, numbers, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))

# ---- adaptive_avg_pool2d ----
for shape, size in (((2, 2, 4, 6), [2, 3]), ((1, 2, 5, 7), [3, 4]), ((1, 1, 2, 3), [4, 5]), ((2, 1, 3, 4), [1, 1]),
                    ((1, 1, 7, 1), [5, 3]), ((1, 2, 3, 3), [3, 3]), ((1, 1, 11, 13), [4, 9])):
    case("adaptive_avg_pool2d", [numbers(*shape)], {"output_size": size}, lambda x: F.adaptive_avg_pool2d(x, size))
case("adaptive_avg_pool2d", [numbers(1, 2, 4, 5)], {"output_size": 2}, lambda x: F.adaptive_avg_pool2d(x, 2), "one number")
case("adaptive_avg_pool2d", [numbers(0, 2, 4, 5)], {"output_size": 2}, lambda x: x[:, :, :2, :2], "no images")
case("adaptive_avg_pool2d", [numbers(1, 2, 4, 5)], {"output_size": [0, 2]}, lambda x: x[:, :, :0, :2], "no rows")
case("adaptive_avg_pool2d", [np.array([[[[np.inf, 1.0, 2.0, np.nan]]]])], {"output_size": [1, 2]},
     lambda x: F.adaptive_avg_pool2d(x, (1, 2)), "not finite", gradient=False)
bad("adaptive_avg_pool2d", [numbers(1, 2, 0, 5)], {"output_size": 2}, "shape", "a mean of nothing")
bad("adaptive_avg_pool2d", [numbers(2, 4, 5)], {"output_size": 2}, "shape", "three dimensions")
bad("adaptive_avg_pool2d", [numbers(1, 2, 4, 5)], {"output_size": [-1, 2]}, "value", "negative size")
bad("adaptive_avg_pool2d", [numbers(1, 2, 4, 5)], {}, "attr", "output_size is required")
bad("adaptive_avg_pool2d", [np.ones((1, 2, 4, 5), "int64")], {"output_size": 2}, "dtype", "integers")

# ---- interpolate ----
sizes = (((2, 2, 3, 4), [6, 8]), ((1, 2, 5, 4), [3, 7]), ((1, 1, 3, 3), [3, 3]), ((1, 2, 2, 5), [1, 1]),
         ((1, 1, 1, 1), [2, 3]), ((1, 1, 7, 10), [3, 4]), ((1, 1, 2, 3), [9, 7]))
for shape, size in sizes:
    case("interpolate", [numbers(*shape)], {"size": size}, lambda x: F.interpolate(x, size))
    for corners in (False, True):
        case("interpolate", [numbers(*shape)], {"size": size, "mode": "bilinear", "align_corners": corners},
             lambda x: F.interpolate(x, size, mode="bilinear", align_corners=corners))
case("interpolate", [numbers(1, 2, 4, 5)], {"size": 3}, lambda x: F.interpolate(x, 3), "one number")
case("interpolate", [numbers(0, 2, 4, 5)], {"size": 2, "mode": "bilinear"}, lambda x: x[:, :, :2, :2], "no images")
case("interpolate", [numbers(1, 2, 4, 5)], {"size": [2, 0]}, lambda x: x[:, :, :2, :0], "no columns")
case("interpolate", [np.array([[[[1.0, np.inf, 2.0]]]])], {"size": [1, 3], "mode": "bilinear"}, lambda x: x * 1,
     "a pixel on a pixel is that pixel, whatever is beside it", gradient=False)
bad("interpolate", [numbers(1, 2, 4, 0)], {"size": 2}, "shape", "no pixels")
bad("interpolate", [numbers(4, 5)], {"size": 2}, "shape", "two dimensions")
bad("interpolate", [numbers(1, 2, 4, 5)], {"size": [2, -2]}, "value", "negative size")
bad("interpolate", [numbers(1, 2, 4, 5)], {"size": 2, "mode": "cubic"}, "value", "no such mode")
bad("interpolate", [numbers(1, 2, 4, 5)], {"size": 2, "align_corners": True}, "value", "nearest has no corners to align")
bad("interpolate", [numbers(1, 2, 4, 5)], {"mode": "bilinear"}, "attr", "size is required")
bad("interpolate", [numbers(1, 2, 4, 5)], {"size": [2, 2, 2]}, "attr", "three sizes")

# ---- pixel_shuffle ----
for shape, r in (((2, 8, 2, 3), 2), ((1, 9, 1, 2), 3), ((9, 2, 2), 3), ((1, 3, 2, 2), 1), ((2, 1, 4, 2, 2), 2)):
    case("pixel_shuffle", [numbers(*shape)], {"upscale_factor": r}, lambda x: F.pixel_shuffle(x, r))
case("pixel_shuffle", [numbers(0, 4, 2, 2)], {"upscale_factor": 2}, lambda x: x.reshape(0, 1, 4, 4), "no images")
case("pixel_shuffle", [numbers(1, 0, 2, 2)], {"upscale_factor": 2}, lambda x: x.reshape(1, 0, 4, 4), "no channels")
bad("pixel_shuffle", [numbers(1, 6, 2, 2)], {"upscale_factor": 2}, "shape", "6 channels are not pixels of 4")
bad("pixel_shuffle", [numbers(4, 2)], {"upscale_factor": 2}, "shape", "two dimensions")
bad("pixel_shuffle", [numbers(1, 4, 2, 2)], {"upscale_factor": 0}, "value", "no pixels")
bad("pixel_shuffle", [numbers(1, 4, 2, 2)], {}, "attr", "upscale_factor is required")
bad("pixel_shuffle", [numbers(1, 4, 2, 2)], {"upscale_factor": 2.5}, "attr", "not an integer")

write("resample.jsonl")
