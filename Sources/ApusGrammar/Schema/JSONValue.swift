/// A JSON value that keeps the order of its keys and the digits of its numbers.
indirect enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// What a message calls it.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The value as JSON without white space, characters outside ASCII as they are.
    var text: [UInt32] {
        switch self {
        case .null: return JSONValue.scalars("null")
        case .bool(let value): return JSONValue.scalars(value ? "true" : "false")
        case .number(let digits): return JSONValue.scalars(digits)
        case .string(let value): return JSONValue.quoted(value)
        case .array(let values):
            return JSONValue.joined(values.map(\.text), "[", "]")
        case .object(let object):
            let members = object.members.map { JSONValue.quoted($0.key) + JSONValue.scalars(":") + $0.value.text }
            return JSONValue.joined(members, "{", "}")
        }
    }

    /// A string as JSON, with the shortest escapes where they have to be.
    static func quoted(_ text: String) -> [UInt32] {
        scalars("\"") + text.unicodeScalars.flatMap { escaped($0.value) } + scalars("\"")
    }

    /// A character within a JSON string, escaped where it has to be.
    static func escaped(_ scalar: UInt32) -> [UInt32] {
        switch scalar {
        case 0x22: return scalars("\\\"")
        case 0x5C: return scalars("\\\\")
        case 0x08: return scalars("\\b")
        case 0x09: return scalars("\\t")
        case 0x0A: return scalars("\\n")
        case 0x0C: return scalars("\\f")
        case 0x0D: return scalars("\\r")
        case 0..<0x20:
            let digits = String(scalar, radix: 16)
            return scalars("\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits)
        default: return [scalar]
        }
    }

    private static func joined(_ parts: [[UInt32]], _ opening: String, _ closing: String) -> [UInt32] {
        scalars(opening) + Array(parts.joined(separator: scalars(","))) + scalars(closing)
    }

    private static func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }
}

/// A JSON object in the order of its text.
struct JSONObject: Hashable, Sendable {
    /// A key with its value.
    struct Member: Hashable, Sendable {
        let key: String
        var value: JSONValue
    }

    /// The members; no key is there twice.
    private(set) var members: [Member] = []
    private var places: [String: Int] = [:]

    /// The value of a key; `nil` takes no member away.
    subscript(key: String) -> JSONValue? {
        get { places[key].map { members[$0].value } }
        set {
            guard let newValue else { return }
            if let place = places[key] {
                members[place].value = newValue
            } else {
                places[key] = members.count
                members.append(Member(key: key, value: newValue))
            }
        }
    }
}
