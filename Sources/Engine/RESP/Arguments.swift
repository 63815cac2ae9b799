/// The arguments of one request: views into the bytes it came in, command name first.
///
/// Trivial, and valid only while its request is executed; whoever keeps an argument copies it.
/// Beside each view stands a hash, filled for the arguments that are keys when the request was
/// looked ahead at (0: not computed).
struct Arguments {
    private let views: UnsafeMutablePointer<ByteView>
    private let hashes: UnsafeMutablePointer<UInt64>
    let count: Int

    init(
        views: UnsafeMutablePointer<ByteView>, hashes: UnsafeMutablePointer<UInt64>, count: Int
    ) {
        self.views = views
        self.hashes = hashes
        self.count = count
    }

    subscript(index: Int) -> ByteView {
        precondition(index >= 0 && index < count, "argument index outside the request")
        return views[index]
    }

    func hash(_ index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "argument index outside the request")
        return hashes[index]
    }

    /// The same arguments without the first `dropped`.
    func dropFirst(_ dropped: Int) -> Arguments {
        precondition(dropped <= count)
        return Arguments(views: views + dropped, hashes: hashes + dropped, count: count - dropped)
    }

    /// Copies of all arguments, for cold paths.
    var arrays: [[UInt8]] { (0..<count).map { self[$0].array } }
}

extension Arguments {
    /// No arguments at all.
    static var none: Arguments {
        Arguments(views: NoArguments.views, hashes: NoArguments.hashes, count: 0)
    }
}

/// Addresses for an empty request; nothing is ever read or written there.
private enum NoArguments {
    static var views: UnsafeMutablePointer<ByteView> { placeholder() }
    static var hashes: UnsafeMutablePointer<UInt64> { placeholder() }

    private static func placeholder<Element>() -> UnsafeMutablePointer<Element> {
        guard let pointer = UnsafeMutablePointer<Element>(bitPattern: 64) else {
            preconditionFailure("64 is no null pointer")
        }
        return pointer
    }
}

/// Arguments that own their bytes: for whoever keeps a request, and for tests.
struct OwnedArguments: ~Copyable {
    private let bytes: UnsafeMutableRawPointer
    private let views: UnsafeMutablePointer<ByteView>
    private let hashes: UnsafeMutablePointer<UInt64>
    private let count: Int

    init(_ arguments: [[UInt8]]) {
        count = arguments.count
        views = .allocate(capacity: max(count, 1))
        hashes = .allocate(capacity: max(count, 1))
        hashes.initialize(repeating: 0, count: max(count, 1))
        let total = arguments.reduce(0) { $0 + $1.count }
        bytes = .allocate(byteCount: max(total, 1), alignment: 1)
        var offset = 0
        for (index, argument) in arguments.enumerated() {
            argument.withByteView { $0.copy(to: bytes + offset) }
            (views + index).initialize(
                to: ByteView(start: UnsafeRawPointer(bytes + offset), count: argument.count))
            offset += argument.count
        }
    }

    deinit {
        bytes.deallocate()
        views.deallocate()
        hashes.deallocate()
    }

    /// A view of the arguments; valid while this value lives.
    var view: Arguments { Arguments(views: views, hashes: hashes, count: count) }
}
