/// Every limit of the protocol that no setting changes, with its reason.
enum ProtocolLimits {
    /// An inline request, or the header of a multibulk, longer than this is no request at all.
    static let inlineBytes = 64 * 1024
    /// More arguments than this in one request is taken for garbage.
    static let argumentCount = Int64(Int32.max)
    /// No setting allows more: all of user space, so that sums of lengths stay within 64 bits.
    static let bulkBytes = Int64(1) << 47
    /// Until a connection has said who it is, it may not make the server hold much (CVE-2021-32675).
    static let unauthenticatedArguments: Int64 = 10
    static let unauthenticatedBulkBytes: Int64 = 16 * 1024
    /// An argument from this size on is received in a block of its own, which can become the value.
    static let ownBlockBytes = 32 * 1024
    /// What is set aside for such a block before its bytes have come: a client that declares 512 MB
    /// and sends nothing costs no more than this.
    static let firstBlockBytes = 1024 * 1024
    /// What logs keep of an argument.
    static let excerptBytes = 128
}
