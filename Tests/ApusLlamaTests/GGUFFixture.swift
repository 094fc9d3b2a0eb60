/// Writes small GGUF files: a header, and tensors of zeros.
struct GGUFFixture {
    enum Value {
        case text(String)
        case number(UInt32)
        case short(UInt16)
        case flag(Bool)
    }

    /// The metadata, in order.
    var values: [(String, Value)] = []

    /// The tensors' names; each is a row of 8 numbers.
    var tensors: [String] = ["output.weight"]

    /// A file that says it is a language model; it has too little in it to be loaded.
    static func languageModel(_ architecture: String = "llama", _ more: [(String, Value)] = []) -> GGUFFixture {
        GGUFFixture(
            values: [
                ("general.architecture", .text(architecture)), ("general.type", .text("model")),
                ("tokenizer.ggml.model", .text("gpt2")),
            ] + more
        )
    }

    /// The file's bytes: version 3 of the format, as `gguf.h` describes it.
    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8)
        append(UInt32(3), to: &bytes)
        append(UInt64(tensors.count), to: &bytes)
        append(UInt64(values.count), to: &bytes)
        for (key, value) in values {
            append(key, to: &bytes)
            switch value {
            case .short(let number):
                append(UInt32(2), to: &bytes)
                append(number, to: &bytes)
            case .number(let number):
                append(UInt32(4), to: &bytes)
                append(number, to: &bytes)
            case .flag(let flag):
                append(UInt32(7), to: &bytes)
                bytes.append(flag ? 1 : 0)
            case .text(let text):
                append(UInt32(8), to: &bytes)
                append(text, to: &bytes)
            }
        }
        for (index, name) in tensors.enumerated() {
            append(name, to: &bytes)
            append(UInt32(1), to: &bytes)
            append(UInt64(8), to: &bytes)
            append(UInt32(0), to: &bytes)
            append(UInt64(index * 32), to: &bytes)
        }
        bytes += [UInt8](repeating: 0, count: -bytes.count & 31)
        return bytes + [UInt8](repeating: 0, count: tensors.count * 32)
    }

    private func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private func append(_ text: String, to bytes: inout [UInt8]) {
        append(UInt64(text.utf8.count), to: &bytes)
        bytes += text.utf8
    }
}
