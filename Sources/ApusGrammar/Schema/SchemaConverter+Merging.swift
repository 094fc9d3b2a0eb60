extension SchemaConverter {
    /// The schema with `$ref` and `allOf` written out.
    ///
    /// - Parameters:
    ///   - object: A schema.
    ///   - path: Where it stands.
    ///   - depth: How many schemas are around it.
    /// - Returns: A schema with neither, which the same values fit.
    /// - Throws: `GrammarError` for schemas that can't be joined, and for circles.
    mutating func flatten(
        _ object: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> JSONObject {
        try charge(1 + object.members.count, at: path)
        guard depth < GrammarLimits.nesting else {
            throw path.failure("'$ref' and 'allOf' run in a circle or are nested deeper than \(GrammarLimits.nesting).")
        }
        try SchemaKeywords.check(object, at: path)
        var result = SchemaKeywords.removing("$ref", "allOf", from: object)
        var parts: [JSONValue] = []
        if let reference = object["$ref"] {
            guard case .string(let pointer) = reference else { throw path.failure("'$ref' must be a string.") }
            parts.append(try resolve(pointer, at: path))
        }
        if let list = object["allOf"] {
            guard case .array(let schemas) = list, !schemas.isEmpty else {
                throw path.failure("'allOf' must be an array with at least one schema.")
            }
            parts += schemas
        }
        for part in parts {
            switch part {
            case .bool(true): continue
            case .object(let schema):
                result = try merge(result, try flatten(schema, at: path, depth: depth + 1), at: path)
            case .bool(false): throw path.failure("The schema false fits no value; remove it from 'allOf'.")
            default: throw path.failure("A schema must be an object or a boolean, not \(part.kind).")
            }
        }
        return result
    }

    /// The schema that fits the values that fit both.
    private mutating func merge(
        _ one: JSONObject,
        _ other: JSONObject,
        at path: SchemaPath
    ) throws(GrammarError) -> JSONObject {
        try charge(one.members.count + other.members.count, at: path)
        if SchemaKeywords.constraints(of: one).isEmpty { return other }
        var result = one
        for member in other.members {
            guard let mine = one[member.key], mine != member.value else {
                result[member.key] = member.value
                continue
            }
            result[member.key] = try merge(mine, member.value, of: member.key, one, other, at: path)
        }
        try mergeProperties(one, other, into: &result, at: path)
        guard try SchemaKeywords.values(of: one, at: path) != nil,
            let mine = try SchemaKeywords.values(of: other, at: path)
        else { return result }
        let both = (try SchemaKeywords.values(of: one, at: path) ?? []).filter(mine.contains)
        try charge(mine.count, at: path)
        guard !both.isEmpty else { throw path.failure("No value is in both lists of 'enum' or 'const'; correct them.") }
        result = SchemaKeywords.removing("const", from: result)
        result["enum"] = .array(both)
        return result
    }

    /// Merges two different values of a keyword.
    private func merge(
        _ mine: JSONValue,
        _ value: JSONValue,
        of key: String,
        _ one: JSONObject,
        _ other: JSONObject,
        at path: SchemaPath
    ) throws(GrammarError) -> JSONValue {
        switch key {
        case "type":
            guard let first = try SchemaTypes.of(one, at: path), let second = try SchemaTypes.of(other, at: path)
            else { return mine }
            let both = first.intersection(second)
            guard !both.isEmpty else { throw path.failure("No type fits both schemas that are joined here.") }
            return both.value
        case "required":
            return .array(
                (try SchemaKeywords.required(of: one, at: path) + SchemaKeywords.required(of: other, at: path))
                    .map(JSONValue.string)
            )
        case "minItems", "minLength", "minimum", "exclusiveMinimum":
            return try wider(key, one, other, at: path, >=)
        case "maxItems", "maxLength", "maximum", "exclusiveMaximum":
            return try wider(key, one, other, at: path, <=)
        case "items" where one["prefixItems"] == nil && other["prefixItems"] == nil:
            return Self.both(mine, value)
        case "anyOf", "oneOf":
            guard case .array(let branches) = mine else { throw path.failure("'\(key)' must be an array.") }
            var rest = JSONObject()
            rest[key] = value
            return .array(branches.map { Self.both($0, .object(rest)) })
        case "items", "prefixItems", "pattern", "format":
            throw path.failure("Two schemas with a different '\(key)' can't be joined; write one that says both.")
        default:
            // Objects and values are merged by themselves, annotations don't matter.
            return mine
        }
    }

    private func wider(
        _ key: String,
        _ one: JSONObject,
        _ other: JSONObject,
        at path: SchemaPath,
        _ isTighter: (Int64, Int64) -> Bool
    ) throws(GrammarError) -> JSONValue {
        let first = try SchemaKeywords.bound(key, of: one, at: path) ?? 0
        let second = try SchemaKeywords.bound(key, of: other, at: path) ?? 0
        return .number(String(isTighter(first, second) ? first : second))
    }

    /// Merges `properties` and `additionalProperties`: a property that only one side names has to fit what the other side says
    /// about additional ones.
    private mutating func mergeProperties(
        _ one: JSONObject,
        _ other: JSONObject,
        into result: inout JSONObject,
        at path: SchemaPath
    ) throws(GrammarError) {
        guard one["properties"] != nil || other["properties"] != nil else {
            if let mine = one["additionalProperties"], let its = other["additionalProperties"] {
                result["additionalProperties"] = Self.both(mine, its)
            }
            return
        }
        let mine = try SchemaKeywords.properties(of: one, at: path)
        let its = try SchemaKeywords.properties(of: other, at: path)
        try charge(mine.members.count + its.members.count, at: path)
        var merged = JSONObject()
        for member in mine.members {
            let partner = its[member.key] ?? other["additionalProperties"] ?? .bool(true)
            merged[member.key] = Self.both(member.value, partner)
        }
        for member in its.members where mine[member.key] == nil {
            merged[member.key] = Self.both(member.value, one["additionalProperties"] ?? .bool(true))
        }
        result["properties"] = .object(merged)
        if let left = one["additionalProperties"], let right = other["additionalProperties"] {
            result["additionalProperties"] = Self.both(left, right)
        }
    }

    /// A schema for the values that fit both.
    static func both(_ one: JSONValue, _ other: JSONValue) -> JSONValue {
        if one == .bool(true) || one == other { return other }
        if other == .bool(true) { return one }
        if one == .bool(false) || other == .bool(false) { return .bool(false) }
        var schema = JSONObject()
        schema["allOf"] = .array([one, other])
        return .object(schema)
    }
}
