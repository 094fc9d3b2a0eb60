#if canImport(Glibc)
import Glibc
#endif

/// What a program that runs a llama.cpp engine does before anything else.
public enum LlamaProcess {
    /// Lets llama.cpp's threads give way where other programs want the processors.
    ///
    /// The threads of a pass meet hundreds of times in it. As OpenMP comes, each spins for up to milliseconds there, and on a
    /// machine with more to do than processors it spins while the thread it waits for can't run: measured
    /// beside builds on 2 processors, steps of 13 to 40 ms took 180 to 900 ms. With a short spin they stayed at 13 to 40 ms. OpenMP reads its
    /// settings before `main`, so that the program is started again, in the same process, with the setting in its
    /// environment. `OMP_WAIT_POLICY` or `GOMP_SPINCOUNT` in the environment are respected.
    ///
    /// Call it first in `main`, while there is one thread and no open file to keep; give child processes
    /// `environmentSetting` instead. Does nothing in a build without llama.cpp or on another system than Linux.
    public static func settleThreads() {
        #if APUS_LLAMA && os(Linux)
        guard getenv("OMP_WAIT_POLICY") == nil, getenv(environmentSetting.name) == nil else { return }
        setenv(environmentSetting.name, environmentSetting.value, 1)
        // The program's own path keeps its name in process lists, which the link itself would not.
        var path = [CChar](repeating: 0, count: 4_096)
        guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return }
        // Invariant: unsafeArgv is the argument vector of this process, ended by a null pointer. If it returns, the
        // program goes on as it is: slower in company, not wrong.
        execv(path, CommandLine.unsafeArgv)
        #endif
    }

    /// The environment variable that `settleThreads` sets, for the parents of engine processes.
    public static let environmentSetting = (name: "GOMP_SPINCOUNT", value: "1000")
}
