/// State that two threads work on in turn: its owner, and a helper of its own.
///
///     owner     use   start   …other work…   finish   use
///     helper                  work(&state)
///
/// Promises: the state is with one of them at a time, so neither needs a lock; the helper takes no
/// signals. Costs: a thread for as long as the errand lives, and tens of microseconds each time the
/// state changes hands, so it is for work of a millisecond.
///
/// A forked child has no such thread, and nobody forks while there is an errand: see `Background`.
public final class Errand<State: ~Copyable> {
    private let parcel: Parcel<State>
    private let helper: Background
    /// Whether the helper has the state.
    public private(set) var isUnderWay = false

    /// - Throws: where no thread can be had.
    public init(
        _ state: consuming sending State, _ work: @escaping @Sendable (inout State) -> Void
    ) throws(SystemError) {
        parcel = Parcel(state, work)
        helper = try Background(named: "helper")
    }

    /// Whether `finish` would not wait.
    public var isDone: Bool { !isUnderWay || helper.pending == 0 }

    /// Gives the state to the helper.
    public func start() {
        precondition(!isUnderWay, "the errand is under way")
        isUnderWay = true
        let parcel = parcel
        helper.submit(.run { parcel.work(&parcel.state) })
    }

    /// Takes the state back, when the work is done.
    public func finish() {
        guard isUnderWay else { return }
        helper.drain()
        isUnderWay = false
    }

    /// Lets its owner use the state, which must be here.
    public func withState<Result>(_ body: (inout State) -> Result) -> Result {
        precondition(!isUnderWay, "the errand is under way")
        return body(&parcel.state)
    }
}

/// What changes hands.
///
/// `@unchecked Sendable` is true because the owner looks at it only while the helper, which takes it
/// from a locked queue and reports under the same lock, has no work.
private final class Parcel<State: ~Copyable>: @unchecked Sendable {
    var state: State
    let work: @Sendable (inout State) -> Void

    init(_ state: consuming State, _ work: @escaping @Sendable (inout State) -> Void) {
        self.state = state
        self.work = work
    }
}
