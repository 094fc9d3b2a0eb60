/// Which keywords of JSON Schema are followed, which are ignored, and the forms of their values.
enum SchemaKeywords {
    private static let followed: Set<String> = [
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
        "maxItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "anyOf", "oneOf", "allOf", "$ref",
    ]

    /// Keywords that say nothing about which values fit.
    private static let annotations: Set<String> = [
        "title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "$anchor",
        "$vocabulary",
        "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType",
        "discriminator",
    ]

    private static let followedFormats: Set<String> = ["date", "time", "date-time", "uuid"]

    /// Refuses keywords that would be dropped otherwise.
    static func check(_ object: JSONObject, at path: SchemaPath) throws(GrammarError) {
        for member in object.members {
            let key = member.key
            if followed.contains(key) || annotations.contains(key) || key.hasPrefix("x-") { continue }
            if key == "uniqueItems", member.value == .bool(false) { continue }
            if key == "minProperties", member.value == .number("0") { continue }
            throw path.failure(
                "The keyword \(GrammarError.quoted(key)) is not supported; remove it, or check it in the answer yourself."
            )
        }
    }

    /// The keywords of a schema that say which values fit, in their order.
    static func constraints(of object: JSONObject) -> [String] {
        object.members.filter { followed.contains($0.key) && !isIgnoredFormat($0) }.map(\.key)
    }

    private static func isIgnoredFormat(_ member: JSONObject.Member) -> Bool {
        guard member.key == "format", case .string(let name) = member.value else { return false }
        return !followedFormats.contains(name)
    }

    /// The schema without a keyword.
    static func removing(_ keywords: String..., from object: JSONObject) -> JSONObject {
        var result = JSONObject()
        for member in object.members where !keywords.contains(member.key) { result[member.key] = member.value }
        return result
    }

    /// The values of `enum` that `const` allows; `nil` if neither is there.
    static func values(of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> [JSONValue]? {
        guard let list = object["enum"] else { return object["const"].map { [$0] } }
        guard case .array(let values) = list, !values.isEmpty else {
            throw path.failure("'enum' must be an array with at least one value.")
        }
        guard let constant = object["const"] else { return values }
        return values.filter { $0 == constant }
    }

    /// The value of a keyword that counts something.
    static func count(_ keyword: String, of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> Int? {
        guard let value = object[keyword] else { return nil }
        guard case .number(let text) = value, let count = whole(text), count >= 0 else {
            throw path.failure("'\(keyword)' must be a whole number from 0 on.")
        }
        guard count <= Int64(GrammarLimits.repetitions) else {
            throw path.failure(
                "'\(keyword)' is \(count); at most \(GrammarLimits.repetitions) can be counted: lower it, or leave it out."
            )
        }
        return Int(count)
    }

    /// The value of a keyword that bounds a number.
    static func bound(_ keyword: String, of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> Int64? {
        guard let value = object[keyword] else { return nil }
        guard case .number(let text) = value else { throw path.failure("'\(keyword)' must be a number.") }
        guard let bound = whole(text) else {
            throw path.failure("'\(keyword)' must be a whole number with at most 18 digits to be followed.")
        }
        return bound
    }

    /// The names that a schema requires, each once.
    static func required(of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> [String] {
        guard let value = object["required"] else { return [] }
        guard case .array(let values) = value else { throw path.failure("'required' must be an array of names.") }
        var names: [String] = []
        var seen: Set<String> = []
        for value in values {
            guard case .string(let name) = value else { throw path.failure("'required' must hold names only.") }
            if seen.insert(name).inserted { names.append(name) }
        }
        return names
    }

    /// The properties of a schema.
    static func properties(of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> JSONObject {
        guard let value = object["properties"] else { return JSONObject() }
        guard case .object(let properties) = value else { throw path.failure("'properties' must be an object.") }
        return properties
    }

    /// A whole number of at most 18 digits, with a fraction of zeros or none.
    private static func whole(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].allSatisfy({ $0 == "0" }) { return nil }
        guard let number = Int64(parts[0]), number.magnitude < 1_000_000_000_000_000_000 else { return nil }
        return number
    }
}
