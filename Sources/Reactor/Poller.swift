import CLinux
import Glibc

/// Level-triggered epoll(7): `wait`, then ask for the events one by one.
///
/// No callbacks and no table of what is registered; the caller finds its own object by the token.
///
/// An event may outlive its descriptor: the first event of a batch can make the caller close the
/// socket of the third, and even accept a new one under the same number and table index. Hence the
/// generation in the token: the caller counts it up whenever it reuses an index and drops events
/// whose generation is not the current one.
///
/// Costs one system call a batch of at most 512 events and one a change of interest.
public final class Poller {
    /// Enough to serve hundreds of busy connections a turn, and 6 KiB.
    private static let batchCount = 512

    private let descriptor: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private var readyCount = 0

    public init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try retrying("epoll_create1") { apus_epoll_create() })
        events = .allocate(capacity: Self.batchCount)
        events.initialize(repeating: epoll_event(), count: Self.batchCount)
    }

    deinit { events.deallocate() }

    /// Begins to watch `fd`.
    ///
    /// An empty interest still reports `.closed`.
    ///
    /// - Throws: EPERM for what cannot be polled (a regular file), ENOSPC, ENOMEM, EEXIST.
    public func add(
        _ fd: Int32, _ token: Token, _ interest: Interest
    ) throws(SystemError) {
        try control(EPOLL_CTL_ADD, fd, token, interest)
    }

    /// Replaces both the token and the interest of `fd`.
    ///
    /// - Throws: ENOENT if it was never added.
    public func change(
        _ fd: Int32, _ token: Token, _ interest: Interest
    ) throws(SystemError) {
        try control(EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Ceases to watch `fd`, which must still be open; harmless if it was not watched.
    public func remove(_ fd: Int32) {
        let result = apus_epoll_control(descriptor.number, EPOLL_CTL_DEL, fd, 0, 0)
        precondition(
            result == 0 || errno == ENOENT || errno == EPERM, "removed a closed descriptor")
    }

    private func control(
        _ operation: Int32, _ fd: Int32, _ token: Token, _ interest: Interest
    ) throws(SystemError) {
        try retrying("epoll_ctl") {
            apus_epoll_control(descriptor.number, operation, fd, interest.events, token.raw)
        }
    }

    /// Waits for events and answers how many there are; the previous batch is gone.
    ///
    /// - Parameter milliseconds: the longest wait; -1 is for ever, 0 does not wait.
    /// - Returns: 0 when the time is over or a signal interrupted.
    public func wait(milliseconds: Int) throws(SystemError) -> Int {
        readyCount = 0
        let timeout = Int32(clamping: max(milliseconds, -1))
        let count = epoll_wait(descriptor.number, events, Int32(Self.batchCount), timeout)
        if count < 0 {
            if errno == EINTR { return 0 }
            throw SystemError.last("epoll_wait")
        }
        readyCount = Int(count)
        return readyCount
    }

    /// One of the events that the last `wait` counted.
    public func event(at index: Int) -> PollEvent {
        precondition(index >= 0 && index < readyCount, "no such event in this batch")
        return PollEvent(
            token: Token(raw: apus_epoll_token(events, index)),
            readiness: Readiness(events: apus_epoll_events(events, index)))
    }
}

/// What the caller recognises an event by: which table, which place in it, which tenant of it.
///
///     63       56 55              32 31                               0
///     |   kind   |    generation    |               index             |
public struct Token: Equatable, Sendable {
    public var raw: UInt64

    init(raw: UInt64) { self.raw = raw }

    /// The generation is kept modulo 2^24, so compare it with a counter of 24 bits.
    public init(kind: UInt8, generation: UInt32, index: UInt32) {
        raw = UInt64(kind) << 56 | UInt64(generation & Self.generationMask) << 32 | UInt64(index)
    }

    public static let generationMask: UInt32 = 0xFF_FFFF

    public var kind: UInt8 {
        get { UInt8(truncatingIfNeeded: raw >> 56) }
        set { self = Token(kind: newValue, generation: generation, index: index) }
    }

    public var generation: UInt32 {
        get { UInt32(truncatingIfNeeded: raw >> 32) & Self.generationMask }
        set { self = Token(kind: kind, generation: newValue, index: index) }
    }

    public var index: UInt32 {
        get { UInt32(truncatingIfNeeded: raw) }
        set { self = Token(kind: kind, generation: generation, index: newValue) }
    }
}

/// What to wait for.
public struct Interest: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let readable = Interest(rawValue: 1)
    public static let writable = Interest(rawValue: 2)

    fileprivate var events: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
    }
}

/// What came true.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// Broken or closed in both directions (EPOLLERR, EPOLLHUP): nothing can be sent any more, but
    /// bytes that arrived before may still be there, so read until `Transfer.closed` if they
    /// matter.
    ///
    /// Comes whether or not it was asked for, and again each turn until the descriptor is closed or
    /// removed. A peer that has only finished sending is `.readable`, not `.closed`: EPOLLRDHUP is
    /// not watched, so that its last commands are still answered.
    public static let closed = Readiness(rawValue: 4)

    fileprivate init(events: UInt32) {
        var readiness: Readiness = []
        if events & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { readiness.insert(.closed) }
        self = readiness
    }
}

/// One ready descriptor.
public struct PollEvent: Sendable {
    public let token: Token
    public let readiness: Readiness
}
