/* Chat templates of models, rendered by llama.cpp's own Jinja engine.
 *
 * Scripts/setup.sh builds this into libapus-chat from the same source as llama.cpp. The interface is C; no exception
 * leaves it, and a template can't read anything but what it is given: neither a clock nor a file nor the environment.
 * A template that calls itself without end takes the process down: it is as trusted as the model that it comes with.
 */
#ifndef APUS_CHAT_H
#define APUS_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library shows nothing but these. */
#pragma GCC visibility push(default)

/* A parsed template. It doesn't change once it is made: any thread may render it. */
typedef struct apus_chat_template apus_chat_template;

/* How a rendering ended. */
typedef enum {
    /* All of the text was passed to the callback. */
    APUS_CHAT_RENDERED = 0,
    /* The template itself refused the messages by raise_exception; its words are in `error`. */
    APUS_CHAT_REFUSED = 1,
    /* The template uses something that the engine doesn't have or that fails; what is in `error`. */
    APUS_CHAT_FAILED = 2,
} apus_chat_result;

/* Takes a part of a rendered text; the bytes are valid during the call. is_input: they are from a message's content. */
typedef void (*apus_chat_segment)(void *context, const char *bytes, size_t length, bool is_input);

/* Parses a template.
 *
 * source, length: the template's text.
 * bos, eos: texts of the model's tokens for the beginning and the end, for templates that write them; "" where it has
 * none.
 * error, error_size: receive a terminated message, cut where it is too long.
 * Returns NULL if the template can't be parsed; otherwise the caller frees it by apus_chat_free.
 */
apus_chat_template *apus_chat_parse(const char *source, size_t length, const char *bos, const char *eos, char *error,
                                    size_t error_size);

/* Frees a template; NULL is allowed. */
void apus_chat_free(apus_chat_template *chat_template);

/* Renders messages.
 *
 * The template sees messages (role and content), add_generation_prompt, bos_token and eos_token. Whatever else it asks
 * for is undefined, so that its own defaults hold. strftime_now tells noon of 26 July 2024 in UTC, the date that Llama
 * 3's template falls back to: a prompt must not depend on the day.
 *
 * roles: count terminated texts. They count as the template's own text, since templates build special tokens of them.
 * contents, lengths: the messages' texts, which need no terminator.
 * segment, context: called in order with the rendered text, for neighbouring parts of one origin once; only if all of
 * it could be rendered.
 * error, error_size: as above.
 */
apus_chat_result apus_chat_render(const apus_chat_template *chat_template, const char *const *roles,
                                  const char *const *contents, const size_t *lengths, size_t count,
                                  bool add_generation_prompt, apus_chat_segment segment, void *context, char *error,
                                  size_t error_size);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
