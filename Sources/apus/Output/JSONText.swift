/// A JSON object that is written as it is built, with its members in the order of the calls.
///
/// Scripts see stable lines, and a token costs no dictionary and no reflection.
struct JSONText {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    /// Adds a text.
    mutating func add(_ name: String, _ value: String) {
        begin(name)
        Self.append(quoted: value, to: &bytes)
    }

    /// Adds a whole number.
    mutating func add(_ name: String, _ value: some BinaryInteger) {
        begin(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Adds a number with at most three decimals, as times in milliseconds need.
    mutating func add(_ name: String, _ value: Double) {
        begin(name)
        let rounded = (value * 1000).rounded() / 1000
        bytes.append(contentsOf: rounded.isFinite ? "\(rounded)".utf8 : "0".utf8)
    }

    /// Adds the logarithm of a probability with at most six decimals; one that JSON can't say is `leastLogprob`.
    mutating func add(logprob name: String, _ value: Float) {
        begin(name)
        let bounded = value >= Float(Self.leastLogprob) ? min(Double(value), 0) : Self.leastLogprob
        bytes.append(contentsOf: "\((bounded * 1e6).rounded() / 1e6 + 0)".utf8)
    }

    /// What stands for the logarithm of a probability of zero, as in OpenAI's API.
    static let leastLogprob = -9999.0

    /// Adds a list of objects.
    mutating func add<Element>(
        _ name: String,
        _ elements: some Sequence<Element>,
        _ build: (inout JSONText, Element) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        for (place, element) in elements.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            var object = JSONText()
            build(&object, element)
            bytes.append(contentsOf: object.closed)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Adds an object.
    mutating func add(_ name: String, _ build: (inout JSONText) -> Void) {
        begin(name)
        var object = JSONText()
        build(&object)
        bytes.append(contentsOf: object.closed)
    }

    /// The finished object.
    var closed: [UInt8] { bytes + [UInt8(ascii: "}")] }

    private mutating func begin(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        Self.append(quoted: name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    private static func append(quoted text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7f:
                let digits = String(byte, radix: 16)
                bytes.append(contentsOf: "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
