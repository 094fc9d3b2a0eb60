/// A 128-bit hash that tells files of weights apart; fast rather than safe against forgery.
///
/// Four lanes take a word each in turn, as in xxHash64 (Yann Collet); the lanes are then folded twice, in both directions,
/// with the number of bytes. Nothing but multiplications and rotations is in the loop, so that it runs at memory speed, and
/// at some 100 MB in a tenth of a second in a debug build.
struct WeightsDigest: Hashable {
    /// The upper half.
    var high: UInt64

    /// The lower half.
    var low: UInt64

    /// Hashes bytes.
    init(of bytes: UnsafeRawBufferPointer) {
        var (a, b, c, d) = (Self.prime1 &+ Self.prime2, Self.prime2, UInt64(0), 0 &- Self.prime1)
        if let base = bytes.baseAddress {
            let blocks = bytes.count &- bytes.count % 32
            var offset = 0
            while offset < blocks {
                // Invariant: offset + 32 <= bytes.count; loads are unaligned.
                a = Self.round(a, base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                b = Self.round(b, base.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self))
                c = Self.round(c, base.loadUnaligned(fromByteOffset: offset &+ 16, as: UInt64.self))
                d = Self.round(d, base.loadUnaligned(fromByteOffset: offset &+ 24, as: UInt64.self))
                offset &+= 32
            }
            while offset < bytes.count {
                // Invariant: offset < bytes.count.
                a = Self.round(a, UInt64(base.load(fromByteOffset: offset, as: UInt8.self)))
                offset &+= 1
            }
        }
        let length = UInt64(bytes.count)
        high = Self.fold([a, b, c, d], from: length)
        low = Self.fold([d, c, b, a], from: ~length)
    }

    /// Hashes words.
    init(of words: [UInt64]) {
        self = words.withUnsafeBytes(Self.init(of:))
    }

    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F

    @inline(__always)
    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let sum = lane &+ word &* 0xC2B2_AE3D_27D4_EB4F
        return (sum &<< 31 | sum &>> 33) &* 0x9E37_79B1_85EB_CA87
    }

    private static func fold(_ lanes: [UInt64], from start: UInt64) -> UInt64 {
        var hash = start &* prime1
        for lane in lanes {
            hash = (hash ^ round(0, lane)) &* prime1 &+ prime2
        }
        // The avalanche of xxHash64.
        hash = (hash ^ (hash >> 33)) &* prime2
        hash = (hash ^ (hash >> 29)) &* 0x1656_67B1_9E37_79F9
        return hash ^ (hash >> 32)
    }
}
