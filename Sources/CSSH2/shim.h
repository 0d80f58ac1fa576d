#include <libssh2.h>
#include <string.h>

/* Answers what is asked without echo with the password, and all else with nothing. libssh2 frees the answers. */
static inline void cssh2_answer(
    const char *name, int name_length, const char *instruction, int instruction_length, int count,
    const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts, LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **context) {
    (void)name; (void)name_length; (void)instruction; (void)instruction_length;
    for (int i = 0; i < count; i++) {
        const char *text = prompts[i].echo ? "" : (const char *)*context;
        responses[i].text = strdup(text);
        responses[i].length = responses[i].text ? (unsigned int)strlen(text) : 0;
    }
}

/* Logs in by questions and answers. The password must stay where it is until this no longer says EAGAIN. */
static inline int cssh2_keyboard_interactive(
    LIBSSH2_SESSION *session, const char *user, unsigned int user_length, const char *password) {
    *libssh2_session_abstract(session) = (void *)password;
    int code = libssh2_userauth_keyboard_interactive_ex(session, user, user_length, cssh2_answer);
    *libssh2_session_abstract(session) = NULL;
    return code;
}
