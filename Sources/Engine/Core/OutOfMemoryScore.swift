import Reactor

/// Whom the kernel kills first when memory runs out: obeys `oom-score-adj`.
struct OutOfMemoryScore {
    /// The score the process came with; known once it was changed.
    private var original: Int?

    /// Sets the score of a primary; puts the original one back when the setting is `no`.
    ///
    /// - Throws: EACCES if that is lower than allowed without privilege.
    mutating func apply(_ settings: Settings) throws(SystemError) {
        if settings.oomScoreAdjust == .no {
            guard let score = original else { return }
            original = nil
            return try Process.setOutOfMemoryScore(score)
        }
        let base = original ?? Process.outOfMemoryScore() ?? 0
        original = base
        let value = settings.oomScoreValues.primary
        let score = settings.oomScoreAdjust == .absolute ? value : base + value
        try Process.setOutOfMemoryScore(min(max(score, -1000), 1000))
    }
}
