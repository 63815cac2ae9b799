import CLinux
import Glibc

/// An open regular file, closed when it goes.
///
/// Writes go to the kernel; only a sync brings them to the disk, and a new or renamed file is there
/// for certain only after its folder has been synced too. The static verbs that end a file's life
/// or begin it under a new name do that. All calls block; `Background` takes the slow ones.
public struct File: ~Copyable {
    public enum Access: Equatable, Sendable {
        /// An existing file, to read.
        case read
        /// An existing file, to read and to write in place.
        case readWrite
        /// A new or emptied file, to read and write.
        case create
        /// A new file, to read and write; EEXIST if the name is taken.
        case createNew
        /// A new or existing file; every write goes to its end.
        case append

        fileprivate var flags: Int32 {
            switch self {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .append: O_WRONLY | O_CREAT | O_APPEND
            }
        }
    }

    private let owner: FileDescriptor

    /// - Parameter permissions: of a file that is created, less the umask.
    /// - Throws: ENOENT, EACCES, EEXIST, EISDIR, EMFILE, ENOSPC.
    public init(
        _ path: String, _ access: Access, permissions: UInt16 = 0o644
    ) throws(SystemError) {
        let fd = try retrying("open") {
            open(path, access.flags | O_CLOEXEC, mode_t(permissions))
        }
        owner = FileDescriptor(owning: fd)
    }

    public init(owning descriptor: Int32) { owner = FileDescriptor(owning: descriptor) }

    public var descriptor: Int32 { owner.number }

    /// Gives the descriptor away unclosed, for instance to `Background.Job.close`.
    public consuming func release() -> Int32 { owner.release() }

    // MARK: Reading

    /// Reads at the current position and moves it; 0 is the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try retrying("read") { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// As `read(into:)`, from a descriptor that the caller holds.
    public static func read(
        from descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        try retrying("read") { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// Reads at `offset` without moving the position; 0 is the end of the file.
    public func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try File.read(from: descriptor, into: buffer, at: offset)
    }

    /// As `read(into:at:)`, from a descriptor that the caller holds.
    public static func read(
        from descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try retrying("pread") { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// The first `count` bytes of an open file, fewer if it is shorter.
    public static func beginning(of descriptor: Int32, _ count: Int) throws(SystemError) -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withUnsafeMutableBufferPointer { room throws(SystemError) in
            try File.read(from: descriptor, into: UnsafeMutableRawBufferPointer(room), at: 0)
        }
        return Array(bytes.prefix(read))
    }

    // MARK: Writing

    /// Writes once, at the current position or the end; fewer bytes than offered where the disk is
    /// full or a limit reached.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try retrying("write") { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
    }

    /// Writes everything.
    ///
    /// After an error some of it may be in the file.
    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try File.writeAll(bytes, to: descriptor)
    }

    public func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        try File.writeAll(bytes, to: descriptor)
    }

    /// Writes everything at `offset`, without moving the position.
    ///
    /// Not for `.append`, where Linux ignores the offset.
    public func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try retrying("pwrite") {
                pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            }
        }
    }

    /// Cuts the file, or fills it up with zeros, to `size` bytes.
    public func truncate(to size: Int) throws(SystemError) {
        try File.truncate(descriptor, to: size)
    }

    /// Moves the position to `offset` bytes from the start.
    public func seek(to offset: Int) throws(SystemError) {
        try retrying("lseek") { lseek(descriptor, off_t(offset), SEEK_SET) }
    }

    // MARK: The disk

    /// Brings data and all metadata to the disk (fsync).
    public func sync() throws(SystemError) {
        try retrying("fsync") { fsync(descriptor) }
    }

    /// Brings data and what is needed to read it, the size above all, to the disk (fdatasync).
    public func syncData() throws(SystemError) {
        if let error = File.syncDataError(descriptor) { throw error }
    }

    /// As `syncData`, of a descriptor that the caller holds.
    public static func syncData(_ descriptor: Int32) throws(SystemError) {
        if let error = syncDataError(descriptor) { throw error }
    }

    /// As `truncate(to:)`, of a descriptor that the caller holds.
    public static func truncate(_ descriptor: Int32, to size: Int) throws(SystemError) {
        try retrying("ftruncate") { ftruncate(descriptor, off_t(size)) }
    }

    /// As `size`, of a descriptor that the caller holds.
    public static func size(_ descriptor: Int32) throws(SystemError) -> Int {
        var status = stat()
        try retrying("fstat") { fstat(descriptor, &status) }
        return Int(status.st_size)
    }

    /// `syncData` for whoever holds a plain number; nil is success.
    static func syncDataError(_ descriptor: Int32) -> SystemError? {
        do throws(SystemError) {
            try retrying("fdatasync") { fdatasync(descriptor) }
            return nil
        } catch {
            return error
        }
    }

    /// Asks the kernel to begin writing these bytes out, so that a later sync of a big file finds
    /// little left to do.
    ///
    /// Does not wait, and promises nothing.
    public func startWriteback(offset: Int, count: Int) {
        File.startWriteback(of: descriptor, offset: offset, count: count)
    }

    public static func startWriteback(of descriptor: Int32, offset: Int, count: Int) {
        _ = apus_start_writeback(descriptor, Int64(offset), Int64(count))
    }

    /// Tells the kernel that these bytes will not be read again soon; a `count` of 0 is the rest.
    public func dropCache(offset: Int, count: Int) {
        _ = posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
    }

    /// In bytes.
    public func size() throws(SystemError) -> Int {
        try File.size(descriptor)
    }

    /// Whether the open file is still the one that has this name.
    public func isNamed(_ path: String) -> Bool {
        var (own, named) = (stat(), stat())
        return fstat(descriptor, &own) == 0 && stat(path, &named) == 0
            && own.st_dev == named.st_dev && own.st_ino == named.st_ino
    }
}

// MARK: - Whole files

extension File {
    /// All bytes of a file.
    ///
    /// - Throws: EFBIG if there are more than `limit`; ENOENT, EACCES, EISDIR.
    public static func readWhole(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let file = try File(path, .read)
        var bytes: [UInt8] = []
        // What /proc and pipes call their size is 0, so the end is what read says it is.
        let block = min(max(try file.size(), 4096), limit) + 1
        while true {
            let start = bytes.count
            bytes += [UInt8](repeating: 0, count: block)
            let count = try bytes.withUnsafeMutableBufferPointer { all throws(SystemError) in
                let room = UnsafeMutableBufferPointer(rebasing: all[start...])
                return try file.read(into: UnsafeMutableRawBufferPointer(room))
            }
            bytes.removeLast(block - count)
            if bytes.count > limit { throw SystemError("read", code: EFBIG) }
            if count == 0 { return bytes }
        }
    }

    /// Replaces a file's contents so that a crash at any moment leaves all of the old or all of the
    /// new: a temporary file in the same folder, synced, renamed over `path`, the folder synced.
    ///
    /// Costs at least two waits for the disk.
    ///
    /// - Throws: what any of the steps did; the old file stands then, and the temporary is gone.
    public static func writeAtomically(
        _ path: String, _ bytes: [UInt8], permissions: UInt16 = 0o644
    ) throws(SystemError) {
        let temporary = "\(path).\(getpid()).\(Clock.monotonicNanoseconds()).tmp"
        do throws(SystemError) {
            let file = try File(temporary, .createNew, permissions: permissions)
            try file.writeAll(bytes)
            try file.sync()
            try rename(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    public static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
            try File.writeAll(UnsafeRawBufferPointer(buffer), to: descriptor)
        }
    }

    /// Writes everything to a descriptor that the caller holds, such as standard output.
    public static func writeAll(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32
    ) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try retrying("write") {
                Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

// MARK: - Names

extension File {
    /// Gives a file its new name, in place of any file that had it, and syncs the folder.
    public static func rename(_ source: String, to target: String) throws(SystemError) {
        try retrying("rename") { Glibc.rename(source, target) }
        try syncFolder(of: target)
    }

    /// Removes a file and syncs its folder.
    ///
    /// - Throws: ENOENT if there is none.
    public static func remove(_ path: String) throws(SystemError) {
        try retrying("unlink") { unlink(path) }
        try syncFolder(of: path)
    }

    /// Removes a file whose name need not be gone after a power cut; fine if there is none.
    public static func removeIfPresent(_ path: String) { unlink(path) }

    /// Brings the names in the folder that holds `path` to the disk.
    public static func syncFolder(of path: String) throws(SystemError) {
        let folder = try File(Self.folder(of: path), .read)
        try folder.sync()
    }

    /// "." for a path without a slash.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Whether anything has this name; a dangling link does not count.
    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Finds out whether a file of this name could be opened to be written, or begun where there is
    /// none; nothing is changed.
    ///
    /// - Throws: what opening it would.
    public static func checkWritable(_ path: String) throws(SystemError) {
        guard exists(path) else { return try checkWritable(folder: folder(of: path)) }
        if isFolder(path) { throw SystemError("open", code: EISDIR) }
        try retrying("access") { access(path, W_OK) }
    }

    /// Finds out whether files could be made in a folder; nothing is changed.
    ///
    /// - Throws: ENOENT, ENOTDIR, EACCES, EROFS.
    public static func checkWritable(folder path: String) throws(SystemError) {
        try retrying("access") { access(path, W_OK | X_OK) }
        if !isFolder(path) { throw SystemError("access", code: ENOTDIR) }
    }

    /// The permission bits of a file; nil if it cannot be looked at.
    public static func permissions(_ path: String) -> UInt16? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UInt16(truncatingIfNeeded: status.st_mode & 0o7777)
    }

    public static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes a folder, and syncs the one it is in; fine if it is there already.
    public static func createFolder(
        _ path: String, permissions: UInt16 = 0o755
    ) throws(SystemError) {
        do throws(SystemError) {
            try retrying("mkdir") { mkdir(path, mode_t(permissions)) }
        } catch {
            if error.code == EEXIST && isFolder(path) { return }
            throw error
        }
        try syncFolder(of: path)
    }

    /// The names in a folder, without "." and "..", in no order.
    public static func names(in folder: String) throws(SystemError) -> [String] {
        guard let stream = opendir(folder) else { throw SystemError.last("opendir") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
