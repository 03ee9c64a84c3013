/* Calendar arithmetic is done on whole numbers here instead of with gmtime and strftime: a page of
 * messages formats forty times, and the answer must not depend on locale or time zone. Days are
 * counted from 0000-03-01, so that the leap day is the last day of its year. */
#include "base/clock.h"

#include <time.h>

enum {
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
    DAYS_IN_400_YEARS = 146097,
    DAYS_IN_100_YEARS = 36524,
    DAYS_IN_4_YEARS = 1461,
    SECONDS_PER_DAY = 86400
};

#define US_PER_DAY (SECONDS_PER_DAY * US_PER_SECOND)
#define US_MIN (INT64_C(-62135596800) * US_PER_SECOND)     /* 0001-01-01 */
#define US_MAX (INT64_C(253402300800) * US_PER_SECOND - 1) /* the last of 9999 */

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for these two clocks */
    return (int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_steady_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

struct civil {
    uint32_t year;
    uint32_t month;
    uint32_t day;
};

/* `days` since 0000-03-01. */
static struct civil civil_from_days(uint32_t days)
{
    uint32_t era = days / DAYS_IN_400_YEARS;
    uint32_t day_of_era = days % DAYS_IN_400_YEARS;
    uint32_t leap_days = day_of_era / (DAYS_IN_4_YEARS - 1) - day_of_era / DAYS_IN_100_YEARS +
                         day_of_era / (DAYS_IN_400_YEARS - 1);
    uint32_t year = (day_of_era - leap_days) / 365;
    uint32_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * day_of_year + 2) / 153; /* 0 is March; 153 days in each five months */
    uint32_t day = day_of_year - (153 * month + 2) / 5 + 1;
    bool is_next_year = month >= 10;
    return (struct civil){era * 400 + year + is_next_year, is_next_year ? month - 9 : month + 3,
                          day};
}

static int64_t days_from_civil(struct civil c)
{
    uint32_t year = c.month <= 2 ? c.year - 1 : c.year;
    uint32_t month = c.month <= 2 ? c.month + 9 : c.month - 3;
    uint32_t year_of_era = year % 400;
    uint32_t day_of_year = (153 * month + 2) / 5 + c.day - 1;
    uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)(year / 400) * DAYS_IN_400_YEARS + day_of_era - DAYS_TO_1970;
}

void time_split(int64_t us, struct time_parts *out)
{
    us = us < US_MIN ? US_MIN : us > US_MAX ? US_MAX : us; /* four digits for the year, always */
    uint64_t since = (uint64_t)(us + DAYS_TO_1970 * US_PER_DAY);
    uint64_t us_of_day = since % US_PER_DAY;
    uint32_t second = (uint32_t)(us_of_day / US_PER_SECOND);
    struct civil c = civil_from_days((uint32_t)(since / US_PER_DAY));
    *out = (struct time_parts){.year = c.year,
                               .month = c.month,
                               .day = c.day,
                               .hour = second / 3600,
                               .minute = second / 60 % 60,
                               .second = second % 60,
                               .us = (uint32_t)(us_of_day % US_PER_SECOND)};
}

int64_t time_join(const struct time_parts *parts)
{
    struct civil c = {parts->year, parts->month, parts->day};
    int64_t second = parts->hour * 3600 + parts->minute * 60 + parts->second;
    return (days_from_civil(c) * SECONDS_PER_DAY + second) * US_PER_SECOND + parts->us;
}

static char *put2(char *at, uint32_t n)
{
    at[0] = (char)('0' + n / 10);
    at[1] = (char)('0' + n % 10);
    return at + 2;
}

size_t time_format(int64_t us, char out[TIME_TEXT_MAX])
{
    struct time_parts t;
    time_split(us, &t);
    char *at = put2(out, t.year / 100);
    at = put2(at, t.year % 100);
    *at++ = '-';
    at = put2(at, t.month);
    *at++ = '-';
    at = put2(at, t.day);
    *at++ = 'T';
    at = put2(at, t.hour);
    *at++ = ':';
    at = put2(at, t.minute);
    *at++ = ':';
    at = put2(at, t.second);
    if (t.us != 0) {
        *at++ = '.';
        at = put2(at, t.us / 10000);
        at = put2(at, t.us / 100 % 100);
        at = put2(at, t.us % 100);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

/* The take_ functions move *s behind what they read. */
static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) {
        return false;
    }
    *s = (struct str){s->p + 1, s->n - 1};
    return true;
}

/* Between `digits_min` and `digits_max` digits; how many there were, 0 for too few. */
static size_t take_digits(struct str *s, size_t digits_min, size_t digits_max, uint32_t *out)
{
    size_t n = 0;
    uint32_t value = 0;
    while (n < digits_max && n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
        value = value * 10 + (uint32_t)(s->p[n++] - '0');
    }
    if (n < digits_min) {
        return 0;
    }
    *s = (struct str){s->p + n, s->n - n};
    *out = value;
    return n;
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* Django takes month, day, hour, minute and second with one digit too. */
static bool take_date(struct str *s, int64_t *us)
{
    struct civil c;
    if (take_digits(s, 4, 4, &c.year) == 0 || !take_char(s, '-') ||
        take_digits(s, 1, 2, &c.month) == 0 || !take_char(s, '-') ||
        take_digits(s, 1, 2, &c.day) == 0) {
        return false;
    }
    if (c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 ||
        c.day > days_in_month(c.year, c.month)) {
        return false;
    }
    *us = days_from_civil(c) * US_PER_DAY;
    return true;
}

static bool take_fraction(struct str *s, uint32_t *us)
{
    size_t digits = take_digits(s, 1, 6, us);
    for (size_t i = digits; i < 6; i++) {
        *us *= 10;
    }
    return digits > 0;
}

static bool take_time(struct str *s, int64_t *us)
{
    uint32_t hour;
    uint32_t minute;
    uint32_t second = 0;
    uint32_t fraction = 0;
    if (take_digits(s, 1, 2, &hour) == 0 || !take_char(s, ':') ||
        take_digits(s, 1, 2, &minute) == 0) {
        return false;
    }
    if (take_char(s, ':')) {
        if (take_digits(s, 1, 2, &second) == 0) {
            return false;
        }
        if ((take_char(s, '.') || take_char(s, ',')) && !take_fraction(s, &fraction)) {
            return false;
        }
    }
    if (hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *us += (int64_t)(hour * 3600 + minute * 60 + second) * US_PER_SECOND + fraction;
    return true;
}

/* "Z", "+HH", "+HHMM", "+HH:MM" or nothing; what stays in *s afterwards is an error. */
static bool take_zone(struct str *s, int64_t *us)
{
    (void)take_char(s, ' ');
    bool is_west = take_char(s, '-');
    if (!is_west && !take_char(s, '+')) {
        (void)take_char(s, 'Z');
        return true;
    }
    uint32_t hours;
    uint32_t minutes = 0;
    if (take_digits(s, 2, 2, &hours) == 0) {
        return false;
    }
    bool has_colon = take_char(s, ':');
    bool has_minutes = take_digits(s, 2, 2, &minutes) != 0;
    if ((has_colon && !has_minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int64_t offset = (int64_t)(hours * 3600 + minutes * 60) * US_PER_SECOND;
    *us += is_west ? offset : -offset;
    return true;
}

bool time_parse(struct str s, int64_t *us, bool *is_date)
{
    int64_t value;
    s = str_trim(s);
    if (!take_date(&s, &value)) {
        return false;
    }
    bool only_date = s.n == 0;
    if (!only_date) {
        if ((!take_char(&s, 'T') && !take_char(&s, ' ')) || !take_time(&s, &value) ||
            !take_zone(&s, &value) || s.n > 0) {
            return false;
        }
    }
    if (value < US_MIN || value > US_MAX) { /* the zone can lead out of the years 1 to 9999 */
        return false;
    }
    *us = value;
    *is_date = only_date;
    return true;
}
