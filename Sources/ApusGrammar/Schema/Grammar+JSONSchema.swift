extension Grammar {
    /// Makes the grammar of the JSON texts that fit a JSON Schema.
    ///
    /// Every text of the grammar fits the schema; of the texts that fit it, the grammar holds one form:
    ///
    /// - Members come in the order of `properties`, optional ones may be missing, and additional ones follow. Where
    ///   `additionalProperties` is absent and `properties` is there, no additional ones come; keys of additional members have
    ///   no escapes and may come twice.
    /// - White space is bounded (see `JSONPieces`), so are digits: at most 16 before and after the point, 2 in the exponent.
    /// - Where `type` is absent, it is the one that the other keywords speak of; any type, if none does.
    ///
    /// Known keywords: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`,
    /// `minItems`, `maxItems`, `minLength`, `maxLength`, `pattern` (see `PatternParser`), `format`, `minimum`, `maximum`,
    /// `exclusiveMinimum`, `exclusiveMaximum` (whole bounds), `anyOf`, `oneOf` (of branches that exclude each other), `allOf`,
    /// `$ref` within the schema, also recursive. The formats `date`, `time`, `date-time` and `uuid` are followed; other
    /// formats are annotations, as JSON Schema has it. Annotations are ignored; any other keyword is an error.
    ///
    /// - Parameter text: The schema, as JSON.
    /// - Throws: `GrammarError` with line and column for text that is no JSON, and with a path for a schema that no value fits,
    ///   a keyword that isn't known or whose value has the wrong form, and schemas over `GrammarLimits`.
    public init(jsonSchema text: String) throws(GrammarError) {
        let document = try JSONParser.parse(text)
        self.init(try SchemaConverter.compile(document))
    }
}
