/// Requests to other servers, as RESP arrays of strings.
extension ByteBuffer {
    /// Begins a request; its arguments follow one by one.
    mutating func beginRequest(_ name: StaticString, arguments: Int) {
        append(UInt8(ascii: "*"))
        append(Int64(arguments + 1))
        append("\r\n" as StaticString)
        appendArgument(ByteView(name))
    }

    mutating func appendArgument(_ bytes: ByteView) {
        append(UInt8(ascii: "$"))
        append(Int64(bytes.count))
        append("\r\n" as StaticString)
        append(bytes)
        append("\r\n" as StaticString)
    }
}
