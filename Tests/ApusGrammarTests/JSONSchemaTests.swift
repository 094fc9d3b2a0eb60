import ApusGrammar
import Testing

struct JSONSchemaTests {
    @Test("Documents that fit are accepted, others are not")
    func documents() throws {
        let cases: [(schema: String, fits: [String], doesNot: [String])] = [
            (
                ##"""
                {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type":
                "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
                "required": ["name", "age"]}
                """##,
                [
                    ##"{"name":"x","age":3}"##, ##"{"name": "x", "age": 3, "tags": []}"##,
                    "{\n  \"name\": \"x\",\n  \"age\": -3,\n  \"tags\": [\n    \"a\",\n    \"b\"\n  ]\n}",
                ],
                [
                    ##"{"age":3,"name":"x"}"##, ##"{"name":"x"}"##, ##"{"name":"x","age":3.5}"##,
                    ##"{"name":"x","age":3,"z":1}"##,
                    ##"{"name":"x","age":03}"##, ##"{}"##, ##"{"name":"x","age":3,}"##,
                    ##"{"name":"x","age":3,"tags":[1]}"##,
                    "{ \n\"name\":\"x\",\"age\":3}", "{\"name\":\"x\",\"age\":3}\n",
                ]
            ),
            (
                ##"{"properties": {"a": true, "b": true, "c": true}, "required": ["b"]}"##,
                [##"{"b":1}"##, ##"{"a":1,"b":[]}"##, ##"{"b":1,"c":{}}"##, ##"{"a":1,"b":2,"c":3}"##],
                [##"{}"##, ##"{"a":1}"##, ##"{"c":1,"b":1}"##, ##"{"a":1,"a":1,"b":1}"##, ##"{,"b":1}"##]
            ),
            (
                ##"{"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}}"##,
                [
                    "{}", ##"{"ab":null}"##, ##"{"ab":null,"a":1,"abc":2,"":3}"##, ##"{"b":1}"##, ##"{"a":1}"##,
                    "{\"\u{4E2D}\":1}",
                ],
                [##"{"ab":1}"##, ##"{"a":1,"ab":2}"##, ##"{"a":null}"##, ##"{"\u0061b":1}"##]
            ),
            (##"{"type": "object", "additionalProperties": false}"##, ["{}"], [##"{"a":1}"##]),
            (
                ##"""
                {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 1, "maxItems": 3}
                """##,
                ["[1]", ##"[1, "a"]"##, ##"[1,"a",null]"##], ["[]", ##"["a"]"##, ##"[1,"a",1,1]"##, "[1,2]", "[1,]"]
            ),
            (
                ##"{"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 2}"##, ["[1,1]"],
                ["[1]", "[1,1,1]"]
            ),
            (##"{"type": "array", "items": {"const": 1}, "minItems": 1}"##, ["[1]", "[1,1,1]"], ["[]"]),
            (##"{"type": "array", "maxItems": 0}"##, ["[]"], ["[1]"]),
            (##"{"type": "array", "items": false}"##, ["[]"], ["[1]"]),
            (
                ##"{"enum": ["a", "ab", "abc", "b", 1, null]}"##, [##""a""##, ##""abc""##, "1", "null"],
                [##""""##, ##""abcd""##, "2"]
            ),
            (##"{"enum": ["a", 1], "type": "integer"}"##, ["1"], [##""a""##]),
            (
                ##"{"type": "integer", "minimum": 8, "maximum": 1205}"##, ["8", "9", "10", "99", "1000", "1205"],
                ["7", "1206", "08"]
            ),
            (
                ##"{"type": "integer", "minimum": -15, "maximum": -3}"##, ["-15", "-3", "-10"],
                ["-16", "-2", "0", "3", "-03"]
            ),
            (
                ##"{"type": "integer", "exclusiveMinimum": -1}"##, ["0", "1234567890123456"],
                ["-1", "12345678901234567"]
            ),
            (
                ##"{"type": "integer", "minimum": 100000000000000000}"##, ["100000000000000000", "999999999999999999"],
                ["99999999999999999"]
            ),
            (
                ##"{"type": "number", "minimum": 0, "maximum": 1}"##, ["0", "0.5", "1", "1.0", "0.000"],
                ["1.1", "-0.1", "2", "5e-1"]
            ),
            (##"{"type": "number", "exclusiveMinimum": -1}"##, ["-0.99", "0", "17.25"], ["-1", "-1.0", "-1.5"]),
            (
                ##"{"minLength": 2, "maxLength": 3}"##, [##""ab""##, "\"\u{1F600}\u{4E2D}\"", ##""\n\ud83d\ude00x""##],
                [##""a""##, ##""abcd""##]
            ),
            (
                ##"{"pattern": "^\\d{3}-[a-f]+$"}"##, [##""123-abc""##],
                [##""12-abc""##, ##""123-""##, ##""123-abcg""##]
            ),
            (##"{"pattern": "o"}"##, [##""o""##, ##""foo""##, "\"\u{4E2D}o\\n\""], [##""f""##, ##""""##]),
            (##"{"pattern": "^a|b$"}"##, [##""ax""##, ##""xb""##], [##""xa""##, ##""bx""##]),
            (##"{"pattern": "^[^b]\"\\\\$"}"##, [##""a\"\\""##, ##""\n\"\\""##], [##""b\"\\""##]),
            (
                ##"{"type": "string", "format": "date"}"##,
                [##""2024-02-29""##, ##""1999-12-31""##, ##""2000-02-29""##],
                [##""2023-02-29""##, ##""1900-02-29""##, ##""2024-04-31""##, ##""2024-13-01""##, ##""2024-1-1""##]
            ),
            (
                ##"{"format": "time"}"##, [##""23:59:59Z""##, ##""00:00:00.5+01:30""##],
                [##""24:00:00Z""##, ##""00:00:00""##]
            ),
            (##"{"format": "date-time"}"##, [##""2024-02-29T00:00:00Z""##], [##""2024-02-29 00:00:00Z""##]),
            (
                ##"{"format": "uuid"}"##, [##""123e4567-e89b-12d3-a456-426614174000""##],
                [##""123e4567e89b12d3a456426614174000""##]
            ),
            (##"{"format": "hostname", "type": "string"}"##, [##""any text""##], ["1"]),
            (
                ##"""
                {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "$defs": {"a": {"type": "array",
                "items": {"$ref": "#"}}}}
                """##,
                ["null", "[]", "[null,[[]]]"], ["1", "[1]"]
            ),
            (
                ##"{"type": "object", "title": "t", "x-order": 3, "uniqueItems": false, "$comment": "c"}"##, ["{}"],
                ["1"]
            ),
            (##"{"$ref": "#/$defs/a~1b~0c/0", "$defs": {"a/b~c": [{"type": "null"}]}}"##, ["null"], ["1"]),
            ("true", ["1", "{}", ##"[{"a":null}]"##], [""]),
        ]
        for (schema, fits, doesNot) in cases {
            let grammar = try Grammar(jsonSchema: schema)
            for text in fits { #expect(grammar.matches(text), "\(schema) should fit \(text)") }
            for text in doesNot { #expect(!grammar.matches(text), "\(schema) should not fit \(text)") }
        }
    }

    @Test("What can't be followed is refused with its path, and nothing is dropped")
    func refusals() {
        let cases: [(schema: String, path: String, word: String)] = [
            ("false", "#", "false"), ("1", "#", "object or a boolean"),
            (##"{"not": {}}"##, "#", "'not'"), (##"{"type": "array", "uniqueItems": true}"##, "#", "'uniqueItems'"),
            (##"{"properties": {"a": {"multipleOf": 2}}}"##, "#/properties/a", "'multipleOf'"),
            (##"{"properties": {"a/b": {"if": {}}}}"##, "#/properties/a~1b", "'if'"),
            (##"{"items": {"contains": {}}}"##, "#/items", "'contains'"),
            (##"{"patternProperties": {}}"##, "#", "'patternProperties'"),
            (##"{"minProperties": 1}"##, "#", "'minProperties'"),
            (##"{"type": "strng"}"##, "#", "'strng'"), (##"{"type": 1}"##, "#", "'type'"),
            (##"{"type": []}"##, "#", "'type'"),
            (##"{"properties": 1}"##, "#", "'properties'"),
            (##"{"required": [1], "type": "object"}"##, "#", "'required'"),
            (##"{"required": ["a"], "additionalProperties": false}"##, "#", "'a'"),
            (##"{"properties": {"a": false}, "required": ["a"]}"##, "#/properties/a", "false"),
            (##"{"items": [{}]}"##, "#", "'prefixItems'"), (##"{"minItems": 3, "maxItems": 2}"##, "#", "3"),
            (##"{"minItems": -1}"##, "#", "'minItems'"), (##"{"maxLength": 1e9}"##, "#", "'maxLength'"),
            (##"{"maxLength": 2001}"##, "#", "2000"), (##"{"minLength": 3, "maxLength": 2}"##, "#", "'maxLength'"),
            (##"{"minimum": 0.5}"##, "#", "whole number"), (##"{"minimum": 9999999999999999999}"##, "#", "18 digits"),
            (##"{"type": "integer", "minimum": 3, "maximum": 2}"##, "#", "No number"),
            (##"{"type": "number", "exclusiveMinimum": 3, "maximum": 3}"##, "#", "No number"),
            (##"{"exclusiveMinimum": true}"##, "#", "number"), (##"{"enum": []}"##, "#", "'enum'"),
            (##"{"enum": [1], "type": "string"}"##, "#", "fits 'type'"),
            (##"{"enum": [1], "minimum": 0}"##, "#", "'minimum'"),
            (##"{"enum": [1], "const": 2}"##, "#", "'const'"), (##"{"anyOf": []}"##, "#", "'anyOf'"),
            (##"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"##, "#/oneOf", "branch 0 and branch 1"),
            (##"{"oneOf": [{"properties": {"a": true}}, {"properties": {"b": true}}]}"##, "#/oneOf", "'anyOf'"),
            (##"{"allOf": [{"type": "integer"}, {"type": "string"}]}"##, "#", "No type"),
            (##"{"allOf": [{"pattern": "a"}, {"pattern": "b"}]}"##, "#", "'pattern'"),
            (##"{"allOf": [{"not": {}}]}"##, "#", "'not'"),
            (##"{"$ref": "https://example.org/a"}"##, "#", "not supported"),
            (##"{"$ref": "#/$defs/a"}"##, "#", "points to nothing"),
            (##"{"$ref": "#"}"##, "#", "left recursion"),
            (##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}"##, "#/$defs/a", "left recursion"),
            (##"{"allOf": [{"$ref": "#"}]}"##, "#", "circle"),
            (##"{"properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##, "#", "never end"),
            (##"{"pattern": "(?=a)"}"##, "#/pattern", "look-around"),
            (##"{"pattern": "a**"}"##, "#/pattern", "repetition"),
            (##"{"pattern": "a\\b"}"##, "#/pattern", "\\b"), (##"{"pattern": "(a"}"##, "#/pattern", "not closed"),
            (##"{"pattern": "a)"}"##, "#/pattern", "closes no group"),
            (##"{"pattern": "[z-a]"}"##, "#/pattern", "range"),
            (##"{"pattern": "a^b"}"##, "#/pattern", "beginning"), (##"{"pattern": "a$b"}"##, "#/pattern", "end"),
            (##"{"pattern": "a{2001}"}"##, "#/pattern", "2000"),
            (##"{"pattern": "\\1"}"##, "#/pattern", "not supported"),
            (##"{"pattern": "a", "maxLength": 3}"##, "#", "beside 'pattern'"),
            (##"{"pattern": "a", "format": "date"}"##, "#", "'format'"),
        ]
        for (schema, path, word) in cases {
            let error = refusal(ofSchema: schema)
            #expect(error?.place == .path(path), "\(schema): \(error?.message ?? "accepted")")
            #expect(error?.message.contains(word) == true, "\(schema): \(error?.message ?? "accepted")")
        }
    }

    @Test("What is no JSON is refused with line and column")
    func syntax() {
        let cases: [(schema: String, line: Int, column: Int)] = [
            ("", 1, 1), ("{\n  \"a\": tru\n}", 2, 11), ("{\"a\": 1,}", 1, 9), ("{\"a\": 1} x", 1, 10), ("[1 2]", 1, 4),
            ("{\"a\": 1, \"a\": 2}", 1, 10), ("\"a", 1, 3), ("01", 1, 2), ("1.", 1, 3), ("-", 1, 2), ("\"\\q\"", 1, 3),
            ("\"\\ud800\"", 1, 8), ("\"\n\"", 1, 2), ("{a: 1}", 1, 2), ("'a'", 1, 1),
        ]
        for (schema, line, column) in cases {
            let error = refusal(ofSchema: schema)
            #expect(error?.place == .text(line: line, column: column), "\(schema): \(error?.message ?? "accepted")")
        }
    }

    @Test("Schemas over the bounds are refused, large ones within them are not")
    func bounds() {
        let nested = { (depth: Int) in
            String(repeating: "{\"items\":", count: depth) + "{}" + String(repeating: "}", count: depth)
        }
        #expect(refusal(ofSchema: nested(60)) == nil)
        #expect(refusal(ofSchema: nested(64))?.message.contains("nested deeper") == true)
        #expect(refusal(ofSchema: nested(6_000))?.message.contains("nested deeper") == true)
        #expect(
            refusal(ofSchema: "\"" + String(repeating: "a", count: 65_536) + "\"")?.message.contains("65536") == true
        )
        let properties = { (count: Int) in
            "{\"properties\": {"
                + (0..<count).map { "\"property-\($0)\": {\"type\": \"string\"}" }.joined(separator: ",") + "}}"
        }
        #expect(refusal(ofSchema: properties(256)) == nil)
        #expect(refusal(ofSchema: properties(257))?.message.contains("256") == true)
        let doubling = (0..<40).map { number in
            "\"d\(number)\": {\"properties\": {\"a\": {\"allOf\": [{\"$ref\": \"#/$defs/d\(number + 1)\"}, {}]},"
                + " \"b\": {\"allOf\": [{\"$ref\": \"#/$defs/d\(number + 1)\"}, {}]}}}"
        }
        let defs = "{\"$ref\": \"#/$defs/d0\", \"$defs\": {\(doubling.joined(separator: ",")), \"d40\": {}}}"
        #expect(refusal(ofSchema: defs)?.message.contains("too large") == true)
        let values = "{\"enum\": [" + (0..<3_000).map { "\"value \($0)\"" }.joined(separator: ",") + "]}"
        #expect(refusal(ofSchema: values) == nil)
    }

    @Test("An object with 256 optional properties stays within the bounds of a state")
    func manyProperties() throws {
        let names = (0..<256).map { "\"property-\($0)\": {\"type\": [\"string\", \"integer\"]}" }
        let grammar = try Grammar(jsonSchema: "{\"properties\": {\(names.joined(separator: ","))}}")
        #expect(grammar.matches("{}"))
        #expect(grammar.matches("{\"property-3\": 1, \"property-200\": \"x\"}"))
        #expect(!grammar.matches("{\"property-200\": 1, \"property-3\": \"x\"}"))
    }
}
