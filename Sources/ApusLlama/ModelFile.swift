import ApusModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A model's file before llama.cpp sees it: refuses what can't be a model, with words that say what to do.
struct ModelFile {
    /// Where the file is.
    let path: String

    /// Its length in bytes.
    let bytes: Int

    /// Looks at a file.
    ///
    /// - Throws: `invalidRequest` if there is no readable file at the path or it doesn't begin as a GGUF model does.
    init(path: String) throws(ApusError) {
        func refuse(_ reason: String) -> ApusError { ApusError(.invalidRequest, "the model \(path) \(reason)") }
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw refuse("isn't there: \(String(cString: strerror(errno))); give a GGUF file or run Scripts/setup.sh")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refuse("is not a file; give a GGUF file") }
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else {
            throw refuse("can't be opened: \(String(cString: strerror(errno))); check its permissions")
        }
        defer { close(descriptor) }
        var magic: [UInt8] = [0, 0, 0, 0]
        guard read(descriptor, &magic, magic.count) == magic.count, magic == Array("GGUF".utf8) else {
            throw refuse("is not in GGUF format; convert it with llama.cpp's tools or give another file")
        }
        self.path = path
        bytes = Int(status.st_size)
    }

    /// Hashes the whole file.
    ///
    /// - Throws: `invalidRequest` if the file can't be mapped.
    func digest() throws(ApusError) -> WeightsDigest {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else {
            throw ApusError(.invalidRequest, "the model \(path) can't be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard let memory = mmap(nil, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED else {
            throw ApusError(.invalidRequest, "the model \(path) can't be mapped: \(String(cString: strerror(errno)))")
        }
        defer { munmap(memory, bytes) }
        // The file is read once from front to back; without the hint each page would be a fault of its own.
        madvise(memory, bytes, MADV_SEQUENTIAL)
        // Invariant: the mapping is `bytes` long and lives until the end of this function.
        return WeightsDigest(of: UnsafeRawBufferPointer(start: memory, count: bytes))
    }
}
