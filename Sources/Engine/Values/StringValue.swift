import CLinux

/// Replying with a string value, wherever its bytes are.
extension ReplyWriter {
    /// A string entry as a bulk.
    @inline(__always)
    mutating func string(_ entry: Entry) {
        switch entry.stringEncoding {
        case .inline, .inlineRaw: bulk(entry.inlineString)
        case .integer: bulkInteger(entry.integer)
        case .heap: bulk(entry.heapString)
        }
    }
}
