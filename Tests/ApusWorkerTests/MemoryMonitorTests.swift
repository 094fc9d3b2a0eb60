import ApusCore
import ApusModel
import Foundation
import Testing

@testable import ApusWorker

@Suite("Memory monitor")
struct MemoryMonitorTests {
    private let root: FakeRoot

    init() throws {
        root = try FakeRoot()
    }

    private func monitor(limitBytes: UInt64? = nil) -> MemoryMonitor {
        MemoryMonitor(limitBytes: limitBytes, root: root.path)
    }

    private func reading(limitBytes: UInt64? = nil) -> MemoryMonitor.Reading {
        var monitor = monitor(limitBytes: limitBytes)
        return monitor.measure(at: .zero).nearest
    }

    private func second(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * 1_000_000_000) }

    // MARK: Which bound counts

    @Test("Of group and machine the one that is nearest to its limit counts")
    func nearest() throws {
        try root.write("proc/self/cgroup", "4:memory:/job\n")
        try root.group1("/job", used: 600, limit: 1_000)
        try root.machine(total: 100, available: 50)
        #expect(reading() == .init(usedBytes: 600, limitBytes: 1_000))
        try root.machine(total: 100, available: 30)
        #expect(reading() == .init(usedBytes: 70 << 10, limitBytes: 100 << 10))
    }

    @Test("Limits of the groups around the process's own count, in version 1")
    func parents1() throws {
        try root.write("proc/self/cgroup", "5:cpu,cpuacct:/elsewhere\n4:memory:/outer/middle/own\n0::/\n")
        try root.group1("/outer/middle/own", used: 100, limit: 1_000)
        try root.group1("/outer/middle", used: 300, limit: 2_000)
        #expect(reading() == .init(usedBytes: 300, limitBytes: 2_000))
        try root.group1("/outer", used: 2_400, limit: 3_000)
        #expect(reading() == .init(usedBytes: 2_400, limitBytes: 3_000))
        try root.group1("", used: 9_000, limit: 10_000)
        #expect(reading() == .init(usedBytes: 9_000, limitBytes: 10_000))
        // Of another controller's group nothing is read.
        try root.group1("/elsewhere", used: 999, limit: 1_000)
        #expect(reading() == .init(usedBytes: 9_000, limitBytes: 10_000))
    }

    @Test("Limits of the groups around the process's own count, in version 2", arguments: ["", "/unified"])
    func parents2(mount: String) throws {
        try root.write("proc/self/cgroup", "0::/outer/own\n")
        try root.group2("/outer/own", used: 500, limit: nil, mount: mount)
        try root.group2("/outer", used: 800, limit: 4_000, mount: mount)
        #expect(reading() == .init(usedBytes: 800, limitBytes: 4_000))
        try root.group2("/outer/own", used: 500, limit: 600, mount: mount)
        #expect(reading() == .init(usedBytes: 500, limitBytes: 600))
    }

    @Test("Where a container sees its group at the root, that is found")
    func container() throws {
        try root.write("proc/self/cgroup", "4:memory:/runtime/0123\n")
        try root.group1("", used: 400, limit: 500)
        #expect(reading() == .init(usedBytes: 400, limitBytes: 500))
    }

    @Test("A group without a limit is no bound")
    func unlimited() throws {
        try root.write("proc/self/cgroup", "4:memory:/one\n0::/two\n")
        try root.group1("/one", used: 1 << 40, limit: 9_223_372_036_854_771_712)
        try root.group2("/two", used: 1 << 40, limit: nil)
        try root.resident(pages: 3)
        let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        #expect(reading() == .init(usedBytes: 3 * page))
        #expect(monitor().measured(at: .zero).level == .normal)
    }

    @Test("Cached files are no used memory, and never more than what is used")
    func cachedFiles() throws {
        try root.write("proc/self/cgroup", "4:memory:/one\n")
        try root.group1("/one", used: 990, limit: 1_000, files: 600)
        #expect(reading() == .init(usedBytes: 390, limitBytes: 1_000))
        try root.group1("/one", used: 990, limit: 1_000, files: 5_000)
        #expect(reading() == .init(usedBytes: 0, limitBytes: 1_000))
        try root.write("proc/self/cgroup", "0::/two\n")
        try root.group2("/two", used: 990, limit: 1_000, files: 90)
        #expect(reading() == .init(usedBytes: 900, limitBytes: 1_000))
    }

    @Test("The operator's own limit counts against the process's resident memory")
    func configured() throws {
        let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        try root.resident(pages: 90)
        try root.machine(total: 1_000, available: 500)
        let bound = MemoryMonitor.Reading(usedBytes: 90 * page, limitBytes: 100 * page)
        #expect(reading(limitBytes: 100 * page) == bound)
        // A wide one is not what is nearest.
        #expect(reading(limitBytes: 1_000 * page) == .init(usedBytes: 500 << 10, limitBytes: 1_000 << 10))
        var monitor = monitor(limitBytes: 100 * page)
        let report = monitor.measure(at: .zero)
        #expect(report.level == .pressure)
        #expect(report.residentBytes == 90 * page)
    }

    // MARK: Absent and bad files

    @Test("Where nothing can be read there is no bound and no level")
    func absent() throws {
        let report = monitor().measured(at: .zero)
        #expect(report.residentBytes == 0)
        #expect(report.nearest == .init(usedBytes: 0))
        #expect(report.level == .normal)
        #expect(report.effects.isEmpty)
    }

    @Test(
        "Lists of groups that are not as expected give no group",
        arguments: [
            "", "\n\n", "4:memory", "memory:/job", "4:memoryless:/job", ":", "0:name:/job", "4:memory:/nowhere",
        ]
    )
    func badGroups(text: String) throws {
        try root.write("proc/self/cgroup", text)
        try root.group1("/job", used: 990, limit: 1_000)
        try root.group2("/job", used: 990, limit: 1_000)
        #expect(reading() == .init(usedBytes: 0))
    }

    @Test("Files of other content are no bound", arguments: ["", "lots", "-5", "1 2", "99999999999999999999999", "\0"])
    func garbage(text: String) throws {
        try root.write("proc/self/cgroup", "4:memory:/job\n0::/job\n")
        try root.group1("/job", used: 990, limit: 1_000)
        try root.group2("/job", used: 990, limit: 1_000)
        try root.stall(80)
        for name in [
            "proc/self/statm", "proc/meminfo", "proc/pressure/memory", "sys/fs/cgroup/memory/job/memory.limit_in_bytes",
            "sys/fs/cgroup/job/memory.current",
        ] {
            try root.write(name, text)
        }
        let report = monitor().measured(at: .zero)
        #expect(report.nearest == .init(usedBytes: report.residentBytes))
        #expect(report.level == .normal)
    }

    @Test("Bytes that are no text, and folders in the place of files, are no bound")
    func noText() throws {
        try root.write("proc/self/cgroup", "0::/job\n")
        try root.group2("/job", used: 990, limit: 1_000)
        try root.write("sys/fs/cgroup/job/memory.max", bytes: [0xff, 0xfe, 0x31])
        try root.makeFolder("proc/meminfo")
        try root.makeFolder("proc/pressure/memory")
        #expect(reading() == .init(usedBytes: 0))
        #expect(monitor().measured(at: .zero).level == .normal)
    }

    @Test("More available memory than there is leaves none used, and a limit of nothing is no division by it")
    func extremes() throws {
        try root.machine(total: 10, available: 20)
        #expect(reading() == .init(usedBytes: 0, limitBytes: 10 << 10))
        try root.write("proc/self/cgroup", "0::/job\n")
        try root.group2("/job", used: 0, limit: 0)
        try root.machine(total: 0, available: 0)
        #expect(monitor().measured(at: .zero).level == .normal)
    }

    @Test("A group whose files go away while the worker runs is no bound any more")
    func vanished() throws {
        try root.write("proc/self/cgroup", "0::/job\n")
        try root.group2("/job", used: 960, limit: 1_000)
        try root.machine(total: 100, available: 90)
        var monitor = monitor()
        #expect(monitor.measure(at: .zero).level == .critical)
        try root.remove("sys/fs/cgroup/job")
        #expect(monitor.measure(at: second(1)).nearest == .init(usedBytes: 10 << 10, limitBytes: 100 << 10))
    }

    // MARK: Stalls

    @Test("Stalls of the machine raise the level, whatever is used")
    func machineStalls() throws {
        try root.machine(total: 100, available: 90)
        for (share, level) in [(5.0, MemoryLevel.normal), (10, .warning), (25, .pressure), (50, .critical)] {
            try root.stall(share)
            #expect(monitor().measured(at: .zero).level == level)
        }
    }

    @Test("A group's own stalls count instead of those of the groups around it and of the machine")
    func groupStalls() throws {
        try root.write("proc/self/cgroup", "0::/outer/own\n")
        try root.group2("/outer/own", used: 10, limit: 1_000)
        try root.group2("/outer", used: 10, limit: 1_000)
        try root.stall(60)
        try root.stall(30, group: "/outer")
        #expect(monitor().measured(at: .zero).level == .pressure)
        try root.stall(0, group: "/outer/own")
        #expect(monitor().measured(at: .zero).level == .normal)
    }

    // MARK: Over time

    @Test("Levels rise with what is used and fall step by step, each with its effects")
    func levels() throws {
        try root.write("proc/self/cgroup", "4:memory:/job\n")
        try root.group1("/job", used: 0, limit: 1_000)
        var monitor = monitor()
        func measured(_ used: Int, at time: Int64) throws -> MemoryMonitor.Report {
            try root.group1("/job", used: used, limit: 1_000)
            return monitor.measure(at: second(time))
        }
        #expect(try measured(500, at: 0).effects == [])
        #expect(try measured(810, at: 1).effects == [.report(.warning)])
        #expect(try measured(890, at: 2).effects == [.report(.pressure), .halveBatch])
        let critical = try measured(960, at: 3)
        #expect(critical.effects == [.report(.critical), .halveBatch, .dropPrefixCache, .refuseWork])
        #expect(critical.level == .critical)
        // It stays high: what can be given up is given up again.
        #expect(try measured(960, at: 5).effects == [.halveBatch, .dropPrefixCache])
        #expect(try measured(300, at: 6).effects == [])
        #expect(try measured(300, at: 10).level == .critical)
        #expect(try measured(300, at: 11).effects == [.report(.pressure), .acceptWork])
        #expect(try measured(300, at: 16).effects == [.report(.warning), .easeBatch])
        #expect(try measured(300, at: 20).effects == [])
        #expect(try measured(300, at: 21).effects == [.report(.normal)])
    }

    @Test("A limit that is changed while the worker runs counts from the next measurement on")
    func changedLimit() throws {
        try root.write("proc/self/cgroup", "0::/job\n")
        try root.group2("/job", used: 500, limit: 1_000)
        var monitor = monitor()
        #expect(monitor.measure(at: .zero).level == .normal)
        try root.group2("/job", used: 500, limit: 510)
        let report = monitor.measure(at: second(1))
        #expect(report.level == .critical)
        #expect(report.nearest == .init(usedBytes: 500, limitBytes: 510))
    }
}

extension MemoryMonitor {
    /// A first measurement, of a monitor that is not used afterwards.
    fileprivate func measured(at now: Timestamp) -> Report {
        var copy = self
        return copy.measure(at: now)
    }
}
