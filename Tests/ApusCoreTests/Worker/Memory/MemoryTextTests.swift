import ApusCore
import Testing

@Suite("Memory text")
struct MemoryTextTests {
    @Test("The resident size is the second number of statm")
    func statm() {
        #expect(MemoryText.residentBytes(statm: "25000 1200 800 1 0 900 0\n", pageBytes: 4_096) == 4_915_200)
        for text in ["", "25000", "a b c", "1 -2 3", "1 18446744073709551615", "x 5"] {
            #expect(MemoryText.residentBytes(statm: text, pageBytes: 4_096) == nil)
        }
    }

    @Test("A cgroup without a limit has none, in either version")
    func limits() {
        #expect(MemoryText.limitBytes("536870912\n") == 536_870_912)
        #expect(MemoryText.limitBytes("max\n") == nil)
        #expect(MemoryText.limitBytes("9223372036854771712\n") == nil)
        for text in ["", "\n", "-1", "1 2", "12kB", "99999999999999999999999"] {
            #expect(MemoryText.limitBytes(text) == nil)
        }
        #expect(MemoryText.bytes("4096\n") == 4_096)
        #expect(MemoryText.bytes("many\n") == nil)
    }

    @Test("Values are found by their names")
    func stat() {
        let text = "anon 4096\nfile 8192\ninactive_file 1234\nbroken\n"
        #expect(MemoryText.value(of: "inactive_file", inStat: text) == 1_234)
        #expect(MemoryText.value(of: "active_file", inStat: text) == nil)
        #expect(MemoryText.value(of: "broken", inStat: text) == nil)
        #expect(MemoryText.totalBytes(meminfo: "MemTotal:        8000000 kB\nMemFree: 1 kB\n") == 8_192_000_000)
        #expect(MemoryText.availableBytes(meminfo: "MemTotal: 9 kB\nMemAvailable:   2 kB\n") == 2_048)
        #expect(MemoryText.availableBytes(meminfo: "MemTotal: 9 kB\n") == nil)
        #expect(MemoryText.totalBytes(meminfo: "MemTotal: lots kB\n") == nil)
        #expect(MemoryText.totalBytes(meminfo: "MemFree: 1 kB\n") == nil)
    }

    @Test("Pressure is the share of the last ten seconds in which some task waited")
    func pressure() {
        let text = """
            some avg10=12.34 avg60=1.00 avg300=0.10 total=1234
            full avg10=5.00 avg60=0.50 avg300=0.05 total=123
            """
        #expect(MemoryText.stall(pressure: text) == 12.34)
        #expect(MemoryText.stall(pressure: "some avg10=0.00 avg60=0.00\n") == 0)
        let bad = [
            "", "full avg10=5.00", "some", "some avg10=", "some avg10=nan", "some avg10=-1.00", "some avg10=101",
            "some avg10=0x10", "some avg60=3.00", "some avg10=1.2.3",
        ]
        for text in bad { #expect(MemoryText.stall(pressure: text) == nil) }
    }
}
