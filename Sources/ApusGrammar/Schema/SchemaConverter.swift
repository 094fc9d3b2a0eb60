/// Turns a JSON Schema into rules.
struct SchemaConverter {
    /// The whole schema, which references point into.
    let document: JSONValue
    /// The rules made so far.
    var rules: RuleSet
    /// The rules of JSON itself.
    let pieces: JSONPieces

    /// The rules of what references point to, by pointer.
    private var references: [String: Expression] = [:]
    /// The forms of character sets within strings.
    private var encodings: [CharacterRanges: Expression] = [:]
    private var work = 0

    private init(_ document: JSONValue) {
        self.document = document
        var rules = RuleSet()
        pieces = JSONPieces(in: &rules)
        self.rules = rules
    }

    /// Converts and compiles a schema.
    static func compile(_ document: JSONValue) throws(GrammarError) -> Program {
        var converter = SchemaConverter(document)
        let path = SchemaPath.root
        let root = converter.rules.declare("root", at: path.place)
        converter.references["#"] = .rule(root)
        let body = try converter.convert(document, at: path, depth: 0)
        converter.rules.define(root, as: body)
        return try ProgramCompiler.compile(converter.rules, root: root)
    }

    /// Converts a schema.
    ///
    /// - Parameters:
    ///   - schema: The schema.
    ///   - path: Where it stands.
    ///   - depth: How many schemas are around it.
    /// - Returns: A shallow expression: what is large is in rules of its own.
    /// - Throws: `GrammarError` for what can't be followed.
    mutating func convert(_ schema: JSONValue, at path: SchemaPath, depth: Int) throws(GrammarError) -> Expression {
        try charge(1, at: path)
        guard depth < GrammarLimits.nesting else {
            throw path.failure(
                "Schemas are nested deeper than \(GrammarLimits.nesting) here, or allOf runs in a circle; use $ref alone."
            )
        }
        switch schema {
        case .bool(true): return pieces.value
        case .bool(false): throw path.failure("The schema false fits no value; remove it.")
        case .object(let object):
            try SchemaKeywords.check(object, at: path)
            return try convert(object, at: path, depth: depth)
        default: throw path.failure("A schema must be an object or a boolean, not \(schema.kind).")
        }
    }

    private mutating func convert(
        _ object: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Expression {
        if let reference = object["$ref"], SchemaKeywords.constraints(of: object).count == 1 {
            return try refer(to: reference, at: path, depth: depth)
        }
        if object["$ref"] != nil || object["allOf"] != nil {
            let merged = try flatten(object, at: path, depth: depth)
            return try convert(merged, at: path, depth: depth)
        }
        if object["anyOf"] != nil || object["oneOf"] != nil {
            return try convertBranches(object, at: path, depth: depth)
        }
        if object["enum"] != nil || object["const"] != nil { return try convertValues(object, at: path) }
        var ways: [Expression] = []
        guard let types = try SchemaTypes.of(object, at: path) else { return pieces.value }
        guard !types.isEmpty else { throw path.failure("No type is left that a value could have; correct 'type'.") }
        for type in types.names {
            switch type {
            case .null: ways.append(.text("null"))
            case .boolean: ways.append(pieces.boolean)
            case .integer, .number: ways.append(try convertNumber(object, type, at: path))
            case .string: ways.append(try convertString(object, at: path))
            case .array: ways.append(try convertArray(object, at: path, depth: depth))
            case .object: ways.append(try convertObject(object, at: path, depth: depth))
            }
        }
        return ways.count == 1 ? ways[0] : rules.add("types", at: path.place, as: .choice(ways))
    }

    // MARK: References and branches

    private mutating func refer(
        to reference: JSONValue,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Expression {
        guard case .string(let pointer) = reference else { throw path.failure("'$ref' must be a string.") }
        if let known = references[pointer] { return known }
        let target = try resolve(pointer, at: path)
        let place = SchemaPath(pointer)
        let rule = rules.declare("$ref", at: place.place)
        references[pointer] = .rule(rule)
        rules.define(rule, as: try convert(target, at: place, depth: depth + 1))
        return .rule(rule)
    }

    /// What a reference points to.
    mutating func resolve(_ pointer: String, at path: SchemaPath) throws(GrammarError) -> JSONValue {
        try charge(1 + pointer.utf8.count / 8, at: path)
        let name = GrammarError.quoted(pointer)
        guard pointer == "#" || pointer.hasPrefix("#/"), !pointer.utf8.contains(0x25) else {
            throw path.failure("'$ref' \(name) is not supported; refer to '#' or '#/$defs/name' in this schema.")
        }
        var value = document
        for part in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            var next: JSONValue?
            switch value {
            case .object(let object): next = object[SchemaPath.unescaped(part)]
            case .array(let values):
                if let index = Int(part), values.indices.contains(index) { next = values[index] }
            default: break
            }
            guard let next else { throw path.failure("'$ref' \(name) points to nothing; define it or correct it.") }
            value = next
        }
        return value
    }

    private mutating func convertBranches(
        _ object: JSONObject,
        at path: SchemaPath,
        depth: Int
    ) throws(GrammarError) -> Expression {
        let keyword = object["anyOf"] != nil ? "anyOf" : "oneOf"
        guard case .array(let branches)? = object[keyword], !branches.isEmpty else {
            throw path.failure("'\(keyword)' must be an array with at least one schema.")
        }
        let others = SchemaKeywords.removing(keyword, from: object)
        let hasOthers = !SchemaKeywords.constraints(of: others).isEmpty
        let schemas = branches.map { hasOthers ? Self.both(.object(others), $0) : $0 }
        if keyword == "oneOf" { try checkExclusion(of: schemas, at: path, depth: depth) }
        var ways: [Expression] = []
        for (number, schema) in schemas.enumerated() {
            let place = path.appending(keyword).appending(String(number))
            ways.append(try convert(schema, at: place, depth: depth + 1))
        }
        return rules.add(keyword, at: path.place, as: .choice(ways))
    }

    /// Converts `enum` and `const`.
    private mutating func convertValues(_ object: JSONObject, at path: SchemaPath) throws(GrammarError) -> Expression {
        let values = try SchemaKeywords.values(of: object, at: path) ?? []
        for keyword in SchemaKeywords.constraints(of: object) where !["enum", "const", "type"].contains(keyword) {
            throw path.failure("'\(keyword)' can't stand beside 'enum' or 'const'; list only the values that fit both.")
        }
        let types = object["type"] == nil ? nil : try SchemaTypes.of(object, at: path)
        let fitting = values.filter { types?.contains(SchemaTypes.Name.of($0)) ?? true }
        guard !fitting.isEmpty else {
            throw path.failure("No value of 'enum' or 'const' fits 'type' and the schemas beside it; correct them.")
        }
        try charge(fitting.count, at: path)
        return LiteralRules.oneOf(fitting.map(\.text), in: &rules, at: path.place)
    }

    // MARK: Cost

    /// Counts work; the count bounds what a schema with many references and branches can take.
    mutating func charge(_ units: Int, at path: SchemaPath) throws(GrammarError) {
        work += units
        guard work <= GrammarLimits.conversionWork else {
            throw path.failure("The schema grows too large when allOf, anyOf and $ref are written out; simplify it.")
        }
    }

    /// One character of a set as it stands in a JSON string: escaped only where it has to be.
    mutating func encode(_ set: CharacterRanges) -> Expression {
        if let known = encodings[set] { return known }
        let plain = set.subtracting(JSONPieces.plain.inverted)
        var ways: [Expression] = plain.isEmpty ? [] : [.oneOf(plain)]
        for range in set.subtracting(plain).ranges {
            for scalar in range { ways.append(.text(JSONValue.escaped(scalar))) }
        }
        let encoding = ways.count == 1 ? ways[0] : rules.add("characters", at: .whole, as: .choice(ways))
        encodings[set] = encoding
        return encoding
    }
}
