extension SchemaConverter {
    // MARK: Arrays

    /// Converts what a schema says about arrays.
    mutating func convertArray(
        _ object: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Expression {
        let minimum = try SchemaKeywords.count("minItems", of: object, at: path) ?? 0
        var maximum = try SchemaKeywords.count("maxItems", of: object, at: path)
        var first: [JSONValue] = []
        if let value = object["prefixItems"] {
            guard case .array(let schemas) = value else { throw path.failure("'prefixItems' must be an array.") }
            first = schemas
        }
        var rest = object["items"] ?? .bool(true)
        if case .array = rest {
            throw path.failure("'items' must be a schema; use 'prefixItems' for an array of schemas.")
        }
        if rest == .bool(false) {
            maximum = min(maximum ?? first.count, first.count)
            rest = .bool(true)
        }
        guard minimum <= maximum ?? Int.max else {
            throw path.failure(
                "No array has at least \(minimum) and at most \(maximum ?? 0) items; correct the bounds."
            )
        }
        first = Array(first.prefix(maximum ?? first.count))
        if first.isEmpty {
            guard maximum != 0 else { return .text("[]") }
            let item = try convert(rest, at: path.appending("items"), depth: depth + 1)
            let list = JSONPieces.list(
                "[",
                item,
                "]",
                gap: pieces.gap,
                minimum: minimum,
                maximum: maximum,
                in: &rules
            )
            return rules.add("array", at: path.place, as: list)
        }
        let end = Expression.sequence([pieces.gap, .text("]")])
        var tail = end
        if maximum.map({ $0 > first.count }) ?? true {
            let item = try convert(rest, at: path.appending("items"), depth: depth + 1)
            let more = Expression.repeated(
                .sequence([.text(","), pieces.gap, item]),
                minimum: max(0, minimum - first.count),
                maximum: maximum.map { $0 - first.count }
            )
            tail = rules.add("items", at: path.place, as: .sequence([more, end]))
        }
        for (number, schema) in first.enumerated().reversed() {
            let place = path.appending("prefixItems").appending(String(number))
            let item = try convert(schema, at: place, depth: depth + 1)
            let here = Expression.sequence([number == 0 ? .text("[") : .text(","), pieces.gap, item, tail])
            let stop: Expression = number == 0 ? .text("[]") : end
            tail = rules.add("items", at: path.place, as: number < minimum ? here : .choice([stop, here]))
        }
        return tail
    }

    // MARK: Objects

    /// Converts what a schema says about objects.
    mutating func convertObject(
        _ object: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Expression {
        var properties = try SchemaKeywords.properties(of: object, at: path)
        let required = try SchemaKeywords.required(of: object, at: path)
        let additional = object["additionalProperties"]
        for name in required where properties[name] == nil {
            guard additional != .bool(false) else {
                throw path.failure(
                    "\(GrammarError.quoted(name)) is required, but neither in 'properties' nor allowed beside them; add it."
                )
            }
            properties[name] = additional ?? .bool(true)
        }
        try charge(properties.members.count + required.count, at: path)
        let isClosed = additional == .bool(false) || additional == nil && object["properties"] != nil
        if properties.members.isEmpty, isClosed { return .text("{}") }
        if properties.members.isEmpty, additional ?? .bool(true) == .bool(true) { return pieces.object }
        var extra: Expression?
        if !isClosed {
            let value = try convert(
                additional ?? .bool(true),
                at: path.appending("additionalProperties"),
                depth: depth + 1
            )
            let names = properties.members.map(\.key)
            try charge(names.reduce(0) { $0 + $1.utf8.count } / 8, at: path)
            let key = LiteralRules.stringBeside(names, in: &rules, at: path.place)
            extra = .sequence([key, .text(":"), JSONPieces.afterColon, value])
        }
        let members = try convertMembers(of: properties, required: Set(required), at: path, depth: depth)
        return chain(members, extra: extra, at: path)
    }

    private mutating func convertMembers(
        of properties: JSONObject,
        required: Set<String>,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> [(member: Expression, isRequired: Bool)] {
        let optional = properties.members.count { !required.contains($0.key) }
        guard optional <= GrammarLimits.optionalProperties else {
            throw path.failure(
                "The object has \(optional) optional properties; at most \(GrammarLimits.optionalProperties) are followed:"
                    + " require more of them."
            )
        }
        var members: [(member: Expression, isRequired: Bool)] = []
        for property in properties.members {
            let place = path.appending("properties").appending(property.key)
            let isRequired = required.contains(property.key)
            if property.value == .bool(false) {
                guard isRequired else { continue }
                throw place.failure("The property is required, but its schema is false; correct one of the two.")
            }
            let value = try convert(property.value, at: place, depth: depth + 1)
            let key = Expression.text(JSONValue.quoted(property.key))
            members.append((.sequence([key, .text(":"), JSONPieces.afterColon, value]), isRequired))
        }
        return members
    }

    /// An object with these members in their order, then any number of extra ones.
    ///
    /// Two rules a member: `next` is that member or a later one, `more` what follows the member before. So the comma and the
    /// white space before a member are read once, however many members may come next.
    private mutating func chain(
        _ members: [(member: Expression, isRequired: Bool)],
        extra: Expression?,
        at path: SchemaPath
    ) -> Expression {
        let end = Expression.sequence([pieces.gap, .text("}")])
        var more = end
        var next: Expression?
        if let extra {
            let rule = rules.declare("extra members", at: path.place)
            next = .rule(rule)
            more = rules.add(
                "more members",
                at: path.place,
                as: .choice([end, .sequence([.text(","), pieces.gap, .rule(rule)])])
            )
            rules.define(rule, as: .sequence([extra, more]))
        }
        var mayEnd = true
        for (member, isRequired) in members.reversed() {
            let here = Expression.sequence([member, more])
            if isRequired { mayEnd = false }
            var ways = [here]
            if !isRequired, let next { ways.append(next) }
            let rule = rules.add("members", at: path.place, as: ways.count == 1 ? here : .choice(ways))
            next = rule
            let another = Expression.sequence([.text(","), pieces.gap, rule])
            more = rules.add("more members", at: path.place, as: mayEnd ? .choice([end, another]) : another)
        }
        guard let next else { return .text("{}") }
        let some = Expression.sequence([.text("{"), pieces.gap, next])
        return rules.add("object", at: path.place, as: mayEnd ? .choice([.text("{}"), some]) : some)
    }
}
