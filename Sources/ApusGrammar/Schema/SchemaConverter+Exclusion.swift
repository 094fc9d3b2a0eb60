extension SchemaConverter {
    /// Refuses a `oneOf` with a value that could fit two branches: a grammar can't say "not both".
    ///
    /// - Parameters:
    ///   - branches: The schemas of `oneOf`.
    ///   - path: Where `oneOf` stands.
    ///   - depth: How many schemas are around it.
    /// - Throws: `GrammarError` that names two branches.
    mutating func checkExclusion(
        of branches: [JSONValue],
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) {
        for second in branches.indices {
            for first in 0..<second {
                let place = path.appending("oneOf")
                guard try excludes(branches[first], branches[second], at: place, depth: depth + 1),
                    try excludes(branches[second], branches[first], at: place, depth: depth + 1)
                else {
                    throw place.failure(
                        "A value could fit both branch \(first) and branch \(second); use 'anyOf' if that is allowed, or"
                            + " give the branches different types or a required property with a different 'const'."
                    )
                }
            }
        }
    }

    /// Whether no text made for one schema fits the other, as far as types, values and names of properties tell.
    private mutating func excludes(
        _ made: JSONValue,
        _ other: JSONValue,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Bool {
        guard case .object(let first) = made, case .object(let second) = other else {
            return made == .bool(false) || other == .bool(false)
        }
        let one = try flatten(first, at: path, depth: depth)
        let two = try flatten(second, at: path, depth: depth)
        let values = try SchemaKeywords.values(of: one, at: path)
        let otherValues = try SchemaKeywords.values(of: two, at: path)
        if let values, let otherValues {
            try charge(values.count + otherValues.count, at: path)
            if (values + otherValues).allSatisfy(\.isPlain), Set(values).isDisjoint(with: otherValues) { return true }
        }
        guard let types = try Self.types(of: one, values, at: path),
            let otherTypes = try Self.types(of: two, otherValues, at: path)
        else { return false }
        let common = types.intersection(otherTypes)
        if common.isEmpty { return true }
        guard common.names == [.object], values == nil, otherValues == nil else { return false }
        return try excludesObject(one, two, at: path, depth: depth)
    }

    private mutating func excludesObject(
        _ made: JSONObject,
        _ other: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Bool {
        let properties = try SchemaKeywords.properties(of: made, at: path)
        let otherProperties = try SchemaKeywords.properties(of: other, at: path)
        let required = try SchemaKeywords.required(of: made, at: path)
        let otherRequired = try SchemaKeywords.required(of: other, at: path)
        try charge(required.count + otherRequired.count, at: path)
        let hasBranches = made["anyOf"] != nil || made["oneOf"] != nil
        let isClosed =
            made["additionalProperties"] == .bool(false)
            || made["additionalProperties"] == nil && made["properties"] != nil && !hasBranches
        let names = Set(required)
        if isClosed, otherRequired.contains(where: { properties[$0] == nil && !names.contains($0) }) { return true }
        if other["additionalProperties"] == .bool(false), required.contains(where: { otherProperties[$0] == nil }) {
            return true
        }
        for name in otherRequired where names.contains(name) {
            guard let mine = properties[name], let its = otherProperties[name] else { continue }
            if try excludes(mine, its, at: path, depth: depth + 1) { return true }
        }
        return false
    }

    /// The types of a schema, from its values if it lists them; `nil` if they can't be told.
    private static func types(
        of object: JSONObject,
        _ values: [JSONValue]?,
        at path: SchemaPath
    ) throws(GrammarError) -> SchemaTypes? {
        if object["type"] == nil, object["anyOf"] != nil || object["oneOf"] != nil { return nil }
        guard let values else { return try SchemaTypes.of(object, at: path) }
        var listed = JSONObject()
        listed["type"] = .array(values.prefix(64).map { .string(SchemaTypes.Name.of($0).rawValue) })
        return values.count > 64 ? nil : try SchemaTypes.of(listed, at: path)
    }
}

extension JSONValue {
    /// Whether an equal value has no other spelling here.
    fileprivate var isPlain: Bool {
        switch self {
        case .null, .bool, .string: true
        case .number(let text): SchemaTypes.Name.of(self) == .integer && text != "-0"
        case .array, .object: false
        }
    }
}
