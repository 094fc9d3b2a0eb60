extension SchemaConverter {
    private static let dateText =
        "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
        + "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"

    private static let timeText =
        "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

    /// Converts what a schema says about numbers.
    mutating func convertNumber(
        _ object: JSONObject,
        _ type: SchemaTypes.Name,
        at path: SchemaPath
    ) throws(GrammarError) -> Expression {
        typealias Bound = NumberRanges.Bounds.Bound
        func tightest(_ inclusive: Int64?, _ exclusive: Int64?, _ isTighter: (Int64, Int64) -> Bool) -> Bound? {
            guard let exclusive else { return inclusive.map { Bound(value: $0, isExclusive: false) } }
            guard let inclusive, isTighter(inclusive, exclusive) else {
                return Bound(value: exclusive, isExclusive: true)
            }
            return Bound(value: inclusive, isExclusive: false)
        }
        let bounds = NumberRanges.Bounds(
            lower: tightest(
                try SchemaKeywords.bound("minimum", of: object, at: path),
                try SchemaKeywords.bound("exclusiveMinimum", of: object, at: path),
                >
            ),
            upper: tightest(
                try SchemaKeywords.bound("maximum", of: object, at: path),
                try SchemaKeywords.bound("exclusiveMaximum", of: object, at: path),
                <
            )
        )
        if bounds.lower == nil, bounds.upper == nil { return type == .integer ? pieces.integer : pieces.number }
        let numbers = type == .integer ? NumberRanges.integers(bounds) : NumberRanges.decimals(bounds)
        guard let numbers else { throw path.failure("No number is within the bounds; correct them.") }
        return rules.add("number", at: path.place, as: numbers)
    }

    /// Converts what a schema says about strings.
    mutating func convertString(_ object: JSONObject, at path: SchemaPath) throws(GrammarError) -> Expression {
        let minimum = try SchemaKeywords.count("minLength", of: object, at: path)
        let maximum = try SchemaKeywords.count("maxLength", of: object, at: path)
        guard let pattern = try pattern(of: object, at: path) else {
            guard minimum != nil || maximum != nil else { return pieces.string }
            guard minimum ?? 0 <= maximum ?? Int.max else { throw path.failure("'maxLength' is below 'minLength'.") }
            let body = Expression.repeated(pieces.character, minimum: minimum ?? 0, maximum: maximum)
            return .sequence([.text("\""), body, .text("\"")])
        }
        guard minimum == nil, maximum == nil else {
            throw path.failure(
                "'minLength' and 'maxLength' can't be followed beside 'pattern' or 'format'; count in the pattern, as {2,5}."
            )
        }
        try charge(1 + pattern.utf8.count / 8, at: path)
        // The parser asks for encodings of sets while this converter, which keeps them, waits.
        var converter = self
        let body = try PatternParser.parse(pattern, path: path.appending("pattern").pointer) { converter.encode($0) }
        self = converter
        return rules.add("pattern", at: path.place, as: .sequence([.text("\""), body, .text("\"")]))
    }

    /// The regular expression that a string has to match, from `pattern` or `format`.
    private func pattern(of object: JSONObject, at path: SchemaPath) throws(GrammarError) -> String? {
        var format: String?
        switch object["format"] {
        case nil: break
        case .string("date")?: format = "^\(Self.dateText)$"
        case .string("time")?: format = "^\(Self.timeText)$"
        case .string("date-time")?: format = "^\(Self.dateText)T\(Self.timeText)$"
        case .string("uuid")?: format = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
        case .string?: break
        default: throw path.failure("'format' must be a string.")
        }
        guard let value = object["pattern"] else { return format }
        guard case .string(let pattern) = value else { throw path.failure("'pattern' must be a string.") }
        guard format == nil else { throw path.failure("'pattern' can't be followed beside this 'format'; keep one.") }
        return pattern
    }
}
