/* Option tables: the strict parser of quantities and the filling-in of defaults.
 *
 * A quantity is  [-] digits [. digits] unit , nothing before, between or after. All arithmetic
 * is on integers: the decimal digits become a numerator over a power of ten, the unit
 * multiplies it, and a result that is not whole is refused ("1.5ns"), because a value that the
 * simulator would silently round is not the value that was written. Rates by the minute and
 * hour are the exception: 10/m is 166,666.67 millionths a second, and is rounded to the
 * nearest.
 *
 *     type        unit words                                result
 *     INT         (none)                                    the number
 *     SIZE        B kB MB GB KiB MiB GiB                    bytes
 *     DURATION    ns us ms s m h, or the word never         ns, never is -1
 *     RATE        /s /m /h                                  operations a second x 10^6
 *     BANDWIDTH   B/s .. GiB/s, bit/s .. Gbit/s, unlimited  bytes a second, unlimited is 0
 *     FRACTION    % ppm                                     parts per million
 *     FACTOR      x                                         x 10^6
 */
#include "engines/options.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define DIGITS_MAX 18 /* 10^18 < 2^63: more digits overflow whatever the unit */

struct unit {
    const char *word;         /* as written, directly after the digits */
    int64_t multiply, divide; /* result = number x multiply / divide */
    bool rounded;             /* the division may leave a rest */
};

static const struct unit units_int[] = {{"", 1, 1, false}, {0}};
static const struct unit units_size[] = {
    {"B", 1, 1, false},         {"kB", 1000, 1, false},
    {"MB", 1000000, 1, false},  {"GB", 1000000000, 1, false},
    {"KiB", 1 << 10, 1, false}, {"MiB", 1 << 20, 1, false},
    {"GiB", 1 << 30, 1, false}, {0}};
static const struct unit units_duration[] = {{"ns", 1, 1, false},
                                             {"us", 1000, 1, false},
                                             {"ms", 1000000, 1, false},
                                             {"s", 1000000000, 1, false},
                                             {"m", INT64_C(60000000000), 1, false},
                                             {"h", INT64_C(3600000000000), 1, false},
                                             {0}};
static const struct unit units_rate[] = {
    {"/s", 1000000, 1, false}, {"/m", 1000000, 60, true}, {"/h", 1000000, 3600, true}, {0}};
static const struct unit units_bandwidth[] = {{"B/s", 1, 1, false},
                                              {"kB/s", 1000, 1, false},
                                              {"MB/s", 1000000, 1, false},
                                              {"GB/s", 1000000000, 1, false},
                                              {"KiB/s", 1 << 10, 1, false},
                                              {"MiB/s", 1 << 20, 1, false},
                                              {"GiB/s", 1 << 30, 1, false},
                                              {"bit/s", 1, 8, false},
                                              {"kbit/s", 1000, 8, false},
                                              {"Mbit/s", 1000000, 8, false},
                                              {"Gbit/s", 1000000000, 8, false},
                                              {0}};
static const struct unit units_fraction[] = {{"%", 10000, 1, false}, {"ppm", 1, 1, false}, {0}};
static const struct unit units_factor[] = {{"x", 1000000, 1, false}, {0}};

struct quantity {
    enum option_type type;
    const struct unit *units;
    bool is_signed;
    const char *word;
    int64_t word_value; /* a word that stands for a value; NULL: none */
    const char *needs;  /* what is missing when the unit is not known */
};

static const struct quantity quantities[] = {
    {OPTION_INT, units_int, true, NULL, 0, "must be a whole number, such as 3"},
    {OPTION_SIZE, units_size, false, NULL, 0, "needs a unit: B, kB, MB, GB, KiB, MiB or GiB"},
    {OPTION_DURATION, units_duration, true, "never", -1, "needs a unit: ns, us, ms, s, m or h"},
    {OPTION_RATE, units_rate, false, NULL, 0, "needs a unit: /s, /m or /h"},
    {OPTION_BANDWIDTH, units_bandwidth, false, "unlimited", 0,
     "needs a unit: B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s, bit/s, kbit/s, Mbit/s or Gbit/s"
     " (or the word unlimited)"},
    {OPTION_FRACTION, units_fraction, true, NULL, 0, "needs a unit: % or ppm"},
    {OPTION_FACTOR, units_factor, false, NULL, 0, "needs a unit: x, as in 10x"},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int refuse(const char **why, const char *text)
{
    if (why) *why = text;
    return -EINVAL;
}

/* Reads digits [. digits] into number / 10^decimals; *text is left behind them. */
static int parse_digits(const char **text, int64_t *number, int *decimals, const char **why)
{
    const char *p = *text;
    int digits = 0, behind = 0;
    int64_t n = 0;
    if (!is_digit(*p)) return refuse(why, "must begin with a digit");
    if (p[0] == '0' && is_digit(p[1])) return refuse(why, "must not have leading zeros");
    for (; is_digit(*p); p++) {
        if (++digits > DIGITS_MAX) return refuse(why, "is too large");
        n = n * 10 + (*p - '0');
    }
    if (*p == '.') {
        p++;
        if (!is_digit(*p)) return refuse(why, "needs a digit after the point");
        for (; is_digit(*p); p++) {
            if (++digits > DIGITS_MAX) return refuse(why, "has too many digits");
            n = n * 10 + (*p - '0');
            behind++;
        }
    }
    *text = p;
    *number = n;
    *decimals = behind;
    return 0;
}

int quantity_parse(enum option_type type, const char *text, int64_t *value, const char **why)
{
    const struct quantity *q = NULL;
    for (size_t i = 0; i < sizeof(quantities) / sizeof(quantities[0]); i++)
        if (quantities[i].type == type) q = &quantities[i];
    if (!q) return refuse(why, "is not a quantity");
    if (q->word && strcmp(text, q->word) == 0) {
        *value = q->word_value;
        return 0;
    }
    bool negative = *text == '-';
    if (*text == '+') return refuse(why, "must not have a plus sign");
    if (negative && !q->is_signed) return refuse(why, "must not be negative");
    text += negative;

    int64_t number;
    int decimals;
    int err = parse_digits(&text, &number, &decimals, why);
    if (err) return err;
    const struct unit *unit = q->units;
    while (unit->word && strcmp(unit->word, text) != 0) unit++;
    if (!unit->word) return refuse(why, q->needs);

    /* The largest product is 10^18 x 3.6 x 10^12 < 2^127: exact in 128 bits, then judged. */
    __int128 product = (__int128)number * unit->multiply;
    __int128 divide = unit->divide;
    for (int i = 0; i < decimals; i++) divide *= 10;
    __int128 result = product / divide, rest = product % divide;
    if (rest && !unit->rounded)
        return refuse(why, type == OPTION_INT ? "must be a whole number"
                                              : "has more digits than can be kept exactly");
    if (rest * 2 >= divide) result++;
    if (result > INT64_MAX) return refuse(why, "is too large");
    *value = negative ? -(int64_t)result : (int64_t)result;
    return 0;
}

/* ---- powers of two ---- */

bool option_power_fits(const struct option *option, int64_t value)
{
    if (!(option->flags & OPTION_POWER_OF_TWO)) return true;
    return value > 0 && (value & (value - 1)) == 0;
}

int64_t option_power_near(const struct option *option, int64_t value)
{
    int64_t power = option->low;
    while (power < option->high && value - power >= power * 2 - value) power *= 2;
    return power;
}

/* ---- defaults ---- */

static int word_index(const char *const *words, const char *text, int32_t *index)
{
    for (int32_t i = 0; words && words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *index = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int default_quantity(const struct option *option, int64_t *field)
{
    int64_t value;
    int err = quantity_parse(option->type, option->value, &value, NULL);
    if (err) return err;
    bool bounded = option->low != 0 || option->high != 0;
    if (bounded && (value < option->low || value > option->high)) return -EINVAL;
    /* `never` is -1, a word that only an option with room for it may use. */
    if (!bounded && option->type == OPTION_DURATION && strcmp(option->value, "never") == 0)
        return -EINVAL;
    if (!option_power_fits(option, value)) return -EINVAL;
    *field = value;
    return 0;
}

/* Message classes, in the order of their bits; `all` is every one of them. */
static const char *const class_words[] = {"replication", "control", "client", "repair", NULL};
#define CLASSES_ALL 15u

static int default_classes(const struct option *option, uint32_t *field)
{
    int32_t index;
    if (!option->value || strcmp(option->value, "all") == 0) {
        *field = CLASSES_ALL;
        return 0;
    }
    if (word_index(class_words, option->value, &index)) return -EINVAL;
    *field = 1u << index;
    return 0;
}

static int default_one(const struct option *option, void *field)
{
    static const char *const yes_no[] = {"no", "yes", NULL};
    switch (option->type) {
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_RATE:
    case OPTION_BANDWIDTH:
    case OPTION_FRACTION:
    case OPTION_FACTOR: return option->value ? default_quantity(option, field) : 0;
    case OPTION_WORD:
        return option->value ? word_index(option->words, option->value, field) : 0;
    case OPTION_YESNO: return option->value ? word_index(yes_no, option->value, field) : 0;
    case OPTION_STRING: *(const char **)field = option->value; return 0;
    case OPTION_CLASSES: return default_classes(option, field);
    case OPTION_NODE:
    case OPTION_PLACE: *(int32_t *)field = -1; return 0;
    case OPTION_PLACES:
    case OPTION_GROUPS:
    case OPTION_DIST:
    case OPTION_NAMES: return 0; /* all zero is absent */
    }
    return -EINVAL;
}

int options_default(const struct option *table, size_t count, void *target, size_t size)
{
    memset(target, 0, size);
    for (size_t i = 0; i < count; i++) {
        if (table[i].offset >= size) return -EINVAL;
        int err = default_one(&table[i], (char *)target + table[i].offset);
        if (err) return err;
    }
    return 0;
}

/* ---- one option from text ---- */

int option_set(const struct option *option, const char *text, void *field, const char **why)
{
    struct option given = *option;
    given.value = text;
    switch (option->type) {
    case OPTION_WORD:
    case OPTION_YESNO:
        return default_one(&given, field) ? refuse(why, "is not one of its words") : 0;
    case OPTION_STRING: return default_one(&given, field);
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_RATE:
    case OPTION_BANDWIDTH:
    case OPTION_FRACTION:
    case OPTION_FACTOR: {
        int64_t value;
        int err = quantity_parse(option->type, text, &value, why);
        if (err) return err;
        if (!option_power_fits(option, value)) return refuse(why, "must be a power of two");
        return default_one(&given, field) ? refuse(why, "is out of bounds") : 0;
    }
    default: return refuse(why, "cannot be set by one word");
    }
}
