// swift-tools-version: 6.2

import PackageDescription

/// The folder that `Scripts/setup.sh` installs llama.cpp into; only the targets behind the `Llama` trait read it.
let llamaPrefix =
    Context.environment["APUS_LLAMA_PREFIX"]
    ?? (Context.environment["HOME"] ?? "/usr/local") + "/.local/share/apus/llama"

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let llamaFlags: [SwiftSetting] = [
    .unsafeFlags(["-Xcc", "-I\(llamaPrefix)/include"], .when(traits: ["Llama"])),
    .define("APUS_LLAMA", .when(traits: ["Llama"])),
]

let llamaLinking: [LinkerSetting] = [
    .unsafeFlags(
        ["-L\(llamaPrefix)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(llamaPrefix)/lib"],
        .when(traits: ["Llama"])
    )
]

let package = Package(
    name: "apus",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "ApusClient", targets: ["ApusClient", "ApusModel"]),
        .executable(name: "apus", targets: ["apus"]),
        .executable(name: "apus-bench", targets: ["apus-bench"]),
        .executable(name: "apus-sim", targets: ["apus-sim"]),
    ],
    traits: [
        .trait(
            name: "Llama",
            description: "The llama.cpp engine. Off: coordinator, clients and simulated workers only."
        ),
        .default(enabledTraits: ["Llama"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Layer 0: C, as it is.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"]), .brew(["zeromq"])]),
        .systemLibrary(name: "CLlama"),

        // Layer 1: pure.
        .target(name: "ApusGrammar", swiftSettings: strict),
        .target(name: "ApusModel", dependencies: ["ApusGrammar"], swiftSettings: strict),
        .target(
            name: "ApusCore",
            dependencies: [
                "ApusModel", .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),

        // Layer 2: the wire and the engine's shape.
        .target(
            name: "ApusProtocol",
            dependencies: ["ApusModel", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: strict
        ),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ", "ApusModel"], swiftSettings: strict),
        .target(
            name: "ApusEngine",
            dependencies: [
                "ApusModel", "ApusGrammar", "ApusCore", .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),

        // Layer 3: engines, the durable log, measurement.
        .target(
            name: "ApusLlama",
            dependencies: [
                "ApusModel", "ApusGrammar", "ApusEngine",
                .target(name: "CLlama", condition: .when(traits: ["Llama"])),
            ],
            swiftSettings: strict + llamaFlags,
            linkerSettings: llamaLinking
        ),
        .target(
            name: "ApusJournal",
            dependencies: [
                "ApusModel", "ApusProtocol", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ApusTelemetry",
            dependencies: ["ApusModel", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict
        ),

        // Layer 4: the actors.
        .target(
            name: "ApusCoordinator",
            dependencies: [
                "ApusModel", "ApusCore", "ApusProtocol", "ApusJournal", "ApusTelemetry", "ZeroMQ",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ApusWorker",
            dependencies: [
                "ApusModel", "ApusCore", "ApusProtocol", "ApusEngine", "ApusTelemetry", "ZeroMQ",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ApusClient",
            dependencies: [
                "ApusModel", "ApusProtocol", "ZeroMQ",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),

        // Layer 6: the commands.
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusModel", "ApusCoordinator", "ApusWorker", "ApusClient", "ApusEngine", "ApusLlama", "ApusJournal",
                "ApusCore", "ZeroMQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict + llamaFlags,
            linkerSettings: llamaLinking
        ),
        .executableTarget(
            name: "apus-bench",
            dependencies: [
                "ApusModel", "ApusClient", "ApusEngine", "ApusTelemetry", "ApusTestKit", "ZeroMQ", "CZeroMQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),

        // The simulator: the coordinator's core in a world of virtual time.
        .target(
            name: "ApusSimulator",
            dependencies: ["ApusModel", "ApusCore", .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "apus-sim",
            dependencies: [
                "ApusModel", "ApusSimulator", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),

        // Tests.
        .target(
            name: "ApusTestKit",
            dependencies: [],
            swiftSettings: strict
        ),
        .testTarget(name: "ApusGrammarTests", dependencies: ["ApusGrammar"], swiftSettings: strict),
        .testTarget(name: "ApusModelTests", dependencies: ["ApusModel"], swiftSettings: strict),
        .testTarget(
            name: "ApusJournalTests",
            dependencies: ["ApusModel", "ApusJournal", "ApusProtocol", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict
        ),
        .testTarget(name: "ApusCoreTests", dependencies: ["ApusModel", "ApusCore"], swiftSettings: strict),
        .testTarget(
            name: "ApusSimulatorTests",
            dependencies: ["ApusModel", "ApusCore", "ApusSimulator"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusProtocolTests",
            dependencies: ["ApusModel", "ApusProtocol", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: strict
        ),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ", "CZeroMQ", "ApusModel"], swiftSettings: strict),
        .testTarget(
            name: "ApusEngineTests",
            dependencies: ["ApusModel", "ApusCore", "ApusEngine"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusTelemetryTests",
            dependencies: ["ApusModel", "ApusTelemetry"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusWorkerTests",
            dependencies: [
                "ApusModel", "ApusCore", "ApusEngine", "ApusProtocol", "ApusWorker", "ZeroMQ",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusCoordinatorTests",
            dependencies: ["ApusModel", "ApusCore", "ApusProtocol", "ApusCoordinator"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusLlamaTests",
            dependencies: ["ApusModel", "ApusEngine", "ApusLlama", "ApusTestKit"],
            swiftSettings: strict + llamaFlags,
            linkerSettings: llamaLinking
        ),
        .testTarget(
            name: "ApusClientTests",
            dependencies: ["ApusModel", "ApusProtocol", "ApusClient", "ZeroMQ"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusCommandTests",
            dependencies: [
                "ApusModel", "ApusClient", "ApusJournal", "apus",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusBenchTests",
            dependencies: ["ApusModel", "apus-bench"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ApusClusterTests",
            dependencies: ["ApusModel", "ApusProtocol", "ApusClient", "ApusTestKit", "ZeroMQ", "apus", "apus-bench"],
            swiftSettings: strict
        ),
    ]
)
