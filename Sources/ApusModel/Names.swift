/// A name that people give: 1 to 64 letters, digits, dots, hyphens and underscores.
///
/// The alphabet keeps names safe in file names, log lines, metric labels and terminals.
public protocol ApusName: Hashable, Comparable, Sendable, LosslessStringConvertible, Codable {
    /// The name's text.
    var text: String { get }

    /// Takes a text that is known to be valid.
    init(unchecked text: String)
}

extension ApusName {
    /// The name's text.
    public var description: String { text }

    /// Checks a text against the rules for names.
    ///
    /// - Returns: `nil` for an empty or too long text, or one with another character.
    public init?(_ description: String) {
        let bytes = description.utf8
        let allowed = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default:
                false
            }
        }
        guard allowed, (1...Limits.nameBytes).contains(bytes.count) else { return nil }
        self.init(unchecked: description)
    }

    /// Orders names by their bytes.
    public static func < (left: Self, right: Self) -> Bool { left.text < right.text }

    /// Reads a name from a single text value.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let name = Self(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a name: \(text)")
            )
        }
        self = name
    }

    /// Writes the name as a single text value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// A worker's name, unique among the workers that are connected.
public struct WorkerName: ApusName {
    /// The name's text.
    public let text: String

    /// Takes a text that is known to be valid.
    public init(unchecked text: String) {
        self.text = text
    }
}

/// A client's name; all clients with one name share one share of the workers.
public struct ClientName: ApusName {
    /// The name's text.
    public let text: String

    /// Takes a text that is known to be valid.
    public init(unchecked text: String) {
        self.text = text
    }
}

/// The name under which workers serve a model and clients ask for it.
public struct ModelName: ApusName {
    /// The name's text.
    public let text: String

    /// Takes a text that is known to be valid.
    public init(unchecked text: String) {
        self.text = text
    }
}
