#if APUS_LLAMA
import ApusModel
import Testing

@testable import ApusLlama

/// Templates as models bring them, rendered by llama.cpp's engine; the expectations are what Jinja2 makes of them.
struct ChatTemplateTests {
    /// Of Meta-Llama-3-8B-Instruct.
    private static let llama3 = """
        {% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + \
        message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}\
        {% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}
        """

    /// Of gemma-2-2b-it.
    private static let gemma = """
        {{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
        {% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
        {% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}\
        {% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}
        """

    /// Of Mistral-7B-Instruct-v0.2.
    private static let mistral = """
        {{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
        {% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}\
        {% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}\
        {% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}
        """

    private static let chatML = """
        {% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + \
        '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    private static let turns = [
        ChatMessage.user(" Hi\n"), ChatMessage(role: "assistant", content: "Ja, 世界"), .user("x{{ 7 * 7 }}"),
    ]

    private func render(_ source: String, _ messages: [ChatMessage]) throws -> ChatTemplate.Rendering {
        try ChatTemplate(source: source, beginning: "<B>", end: "<E>").render(
            roles: messages.map(\.role),
            contents: messages.map { Array($0.content.utf8) }
        )
    }

    private func text(_ source: String, _ messages: [ChatMessage]) throws -> String {
        String(decoding: try render(source, messages).text, as: UTF8.self)
    }

    private func message(of body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ApusError)?.message
        }
    }

    @Test(
        "Templates of models render several turns as Jinja2 does",
        arguments: [
            (
                llama3,
                "<B><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant"
                    + "<|end_header_id|>\n\nJa, 世界<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nx{{ 7 * 7 }}"
                    + "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
            ),
            (
                gemma,
                "<B><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nJa, 世界<end_of_turn>\n"
                    + "<start_of_turn>user\nx{{ 7 * 7 }}<end_of_turn>\n<start_of_turn>model\n"
            ),
            (mistral, "<B>[INST]  Hi\n [/INST]Ja, 世界<E>[INST] x{{ 7 * 7 }} [/INST]"),
            (
                chatML,
                "<|im_start|>user\n Hi\n<|im_end|>\n<|im_start|>assistant\nJa, 世界<|im_end|>\n<|im_start|>user\n"
                    + "x{{ 7 * 7 }}<|im_end|>\n<|im_start|>assistant\n"
            ),
        ]
    )
    func turns(source: String, expected: String) throws {
        #expect(try text(source, Self.turns) == expected)
    }

    @Test("Exactly the contents are marked as input, trimmed ones too")
    func marks() throws {
        for source in [Self.llama3, Self.gemma, Self.mistral, Self.chatML] {
            let rendering = try render(source, Self.turns)
            let inputs = rendering.inputs.map { String(decoding: rendering.text[$0], as: UTF8.self) }
            let trims = source.contains("trim")
            #expect(inputs == [trims ? "Hi" : " Hi\n", "Ja, 世界", "x{{ 7 * 7 }}"])
        }
    }

    @Test("What a template refuses is told in its own words")
    func refusals() {
        let system = [ChatMessage(role: "system", content: "s"), .user("u")]
        #expect(message { _ = try text(Self.gemma, system) } == "refuses these messages: System role not supported")
        #expect(
            message { _ = try text(Self.mistral, [ChatMessage(role: "tool", content: "s")]) }
                == "refuses these messages: Conversation roles must alternate user/assistant/user/assistant/..."
        )
        let long = "{{ raise_exception('é' * 1 ~ messages[0].content) }}"
        #expect(message { _ = try text(long, [.user(String(repeating: "é", count: 5_000))]) }?.isEmpty == false)
    }

    @Test(
        "What can't be parsed or fails is an error with a cause, never a crash",
        arguments: [
            "{% if %}", "{{ messages[", "{% for %}", "{% endfor %}", "{{ 'a' | nosuchfilter }}", "{{ nosuch() }}",
            "{{ messages.x.y.z() }}", "{% break %}", "{{ 1 // 2 }}",
            "{{ messages | join(1, 2, 3) }}{% for x in 7 %}{% endfor %}",
        ]
    )
    func failures(source: String) throws {
        let cause = try #require(message { _ = try text(source, [.user("u")]) })
        #expect(!cause.isEmpty && cause.utf8.count < 600)
    }

    @Test("The date that a template is told is always the same, in every time zone")
    func date() throws {
        let source = "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}"
        #expect(try text(source, [.user("u")]) == "2024-07-26 12:00:00")
        #expect(try text("{% if strftime_now is defined %}yes{% endif %}{{ strftime_now('') }}", [.user("u")]) == "yes")
    }

    @Test("A template that takes no plain text gets typed parts")
    func parts() throws {
        let source =
            "{% for m in messages %}{% for part in m.content %}[{{ part.type }}:{{ part.text }}]{% endfor %}{% endfor %}"
        #expect(try text(source, [.user("one"), .user("two")]) == "[text:one][text:two]")
    }

    @Test("A content of any bytes and lengths passes through")
    func bytes() throws {
        let template = try ChatTemplate(source: Self.chatML, beginning: "", end: "")
        for content in [[], [0, 1, 0xFF, 0xC3, 0], [UInt8](repeating: 0xFE, count: 100_000)] as [[UInt8]] {
            let rendering = try template.render(roles: ["user"], contents: [content])
            #expect(rendering.inputs.map { Array(rendering.text[$0]) } == (content.isEmpty ? [] : [content]))
        }
        #expect(try template.render(roles: [], contents: []).text == Array("<|im_start|>assistant\n".utf8))
    }

    @Test("As many messages as a request may have are rendered")
    func many() throws {
        let messages = (0..<Limits.messages).map {
            ChatMessage(role: $0 % 2 == 0 ? "user" : "assistant", content: "m\($0)")
        }
        let rendering = try render(Self.llama3, messages)
        #expect(rendering.inputs.count == Limits.messages)
    }
}
#endif
