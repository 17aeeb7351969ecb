/* Palette images as PNG (ISO/IEC 15948), compressed by zlib. */
#include "graph/png.h"

#include <zlib.h>

static void put_number(wg_text *png, unsigned long value)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    wg_put_bytes(png, bytes, 4);
}

/* Length, type, data, checksum of type and data. */
static void put_chunk(wg_text *png, const char *type, const void *data, size_t size)
{
    unsigned long sum = crc32(crc32(0, (const unsigned char *)type, 4), data, (unsigned)size);
    put_number(png, (unsigned long)size);
    wg_put_bytes(png, type, 4);
    wg_put_bytes(png, data, size);
    put_number(png, sum);
}

static void put_palette(wg_text *png, const unsigned char *palette, int colors)
{
    unsigned char rgb[3 * 256], alpha[256];
    for (int i = 0; i < colors; i++) {
        memcpy(rgb + 3 * i, palette + 4 * i, 3);
        alpha[i] = palette[4 * i + 3];
    }
    put_chunk(png, "PLTE", rgb, 3 * (size_t)colors);
    put_chunk(png, "tRNS", alpha, (size_t)colors);
}

/* Each row behind a byte that says it is not filtered. */
static bool put_pixels(wg_text *png, int width, int height, const unsigned char *pixels)
{
    size_t row = (size_t)width + 1, size = row * (size_t)height;
    uLongf packed = compressBound(size);
    unsigned char *rows = wg_arena(png->tape, size), *out = wg_arena(png->tape, packed);
    if (!rows || !out)
        return false;
    for (int y = 0; y < height; y++) {
        rows[(size_t)y * row] = 0;
        memcpy(rows + (size_t)y * row + 1, pixels + (size_t)y * (size_t)width, (size_t)width);
    }
    if (compress2(out, &packed, rows, size, 9) != Z_OK)
        return false;
    put_chunk(png, "IDAT", out, packed);
    return true;
}

static void put_base64(wg_text *text, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned long three = (unsigned long)data[i] << 16;
        three |= i + 1 < size ? (unsigned long)data[i + 1] << 8 : 0;
        three |= i + 2 < size ? data[i + 2] : 0;
        const char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                              i + 1 < size ? digits[three >> 6 & 63] : '=', i + 2 < size ? digits[three & 63] : '='};
        wg_put_bytes(text, four, 4);
    }
}

bool wg_png_bytes(wg_text *png, int width, int height, const unsigned char *pixels, const unsigned char *palette,
                  int colors)
{
    const unsigned char head[13] = {(unsigned char)(width >> 24),
                                    (unsigned char)(width >> 16),
                                    (unsigned char)(width >> 8),
                                    (unsigned char)width,
                                    (unsigned char)(height >> 24),
                                    (unsigned char)(height >> 16),
                                    (unsigned char)(height >> 8),
                                    (unsigned char)height,
                                    8,
                                    3,
                                    0,
                                    0,
                                    0};
    wg_put_bytes(png, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(png, "IHDR", head, sizeof head);
    put_palette(png, palette, colors);
    if (!put_pixels(png, width, height, pixels))
        return false;
    put_chunk(png, "IEND", "", 0);
    return !png->failed;
}

bool wg_put_png(wg_text *text, int width, int height, const unsigned char *pixels, const unsigned char *palette,
                int colors)
{
    wg_text png = {.tape = text->tape};
    if (!wg_png_bytes(&png, width, height, pixels, palette, colors))
        return false;
    put_base64(text, (const unsigned char *)png.data, png.size);
    return true;
}
