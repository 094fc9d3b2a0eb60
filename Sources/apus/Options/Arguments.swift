public import ApusModel
public import ArgumentParser
public import Logging

// Read from the command line as they read themselves.
extension JobID: ExpressibleByArgument {}
extension WorkerName: ExpressibleByArgument {}
extension ModelName: ExpressibleByArgument {}
extension ClientName: ExpressibleByArgument {}
extension Priority: ExpressibleByArgument {}

extension Durability: ExpressibleByArgument {}
extension ClientProfile: ExpressibleByArgument {}
extension BatchPolicy: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
