/// One message of a chat, as the model's template sees it.
public struct ChatMessage: Hashable, Sendable {
    /// Who speaks: `system`, `user`, `assistant`, or what else the model's template knows.
    public var role: String

    /// What is said; names of special tokens in it stay text.
    public var content: String

    /// Describes a message.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }

    /// A message of the user.
    public static func user(_ content: String) -> ChatMessage { ChatMessage(role: "user", content: content) }

    /// Checks the role; contents are checked together, by the request.
    ///
    /// Templates build special tokens of roles, so that a role must not hold what could be one itself.
    ///
    /// - Throws: `invalidRequest` unless the role has 1 to `Limits.roleBytes` letters, digits, hyphens or underscores.
    func validate() throws(ApusError) {
        let isAllowed = role.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default:
                false
            }
        }
        guard isAllowed, (1...Limits.roleBytes).contains(role.utf8.count) else {
            throw ApusError(
                .invalidRequest,
                "a message's role must have 1 to \(Limits.roleBytes) letters, digits, hyphens or underscores"
            )
        }
    }
}
