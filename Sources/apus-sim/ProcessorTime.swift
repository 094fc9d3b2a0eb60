import Foundation

/// The time that this thread has computed.
enum ProcessorTime {
    /// Since the thread began.
    static var ofThread: Duration {
        var time = timespec()
        guard clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else {
            preconditionFailure("every system that Apus runs on has this clock")
        }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
