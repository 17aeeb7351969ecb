/* Data as the commands name them: a folder of the four MNIST files, one file of images, or a table. */
#ifndef TOOLS_SAMPLES_H
#define TOOLS_SAMPLES_H

#include "model.h"

bool samples_are_folder(const char *path);
/* The images and labels of one part, "train" or "t10k", packed or not. NULL, and the error on the tape. */
wg_data *samples_of_folder(wg_tape *tape, const char *folder, const char *part, bool shuffle);
/* What a network of so many features is shown, in its order: of a folder the test part; a table that is one column
 * short with its last one taken for labels has none. NULL, and the error on the tape, also where the features do not
 * fit. */
wg_data *samples_for(wg_tape *tape, const char *path, int64_t features);
/* Of one sample. */
int64_t samples_features(const wg_data *data);

#endif
