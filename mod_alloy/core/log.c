/* The engine's end of the error log. Who writes the lines is decided once, at
 * start, by the program around the engine: httpd's module, a tool, a test.
 */
#include "log.h"

#include <apr_strings.h>

#define LINE_LIMIT 2048         /* bytes of one line, longer ones are cut */

/* Where lines go. The only state of its kind: set before there are threads
 * and constant from then on. */
typedef struct {
    alloy_log_write_fn *write;
    void *baton;
    int level;
} sink_t;

static sink_t sink;

void alloy_log_set(alloy_log_write_fn *write, void *baton, int level)
{
    sink.write = write;
    sink.baton = baton;
    sink.level = level;
}

/* A value that found its way into a line must not look like a second one. */
static void flatten(char *line)
{
    for (; *line; line++) {
        if ((unsigned char)*line < 0x20 || *line == 0x7f) {
            *line = ' ';
        }
    }
}

void alloy_log(int level, apr_status_t status, const char *fmt, ...)
{
    char line[LINE_LIMIT];
    va_list args;

    if (!sink.write || level > sink.level) {
        return;
    }
    va_start(args, fmt);
    apr_vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    flatten(line);
    sink.write(sink.baton, level, status, line);
}
