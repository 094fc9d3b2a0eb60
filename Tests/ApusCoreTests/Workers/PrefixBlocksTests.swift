import ApusModel
import Testing

@testable import ApusCore

@Suite("Prefix blocks")
struct PrefixBlocksTests {
    private let long = String(repeating: "swift ", count: 400)

    @Test("A user's message alone has the blocks of a prompt, and a raw prompt has others")
    func lone() {
        let names = PrefixBlocks.names(of: GenerationRequest(prompt: long))
        #expect(names.count == long.utf8.count / PrefixBlocks.blockBytes)
        #expect(PrefixBlocks.names(of: GenerationRequest(messages: [.user(long)])) == names)
        #expect(PrefixBlocks.names(of: GenerationRequest(prompt: long, isRaw: true)).first != names.first)
    }

    @Test("Chats share the blocks of their common beginning")
    func chats() {
        let system = ChatMessage(role: "system", content: long)
        let first = PrefixBlocks.names(of: GenerationRequest(messages: [system, .user("one")]))
        let second = PrefixBlocks.names(
            of: GenerationRequest(messages: [system, .user("two"), ChatMessage(role: "assistant", content: long)])
        )
        #expect(first == Array(second.prefix(first.count)))
        #expect(first.count == long.utf8.count / PrefixBlocks.blockBytes)
        let other = ChatMessage(role: "tool", content: long)
        #expect(PrefixBlocks.names(of: GenerationRequest(messages: [other, .user("one")])).first != first.first)
    }

    @Test("The longest chat has no more blocks than the longest prompt")
    func bounded() {
        let messages = Array(repeating: ChatMessage.user(long), count: 200)
        #expect(PrefixBlocks.names(of: GenerationRequest(messages: messages)).count == PrefixBlocks.limit)
    }
}
