/// Until when a collection keeps its compact form: what the `…-max-listpack-…` settings say.
///
/// Lies in the keyspace; set whenever the settings change.
struct EncodingLimits {
    /// `list-max-listpack-size`: positive: elements a node; -1 to -5: 4 to 64 KiB a node.
    var listNodeSize = -2
    /// `list-compress-depth`.
    var listCompressDepth = 0
    /// A longer list element gets a node of its own, whatever the size of nodes.
    var listPlainBytes = 1 << 30
    /// Entries, and bytes of the longest of them, of the types that change their form beyond.
    var hashEntries = 512
    var hashValueBytes = 64
    var setIntegers = 512
    var setEntries = 128
    var setValueBytes = 64
    var sortedSetEntries = 128
    var sortedSetValueBytes = 64
    /// A HyperLogLog of more bytes than that is no longer sparse.
    var hyperLogLogSparseBytes = 3000
    /// `stream-node-max-bytes` and `stream-node-max-entries`; 0: without limit.
    var streamNodeBytes = 4096
    var streamNodeEntries = 100
}
