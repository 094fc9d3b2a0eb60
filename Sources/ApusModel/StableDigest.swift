extension String {
    /// A digest of the text's UTF-8 (FNV-1a, 64 bits): the same in every process and every version, unlike `hashValue`.
    package var stableDigest: UInt64 {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        // A buffer of bytes: the string's own view decides anew for each byte where it stands. Native strings are not copied.
        var text = self
        text.withUTF8 { bytes in
            for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        }
        return digest
    }
}
