/// The versions that this build speaks and is.
public enum ApusVersion {
    /// The release, as `apus --version` prints it.
    public static let release = "0.1.0"

    /// The first byte of every message: peers with another one are refused.
    public static let wire: UInt8 = 1
}
