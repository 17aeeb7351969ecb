/* The browser's end of the pipes is its file descriptors 3 and 4; messages are JSON objects with a NUL behind each. A
 * command waits for its answer, and what happens meanwhile is noted. */
#include "browser.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 60000 /* milliseconds for an answer */

extern char **environ;

struct browser {
    pid_t pid;
    int to, from;
    int messages; /* sent */
    char session[80], address[600], folder[400];
    char *unread; /* bytes that are no whole message yet */
    size_t n_unread, room;
    int requests;
    bool loaded;
    char complaints[2000], said[1 << 16];
};

/* ---- Messages ---------------------------------------------------------------------------------------------------- */
/* The next one; NULL: the browser is silent or gone. */
static json_t *message_next(browser *b)
{
    for (;;) {
        char *end = b->n_unread ? memchr(b->unread, 0, b->n_unread) : NULL;
        if (end) {
            json_t *message = json_loads(b->unread, 0, NULL);
            b->n_unread -= (size_t)(end + 1 - b->unread);
            memmove(b->unread, end + 1, b->n_unread);
            return message;
        }
        if (b->n_unread == b->room) {
            b->room = 2 * b->room + 65536;
            b->unread = realloc(b->unread, b->room);
        }
        struct pollfd ready = {b->from, POLLIN, 0};
        if (poll(&ready, 1, PATIENCE) <= 0)
            return NULL;
        ssize_t n = read(b->from, b->unread + b->n_unread, b->room - b->n_unread);
        if (n <= 0)
            return NULL;
        b->n_unread += (size_t)n;
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void complain(browser *b, const json_t *about)
{
    char *text = json_dumps(about, 0);
    snprintf(b->complaints + strlen(b->complaints), sizeof b->complaints - strlen(b->complaints), "%.600s\n", text);
    free(text);
}

static void note(browser *b, const json_t *event)
{
    const char *method = text_of(event, "method");
    const json_t *params = json_object_get(event, "params");
    if (!strcmp(method, "Network.requestWillBeSent"))
        b->requests +=
            strncmp(text_of(json_object_get(params, "request"), "url"), b->address, strcspn(b->address, "#")) != 0;
    else if (!strcmp(method, "Page.loadEventFired"))
        b->loaded = true;
    else if (!strcmp(method, "Runtime.exceptionThrown") || !strcmp(method, "Log.entryAdded") ||
             !strcmp(method, "Runtime.consoleAPICalled"))
        complain(b, params);
}

static bool sent(const browser *b, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(b->to, text, size);
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

/* Sends a command and waits for its result, which belongs to the caller; NULL: it failed, or there was no answer.
 * `params` is given away. */
static json_t *command(browser *b, const char *method, json_t *params)
{
    json_t *message = json_pack("{s:i, s:s, s:o}", "id", ++b->messages, "method", method, "params",
                                params ? params : json_object()),
           *answer = NULL, *result = NULL;
    if (*b->session)
        json_object_set_new(message, "sessionId", json_string(b->session));
    char *text = json_dumps(message, JSON_COMPACT);
    bool answered = false;
    if (sent(b, text, strlen(text) + 1))
        while (!answered && (answer = message_next(b))) {
            answered = json_integer_value(json_object_get(answer, "id")) == b->messages;
            if (answered)
                result = json_incref(json_object_get(answer, "result"));
            else
                note(b, answer);
            json_decref(answer);
        }
    free(text);
    json_decref(message);
    return result;
}

static json_t *ask(browser *b, const char *method, json_t *params)
{
    json_t *result = command(b, method, params);
    ck_assert_msg(result, "the browser does not do %s", method);
    return result;
}

static void order(browser *b, const char *method, json_t *params) { json_decref(ask(b, method, params)); }

/* ---- Begin and end ----------------------------------------------------------------------------------------------- */
static bool started(browser *b)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    int to[2], from[2];
    char own[500];
    snprintf(own, sizeof own, "--user-data-dir=%s/chromium", b->folder);
    char *arguments[] = {"",
                         "--headless",
                         "--remote-debugging-pipe",
                         "--disable-gpu",
                         "--no-first-run",
                         "--disable-background-networking",
                         "--disable-component-update",
                         "--disable-dev-shm-usage",
                         "--hide-scrollbars",
                         own,
                         getuid() ? "--disable-breakpad" : "--no-sandbox",
                         "about:blank",
                         NULL};
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 103); /* by way of others: either may be 3 or 4 itself */
    posix_spawn_file_actions_adddup2(&actions, from[1], 104);
    posix_spawn_file_actions_adddup2(&actions, 103, 3);
    posix_spawn_file_actions_adddup2(&actions, 104, 4);
    posix_spawn_file_actions_addclose(&actions, 103);
    posix_spawn_file_actions_addclose(&actions, 104);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    int failed = ENOENT;
    for (size_t i = 0; i < sizeof names / sizeof *names && failed; i++) {
        arguments[0] = (char *)names[i];
        failed = posix_spawnp(&b->pid, names[i], &actions, NULL, arguments, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    b->to = to[1];
    b->from = from[0];
    return !failed;
}

browser *browser_start(const char *folder, int width, int height)
{
    browser *b = calloc(1, sizeof *b);
    snprintf(b->folder, sizeof b->folder, "%s", folder);
    signal(SIGPIPE, SIG_IGN);
    if (!started(b)) {
        free(b);
        return NULL;
    }
    static const char *const enabled[] = {"Page.enable", "Network.enable", "Runtime.enable", "Log.enable"};
    json_t *target = command(b, "Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
    json_t *session = command(b, "Target.attachToTarget",
                              json_pack("{s:s, s:b}", "targetId", text_of(target, "targetId"), "flatten", 1));
    snprintf(b->session, sizeof b->session, "%s", text_of(session, "sessionId"));
    json_decref(target);
    json_decref(session);
    for (size_t i = 0; i < sizeof enabled / sizeof *enabled; i++)
        json_decref(command(b, enabled[i], NULL));
    json_decref(command(
        b, "Emulation.setDeviceMetricsOverride",
        json_pack("{s:i, s:i, s:i, s:b}", "width", width, "height", height, "deviceScaleFactor", 1, "mobile", 0)));
    if (*b->session)
        return b;
    browser_end(b);
    return NULL;
}

void browser_end(browser *b)
{
    char remove[500];
    if (!b)
        return;
    b->session[0] = 0;
    json_decref(command(b, "Browser.close", NULL));
    close(b->to);
    for (int i = 0; i < 50 && waitpid(b->pid, NULL, WNOHANG) == 0; i++)
        usleep(100000);
    if (!kill(b->pid, 0)) {
        kill(b->pid, SIGKILL);
        waitpid(b->pid, NULL, 0);
    }
    close(b->from);
    snprintf(remove, sizeof remove, "rm -rf '%s/chromium'", b->folder);
    if (system(remove))
        fprintf(stderr, "%s: not removed\n", b->folder);
    free(b->unread);
    free(b);
}

/* ---- What it is told --------------------------------------------------------------------------------------------- */
void browser_open(browser *b, const char *path, const char *fragment)
{
    order(b, "Page.navigate", json_pack("{s:s}", "url", "about:blank")); /* the same file again is a fresh page */
    snprintf(b->address, sizeof b->address, "file://%s%s%s", path, *fragment ? "#" : "", fragment);
    b->requests = 0;
    b->complaints[0] = 0;
    json_t *result = ask(b, "Page.navigate", json_pack("{s:s}", "url", b->address));
    ck_assert_str_eq(text_of(result, "errorText"), "");
    json_decref(result);
    for (int i = 0; i < 600 && !browser_finds(b, "document.readyState == 'complete' && location.protocol == 'file:'");
         i++)
        usleep(20000);
}

const char *browser_says(browser *b, const char *expression)
{
    char whole[4000];
    snprintf(whole, sizeof whole, "String(%s)", expression);
    json_t *result = ask(b, "Runtime.evaluate", json_pack("{s:s, s:b}", "expression", whole, "returnByValue", 1));
    const json_t *exception = json_object_get(result, "exceptionDetails");
    const json_t *thrown = json_object_get(exception, "exception");
    ck_assert_msg(!exception, "%s: %s", expression, text_of(thrown, "description"));
    snprintf(b->said, sizeof b->said, "%s", text_of(json_object_get(result, "result"), "value"));
    json_decref(result);
    return b->said;
}

bool browser_finds(browser *b, const char *expression)
{
    char whole[4000];
    snprintf(whole, sizeof whole, "!!(%s)", expression);
    return !strcmp(browser_says(b, whole), "true");
}

static void middle_of(browser *b, const char *selector, double *x, double *y)
{
    char expression[1000];
    snprintf(expression, sizeof expression,
             "(b => [b.left + b.width / 2, b.top + b.height / 2].join(' '))"
             "(document.querySelector(\"%s\").getBoundingClientRect())",
             selector);
    ck_assert_int_eq(sscanf(browser_says(b, expression), "%lf %lf", x, y), 2);
}

static void mouse(browser *b, const char *type, double x, double y, int times)
{
    order(b, "Input.dispatchMouseEvent",
          json_pack("{s:s, s:f, s:f, s:s, s:i, s:i}", "type", type, "x", x, "y", y, "button", "left", "buttons",
                    strcmp(type, "mouseReleased") != 0, "clickCount", times));
}

void browser_click(browser *b, const char *selector, int times)
{
    double x, y;
    middle_of(b, selector, &x, &y);
    for (int i = 1; i <= times; i++) {
        mouse(b, "mousePressed", x, y, i);
        mouse(b, "mouseReleased", x, y, i);
    }
    browser_says(b, "0"); /* what the click did is done */
}

void browser_drag(browser *b, const char *selector, double dx, double dy)
{
    double x, y;
    middle_of(b, selector, &x, &y);
    mouse(b, "mousePressed", x, y, 1);
    mouse(b, "mouseMoved", x + dx / 2, y + dy / 2, 1);
    mouse(b, "mouseMoved", x + dx, y + dy, 1);
    mouse(b, "mouseReleased", x + dx, y + dy, 1);
    browser_says(b, "0");
}

void browser_wheel(browser *b, const char *selector, double dy)
{
    double x, y;
    middle_of(b, selector, &x, &y);
    order(b, "Input.dispatchMouseEvent",
          json_pack("{s:s, s:f, s:f, s:f, s:f}", "type", "mouseWheel", "x", x, "y", y, "deltaX", 0.0, "deltaY", dy));
    browser_says(b, "0");
}

static const struct {
    const char *key;
    int code;
    const char *text;
} keys[] = {{"Escape", 27, ""},  {"Enter", 13, "\r"},    {"Tab", 9, ""},       {"ArrowLeft", 37, ""},
            {"ArrowUp", 38, ""}, {"ArrowRight", 39, ""}, {"ArrowDown", 40, ""}};

void browser_key(browser *b, const char *key)
{
    int code = (unsigned char)key[0];
    const char *text = key;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i].key)) {
            code = keys[i].code;
            text = keys[i].text;
        }
    for (int up = 0; up < 2; up++)
        order(b, "Input.dispatchKeyEvent",
              json_pack("{s:s, s:s, s:s, s:i, s:s}", "type", up ? "keyUp" : "keyDown", "key", key, "code", key,
                        "windowsVirtualKeyCode", code, "text", up ? "" : text));
    browser_says(b, "0");
}

void browser_type(browser *b, const char *text)
{
    order(b, "Input.insertText", json_pack("{s:s}", "text", text));
    browser_says(b, "0");
}

void browser_theme(browser *b, bool dark)
{
    order(b, "Emulation.setEmulatedMedia",
          json_pack("{s:[{s:s, s:s}]}", "features", "name", "prefers-color-scheme", "value", dark ? "dark" : "light"));
}

void browser_script(browser *b, bool on)
{
    order(b, "Emulation.setScriptExecutionDisabled", json_pack("{s:b}", "value", !on));
}

int browser_requests(const browser *b) { return b->requests; }
const char *browser_complaints(const browser *b) { return b->complaints; }

/* ---- For the eye ------------------------------------------------------------------------------------------------- */
void browser_show(browser *b, const char *name)
{
    const char *folder = getenv("WENGERT_SCREENSHOTS");
    char run[600];
    if (!folder)
        return;
    json_t *result = ask(b, "Page.captureScreenshot", NULL);
    snprintf(run, sizeof run, "base64 -d >'%s/%s.png'", folder, name);
    FILE *to = popen(run, "w");
    fputs(text_of(result, "data"), to);
    pclose(to);
    json_decref(result);
}
