/// The form in which an effect reaches replicas and the append-only file.
///
/// A request that has changed something is passed on as it came. Where that would not have the same
/// effect a second time (it depends on the clock, on chance, on what waits), the handler states the
/// requests that do, in order, and these are passed on instead. While nobody listens it costs the one
/// test of `isPropagated`.
extension Call {
    /// Whether anybody wants to know; tested before a form is made up.
    @inline(__always)
    var isPropagated: Bool { keyspace.interest.contains(.propagation) }

    /// States that the call has the effect of this request.
    func propagate(_ arguments: [[UInt8]]) { keyspace.propagate(arguments, in: database) }

    /// The request as it came, with some arguments in place of others and without those of a range.
    @inline(never)
    func propagate(
        replacing replacements: [(index: Int, argument: [UInt8])], dropping dropped: Range<Int>
    ) {
        var arguments = arguments.arrays
        for (index, argument) in replacements { arguments[index] = argument }
        arguments.removeSubrange(dropped)
        propagate(arguments)
    }
}
