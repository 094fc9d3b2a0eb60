private import CZeroMQ

#if canImport(Glibc)
private import Glibc
#elseif canImport(Musl)
private import Musl
#else
private import Darwin
#endif

/// Starts the threads of poll loops.
enum PollThread {
    /// What a new thread is given.
    private final class Start {
        let name: String
        let loop: PollLoop

        init(name: String, loop: PollLoop) {
            self.name = name
            self.loop = loop
        }
    }

    /// Starts a thread that runs a loop to its end and then goes away by itself.
    static func start(named name: String, _ loop: PollLoop) {
        // Invariant: retained here, released by the new thread exactly once, or here if there is none.
        let start = Unmanaged.passRetained(Start(name: name, loop: loop))
        #if canImport(Darwin)
        var thread: pthread_t?
        let result = pthread_create(&thread, nil, { PollThread.main($0) }, start.toOpaque())
        if let thread { pthread_detach(thread) }
        #else
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, { $0.flatMap { PollThread.main($0) } }, start.toOpaque())
        if result == 0 { pthread_detach(thread) }
        #endif
        precondition(result == 0, "cannot start a thread: error \(result)")
    }

    /// The thread's body.
    private static func main(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        // Invariant: `argument` is the one reference that `start` handed over.
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        #if canImport(Darwin)
        pthread_setname_np(start.name)
        #else
        apus_name_this_thread(start.name)
        #endif
        start.loop.run()
        return nil
    }
}
