import Foundation

/// Memory that grows and is used again for each turn's bytes.
final class ByteScratch {
    // Invariant: `base` is `capacity` bytes of its own, of which the first `count` are written.
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    /// Reserves a little.
    init() {
        capacity = 4_096
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// What is written; valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// What is written, without a copy; valid until the next change.
    var data: Data { Data(bytesNoCopy: base, count: count, deallocator: .none) }

    /// Forgets what is written, and memory beyond what is usual.
    func removeAll() {
        count = 0
        guard capacity > 8 << 20 else { return }
        base.deallocate()
        capacity = 4_096
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Room for more bytes, which the caller writes at once.
    func grow(by bytes: Int) -> UnsafeMutableRawBufferPointer {
        if count + bytes > capacity {
            let larger = max(count + bytes, capacity * 2)
            let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            moved.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = moved
            capacity = larger
        }
        defer { count += bytes }
        return UnsafeMutableRawBufferPointer(start: base + count, count: bytes)
    }

    /// Appends an array's memory.
    func append<Element: BitwiseCopyable>(_ elements: [Element]) {
        elements.withUnsafeBytes { source in
            guard source.count > 0 else { return }
            grow(by: source.count).copyMemory(from: source)
        }
    }

    /// Appends a number, least significant byte first.
    func append(_ number: UInt32) {
        grow(by: 4).storeBytes(of: number.littleEndian, as: UInt32.self)
    }
}
