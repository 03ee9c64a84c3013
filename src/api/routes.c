/* The list of all resources. A resource that is not in it does not exist. */
#include "serve/route.h"

/* auth.c, registration.c, users.c, sessions.c */
extern const struct resource api_login_resource;
extern const struct resource api_refresh_resource;
extern const struct resource api_verify_resource;
extern const struct resource api_revoke_resource;
extern const struct resource api_logout_resource;
extern const struct resource api_token_auth_resource;
extern const struct resource api_registration_resource;
extern const struct resource api_user_list_resource;
extern const struct resource api_user_search_resource;
extern const struct resource api_user_resource;
extern const struct resource api_me_resource;
extern const struct resource api_profile_resource;
extern const struct resource api_password_resource;
extern const struct resource api_session_list_resource;
extern const struct resource api_session_resource;

/* conversations.c, participants.c */
extern const struct resource api_conversation_list_resource;
extern const struct resource api_conversation_search_resource;
extern const struct resource api_conversation_resource;
extern const struct resource api_conversation_close_resource;
extern const struct resource api_conversation_reopen_resource;
extern const struct resource api_conversation_me_resource;
extern const struct resource api_conversation_read_resource;
extern const struct resource api_participant_list_resource;
extern const struct resource api_participant_resource;
extern const struct resource api_participant_add_resource;
extern const struct resource api_participant_remove_resource;

/* messages.c, message_lists.c */
extern const struct resource api_message_list_resource;
extern const struct resource api_message_search_resource;
extern const struct resource api_message_unread_resource;
extern const struct resource api_my_messages_resource;
extern const struct resource api_messages_by_user_resource;
extern const struct resource api_messages_by_conversation_resource;
extern const struct resource api_message_read_all_resource;
extern const struct resource api_conversation_message_list_resource;
extern const struct resource api_message_history_resource;
extern const struct resource api_message_replies_resource;
extern const struct resource api_message_send_resource;
extern const struct resource api_message_resource;
extern const struct resource api_message_pin_resource;
extern const struct resource api_message_unpin_resource;
extern const struct resource api_message_mark_as_read_resource;

/* notifications.c */
extern const struct resource api_notification_list_resource;
extern const struct resource api_notification_count_resource;
extern const struct resource api_notification_read_all_resource;
extern const struct resource api_notification_resource;
extern const struct resource api_notification_read_resource;

/* realtime.c */
extern const struct resource api_socket_resource;
extern const struct resource api_events_resource;
extern const struct resource api_sync_resource;
extern const struct resource api_ticket_resource;
extern const struct resource api_typing_resource;
extern const struct resource api_presence_resource;

/* web/schema.c */
extern const struct resource web_schema_resource;

/* admin_*.c */
extern const struct resource api_admin_stats_resource;
extern const struct resource api_admin_user_list_resource;
extern const struct resource api_admin_user_bulk_resource;
extern const struct resource api_admin_user_resource;
extern const struct resource api_admin_user_password_resource;
extern const struct resource api_admin_user_session_list_resource;
extern const struct resource api_admin_user_session_resource;
extern const struct resource api_admin_conversation_list_resource;
extern const struct resource api_admin_conversation_bulk_resource;
extern const struct resource api_admin_conversation_resource;
extern const struct resource api_admin_message_list_resource;
extern const struct resource api_admin_message_bulk_resource;
extern const struct resource api_admin_notification_list_resource;
extern const struct resource api_admin_session_list_resource;
extern const struct resource api_admin_session_resource;
extern const struct resource api_admin_audit_resource;
extern const struct resource api_admin_job_list_resource;
extern const struct resource api_admin_job_retry_resource;
extern const struct resource api_admin_setting_list_resource;
extern const struct resource api_admin_check_list_resource;

/* system.c, metrics.c */
extern const struct resource api_root_resource;
extern const struct resource api_health_resource;
extern const struct resource api_ready_resource;
extern const struct resource api_metrics_resource;

const struct resource *const api_resources[] = {
    &api_root_resource,
    &api_health_resource,
    &api_ready_resource,
    &api_metrics_resource,
    &web_schema_resource,
    &api_login_resource,
    &api_refresh_resource,
    &api_verify_resource,
    &api_revoke_resource,
    &api_logout_resource,
    &api_token_auth_resource,
    &api_registration_resource,
    &api_user_list_resource,
    &api_user_search_resource,
    &api_user_resource,
    &api_me_resource,
    &api_profile_resource,
    &api_password_resource,
    &api_session_list_resource,
    &api_session_resource,
    &api_conversation_list_resource,
    &api_conversation_search_resource,
    &api_conversation_resource,
    &api_conversation_close_resource,
    &api_conversation_reopen_resource,
    &api_conversation_me_resource,
    &api_conversation_read_resource,
    &api_participant_list_resource,
    &api_participant_resource,
    &api_participant_add_resource,
    &api_participant_remove_resource,
    &api_message_list_resource,
    &api_message_search_resource,
    &api_message_unread_resource,
    &api_my_messages_resource,
    &api_messages_by_user_resource,
    &api_messages_by_conversation_resource,
    &api_message_read_all_resource,
    &api_conversation_message_list_resource,
    &api_message_history_resource,
    &api_message_replies_resource,
    &api_message_send_resource,
    &api_message_resource,
    &api_message_pin_resource,
    &api_message_unpin_resource,
    &api_message_mark_as_read_resource,
    &api_notification_list_resource,
    &api_notification_count_resource,
    &api_notification_read_all_resource,
    &api_notification_resource,
    &api_notification_read_resource,
    &api_socket_resource,
    &api_events_resource,
    &api_sync_resource,
    &api_ticket_resource,
    &api_typing_resource,
    &api_presence_resource,
    &api_admin_stats_resource,
    &api_admin_user_list_resource,
    &api_admin_user_bulk_resource,
    &api_admin_user_resource,
    &api_admin_user_password_resource,
    &api_admin_user_session_list_resource,
    &api_admin_user_session_resource,
    &api_admin_conversation_list_resource,
    &api_admin_conversation_bulk_resource,
    &api_admin_conversation_resource,
    &api_admin_message_list_resource,
    &api_admin_message_bulk_resource,
    &api_admin_notification_list_resource,
    &api_admin_session_list_resource,
    &api_admin_session_resource,
    &api_admin_audit_resource,
    &api_admin_job_list_resource,
    &api_admin_job_retry_resource,
    &api_admin_setting_list_resource,
    &api_admin_check_list_resource,
};

const size_t api_resource_count = COUNT_OF(api_resources);
