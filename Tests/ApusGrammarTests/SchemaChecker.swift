/// Whether documents fit a JSON Schema, written from the specification and independent of the grammars.
struct SchemaChecker {
    let root: Document

    func fits(_ value: Document) -> Bool { fits(value, root) }

    private func fits(_ value: Document, _ schema: Document) -> Bool {
        if case .bool(let isAnything) = schema { return isAnything }
        guard case .object(let keywords) = schema else { return false }
        return keywords.allSatisfy { fits(value, $0.key, $0.value, keywords) }
    }

    private func fits(_ value: Document, _ key: String, _ rule: Document, _ all: [String: Document]) -> Bool {
        switch (key, rule, value) {
        case ("type", .string(let name), _): return has(value, type: name)
        case ("type", .array(let names), _):
            return names.contains { if case .string(let name) = $0 { has(value, type: name) } else { false } }
        case ("enum", .array(let values), _): return values.contains(value)
        case ("const", _, _): return value == rule
        case ("allOf", .array(let schemas), _): return schemas.allSatisfy { fits(value, $0) }
        case ("anyOf", .array(let schemas), _): return schemas.contains { fits(value, $0) }
        case ("oneOf", .array(let schemas), _): return schemas.count { fits(value, $0) } == 1
        case ("$ref", .string(let pointer), _): return fits(value, resolve(pointer))
        case ("minimum", .number(let bound), .number(let number)): return number >= bound
        case ("maximum", .number(let bound), .number(let number)): return number <= bound
        case ("exclusiveMinimum", .number(let bound), .number(let number)): return number > bound
        case ("exclusiveMaximum", .number(let bound), .number(let number)): return number < bound
        case ("minLength", .number(let bound), .string(let text)): return text.unicodeScalars.count >= Int(bound)
        case ("maxLength", .number(let bound), .string(let text)): return text.unicodeScalars.count <= Int(bound)
        case ("pattern", .string(let pattern), .string(let text)):
            guard let regex = try? Regex(pattern) else { return false }
            return text.contains(regex.asciiOnlyDigits().matchingSemantics(.unicodeScalar))
        case ("minItems", .number(let bound), .array(let items)): return items.count >= Int(bound)
        case ("maxItems", .number(let bound), .array(let items)): return items.count <= Int(bound)
        case ("prefixItems", .array(let schemas), .array(let items)):
            return zip(schemas, items).allSatisfy { fits($1, $0) }
        case ("items", _, .array(let items)):
            var first = 0
            if case .array(let schemas)? = all["prefixItems"] { first = schemas.count }
            return items.dropFirst(first).allSatisfy { fits($0, rule) }
        case ("required", .array(let names), .object(let members)):
            return names.allSatisfy { if case .string(let name) = $0 { members[name] != nil } else { false } }
        case ("properties", .object(let schemas), .object(let members)):
            return members.allSatisfy { schemas[$0.key].map { [value = $0.value] in fits(value, $0) } ?? true }
        case ("additionalProperties", _, .object(let members)):
            var known: [String: Document] = [:]
            if case .object(let schemas)? = all["properties"] { known = schemas }
            return members.allSatisfy { known[$0.key] != nil || fits($0.value, rule) }
        default: return true
        }
    }

    private func has(_ value: Document, type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
            ("object", .object):
            true
        case ("integer", .number(let number)): number == number.rounded()
        default: false
        }
    }

    private func resolve(_ pointer: String) -> Document {
        var value = root
        for part in pointer.split(separator: "/").dropFirst() {
            guard case .object(let members) = value, let next = members[String(part)] else { return .bool(false) }
            value = next
        }
        return value
    }
}
