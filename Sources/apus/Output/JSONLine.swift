import ApusModel
import Foundation

/// A value as one line of JSON with its members in alphabetical order.
enum JSONLine {
    /// Encodes a value and ends the line.
    ///
    /// - Throws: `internalFailure` for a value without a JSON form.
    static func encode(_ value: some Encodable) throws(ApusError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            throw ApusError(.internalFailure, "the value could not be written as JSON: \(error)")
        }
    }
}
