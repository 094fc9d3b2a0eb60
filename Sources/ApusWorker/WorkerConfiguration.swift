public import ApusCore
public import ApusModel

/// How a worker finds its coordinator and how it behaves.
public struct WorkerConfiguration: Sendable {
    /// The coordinator's worker endpoint, like `tcp://127.0.0.1:7102`.
    public var coordinator: String

    /// The worker's name, unique in the cluster.
    public var name: WorkerName

    /// The batch controller's settings for the model that is served.
    public var batch: BatchController.Settings

    /// Bytes that kept beginnings of prompts may take; 0 keeps none.
    public var prefixCacheBytes: Int

    /// Resident memory at which the worker counts as full; `nil`: the limits of its control group and of the machine alone.
    public var memoryLimitBytes: UInt64?

    /// How often memory is looked at.
    public var memoryInterval: Duration

    /// How often a worker that sends nothing else gives a sign of life; the coordinator doubts it after several.
    public var beatInterval: Duration

    /// How long the answer to a registration may take before it is sent again.
    public var enlistmentTimeout: Duration

    /// How often measurements travel.
    public var measurementInterval: Duration

    /// How long a graceful shutdown lets running streams go on here; afterwards they go on elsewhere.
    public var drainTimeout: Duration

    /// Describes a worker.
    public init(
        coordinator: String,
        name: WorkerName,
        batch: BatchController.Settings = BatchController.Settings(),
        prefixCacheBytes: Int = 256 << 20,
        memoryLimitBytes: UInt64? = nil,
        memoryInterval: Duration = .milliseconds(500),
        beatInterval: Duration = .milliseconds(80),
        enlistmentTimeout: Duration = .seconds(1),
        measurementInterval: Duration = .seconds(1),
        drainTimeout: Duration = .seconds(10)
    ) {
        self.coordinator = coordinator
        self.name = name
        self.batch = batch
        self.prefixCacheBytes = prefixCacheBytes
        self.memoryLimitBytes = memoryLimitBytes
        self.memoryInterval = memoryInterval
        self.beatInterval = beatInterval
        self.enlistmentTimeout = enlistmentTimeout
        self.measurementInterval = measurementInterval
        self.drainTimeout = drainTimeout
    }
}
