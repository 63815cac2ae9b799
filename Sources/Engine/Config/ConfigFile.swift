import Glibc
enum ConfigFile {
    static func quoted(_ bytes: [UInt8]) -> [UInt8] { bytes }
    static func splitAtSpaces(_ value: [UInt8]) -> [[UInt8]] {
        guard !value.isEmpty else { return [] }
        return value.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map(Array.init)
    }
}
