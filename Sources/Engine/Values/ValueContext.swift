/// What collections need of the place they live in: memory, the hash of their elements, time, chance,
/// and the limits of their compact forms.
///
/// A trivial handle to state at a fixed address, one for all databases; the keyspace owns it.
struct ValueContext {
    private struct State {
        let arena: Arena
        let hasher: SeededHash
        let unpacking: UnpackingRoom
        var now: Int64 = 0
        var limits = EncodingLimits()
        var drawCount: UInt64 = 0
    }

    private let state: UnsafeMutablePointer<State>

    static func create(arena: Arena, hasher: SeededHash) -> ValueContext {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(
            to: State(arena: arena, hasher: hasher, unpacking: UnpackingRoom.create(in: arena)))
        return ValueContext(state: state)
    }

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    func destroy() {
        unpacking.destroy()
        state.deallocate()
    }

    @inline(__always) var arena: Arena { state.pointee.arena }
    @inline(__always) var hasher: SeededHash { state.pointee.hasher }
    /// Where compressed data is looked at.
    @inline(__always) var unpacking: UnpackingRoom { state.pointee.unpacking }

    /// The wall clock in milliseconds.
    @inline(__always)
    var now: Int64 {
        get { state.pointee.now }
        nonmutating set { state.pointee.now = newValue }
    }

    @inline(__always)
    var limits: EncodingLimits {
        get { state.pointee.limits }
        nonmutating _modify { yield &state.pointee.limits }
    }

    // MARK: - Chance

    /// A random word, by hashing a counter with the secret seed: fast, uniform, and not to be
    /// foreseen by clients.
    func nextRandom() -> UInt64 {
        state.pointee.drawCount &+= 1
        return hasher.hash(state.pointee.drawCount)
    }

    /// A random number from 0 to `bound` - 1; the bias is below 2^-32 for any size of collection.
    func random(below bound: Int) -> Int {
        precondition(bound > 0, "nothing to draw from")
        return Int(nextRandom().multipliedFullWidth(by: UInt64(bound)).high)
    }
}

/// A count at a fixed address, which several owners of what is counted keep together.
struct SharedCount {
    private let number: UnsafeMutablePointer<Int>

    static func create() -> SharedCount {
        let number = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        number.initialize(to: 0)
        return SharedCount(number: number)
    }

    private init(number: UnsafeMutablePointer<Int>) { self.number = number }

    func destroy() { number.deallocate() }

    var value: Int {
        get { number.pointee }
        nonmutating set { number.pointee = newValue }
    }
}
