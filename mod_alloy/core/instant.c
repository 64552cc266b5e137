/* Dates and instants, read strictly and written fast: two or three instants
 * stand in each row of a list. Days are counted in eras of 400 years, whose
 * length is constant, with the year beginning in March.
 */
#include "instant.h"

#include <string.h>

#define ERA_DAYS 146097         /* days of 400 years */
#define EPOCH_DAYS 719468       /* from 0000-03-01 to 1970-01-01 */
#define FIRST_DAY (-719162)     /* 0001-01-01 */
#define LAST_DAY 2932896        /* 9999-12-31 */

typedef struct {
    int year, month, day;
} date_t;

static const char pairs[] =
    "00010203040506070809" "10111213141516171819" "20212223242526272829"
    "30313233343536373839" "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879" "80818283848586878889"
    "90919293949596979899";

static int month_days(int year, int month)
{
    static const char lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* Of a date of the calendar from year 1 on. */
static apr_int64_t count_days(const date_t *date)
{
    int year = date->year - (date->month <= 2);
    int month = (date->month + 9) % 12;         /* March is 0 */
    int era = year / 400;
    int in_era = year - era * 400;
    int in_year = (153 * month + 2) / 5 + date->day - 1;

    return (apr_int64_t)era * ERA_DAYS
        + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_DAYS;
}

static void split_days(date_t *date, apr_int64_t days)
{
    int shifted = (int)(days + EPOCH_DAYS);     /* never negative here */
    int era = shifted / ERA_DAYS;
    int rest = shifted % ERA_DAYS;
    int in_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int in_year = rest - (365 * in_era + in_era / 4 - in_era / 100);
    int month = (5 * in_year + 2) / 153;

    date->day = in_year - (153 * month + 2) / 5 + 1;
    date->month = month < 10 ? month + 3 : month - 9;
    date->year = in_era + era * 400 + (date->month <= 2);
}

/* COUNT digits into *NUMBER; the text behind them, or NULL. */
static const char *read_digits(int *number, const char *text, int count)
{
    *number = 0;
    while (count-- > 0) {
        if (*text < '0' || *text > '9') {
            return NULL;
        }
        *number = *number * 10 + (*text++ - '0');
    }
    return text;
}

static const char *read_mark(const char *text, char mark)
{
    return text && *text == mark ? text + 1 : NULL;
}

static const char *read_date(apr_int64_t *days, const char *text)
{
    date_t date;

    text = read_mark(read_digits(&date.year, text, 4), '-');
    text = text ? read_mark(read_digits(&date.month, text, 2), '-') : NULL;
    text = text ? read_digits(&date.day, text, 2) : NULL;
    if (!text || date.year < 1 || date.month < 1 || date.month > 12
        || date.day < 1 || date.day > month_days(date.year, date.month)) {
        return NULL;
    }
    *days = count_days(&date);
    return text;
}

int alloy_date_read(apr_int64_t *days, const char *text)
{
    text = read_date(days, text);
    return text && !*text;
}

static const char *read_fraction(int *micros, const char *text)
{
    int scale = 100000;

    *micros = 0;
    if (*text != '.') {
        return text;
    }
    if (*++text < '0' || *text > '9') {
        return NULL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        *micros += (*text - '0') * scale;
        scale /= 10;
    }
    return text;
}

/* HH:MM:SS and a fraction. A leap second counts as the first of the next
 * minute, as it does in PostgreSQL. */
static const char *read_time(apr_int64_t *micros, const char *text)
{
    int hour, minute, second, fraction;

    text = read_mark(read_digits(&hour, text, 2), ':');
    text = text ? read_mark(read_digits(&minute, text, 2), ':') : NULL;
    text = text ? read_digits(&second, text, 2) : NULL;
    text = text ? read_fraction(&fraction, text) : NULL;
    if (!text || hour > 23 || minute > 59 || second > 60) {
        return NULL;
    }
    *micros = (hour * 3600 + minute * 60 + second) * APR_INT64_C(1000000)
        + fraction;
    return text;
}

static const char *read_offset(apr_int64_t *micros, const char *text)
{
    int sign = *text == '-' ? -1 : 1;
    int hour, minute;

    *micros = 0;
    if (*text == 'Z' || *text == 'z') {
        return text + 1;
    }
    if (*text != '+' && *text != '-') {
        return NULL;
    }
    text = read_mark(read_digits(&hour, text + 1, 2), ':');
    text = text ? read_digits(&minute, text, 2) : NULL;
    if (!text || hour > 23 || minute > 59) {
        return NULL;
    }
    *micros = sign * (hour * 60 + minute) * APR_INT64_C(60000000);
    return text;
}

static int in_range(apr_int64_t days)
{
    return days >= FIRST_DAY && days <= LAST_DAY;
}

/* Rounded down, also before 1970. */
static apr_int64_t whole_days(apr_int64_t micros)
{
    apr_int64_t days = micros / ALLOY_DAY_MICROS;

    return days - (micros % ALLOY_DAY_MICROS < 0);
}

int alloy_instant_read(apr_int64_t *micros, const char *text)
{
    apr_int64_t days, time, offset;

    text = read_date(&days, text);
    if (!text || (*text != 'T' && *text != 't')) {
        return 0;
    }
    text = read_time(&time, text + 1);
    text = text ? read_offset(&offset, text) : NULL;
    if (!text || *text) {
        return 0;
    }
    *micros = days * ALLOY_DAY_MICROS + time - offset;
    return in_range(whole_days(*micros));
}

static void write_pair(char *text, int number)
{
    memcpy(text, pairs + 2 * number, 2);
}

int alloy_date_write(char *text, apr_int64_t days)
{
    date_t date;

    if (!in_range(days)) {
        return 0;
    }
    split_days(&date, days);
    write_pair(text, date.year / 100);
    write_pair(text + 2, date.year % 100);
    text[4] = '-';
    write_pair(text + 5, date.month);
    text[7] = '-';
    write_pair(text + 8, date.day);
    return 1;
}

int alloy_instant_write(char *text, apr_int64_t micros)
{
    apr_int64_t days = whole_days(micros);
    apr_int64_t rest = micros - days * ALLOY_DAY_MICROS;
    int seconds = (int)(rest / 1000000);
    int fraction = (int)(rest % 1000000);

    if (!alloy_date_write(text, days)) {
        return 0;
    }
    text[10] = 'T';
    write_pair(text + 11, seconds / 3600);
    text[13] = ':';
    write_pair(text + 14, seconds / 60 % 60);
    text[16] = ':';
    write_pair(text + 17, seconds % 60);
    text[19] = '.';
    write_pair(text + 20, fraction / 10000);
    write_pair(text + 22, fraction / 100 % 100);
    write_pair(text + 24, fraction % 100);
    text[26] = 'Z';
    return 1;
}
