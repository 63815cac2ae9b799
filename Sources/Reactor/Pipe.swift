import CLinux
import Glibc

/// A one-way channel from a child to its parent, of bytes without bounds between them.
public enum Pipe {
    /// The end to read from, which does not block, and the end to write to, which does; the caller owns
    /// both.
    ///
    /// - Throws: EMFILE, ENFILE.
    public static func open() throws(SystemError) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        try retrying("pipe") { apus_pipe(&ends) }
        return (ends[0], ends[1])
    }

    /// Reads what is there; `.closed` once nobody holds the other end.
    public static func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) -> Transfer {
        do throws(SystemError) {
            let count = try File.read(from: descriptor, into: buffer)
            return count > 0 ? .bytes(count) : .closed
        } catch {
            return error.code == EAGAIN ? .wouldBlock : .failed(error)
        }
    }
}
