/// Reads the numbers out of what the kernel says about memory; text that isn't as expected gives `nil`.
///
/// Formats: `proc(5)`, the kernel's `cgroup-v1/memory` and `cgroup-v2` documents, and its document on pressure stall
/// information.
package enum MemoryText {
    /// Limits from here on mean that there is none: cgroup v1 says the largest multiple of a page below 2^63.
    private static let unlimited: UInt64 = 1 << 60

    /// Resident bytes from `/proc/self/statm`.
    ///
    /// - Parameters:
    ///   - text: The file's content.
    ///   - pageBytes: Bytes of a page.
    /// - Returns: Bytes of the process in memory.
    package static func residentBytes(statm text: String, pageBytes: UInt64) -> UInt64? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count >= 2, UInt64(fields[0]) != nil, let pages = UInt64(fields[1]) else { return nil }
        let (bytes, overflow) = pages.multipliedReportingOverflow(by: pageBytes)
        return overflow ? nil : bytes
    }

    /// The bytes that a cgroup uses, from `memory.current` (v2) or `memory.usage_in_bytes` (v1).
    package static func bytes(_ text: String) -> UInt64? { number(text) }

    /// A cgroup's limit from `memory.max`, `memory.high` (v2) or `memory.limit_in_bytes` (v1); `nil` also where it has
    /// none.
    package static func limitBytes(_ text: String) -> UInt64? {
        // "max" is no number.
        guard let bytes = number(text), bytes < unlimited else { return nil }
        return bytes
    }

    /// A value from `memory.stat`.
    ///
    /// `inactive_file`, for example: cached files that a cgroup's usage includes and that cost nothing to give up.
    ///
    /// - Parameters:
    ///   - key: The line's first word.
    ///   - text: The file's content.
    /// - Returns: The number behind it.
    package static func value(of key: String, inStat text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == key { return UInt64(words[1]) }
        }
        return nil
    }

    /// The machine's memory from `/proc/meminfo`.
    package static func totalBytes(meminfo text: String) -> UInt64? { bytes(of: "MemTotal:", meminfo: text) }

    /// What of it programs can still get, from `/proc/meminfo`.
    package static func availableBytes(meminfo text: String) -> UInt64? { bytes(of: "MemAvailable:", meminfo: text) }

    /// Per cents of the last ten seconds in which some task waited for memory, from `/proc/pressure/memory` or a
    /// cgroup's `memory.pressure`: 0 to 100.
    package static func stall(pressure text: String) -> Double? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.first == "some", words.count >= 2, words[1].hasPrefix("avg10=") else { continue }
            let digits = words[1].dropFirst(6)
            // `Double` would also take words and hexadecimal digits.
            guard digits.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2e }) else { return nil }
            guard let share = Double(digits), (0...100).contains(share) else { return nil }
            return share
        }
        return nil
    }

    private static func bytes(of key: String, meminfo text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "kB", let kilobytes = UInt64(words[1]) else { return nil }
            let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1_024)
            return overflow ? nil : bytes
        }
        return nil
    }

    private static func number(_ text: String) -> UInt64? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        return fields.count == 1 ? UInt64(fields[0]) : nil
    }
}
