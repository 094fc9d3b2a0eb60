internal import CZeroMQ

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A descriptor that becomes readable when another thread says so: an eventfd, or a pipe where there is none.
struct WakeUp: ~Copyable, Sendable {
    /// What the loop polls.
    let descriptor: CInt

    /// Where other threads write; the same descriptor for an eventfd.
    private let writeEnd: CInt

    /// Opens it; a process without descriptors cannot go on.
    init() {
        #if os(Linux)
        descriptor = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(descriptor >= 0, "no descriptor left for a wake-up: raise the limit (ulimit -n)")
        writeEnd = descriptor
        #else
        var ends: [CInt] = [-1, -1]
        // Invariant: pipe writes two descriptors into an array of two.
        precondition(pipe(&ends) == 0, "no descriptor left for a wake-up: raise the limit (ulimit -n)")
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
        #endif
    }

    deinit {
        close(descriptor)
        if writeEnd != descriptor { close(writeEnd) }
    }

    /// Makes the descriptor readable; from any thread.
    func signal() {
        var one: UInt64 = 1
        // An eventfd takes 8 bytes, a pipe any number. A full one is readable already, so only a signal needs another try.
        while write(writeEnd, &one, 8) < 0, errno == EINTR {}
    }

    /// Makes the descriptor unreadable again.
    func clear() {
        var count: UInt64 = 0
        // An eventfd gives up its whole count at once; a pipe is read until it is empty.
        while read(descriptor, &count, 8) > 0, writeEnd != descriptor {}
    }
}
