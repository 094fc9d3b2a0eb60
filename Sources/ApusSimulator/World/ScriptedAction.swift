/// Something that a directed world does at a given point.
struct ScriptedAction: Sendable {
    /// The point.
    enum Trigger: Hashable, Sendable {
        /// A moment, in nanoseconds of virtual time.
        case at(Int64)
        /// The client of a job has its token with this index; streams are counted, where a job has several.
        case received(job: Int, index: Int)
        /// The coordinator has taken the job's submit and not yet answered it.
        case told(job: Int)
    }

    /// What is done.
    enum Action: Hashable, Sendable {
        case killWorker(ofJob: Int)
        case freezeWorker(ofJob: Int, nanoseconds: Int64)
        case hangWorker(ofJob: Int, nanoseconds: Int64)
        case cutClient(Int)
        case cancel(job: Int)
        case stallClient(Int, nanoseconds: Int64)
        case killClient(Int)
        case killCoordinator
        /// The disk refuses batches, and can't be read, for a while.
        case failDisk(nanoseconds: Int64)
        /// Half of the workers die in the same instant, drawn by the world's seed; each begins anew after a while.
        case killHalf(restartAfter: Int64)
    }

    /// When it is done; once.
    var trigger: Trigger

    /// What is done.
    var action: Action
}
