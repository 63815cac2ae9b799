import Reactor

/// The file that a snapshot is written to.
///
/// Promises: after an error nothing more reaches the file, and `failure` tells which it was.
struct DumpFile {
    let descriptor: Int32
    /// Whether a checksum is kept.
    let checks: Bool
    let syncsIncrementally: Bool
    /// Of all that was written.
    private(set) var checksum: UInt64 = 0
    private(set) var failure: SystemError?
    private var bytes = 0
    private var syncedBytes = 0

    /// The kernel is asked to write out so many bytes at a time, so that the sync at the end is short.
    private static let syncBytes = 4 << 20

    init(_ descriptor: Int32, checks: Bool, syncsIncrementally: Bool) {
        self.descriptor = descriptor
        self.checks = checks
        self.syncsIncrementally = syncsIncrementally
    }

    mutating func write(_ view: ByteView) {
        guard failure == nil else { return }
        if checks { checksum = CRC64.update(checksum, view) }
        do throws(SystemError) {
            try File.writeAll(view.rawBuffer, to: descriptor)
        } catch {
            failure = error
        }
        bytes += view.count
        if syncsIncrementally && bytes - syncedBytes >= Self.syncBytes {
            File.startWriteback(of: descriptor, offset: syncedBytes, count: bytes - syncedBytes)
            syncedBytes = bytes
        }
    }
}
