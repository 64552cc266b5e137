/*
 * Charts as SVG. Coordinates are tenths of a unit of a canvas 640 wide, so that
 * nothing depends on how a locale writes fractions.
 */
#include "alloy_report.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define WIDTH   6400
#define HEIGHT  4000
#define LEFT     760            /* room for the axis' numbers */
#define RIGHT   5980            /* room for half a label */
#define TOP     1240            /* room for title, legend and unit */
#define BOTTOM  3480            /* room for the labels below */
#define LEGEND   640
#define LEGEND_STEP 1900

#define TITLE_LETTERS 42        /* fit at the size small screens use */
#define TICKS_MOST 6
#define LABELS_MOST 7
#define LABEL_SHORT 3           /* letters: even small screens have room */
#define DOTS_MOST 40            /* more days than this: a line says it all */
#define UNIT 100                /* values are hundredths */

/* Small screens get larger letters and half the labels. */
static const char style[] =
    "<style>"
    "svg{max-width:100%;height:auto}"
    "text{font:16px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "fill:#1f2933}"
    ".title{font-size:19px;font-weight:600}"
    ".end{text-anchor:end}.mid{text-anchor:middle}"
    ".paper{fill:#fff}.grid{stroke:#d5dbe3}.axis{stroke:#66717f}"
    ".line{fill:none;stroke-width:3;stroke-linejoin:round;"
    "stroke-linecap:round}"
    ".line.plan{stroke-dasharray:8 7;stroke-width:2}"
    ".line.scope{stroke-dasharray:2 6}"
    ".line.work{stroke:#0b62c4}.fill.work{fill:#0b62c4}"
    ".line.plan{stroke:#66717f}.fill.plan{fill:#a9b4c0}"
    ".line.scope{stroke:#a8480a}.fill.scope{fill:#d9823b}"
    ".line.done{stroke:#1a7f4b}.fill.done{fill:#1a7f4b}"
    "@media (prefers-color-scheme:dark){"
    "text{fill:#e6eaf0}"
    ".paper{fill:#12161c}.grid{stroke:#313a46}.axis{stroke:#8b97a6}"
    ".line.work{stroke:#6cb0ff}.fill.work{fill:#3d87dd}"
    ".line.plan{stroke:#a5b1bf}.fill.plan{fill:#5c6978}"
    ".line.scope{stroke:#f0a850}.fill.scope{fill:#c77a2c}"
    ".line.done{stroke:#5fd08f}.fill.done{fill:#2f9e64}}"
    "@media (max-width:480px){"
    "text{font-size:24px}.title{font-size:26px}.odd{display:none}"
    ".line{stroke-width:5}.line.plan{stroke-width:4}}"
    "</style>";

static const char *const role_names[] = { "work", "plan", "scope", "done" };

typedef struct {
    char *bytes;
    apr_size_t length, size;
    apr_pool_t *pool;
} svg_t;

/* A chart on its way to paper. */
typedef struct {
    svg_t svg;
    const alloy_chart_t *chart;
    apr_int64_t most;           /* value at the top of the vertical axis */
    apr_int64_t step;           /* between two of its lines */
} drawing_t;

/* ---- text ------------------------------------------------------------------ */

static void put_bytes(svg_t *svg, const char *bytes, apr_size_t length)
{
    if (svg->length + length > svg->size) {
        apr_size_t size = 2 * (svg->length + length);
        char *grown = apr_palloc(svg->pool, size);

        memcpy(grown, svg->bytes, svg->length);
        svg->bytes = grown;
        svg->size = size;
    }
    memcpy(svg->bytes + svg->length, bytes, length);
    svg->length += length;
}

static void put(svg_t *svg, const char *text)
{
    put_bytes(svg, text, strlen(text));
}

/* What stands for one byte of a text: XML knows no control characters, and
 * the last two code points of a plane are none (XML 1.0, section 2.2). */
static const char *escape_of(const char *at)
{
    switch (*at) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return apr_iscntrl(*at) && !(*at & 0x80) ? " " : NULL;
    }
}

static int is_no_character(const char *at)
{
    return !strncmp(at, "\xef\xbf\xbe", 3) || !strncmp(at, "\xef\xbf\xbf", 3);
}

/* At most LETTERS characters, then dots; 0: all of it. */
static void put_text(svg_t *svg, const char *text, int letters)
{
    int count = 0;

    for (; *text; text++) {
        const char *escape = escape_of(text);

        if ((*text & 0xc0) != 0x80 && letters && ++count > letters) {
            put(svg, "\xe2\x80\xa6");
            return;
        }
        if (is_no_character(text)) {
            put(svg, "?");
            text += 2;
        }
        else if (escape) {
            put(svg, escape);
        }
        else {
            put_bytes(svg, text, 1);
        }
    }
}

/* A coordinate: tenths as a decimal number. */
static void put_tenths(svg_t *svg, int tenths)
{
    put(svg, apr_itoa(svg->pool, tenths / 10));
    if (tenths % 10) {
        char digit[2] = { '.', (char)('0' + tenths % 10) };

        put_bytes(svg, digit, 2);
    }
}

static void put_attribute(svg_t *svg, const char *name, int tenths)
{
    put(svg, " ");
    put(svg, name);
    put(svg, "=\"");
    put_tenths(svg, tenths);
    put(svg, "\"");
}

static void put_class(svg_t *svg, const char *one, const char *two)
{
    put(svg, " class=\"");
    put(svg, one);
    put(svg, " ");
    put(svg, two);
    put(svg, "\"");
}

static void draw_text(svg_t *svg, const char *names, int x, int y,
                      const char *text, int letters)
{
    put(svg, "<text class=\"");
    put(svg, names);
    put(svg, "\"");
    put_attribute(svg, "x", x);
    put_attribute(svg, "y", y);
    put(svg, ">");
    put_text(svg, text, letters);
    put(svg, "</text>");
}

static void draw_rule(svg_t *svg, const char *name, int y)
{
    put(svg, "<line class=\"");
    put(svg, name);
    put(svg, "\"");
    put_attribute(svg, "x1", LEFT);
    put_attribute(svg, "x2", RIGHT);
    put_attribute(svg, "y1", y);
    put_attribute(svg, "y2", y);
    put(svg, "/>");
}

static void draw_box(svg_t *svg, const char *names, int x, int y, int width,
                     int height)
{
    put(svg, "<rect class=\"");
    put(svg, names);
    put(svg, "\"");
    put_attribute(svg, "x", x);
    put_attribute(svg, "y", y);
    put_attribute(svg, "width", width);
    put_attribute(svg, "height", height);
    put(svg, "/>");
}

/* ---- where things are -------------------------------------------------------- */

static int x_of(const drawing_t *drawing, int index)
{
    int count = drawing->chart->count;

    if (drawing->chart->kind == ALLOY_CHART_BARS) {
        return LEFT + (2 * index + 1) * (RIGHT - LEFT) / (2 * count);
    }
    return count == 1 ? (LEFT + RIGHT) / 2
                      : LEFT + index * (RIGHT - LEFT) / (count - 1);
}

static int y_of(const drawing_t *drawing, apr_int64_t value)
{
    apr_int64_t most = drawing->most;

    if (most > APR_INT64_MAX / (BOTTOM - TOP)) {
        value /= BOTTOM - TOP;
        most /= BOTTOM - TOP;
    }
    return BOTTOM - (int)(value * (BOTTOM - TOP) / most);
}

/* The value a series adds at a label; areas stand on those before. */
static apr_int64_t value_at(const alloy_chart_t *chart, int series, int index)
{
    apr_int64_t value = chart->series[series].values[index];

    if (chart->kind != ALLOY_CHART_AREAS || value == ALLOY_CHART_GAP) {
        return value;
    }
    while (--series >= 0) {
        value += chart->series[series].values[index];
    }
    return value;
}

static apr_int64_t highest(const alloy_chart_t *chart)
{
    apr_int64_t most = ALLOY_CHART_GAP;
    int s, i;

    for (s = 0; s < chart->nseries; s++) {
        for (i = 0; i < chart->count; i++) {
            apr_int64_t value = value_at(chart, s, i);

            most = value > most ? value : most;
        }
    }
    return most;
}

/* Steps of 1, 2 or 5 times a power of ten, so that few lines reach the top. */
static void scale(drawing_t *drawing, apr_int64_t most)
{
    static const int factors[] = { 1, 2, 5 };
    apr_int64_t power = UNIT;
    int i = 0;

    while ((most - 1) / TICKS_MOST >= power * factors[i]) {
        i = (i + 1) % 3;
        power *= i ? 1 : 10;
    }
    drawing->step = power * factors[i];
    drawing->most = ((most - 1) / drawing->step + 1) * drawing->step;
    if (drawing->most < drawing->step) {
        drawing->most = drawing->step;
    }
}

/* ---- axes --------------------------------------------------------------------- */

/* Large numbers are written as thousands, millions ...: what is left of a step
 * is whole. */
static const char *short_number(const drawing_t *drawing, apr_int64_t value)
{
    static const char suffixes[] = "kMGTP";
    apr_int64_t size = drawing->most / UNIT;
    int i = 0;

    for (value /= UNIT; size >= 10000 && suffixes[i]; size /= 1000) {
        value /= 1000;
        i++;
    }
    return apr_psprintf(drawing->svg.pool, "%" APR_INT64_T_FMT "%.1s", value,
                        value && i ? suffixes + i - 1 : "");
}

static void draw_scale(drawing_t *drawing)
{
    svg_t *svg = &drawing->svg;
    apr_int64_t value;

    for (value = 0; value <= drawing->most; value += drawing->step) {
        int y = y_of(drawing, value);

        draw_rule(svg, value ? "grid" : "axis", y);
        draw_text(svg, "end", LEFT - 90, y + 55,
                  short_number(drawing, value), 0);
    }
}

/* "2026-04-01" is "1 Apr"; anything else is itself. */
static const char *label_of(const char *text, apr_pool_t *pool)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int month;

    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-') {
        return text;
    }
    month = (text[5] - '0') * 10 + text[6] - '0';
    if (month < 1 || month > 12) {
        return text;
    }
    return apr_psprintf(pool, "%s %.3s", text[8] == '0' ? text + 9 : text + 8,
                        months + 3 * (month - 1));
}

static void draw_labels(drawing_t *drawing)
{
    const alloy_chart_t *chart = drawing->chart;
    int short_ones = chart->count && strlen(chart->labels[0]) <= LABEL_SHORT;
    int most = short_ones ? 2 * LABELS_MOST : LABELS_MOST;
    int every = (chart->count + most - 1) / most;
    int i;

    for (i = 0; i < chart->count; i += every) {
        draw_text(&drawing->svg,
                  i / every % 2 && !short_ones ? "mid odd" : "mid",
                  x_of(drawing, i), BOTTOM + 300,
                  label_of(chart->labels[i], drawing->svg.pool), 12);
    }
}

static void draw_legend(drawing_t *drawing)
{
    const alloy_chart_t *chart = drawing->chart;
    svg_t *svg = &drawing->svg;
    int i;

    for (i = 0; i < chart->nseries; i++) {
        const char *role = role_names[chart->series[i].role];
        int x = 160 + i * LEGEND_STEP;

        if (chart->kind == ALLOY_CHART_LINES) {
            put(svg, "<path");
            put_class(svg, "line", role);
            put(svg, " d=\"M");
            put_tenths(svg, x);
            put(svg, " 58.5h26\"/>");
        }
        else {
            draw_box(svg, apr_pstrcat(svg->pool, "fill ", role, NULL), x, 500,
                     240, 160);
        }
        draw_text(svg, "key", x + 340, LEGEND, chart->series[i].name, 12);
    }
}

/* ---- lines, areas, bars -------------------------------------------------------- */

static void put_point(svg_t *svg, const char *command, int x, int y)
{
    put(svg, command);
    put_tenths(svg, x);
    put(svg, " ");
    put_tenths(svg, y);
}

static void draw_dot(drawing_t *drawing, int series, int index)
{
    svg_t *svg = &drawing->svg;
    apr_int64_t value = value_at(drawing->chart, series, index);

    put(svg, "<circle");
    put_class(svg, "fill",
              role_names[drawing->chart->series[series].role]);
    put_attribute(svg, "cx", x_of(drawing, index));
    put_attribute(svg, "cy", y_of(drawing, value));
    put(svg, " r=\"4\"/>");
}

/* A gap ends a stroke; the next value begins another. */
static void draw_line(drawing_t *drawing, int series)
{
    const alloy_chart_t *chart = drawing->chart;
    svg_t *svg = &drawing->svg;
    int is_work = chart->series[series].role != ALLOY_CHART_PLAN
                  && chart->series[series].role != ALLOY_CHART_SCOPE;
    int i, drawing_on = 0;

    put(svg, "<path");
    put_class(svg, "line", role_names[chart->series[series].role]);
    put(svg, " d=\"");
    for (i = 0; i < chart->count; i++) {
        apr_int64_t value = value_at(chart, series, i);

        if (value != ALLOY_CHART_GAP) {
            put_point(svg, drawing_on ? "L" : "M", x_of(drawing, i),
                      y_of(drawing, value));
        }
        drawing_on = value != ALLOY_CHART_GAP;
    }
    put(svg, "\"/>");
    for (i = 0; i < chart->count
         && ((is_work && chart->count <= DOTS_MOST) || chart->count == 1);
         i++) {
        if (value_at(chart, series, i) != ALLOY_CHART_GAP) {
            draw_dot(drawing, series, i);
        }
    }
}

/* Along the top of the series, back along the top of the one below. */
static void draw_area(drawing_t *drawing, int series)
{
    const alloy_chart_t *chart = drawing->chart;
    svg_t *svg = &drawing->svg;
    int known = 0, i;

    while (known < chart->count
           && value_at(chart, series, known) != ALLOY_CHART_GAP) {
        known++;
    }
    if (!known) {
        return;
    }
    put(svg, "<path");
    put_class(svg, "fill", role_names[chart->series[series].role]);
    put(svg, " d=\"");
    for (i = 0; i < known; i++) {
        put_point(svg, i ? "L" : "M", x_of(drawing, i),
                  y_of(drawing, value_at(chart, series, i)));
    }
    for (i = known - 1; i >= 0; i--) {
        put_point(svg, "L", x_of(drawing, i),
                  series ? y_of(drawing, value_at(chart, series - 1, i))
                         : BOTTOM);
    }
    put(svg, "Z\"/>");
}

static void draw_bars(drawing_t *drawing, int series)
{
    const alloy_chart_t *chart = drawing->chart;
    svg_t *svg = &drawing->svg;
    int width = (RIGHT - LEFT) * 7 / (10 * chart->count * chart->nseries);
    int i;

    width = width > 600 ? 600 : width;
    for (i = 0; i < chart->count; i++) {
        int x = x_of(drawing, i) - width * chart->nseries / 2 + series * width;
        int y = y_of(drawing, value_at(chart, series, i));

        draw_box(svg, apr_pstrcat(svg->pool, "fill ",
                                  role_names[chart->series[series].role],
                                  NULL),
                 x, y, width > 40 ? width - 20 : width, BOTTOM - y);
    }
}

static void draw_series(drawing_t *drawing, int series)
{
    switch (drawing->chart->kind) {
    case ALLOY_CHART_AREAS:
        draw_area(drawing, series);
        break;
    case ALLOY_CHART_BARS:
        draw_bars(drawing, series);
        break;
    case ALLOY_CHART_LINES:
    default:
        draw_line(drawing, series);
    }
}

/* ---- all of it ------------------------------------------------------------------ */

static void draw_head(drawing_t *drawing)
{
    const alloy_chart_t *chart = drawing->chart;
    svg_t *svg = &drawing->svg;

    put(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" "
             "height=\"400\" viewBox=\"0 0 640 400\" role=\"img\" "
             "aria-labelledby=\"chart-title chart-text\" lang=\"en\">"
             "<title id=\"chart-title\">");
    put_text(svg, chart->title, 0);
    put(svg, "</title><desc id=\"chart-text\">");
    put_text(svg, chart->text, 0);
    put(svg, "</desc>");
    put(svg, style);
    draw_box(svg, "paper", 0, 0, WIDTH, HEIGHT);
    draw_text(svg, "title", 160, 300, chart->title, TITLE_LETTERS);
}

static void draw_all(drawing_t *drawing)
{
    apr_int64_t most = highest(drawing->chart);
    int i;

    draw_head(drawing);
    if (most == ALLOY_CHART_GAP) {
        draw_text(&drawing->svg, "mid", WIDTH / 2, HEIGHT / 2,
                  "Nothing to show yet", 0);
    }
    else {
        scale(drawing, most);
        draw_legend(drawing);
        draw_text(&drawing->svg, "unit", 160, 980, drawing->chart->unit, 0);
        draw_scale(drawing);
        draw_labels(drawing);
        for (i = 0; i < drawing->chart->nseries; i++) {
            draw_series(drawing, i);
        }
    }
    put(&drawing->svg, "</svg>\n");
}

ALLOY_DECLARE(const char *) alloy_chart_draw(const alloy_chart_t *chart,
                                             apr_size_t *plength,
                                             apr_pool_t *pool)
{
    drawing_t drawing = { { NULL, 0, 8192, pool }, chart, 0, 0 };

    drawing.svg.bytes = apr_palloc(pool, drawing.svg.size);
    draw_all(&drawing);
    *plength = drawing.svg.length;
    return drawing.svg.bytes;
}
