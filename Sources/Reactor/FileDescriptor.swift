import Glibc

/// The one owner of an open descriptor: closed exactly once, when the owner goes.
public struct FileDescriptor: ~Copyable {
    public let number: Int32

    public init(owning number: Int32) {
        precondition(number >= 0, "a negative number is no descriptor")
        self.number = number
    }

    /// Gives the descriptor away unclosed; the caller owns it now.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Linux has freed the number even where close(2) reports an interruption or a late write
    /// error, so it is never called twice.
    ///
    /// Whoever needs the error syncs first.
    deinit { _ = Glibc.close(number) }
}

extension FileDescriptor {
    /// Closes a descriptor that is held as a plain number.
    public static func close(_ number: Int32) {
        _ = FileDescriptor(owning: number)
    }
}
