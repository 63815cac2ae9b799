import Glibc

/// What a system call refused, and why.
///
/// Every `errno` falls into one of three classes. *Try again* (EINTR) never leaves this module.
/// *Nothing there yet* (EAGAIN) is a result, not an error. The rest is the world's fault and is
/// this type, except for the few values that only a bug of ours can produce (a descriptor that is
/// not open, an address that is not mapped): those stop the program where they happen, because a
/// server that goes on would next read from or close somebody else's descriptor.
public struct SystemError: Error, Equatable {
    /// An `errno`, or when negative a code of getaddrinfo(3).
    public let code: Int32
    /// The call, such as "bind".
    public let operation: StaticString

    public init(_ operation: StaticString, code: Int32 = errno) {
        self.code = code
        self.operation = operation
    }

    /// The system's words alone: "Address already in use".
    public var message: String {
        let text = code < 0 ? gai_strerror(code) : UnsafePointer(strerror(code))
        return text.map { String(cString: $0) } ?? "error \(code)"
    }

    public static func == (left: SystemError, right: SystemError) -> Bool {
        left.code == right.code && left.operation.description == right.operation.description
    }
}

extension SystemError: CustomStringConvertible {
    /// "bind: Address already in use".
    public var description: String { "\(operation): \(message)" }
}

extension SystemError {
    /// The error of the call that has just failed; stops the program if that was our own bug.
    static func last(_ operation: StaticString) -> SystemError {
        let code = errno
        precondition(
            code != EBADF && code != EFAULT && code != ENOTSOCK,
            "\(operation) was given a descriptor or address that is not ours: \(code)")
        return SystemError(operation, code: code)
    }
}

/// Makes a call that answers -1 on failure until a signal no longer interrupts it.
///
/// - Throws: what `errno` says after the call.
@discardableResult
func retrying<Result: SignedInteger>(
    _ operation: StaticString, _ call: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        if errno != EINTR { throw SystemError.last(operation) }
    }
}
