import ApusModel
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals
import ZeroMQ

/// Runs a server's service until a signal, the end of its parent, or its own end.
enum Server {
    /// Runs a service; SIGINT and SIGTERM shut it down gracefully.
    ///
    /// - Parameters:
    ///   - service: The server.
    ///   - exitsWithStdin: Whether to shut down when the standard input closes.
    ///   - logger: Hears of the shutdown.
    /// - Throws: `CommandExit` where an endpoint can't be used; otherwise what the service throws.
    static func run(_ service: any Service, exitsWithStdin: Bool, logger: Logger) async throws {
        var services = [
            ServiceGroupConfiguration.ServiceConfiguration(
                service: service,
                successTerminationBehavior: .gracefullyShutdownGroup
            )
        ]
        if exitsWithStdin {
            services.append(
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: ParentWatch(),
                    successTerminationBehavior: .gracefullyShutdownGroup
                )
            )
        }
        services.append(ServiceGroupConfiguration.ServiceConfiguration(service: SecondInterrupt()))
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [.sigint, .sigterm],
                logger: quiet
            )
        )
        do {
            try await group.run()
        } catch let error as ZeroMQError {
            throw exit(for: error)
        }
    }

    /// The end that a ZeroMQ failure at start stands for: an endpoint that can't be used is wrong input.
    static func exit(for error: ZeroMQError) -> CommandExit {
        CommandExit(error.endpoint == nil ? .failed : .usage, error.description)
    }

    /// Warns where an endpoint is open to others than this machine.
    static func warnIfOpen(_ endpoint: String) {
        guard !isLocal(endpoint) else { return }
        Terminal.warn(
            "\(endpoint) is open to the network, and this version has no authentication: "
                + "everyone who reaches it can use and stop the cluster"
        )
    }

    /// Whether only processes of this machine reach an endpoint.
    static func isLocal(_ endpoint: String) -> Bool {
        guard endpoint.hasPrefix("tcp://") else { return true }
        let address = endpoint.dropFirst("tcp://".count)
        // The port stands behind the last colon; an IPv6 address has more of them.
        let host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        return host.hasPrefix("127.") || ["localhost", "[::1]", "lo"].contains(host)
    }
}
