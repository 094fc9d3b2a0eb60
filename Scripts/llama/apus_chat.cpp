#include "apus_chat.h"

#include "jinja/caps.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"
#include "jinja/value.h"

#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <utility>

struct apus_chat_template {
    jinja::program program;
    std::string source;
    std::string bos;
    std::string eos;
    /* Whether a content is to be a list of typed parts, because the template can't take a text. */
    bool wants_parts;
};

namespace {

/* What raise_exception throws. It is no std::exception: the engine would wrap a report about the source around it. */
struct refusal {
    std::string message;
};

/* 2024-07-26 12:00:00 UTC. */
constexpr std::time_t fixed_time = 1721995200;

void report(char *error, size_t error_size, const char *message) {
    if (error_size > 0) std::snprintf(error, error_size, "%s", message);
}

/* The engine's reports are several lines with a part of the source; the cause stands behind the last "Error: ". */
std::string cause(const std::exception &exception) {
    const std::string report = exception.what();
    const std::string mark = "\nError: ";
    const size_t place = report.rfind(mark);
    return place == std::string::npos ? report : report.substr(place + mark.size());
}

jinja::value raise(const jinja::func_args &arguments) {
    arguments.ensure_vals<jinja::value_string>();
    throw refusal{arguments.get_pos(0)->as_string().str()};
}

jinja::value tell_fixed_time(const jinja::func_args &arguments) {
    arguments.ensure_vals<jinja::value_string>();
    const std::string format = arguments.get_pos(0)->as_string().str();
    std::tm parts{};
    gmtime_r(&fixed_time, &parts);
    char text[256];
    const size_t length = std::strftime(text, sizeof text, format.c_str(), &parts);
    return jinja::mk_val<jinja::value_string>(std::string(text, length));
}

jinja::value marked_content(const char *bytes, size_t length, bool wants_parts) {
    auto text = jinja::mk_val<jinja::value_string>(std::string(bytes, length));
    text->mark_input();
    if (!wants_parts) return text;
    auto part = jinja::mk_val<jinja::value_object>();
    part->insert("type", jinja::mk_val<jinja::value_string>("text"));
    part->insert("text", text);
    auto parts = jinja::mk_val<jinja::value_array>();
    parts->push_back(part);
    return parts;
}

} // namespace

apus_chat_template *apus_chat_parse(const char *source, size_t length, const char *bos, const char *eos, char *error,
                                    size_t error_size) {
    try {
        jinja::lexer lexer;
        auto tokens = lexer.tokenize(std::string(source, length));
        auto program = jinja::parse_from_tokens(tokens);
        const jinja::caps caps = jinja::caps_get(program);
        const bool wants_parts = caps.supports_typed_content && !caps.supports_string_content;
        return new apus_chat_template{std::move(program), std::move(tokens.source), bos, eos, wants_parts};
    } catch (const std::exception &exception) {
        report(error, error_size, cause(exception).c_str());
    } catch (...) {
        report(error, error_size, "it breaks or continues a loop outside of one");
    }
    return nullptr;
}

void apus_chat_free(apus_chat_template *chat_template) {
    delete chat_template;
}

apus_chat_result apus_chat_render(const apus_chat_template *chat_template, const char *const *roles,
                                  const char *const *contents, const size_t *lengths, size_t count,
                                  bool add_generation_prompt, apus_chat_segment segment, void *context, char *error,
                                  size_t error_size) {
    try {
        auto messages = jinja::mk_val<jinja::value_array>();
        for (size_t i = 0; i < count; i++) {
            auto message = jinja::mk_val<jinja::value_object>();
            message->insert("role", jinja::mk_val<jinja::value_string>(std::string(roles[i])));
            message->insert("content", marked_content(contents[i], lengths[i], chat_template->wants_parts));
            messages->push_back(message);
        }
        jinja::context variables(chat_template->source);
        variables.current_time = fixed_time;
        variables.set_val("messages", messages);
        variables.set_val("add_generation_prompt", jinja::mk_val<jinja::value_bool>(add_generation_prompt));
        variables.set_val("bos_token", jinja::mk_val<jinja::value_string>(chat_template->bos));
        variables.set_val("eos_token", jinja::mk_val<jinja::value_string>(chat_template->eos));
        variables.set_val("raise_exception", jinja::mk_val<jinja::value_func>("raise_exception", raise));
        variables.set_val("strftime_now", jinja::mk_val<jinja::value_func>("strftime_now", tell_fixed_time));

        jinja::runtime runtime(variables);
        const auto text = jinja::runtime::gather_string_parts(runtime.execute(chat_template->program));
        for (const auto &part : text->as_string().parts) {
            if (!part.val.empty()) segment(context, part.val.data(), part.val.size(), part.is_input);
        }
        return APUS_CHAT_RENDERED;
    } catch (const refusal &refused) {
        report(error, error_size, refused.message.c_str());
        return APUS_CHAT_REFUSED;
    } catch (const std::exception &exception) {
        report(error, error_size, cause(exception).c_str());
    } catch (...) {
        report(error, error_size, "it breaks or continues a loop outside of one");
    }
    return APUS_CHAT_FAILED;
}
