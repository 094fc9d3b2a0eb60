import ApusModel
import ArgumentParser
import Testing

@testable import apus

@Suite("Exit statuses")
struct ExitStatusTests {
    @Test(
        "Wrong usage is 2 where argument-parser says 64",
        arguments: [["submit"], ["nonsense"], ["drain"], ["attach", "x"]]
    )
    func wrongUsageIsTwo(arguments: [String]) {
        #expect(throws: (any Error).self) { try Apus.parseAsRoot(arguments) }
        do {
            _ = try Apus.parseAsRoot(arguments)
        } catch {
            #expect(apus.ExitStatus(parserStatus: Apus.exitCode(for: error).rawValue) == .usage)
        }
    }

    @Test("Help and version are no errors", arguments: [["--help"], ["submit", "--help"], ["--version"]])
    func helpIsDone(arguments: [String]) {
        do {
            _ = try Apus.parseAsRoot(arguments)
        } catch {
            #expect(apus.ExitStatus(parserStatus: Apus.exitCode(for: error).rawValue) == .done)
        }
    }

    @Test("Every error code has the status that scripts rely on")
    func everyCodeHasItsStatus() {
        let usage: Set<ApusError.Code> = [
            .invalidRequest, .unknownModel, .promptTooLong, .notFound, .keyConflict, .nameTaken,
        ]
        let unavailable: Set<ApusError.Code> = [
            .overloaded, .unreachable, .timeout, .versionMismatch, .shuttingDown, .journalUnavailable,
        ]
        for code in ApusError.Code.allCases {
            let expected: apus.ExitStatus =
                code == .cancelled
                ? .interrupted : usage.contains(code) ? .usage : unavailable.contains(code) ? .unavailable : .failed
            #expect(apus.ExitStatus(ApusError(code, "")) == expected, "\(code)")
        }
    }

    @Test("An accepted job that is lost has failed, and one that is out of reach is unavailable")
    func brokenStreamsMap() {
        #expect(BrokenStream(error: ApusError(.notFound, "")).status == .failed)
        #expect(BrokenStream(error: ApusError(.unreachable, "")).status == .unavailable)
        #expect(BrokenStream(error: ApusError(.protocolViolation, "")).status == .failed)
    }

    @Test("A job's end is done only where it is a good one")
    func endsMap() {
        for reason in FinishReason.allCases {
            #expect(apus.ExitStatus(StreamEnd(reason: reason)) == (reason.isSuccess ? .done : .failed))
        }
        let forgotten = StreamEnd(reason: .failed, error: ApusError(.notFound, "not kept any longer"))
        #expect(apus.ExitStatus(forgotten) == .failed)
        let tooLong = StreamEnd(reason: .failed, error: ApusError(.promptTooLong, ""))
        #expect(apus.ExitStatus(tooLong) == .usage)
    }
}
