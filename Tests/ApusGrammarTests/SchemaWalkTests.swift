import ApusGrammar
import Testing

struct SchemaWalkTests {
    static let schemas = [
        ##"{}"##, ##"{"type": "object"}"##, ##"{"type": ["string", "null"]}"##, ##"{"type": "array", "maxItems": 3}"##,
        ##"""
        {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type":
        "integer", "minimum": 0}}, "required": ["name", "age"],
        "additionalProperties": false}
        """##,
        ##"""
        {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "null"},
        "c": {"const": 1}}, "required": ["b"]}
        """##,
        ##"""
        {"type": "object", "properties": {"ab": {"type": "integer"}, "abc": {"type":
        "integer"}, "x": true}, "required": ["ab", "zz"], "additionalProperties": {"type":
        "boolean"}}
        """##,
        ##"""
        {"properties": {"q\"\n": {"type": "number"}}, "additionalProperties": true,
        "required": ["q\"\n"]}
        """##,
        ##"""
        {"type": "array", "items": {"type": "integer", "minimum": -12, "maximum": 105},
        "minItems": 2, "maxItems": 4}
        """##,
        ##"""
        {"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}], "items":
        {"const": "x"}, "minItems": 1}
        """##,
        ##"""
        {"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}],
        "items": false}
        """##,
        ##"{"enum": ["red", "green", "greenish", "gre\"y", 1, 2.5, null, {"a": [1, "b"]}, true]}"##,
        ##"{"type": "string", "enum": ["a", 1, "b"]}"##, ##"{"const": {"a": {"b": []}}}"##,
        ##"""
        {"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"v": {"type":
        "number"}}}]}
        """##,
        ##"""
        {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
        "anyOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"properties":
        {"b": {"enum": [1]}}}]}
        """##,
        ##"""
        {"oneOf": [{"type": "string", "maxLength": 2}, {"type": "integer",
        "exclusiveMaximum": 3}, {"type": "null"}]}
        """##,
        ##"""
        {"oneOf": [{"properties": {"kind": {"const": "a"}, "x": {"type": "integer"}},
        "required": ["kind"]}, {"properties": {"kind": {"const": "b"}, "x": {"type":
        "null"}}, "required": ["kind", "x"]}]}
        """##,
        ##"""
        {"oneOf": [{"properties": {"mail": {"type": "null"}}, "required": ["mail"]},
        {"properties": {"phone": {"type": "null"}}, "required": ["phone"]}]}
        """##,
        ##"""
        {"allOf": [{"properties": {"a": {"type": "number", "minimum": 1}},
        "required": ["a"]}, {"properties": {"a": {"type": "integer", "maximum": 30}, "b":
        {"minLength": 2}}}, {"type": "object"}]}
        """##,
        ##"""
        {"allOf": [{"properties": {"a": {"type": "null"}}, "additionalProperties": {"type":
        "integer"}}, {"properties": {"b": {"maximum": 7}}, "required": ["b"]}]}
        """##,
        ##"""
        {"$ref": "#/$defs/list", "$defs": {"list": {"anyOf": [{"type": "null"}, {"type":
        "object", "properties": {"head": {"type": "integer"}, "tail": {"$ref":
        "#/$defs/list"}}, "required": ["head", "tail"]}]}}}
        """##,
        ##"""
        {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref":
        "#"}}}, "required": ["children"]}
        """##,
        ##"""
        {"definitions": {"s": {"type": "string"}}, "type": "array", "maxItems": 2, "items":
        {"$ref": "#/definitions/s", "minLength": 3, "description": "d"}}
        """##,
        ##"{"type": "string", "minLength": 3, "maxLength": 5}"##, ##"{"type": "string", "minLength": 2}"##,
        ##"{"type": "string", "pattern": "^[A-Z]{2,3}-\\d+(\\.\\w|[^a-z\"])?$"}"##,

        ##"{"type": "string", "pattern": "^(?:x.y|\\s\\S)*$"}"##,
        ##"{"type": "string", "pattern": "^[\\x01-\\x20\\\\\"]{3}$"}"##,
        ##"{"type": "string", "format": "date-time"}"##, ##"{"type": "string", "format": "uri"}"##,
        ##"{"type": "integer", "minimum": 7}"##, ##"{"type": "integer", "maximum": -7}"##,
        ##"{"type": "integer", "minimum": -999, "maximum": 1000}"##, ##"{"type": "integer", "exclusiveMinimum": 0}"##,
        ##"{"type": "integer", "minimum": 123456, "maximum": 123456}"##,
        ##"{"type": "integer", "minimum": 99, "exclusiveMaximum": 1234}"##,
        ##"{"type": "number", "minimum": 0, "maximum": 1}"##,
        ##"{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}"##,
        ##"{"type": "number", "exclusiveMaximum": -3}"##,
        ##"{"type": "number", "minimum": -2, "exclusiveMaximum": 12}"##, ##"{"type": "number"}"##,
        ##"{"type": ["integer", "number", "string"], "minimum": 3, "minLength": 1}"##,
    ]

    @Test("Whatever is written along the grammar of a schema fits the schema", arguments: schemas)
    func generated(schema: String) throws {
        let grammar = try Grammar(jsonSchema: schema)
        let checker = SchemaChecker(root: try #require(Document.parse(schema)))
        var walk = RandomWalk(seed: UInt64(schema.utf8.count))
        var finished = 0
        for _ in 0..<12 {
            guard let text = walk.text(of: grammar) else { continue }
            finished += 1
            let document = Document.parse(text)
            #expect(document.map(checker.fits) == true, "\(text)")
        }
        #expect(finished >= 8)
    }

    @Test("What is written in JSON mode is an object")
    func json() {
        var walk = RandomWalk(seed: 9)
        var finished = 0
        for _ in 0..<20 {
            guard let text = walk.text(of: .json) else { continue }
            finished += 1
            guard case .object? = Document.parse(text) else {
                Issue.record("no object: \(text)")
                continue
            }
        }
        #expect(finished >= 15)
    }
}
