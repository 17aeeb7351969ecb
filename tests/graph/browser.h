/* A headless Chromium that a test drives as a person would: it opens pages, clicks, types, and says what it sees. Over
 * the DevTools protocol, through a pair of pipes. */
#ifndef TESTS_GRAPH_BROWSER_H
#define TESTS_GRAPH_BROWSER_H

#include <stdbool.h>

typedef struct browser browser;

/* With a window of that many pixels; `folder` is for its own files. NULL: there is none. */
browser *browser_start(const char *folder, int width, int height);
void browser_end(browser *b);

/* Opens a file, and waits until it is there; `fragment` is what stands behind the # of the address, "" for nothing. */
void browser_open(browser *b, const char *path, const char *fragment);
/* The value of a JavaScript expression as a string, until the next call. */
const char *browser_says(browser *b, const char *expression);
/* Is a JavaScript expression true? */
bool browser_finds(browser *b, const char *expression);

/* In the middle of the first element that a selector finds. */
void browser_click(browser *b, const char *selector, int times);
void browser_drag(browser *b, const char *selector, double dx, double dy);
void browser_wheel(browser *b, const char *selector, double dy);
/* "Escape", "ArrowUp", "/" ... */
void browser_key(browser *b, const char *key);
void browser_type(browser *b, const char *text);
void browser_theme(browser *b, bool dark);
void browser_script(browser *b, bool on);

/* What was asked for since the last browser_open, but for the page itself; messages of the console, of errors too. */
int browser_requests(const browser *b);
const char *browser_complaints(const browser *b);
/* For the eye: a PNG of the window, written where WENGERT_SCREENSHOTS names a folder. */
void browser_show(browser *b, const char *name);

#endif
