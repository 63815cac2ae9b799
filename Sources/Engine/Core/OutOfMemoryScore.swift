import Reactor

/// Whom the kernel kills first when memory runs out: obeys `oom-score-adj`.
struct OutOfMemoryScore {
    /// The score the process came with; known once it was changed.
    private var original: Int?

    enum Role { case primary, replica, child }

    /// Sets the score of a process; puts the original one back when the setting is `no`.
    ///
    /// - Throws: EACCES if that is lower than allowed without privilege.
    mutating func apply(_ settings: Settings, to role: Role) throws(SystemError) {
        if settings.oomScoreAdjust == .no {
            guard let score = original else { return }
            original = nil
            return try Process.setOutOfMemoryScore(score)
        }
        let base = original ?? Process.outOfMemoryScore() ?? 0
        original = base
        let values = settings.oomScoreValues
        let value =
            switch role {
            case .primary: values.primary
            case .replica: values.replica
            case .child: values.child
            }
        let score = settings.oomScoreAdjust == .absolute ? value : base + value
        try Process.setOutOfMemoryScore(min(max(score, -1000), 1000))
    }
}
