/* .env files, and what they say of each setting: no input may do more than be refused. */
#include <stdlib.h>

#include "base/conf_env.h"
#include "base/conf_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct env_reader reader;
    struct env_line line;
    struct conf conf;
    struct conf_problem problem;
    arena_init(&a);
    conf_init(&conf);
    env_init(&reader, (struct str){(const char *)data, size});
    while (env_next(&reader, &a, &line)) {
        const struct conf_setting *setting = line.kind == ENV_PAIR ? conf_find(line.name) : NULL;
        if (setting != NULL && !conf_set(&conf, setting, &a, line.value, &problem) &&
            problem.what.n == 0) {
            abort(); /* refused without a reason */
        }
    }
    if (conf.database_url[0] != '\0') {
        (void)conf_database_path(&a, str_of(conf.database_url));
    }
    arena_fini(&a);
    return 0;
}
