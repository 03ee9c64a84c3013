#include "store/columns.h"

void store_read_user(struct db_rows *rows, int column, struct arena *a, struct user *out)
{
    *out = (struct user){
        .id = db_uuid(rows, column),
        .username = arena_copy(a, db_text(rows, column + 1)),
        .email = arena_copy(a, db_text(rows, column + 2)),
        .first_name = arena_copy(a, db_text(rows, column + 3)),
        .last_name = arena_copy(a, db_text(rows, column + 4)),
        .phone_number = arena_copy(a, db_text(rows, column + 5)),
        .metadata = arena_copy(a, db_text(rows, column + 7)),
        .is_active = db_int(rows, column + 8) != 0,
        .created_at = db_int(rows, column + 9),
        .last_seen_at = db_int(rows, column + 10),
        .deleted_at = db_int(rows, column + 11),
    };
    if (!role_from(db_text(rows, column + 6), &out->role)) {
        out->role = ROLE_GUEST;
    }
}
