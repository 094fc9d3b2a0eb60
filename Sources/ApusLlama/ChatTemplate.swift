#if APUS_LLAMA
import ApusModel
internal import CLlama

/// A model's chat template, run by llama.cpp's Jinja engine.
///
/// Rendering is a pure function of the messages: a template sees no clock (`apus_chat.h` says which date it is told).
final class ChatTemplate {
    /// A rendered text and which parts of it come from the messages' contents.
    struct Rendering {
        /// The text's bytes.
        var text: [UInt8] = []

        /// The parts from contents, in order, not touching each other.
        var inputs: [Range<Int>] = []
    }

    private let pointer: OpaquePointer

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - source: The template's text.
    ///   - beginning: The text of the model's beginning token, for templates that write it; empty if it has none.
    ///   - end: The text of its end token, likewise.
    /// - Throws: `unsupported`, with the cause as the message, if the engine can't read the template.
    init(source: String, beginning: String, end: String) throws(ApusError) {
        var source = source
        var cause = ""
        let parsed = source.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                Self.collectingError(into: &cause) { error, size in
                    // Invariant: all texts outlive the call and have the lengths that are passed.
                    apus_chat_parse(characters.baseAddress, characters.count, beginning, end, error, size)
                }
            }
        }
        guard let parsed else { throw ApusError(.unsupported, cause) }
        pointer = parsed
    }

    deinit {
        apus_chat_free(pointer)
    }

    /// Renders messages up to the beginning of the assistant's answer.
    ///
    /// - Parameters:
    ///   - roles: The messages' roles.
    ///   - contents: Their contents, as many; bytes that are no UTF-8 pass through.
    /// - Returns: The text and where the contents are in it.
    /// - Throws: `invalidRequest`, with the cause as the message, where the template refuses the messages or fails.
    func render(roles: [String], contents: [[UInt8]]) throws(ApusError) -> Rendering {
        precondition(roles.count == contents.count, "a message has a role and a content")
        var rendering = Rendering()
        var cause = ""
        // All texts lie in one buffer, each role with a terminator.
        let bytes = zip(roles, contents).flatMap { role, content in role.utf8 + [0] + content }
        let result = bytes.withUnsafeBytes { bytes in
            var roleStarts: [UnsafePointer<CChar>?] = []
            var contentStarts: [UnsafePointer<CChar>?] = []
            var place = bytes.bindMemory(to: CChar.self).baseAddress
            for (role, content) in zip(roles, contents) {
                roleStarts.append(place)
                place = place?.advanced(by: role.utf8.count + 1)
                contentStarts.append(place)
                place = place?.advanced(by: content.count)
            }
            return withUnsafeMutablePointer(to: &rendering) { rendering in
                Self.collectingError(into: &cause) { error, size in
                    // Invariant: the pointers point into `bytes`, which outlives the call, as does `rendering`.
                    apus_chat_render(
                        pointer,
                        roleStarts,
                        contentStarts,
                        contents.map(\.count),
                        roles.count,
                        true,
                        { rendering, bytes, length, isInput in
                            guard let rendering else { return }
                            rendering.assumingMemoryBound(to: Rendering.self).pointee.append(
                                UnsafeRawBufferPointer(start: bytes, count: length),
                                isInput: isInput
                            )
                        },
                        rendering,
                        error,
                        size
                    )
                }
            }
        }
        switch result {
        case APUS_CHAT_RENDERED: return rendering
        case APUS_CHAT_REFUSED: throw ApusError(.invalidRequest, "refuses these messages: \(cause)")
        default: throw ApusError(.invalidRequest, "can't render these messages: \(cause)")
        }
    }

    /// Gives a call a buffer for its message and reads the message afterwards.
    private static func collectingError<Result>(
        into message: inout String,
        _ call: (UnsafeMutablePointer<CChar>?, Int) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            buffer.initialize(repeating: 0)
            // Invariant: the buffer has the length that is passed.
            let result = call(buffer.baseAddress, buffer.count)
            message = String(
                decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
                as: UTF8.self
            )
            return result
        }
    }
}

extension ChatTemplate.Rendering {
    /// Appends a part.
    fileprivate mutating func append(_ part: UnsafeRawBufferPointer, isInput: Bool) {
        if isInput { inputs.append(text.count..<text.count + part.count) }
        text.append(contentsOf: part)
    }
}
#endif
