import ApusModel
import Foundation

/// Texts that come from files and from the standard input.
enum InputText {
    /// Reads the standard input to its end.
    ///
    /// - Throws: `invalidRequest` where the input is too long or no UTF-8.
    static func readStandardInput(limit: Int) throws(ApusError) -> String {
        try read(.standardInput, "the standard input", limit: limit)
    }

    /// Reads a file.
    ///
    /// - Throws: `invalidRequest` where the file can't be read, is too long or no UTF-8.
    static func read(file: String, limit: Int) throws(ApusError) -> String {
        let handle: FileHandle
        do {
            handle = try FileHandle(forReadingFrom: URL(filePath: file))
        } catch {
            throw ApusError(.invalidRequest, "\(file) can't be read: \(error.localizedDescription)")
        }
        return try read(handle, file, limit: limit)
    }

    private static func read(_ handle: FileHandle, _ name: String, limit: Int) throws(ApusError) -> String {
        var bytes = Data()
        // One byte over the limit is enough to know.
        while bytes.count <= limit {
            let part: Data?
            do {
                part = try handle.read(upToCount: limit + 1 - bytes.count)
            } catch {
                throw ApusError(.invalidRequest, "\(name) can't be read: \(error.localizedDescription)")
            }
            guard let part, !part.isEmpty else { break }
            bytes.append(part)
        }
        if bytes.count > limit {
            throw ApusError(.invalidRequest, "\(name) has more than the \(limit) bytes that are taken")
        }
        guard let text = String(bytes: bytes, encoding: .utf8) else {
            throw ApusError(.invalidRequest, "\(name) is not UTF-8 text")
        }
        return text
    }
}
