/* Opening data by what their path looks like. */
#include "samples.h"

#include <sys/stat.h>
#include <unistd.h>

bool samples_are_folder(const char *path)
{
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

wg_data *samples_of_folder(wg_tape *tape, const char *folder, const char *part, bool shuffle)
{
    static const char *const kinds[] = {"images-idx3", "labels-idx1"};
    char path[2][4096];
    for (int i = 0; i < 2; i++) {
        int n = snprintf(path[i], sizeof path[i], "%s/%s-%s-ubyte.gz", folder, part, kinds[i]);
        if (n >= (int)sizeof path[i]) {
            wg_report(tape, "", WG_ERROR_FILE, "the path of --data is too long");
            return NULL;
        }
        if (access(path[i], F_OK))
            path[i][n - 3] = 0;
    }
    return wg_data_idx(tape, path[0], path[1], .shuffle = shuffle);
}

int64_t samples_features(const wg_data *data)
{
    wg_shape shape = wg_data_shape(data);
    return shape.rank ? shape.dim[0] : 1;
}

static wg_data *opened(wg_tape *tape, const char *path, int64_t features)
{
    const char *dot = strrchr(path, '.');
    if (samples_are_folder(path))
        return samples_of_folder(tape, path, "t10k", false);
    if (strstr(path, "-ubyte") || (dot && !strcmp(dot, ".idx")))
        return wg_data_idx(tape, path, NULL, .shuffle = false);
    wg_data *data = wg_data_csv(tape, path, .shuffle = false);
    if (!data || samples_features(data) + 1 != features)
        return data;
    return wg_data_csv(tape, path, .label = WG_NO_AXIS, .shuffle = false);
}

wg_data *samples_for(wg_tape *tape, const char *path, int64_t features)
{
    wg_data *data = opened(tape, path, features);
    if (!data || samples_features(data) == features)
        return data;
    wg_report(tape, "", WG_ERROR_SHAPE, "the network takes %lld features; the data have %lld", (long long)features,
              (long long)samples_features(data));
    return NULL;
}
