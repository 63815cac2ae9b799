import Testing

@testable import Engine

@Suite struct ServerLoadingTests {
    /// How much is to come is what a primary says.
    @Test func `the time that is left has bounds`() {
        var progress = LoadProgress(startedSeconds: 0, totalBytes: .max)
        #expect(progress.remainingSeconds(now: 100) == 1)
        progress.loadedBytes = 1
        #expect(progress.remainingSeconds(now: 0) == 0)
        #expect(progress.remainingSeconds(now: 100) == .max)
        progress = LoadProgress(startedSeconds: 10, totalBytes: 400, loadedBytes: 100)
        #expect(progress.remainingSeconds(now: 15) == 15)
    }
}
