import ApusModel
import Foundation

/// Looks for damage in the middle of SQLite's write-ahead log, which SQLite itself would take for the log's end and drop all that
/// follows.
///
/// Each transaction is on disk before the next begins, so that a machine's death tears the last one at most. Where a broken frame
/// is followed by frames of a later transaction, something that was committed is damaged.
/// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
enum WalInspection {
    private static let headerBytes = 32
    private static let frameHeadBytes = 24

    /// Checks the log beside a database.
    ///
    /// - Parameter path: The log's file, which may be missing.
    /// - Throws: `JournalDamage` with the frame; an error of the file system.
    static func check(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let file = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        try file.withUnsafeBytes { try check($0, path) }
    }

    private static func check(_ bytes: UnsafeRawBufferPointer, _ path: String) throws {
        guard bytes.count > headerBytes else { return }
        let magic = number(bytes, 0)
        let isBigEndian = magic & 1 == 1
        let header = sums(bytes, 0..<24, from: (0, 0), isBigEndian)
        guard magic & ~1 == 0x377f_0682, header == (number(bytes, 24), number(bytes, 28)) else {
            // All zeros: a header that never reached the disk, before any frame of its log did.
            guard bytes.prefix(headerBytes).contains(where: { $0 != 0 }) else { return }
            throw JournalDamage(place: "\(path), byte 0", problem: "the log's header is broken")
        }
        let frameBytes = frameHeadBytes + Int(number(bytes, 8))
        guard frameBytes > frameHeadBytes + 511, frameBytes <= frameHeadBytes + 65_536 else {
            throw JournalDamage(place: "\(path), byte 8", problem: "the log's page size is broken")
        }
        let frames = (bytes.count - headerBytes) / frameBytes
        var previous = header
        var broken: Int?
        var isLater = false
        for frame in 0..<frames {
            let start = headerBytes + frame * frameBytes
            let hasSalts =
                number(bytes, start + 8) == number(bytes, 16) && number(bytes, start + 12) == number(bytes, 20)
            let isCommit = number(bytes, start + 4) != 0
            if let broken {
                guard hasSalts else { continue }
                if isLater {
                    throw JournalDamage(
                        place: "\(path), frame \(broken + 1) of \(frames)",
                        problem: "it is broken, and transactions follow it"
                    )
                }
                isLater = isCommit
                continue
            }
            let head = sums(bytes, start..<start + 8, from: previous, isBigEndian)
            let all = sums(bytes, start + frameHeadBytes..<start + frameBytes, from: head, isBigEndian)
            if hasSalts, all == (number(bytes, start + 16), number(bytes, start + 20)) {
                previous = all
            } else {
                broken = frame
                isLater = hasSalts && isCommit
            }
        }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private static func sums(
        _ bytes: UnsafeRawBufferPointer,
        _ range: Range<Int>,
        from start: (UInt32, UInt32),
        _ isBigEndian: Bool
    ) -> (UInt32, UInt32) {
        var (first, second) = start
        var offset = range.lowerBound
        while offset + 8 <= range.upperBound {
            let low = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let high = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            first &+= (isBigEndian ? UInt32(bigEndian: low) : UInt32(littleEndian: low)) &+ second
            second &+= (isBigEndian ? UInt32(bigEndian: high) : UInt32(littleEndian: high)) &+ first
            offset += 8
        }
        return (first, second)
    }
}
