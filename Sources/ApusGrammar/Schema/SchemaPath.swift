/// Where a schema stands, as a JSON pointer that is cut when it becomes long.
struct SchemaPath {
    private static let longest = 400

    /// The pointer.
    let pointer: String

    /// The whole schema.
    static let root = SchemaPath("#")

    /// Takes a pointer over.
    init(_ pointer: String) {
        self.pointer = pointer.utf8.count <= Self.longest ? pointer : String(pointer.prefix(64)) + "..."
    }

    /// The place below this one.
    func appending(_ key: String) -> SchemaPath {
        guard pointer.utf8.count <= Self.longest else { return self }
        var result = pointer + "/"
        for (count, scalar) in key.unicodeScalars.enumerated() {
            if count == 60 {
                result += "..."
                break
            }
            switch scalar {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return SchemaPath(cut: result)
    }

    private init(cut pointer: String) { self.pointer = pointer }

    /// The place for an error.
    var place: GrammarError.Place { .path(pointer) }

    /// An error of what stands here.
    func failure(_ reason: String) -> GrammarError { GrammarError(place, reason) }

    /// A part of a pointer as the key that it means.
    static func unescaped(_ part: Substring) -> String {
        var key = String.UnicodeScalarView()
        var isEscape = false
        for scalar in part.unicodeScalars {
            switch (isEscape, scalar) {
            case (true, "1"): key.append("/")
            case (true, "0"): key.append("~")
            case (false, "~"): break
            default: key.append(scalar)
            }
            isEscape = !isEscape && scalar == "~"
        }
        return String(key)
    }
}
