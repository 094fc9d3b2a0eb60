/// A set of JSON types.
struct SchemaTypes {
    /// A type as JSON Schema names it.
    enum Name: String, CaseIterable {
        case object
        case array
        case string
        case number
        case integer
        case boolean
        case null

        /// The type of a value; a number without point and exponent is an integer.
        static func of(_ value: JSONValue) -> Name {
            switch value {
            case .null: .null
            case .bool: .boolean
            case .number(let text):
                text.utf8.allSatisfy { $0 == 0x2D || (0x30...0x39).contains($0) } ? .integer : .number
            case .string: .string
            case .array: .array
            case .object: .object
            }
        }
    }

    /// The types, each once; never both number and integer.
    let names: [Name]

    private static let implied: [(keyword: String, type: Name)] = [
        ("properties", .object), ("required", .object), ("additionalProperties", .object),
        ("items", .array), ("prefixItems", .array), ("minItems", .array), ("maxItems", .array),
        ("minLength", .string), ("maxLength", .string), ("pattern", .string), ("format", .string),
        ("minimum", .number), ("maximum", .number), ("exclusiveMinimum", .number), ("exclusiveMaximum", .number),
    ]

    private init(_ names: [Name]) {
        var kept: [Name] = []
        for name in names where !kept.contains(name) && !(name == .integer && names.contains(.number)) {
            kept.append(name)
        }
        self.names = kept
    }

    /// The types of a schema: those that it names, else those that its keywords speak of; `nil` if it says nothing.
    static func of(_ object: JSONObject, at path: SchemaPath) throws(GrammarError) -> SchemaTypes? {
        switch object["type"] {
        case nil:
            let names = implied.filter { object[$0.keyword] != nil }.map(\.type)
            return names.isEmpty ? nil : SchemaTypes(names)
        case .string(let name)?:
            return SchemaTypes([try parse(name, at: path)])
        case .array(let values)?:
            var names: [Name] = []
            for value in values.prefix(64) {
                guard case .string(let name) = value else { throw path.failure("'type' must hold names of types.") }
                names.append(try parse(name, at: path))
            }
            return SchemaTypes(names)
        default:
            throw path.failure("'type' must be a name or an array of names.")
        }
    }

    private static func parse(_ name: String, at path: SchemaPath) throws(GrammarError) -> Name {
        guard let type = Name(rawValue: name) else {
            let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw path.failure("\(GrammarError.quoted(name)) is no type; use one of \(known).")
        }
        return type
    }

    /// Whether no type is left.
    var isEmpty: Bool { names.isEmpty }

    /// Whether a value of this type may be meant; integers are numbers.
    func contains(_ name: Name) -> Bool { names.contains(name) || name == .integer && names.contains(.number) }

    /// The types in both.
    func intersection(_ other: SchemaTypes) -> SchemaTypes {
        SchemaTypes(names.filter(other.contains) + other.names.filter(contains))
    }

    /// The value of `type` for these.
    var value: JSONValue { .array(names.map { .string($0.rawValue) }) }
}
