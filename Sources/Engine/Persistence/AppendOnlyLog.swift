import Glibc
import Reactor

/// The append-only file on disk: the folder with its manifest and parts, and the increment that is
/// being written.
///
/// Promises: the manifest is replaced as a whole, and only after the files it names are there; what
/// could not be written is kept, in order, and a part of a request is never left in the file while that
/// can be helped. It decides nothing: when to sync, what to refuse and when to begin anew is the
/// server's matter. Costs: one `write` a call, no copy unless the disk is full or busy.
final class AppendOnlyLog {
    /// `appenddirname` and `appendfilename`.
    let folder: String
    let name: String
    private(set) var manifest: AppendOnlyManifest
    /// The increment that is written; -1: none is open.
    private(set) var descriptor: Int32 = -1
    /// Of the open increment, and of the base and all other increments.
    private(set) var openBytes = 0
    private(set) var otherBytes = 0
    /// What was not written because the disk was full or busy.
    private var pending = ByteBuffer()
    /// Up to where the open increment was handed to the kernel to be synced.
    private(set) var syncedBytes = 0
    /// Whether the open increment belongs to no manifest yet.
    private(set) var isTemporary = false
    private var lastTimestamp: Int64 = 0

    init(folder: String, name: String, manifest: AppendOnlyManifest = AppendOnlyManifest()) {
        self.folder = folder
        self.name = name
        self.manifest = manifest
    }

    var isOpen: Bool { descriptor >= 0 }
    /// Bytes of all parts.
    var totalBytes: Int { otherBytes + openBytes }
    var pendingBytes: Int { pending.count }
    var hasUnsyncedBytes: Bool { openBytes > syncedBytes }

    func path(_ name: String) -> String { "\(folder)/\(name)" }
    var manifestPath: String { path("\(name).manifest") }
    /// Of the increment that is written.
    var openPath: String {
        isTemporary ? temporaryPath : manifest.increments.last.map { path($0.name) } ?? folder
    }
    private var temporaryPath: String { path("temp-\(name).incr") }

    // MARK: - What is there

    /// Reads the manifest; where there is none, there are no parts.
    func readManifest() throws(AppendOnlyError) {
        guard File.exists(manifestPath) else { return }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.readWhole(manifestPath, limit: Self.mostManifestBytes)
        } catch {
            throw AppendOnlyError(
                text: "Fatal error: can't read the AOF manifest "
                    + FileTrouble(manifestPath, error).text)
        }
        do throws(AppendOnlyError) {
            manifest = try AppendOnlyManifest.parse(bytes)
        } catch {
            throw AppendOnlyError(
                text: "Fatal error: the AOF manifest '\(FileTrouble.absolute(manifestPath))' is "
                    + "broken. Nothing was loaded or changed: put a sound copy of the file in its "
                    + "place, or mend the line by hand (a copy of the whole folder made before). "
                    + error.text)
        }
    }

    /// A manifest names a few files.
    private static let mostManifestBytes = 16 << 20

    /// Whether a file of the time before there were manifests waits to become the base; or its move into
    /// the folder was interrupted.
    var mustAdopt: Bool {
        guard File.exists(name), !File.isFolder(name) else { return false }
        if manifest == AppendOnlyManifest() { return true }
        return manifest.parts == [AppendOnlyManifest.Part(name: name, sequence: 1)]
            && manifest.base?.name == name && !File.exists(path(name))
    }

    /// Finds out whether `openLastIncrement`, and what comes before it at the start, could do their
    /// work; nothing is changed.
    func checkWritable() throws(Obstacle) {
        try Self.check(".") { () throws(SystemError) in
            if manifest.isEmpty || !File.exists(folder) { try File.checkWritable(folder: ".") }
        }
        guard File.exists(folder) else { return }
        let last = mustAdopt ? nil : manifest.increments.last
        let target = last.map { path($0.name) } ?? folder
        try Self.check(target) { () throws(SystemError) in
            if last == nil {
                try File.checkWritable(folder: folder)
            } else {
                try File.checkWritable(target)
            }
        }
    }

    /// What hinders writing, and where.
    struct Obstacle: Error {
        let trouble: FileTrouble
    }

    private static func check(
        _ path: String, _ body: () throws(SystemError) -> Void
    ) throws(Obstacle) {
        do throws(SystemError) {
            try body()
        } catch {
            throw Obstacle(trouble: FileTrouble(path, error))
        }
    }

    // MARK: - Writing

    /// Puts `bytes` behind what waits already, without writing.
    func keep(_ bytes: ByteView) { pending.append(bytes) }

    /// Marks the time in the file, once a second: a point that the file can be cut back to.
    func noteTime(_ seconds: Int64) {
        guard seconds != lastTimestamp else { return }
        lastTimestamp = seconds
        pending.append("#TS:\(seconds)\r\n")
    }

    /// Writes what waits, then `bytes`; whatever does not reach the file waits.
    ///
    /// - Throws: ENOSPC, EIO…; the file is then as it was, or ends with what did reach it.
    func write(_ bytes: ByteView) throws(SystemError) {
        if pending.isEmpty {
            do throws(SystemError) {
                try append(bytes)
            } catch {
                let written = repair(bytes.count)
                pending.append(bytes.dropFirst(written))
                throw error
            }
            return
        }
        pending.append(bytes)
        do throws(SystemError) {
            try append(pending.view)
        } catch {
            pending.drain(repair(pending.count))
            throw error
        }
        pending.removeAll()
        if pending.capacity > Self.keptBytes { pending.release() }
    }

    private static let keptBytes = 1 << 20

    private func append(_ bytes: ByteView) throws(SystemError) {
        guard !bytes.isEmpty else { return }
        try File.writeAll(bytes.rawBuffer, to: descriptor)
        openBytes += bytes.count
    }

    /// Takes back what a failed write left; where that fails too, tells how much of it stays.
    private func repair(_ count: Int) -> Int {
        do throws(SystemError) {
            try File.truncate(descriptor, to: openBytes)
            return 0
        } catch {
            let written = min(count, max(0, Self.size(of: descriptor) - openBytes))
            openBytes += written
            return written
        }
    }

    /// Waits until everything written is on the disk.
    func sync() throws(SystemError) {
        try File.syncData(descriptor)
        syncedBytes = openBytes
    }

    /// Takes note that everything written is on its way to the disk.
    func noteSyncing() { syncedBytes = openBytes }

    // MARK: - Parts

    /// Opens the last increment to be continued, or the first one.
    func openLastIncrement() throws(SystemError) {
        if let last = manifest.increments.last {
            try open(path(last.name))
            measure()
        } else {
            _ = try beginIncrement()
        }
    }

    /// Begins a new increment, which the manifest names before anything is in it.
    ///
    /// - Returns: the descriptor of the one before, now the caller's; -1 if there was none.
    func beginIncrement() throws(SystemError) -> Int32 {
        let part = manifest.nextIncrement(of: name)
        var changed = manifest
        changed.add(increment: part)
        // A file of this name is what a crash left before it was named anywhere.
        File.removeIfPresent(path(part.name))
        let former = descriptor
        descriptor = -1
        do throws(SystemError) {
            try open(path(part.name))
            try replaceManifest(changed)
        } catch {
            close()
            descriptor = former
            throw error
        }
        isTemporary = false
        measure()
        return former
    }

    /// Begins an increment that becomes part of the manifest together with the first base.
    func beginTemporaryIncrement() throws(SystemError) {
        close()
        File.removeIfPresent(temporaryPath)
        try open(temporaryPath)
        isTemporary = true
        (openBytes, syncedBytes, otherBytes) = (0, 0, 0)
    }

    /// Lets everything start from the file `temporary`, which is on the disk already.
    ///
    /// The new manifest is on the disk when this returns; what it replaces is history.
    func rebase(on temporary: String, isSnapshot: Bool) throws(SystemError) {
        let base = manifest.nextBase(of: name, isSnapshot: isSnapshot)
        var changed = manifest
        try File.rename(temporary, to: path(base.name))
        if isTemporary {
            let increment = manifest.nextIncrement(of: name)
            try File.rename(temporaryPath, to: path(increment.name))
            changed.add(increment: increment)
        }
        changed.rebase(on: base, keepsLast: isOpen)
        try replaceManifest(changed)
        isTemporary = false
        measure()
    }

    /// Of the files that nothing needs any more.
    var historyPaths: [String] { manifest.history.map { path($0.name) } }

    /// Takes what is history out of the manifest.
    ///
    /// Its files are to be removed before: those that the manifest names are found again after a crash.
    func forgetHistory() throws(SystemError) {
        guard !manifest.history.isEmpty else { return }
        var changed = manifest
        changed.forgetHistory()
        try replaceManifest(changed)
    }

    /// Names a file of the time before there were manifests as the base, and moves it into the folder.
    func adopt(_ oldFile: String) throws(SystemError) {
        var changed = AppendOnlyManifest()
        changed.rebase(
            on: AppendOnlyManifest.Part(name: oldFile, sequence: 1), keepsLast: false)
        try File.createFolder(folder)
        try replaceManifest(changed)
        try File.rename(oldFile, to: path(oldFile))
    }

    /// Closes the open increment; a temporary one is removed.
    func close() {
        guard isOpen else { return }
        FileDescriptor.close(descriptor)
        descriptor = -1
        if isTemporary { File.removeIfPresent(temporaryPath) }
        isTemporary = false
    }

    private func open(_ path: String) throws(SystemError) {
        descriptor = try File(path, .append).release()
    }

    /// Bytes of all parts as they lie on the disk; for what is not open.
    var storedBytes: Int { manifest.parts.reduce(0) { $0 + Self.size(of: path($1.name)) } }

    /// Looks how large everything is.
    private func measure() {
        openBytes = isOpen ? Self.size(of: descriptor) : 0
        syncedBytes = openBytes
        let others = isOpen ? manifest.parts.dropLast() : manifest.parts[...]
        otherBytes = others.reduce(0) { $0 + Self.size(of: path($1.name)) }
    }

    private static func size(of descriptor: Int32) -> Int { (try? File.size(descriptor)) ?? 0 }

    private static func size(of path: String) -> Int {
        guard let file = try? File(path, .read) else { return 0 }
        return (try? file.size()) ?? 0
    }

    private func replaceManifest(_ changed: AppendOnlyManifest) throws(SystemError) {
        do throws(SystemError) {
            try writeManifest(changed)
        } catch {
            // It may have got its name although the folder could not be synced. What is written next
            // belongs to the old one, so that must be what is found.
            if manifest == AppendOnlyManifest() {
                File.removeIfPresent(manifestPath)
            } else {
                try? writeManifest(manifest)
            }
            throw error
        }
        manifest = changed
    }

    private func writeManifest(_ manifest: AppendOnlyManifest) throws(SystemError) {
        let temporary = path("temp-\(name).manifest")
        do throws(SystemError) {
            let file = try File(temporary, .create)
            try file.writeAll(manifest.text)
            try file.sync()
            try File.rename(temporary, to: manifestPath)
        } catch {
            File.removeIfPresent(temporary)
            throw error
        }
    }
}
