/// A copy of what a sequence's cache holds, in llama.cpp's own form.
final class SequenceState {
    /// The copy's memory.
    let bytes: UnsafeMutableRawBufferPointer

    /// Makes room.
    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}
