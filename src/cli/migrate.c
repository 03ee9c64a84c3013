/* confab migrate: up and down, to a target; says what it does as Django does. */
#include <stdio.h>

#include "cli/database.h"
#include "cli/options.h"

static const char about[] =
    "Brings the database up to date. With a target: applies or takes back migrations\n"
    "until it is the newest one that is applied. A target is a number (1), a name or\n"
    "its beginning (0001), or zero: take back everything, with all data.";

struct plan {
    bool only_show;
    bool list;
};

static bool matches(const struct migration *m, struct str target)
{
    int64_t number;
    if (str_to_i64(target, &number)) {
        return m->number == number;
    }
    return str_starts(m->name, target);
}

/* False: nothing, or more than one, has that name. */
static bool find_target(const struct migrations *all, const char *name, size_t *out)
{
    size_t found = 0;
    struct str target = str_of(name);
    if (name == NULL) {
        *out = all->count;
        return true;
    }
    if (str_eq(target, STR("zero"))) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; i < all->count && target.n > 0; i++) {
        if (matches(&all->list[i], target)) {
            *out = i + 1;
            found++;
        }
    }
    return found == 1;
}

static void show_list(const struct migrations *all)
{
    for (size_t i = 0; i < all->count; i++) {
        printf(" [%c] %.*s\n", all->list[i].applied ? 'X' : ' ', STR_ARG(all->list[i].name));
    }
}

static void show_plan(const struct migrations *all, size_t target)
{
    puts("Planned operations:");
    for (size_t i = all->applied; i < target; i++) {
        printf("  Apply %.*s\n", STR_ARG(all->list[i].name));
    }
    for (size_t i = all->applied; i > target; i--) {
        printf("  Undo %.*s\n", STR_ARG(all->list[i - 1].name));
    }
    if (all->applied == target) {
        puts("  No planned migration operations.");
    }
}

static void announce(const struct migration *m, bool up)
{
    printf("  %s %.*s...", up ? "Applying" : "Unapplying", STR_ARG(m->name));
    fflush(stdout);
}

static int run(struct cli *cli, struct db *db, struct migrations *all, size_t target)
{
    struct str problem = STR("");
    puts("Running migrations:");
    if (all->applied == target) {
        puts("  No migrations to apply.");
    }
    while (all->applied != target) {
        size_t next = all->applied < target ? all->applied + 1 : all->applied - 1;
        if (migrate_to(db, all, next, announce, cli->arena, &problem) != ERR_OK) {
            putchar('\n');
            return cli_fail(1, "%.*s", STR_ARG(problem));
        }
        puts(" OK");
    }
    return cli_end_migrations(db, all, cli->arena, &problem) == ERR_OK
               ? 0
               : cli_fail(1, "%.*s", STR_ARG(problem));
}

/* Only looking makes no file: an empty database in memory stands for one that is not there. */
static int migrate(struct cli *cli, const struct plan *plan, const char *target)
{
    struct db *db;
    struct migrations all;
    struct str problem = STR("");
    bool looks = plan->only_show || plan->list;
    if (!looks && !cli_data_dir(cli, &problem)) {
        return cli_fail(1, "%.*s", STR_ARG(problem));
    }
    const char *url =
        looks && !cli_database_exists(cli) ? "sqlite::memory:" : cli_database_url(cli);
    if (cli_open_migrations(cli, url, &db, &all, &problem) != ERR_OK) {
        return cli_fail(1, "%.*s", STR_ARG(problem));
    }
    int code = 0;
    size_t count = 0;
    if (!find_target(&all, target, &count)) {
        code = cli_fail(2,
                        "there is no migration \"%s\", or more than one begins so; see "
                        "`confab migrate --list`.",
                        target);
    } else if (plan->list) {
        show_list(&all);
    } else if (plan->only_show) {
        show_plan(&all, count);
    } else {
        code = run(cli, db, &all, count);
    }
    db_close(db);
    return code;
}

int cli_migrate(struct cli *cli)
{
    struct plan plan = {0};
    const char *target = NULL;
    const struct cli_option options[] = {
        {.name = "--plan", .on = &plan.only_show, .help = "show what would be done"},
        {.name = "--list", .on = &plan.list, .help = "show all migrations; [X] is applied"},
    };
    const struct cli_usage usage = {.command = "migrate",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options),
                                    .argument_name = "TARGET",
                                    .argument = &target};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    if (plan.only_show && plan.list) {
        return cli_fail(2, "migrate takes --plan or --list, not both.");
    }
    return migrate(cli, &plan, target);
}
