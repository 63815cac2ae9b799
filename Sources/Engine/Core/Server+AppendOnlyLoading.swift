import Reactor

/// Loading the append-only file: the manifest, the base, then every increment in order.
///
/// Nothing expires meanwhile: what was there when a request was executed is there when it is repeated.
/// A file that ends in the middle of something is cut back to where the last whole unit ended, if it is
/// the last file and `aof-load-truncated` allows that; everything else that is wrong is fatal, and
/// what the files hold is left as it is.
extension Server {
    /// Reads which files there are, also where nothing is appended now; with `appendonly` finds out
    /// whether each can be read, and the last one be continued.
    func findAppendOnlyFiles() throws(AppendOnlyError) {
        guard keepsSnapshots else { return }
        try appendOnly.log.readManifest()
        guard settings.appendOnly else { return }
        try checkAppendOnlyParts()
        do throws(AppendOnlyLog.Obstacle) {
            try appendOnly.log.checkWritable()
        } catch {
            throw AppendOnlyError(
                text: "Can't begin to write the append only file: \(error.trouble.text)")
        }
    }

    /// Makes a file of the time before there were manifests the base, if there is one.
    func adoptOldAppendOnlyFile() throws(AppendOnlyError) {
        guard keepsSnapshots, settings.appendOnly, appendOnly.log.mustAdopt else { return }
        let name = appendOnly.log.name
        log.notice(
            "Upgrading the AOF: the file \(name) becomes the base in \(appendOnly.log.folder)")
        do throws(SystemError) {
            try appendOnly.log.adopt(name)
        } catch {
            throw AppendOnlyError(
                text: "Can't move the old AOF '\(FileTrouble.absolute(name))' into its folder "
                    + FileTrouble(appendOnly.log.folder, error).text)
        }
    }

    /// Loads all parts into databases that are empty.
    ///
    /// - Parameter servesMeanwhile: whether clients are answered now and then: most of them that the
    ///   data is not there yet. Only where no request is being served.
    /// - Returns: false if the server is to end before everything is loaded.
    func loadAppendOnly(servesMeanwhile: Bool = false) throws(AppendOnlyError) -> Bool {
        let parts = appendOnly.log.manifest.parts
        guard !parts.isEmpty else { return true }
        let start = Clock.monotonicNanoseconds()
        let listened = keyspace.interest.contains(.propagation)
        keyspace.interest.remove(.propagation)
        beginRepeating()
        beginLoading(appendOnly.log.storedBytes)
        appendOnly.nextLoadStop = servesMeanwhile ? settings.loadingEventIntervalBytes : .max
        defer {
            endLoading()
            endRepeating()
            if listened { keyspace.interest.insert(.propagation) }
        }
        for (index, part) in parts.enumerated() {
            try load(
                part, isBase: index == 0 && appendOnly.log.manifest.base != nil,
                isLast: index == parts.count - 1)
        }
        if lifecycle.shouldStop { return false }
        snapshots.savedChanges = keyspace.counters.changes
        log.notice("DB loaded from append only file: \(Self.seconds(since: start)) seconds")
        return true
    }

    private static func seconds(since start: UInt64) -> String {
        NumberText.fixed(Double(Clock.monotonicNanoseconds() - start) / 1e9, decimals: 3)
    }

    // MARK: - One part

    private func load(
        _ part: AppendOnlyManifest.Part, isBase: Bool, isLast: Bool
    ) throws(AppendOnlyError) {
        let start = Clock.monotonicNanoseconds()
        let path = appendOnly.log.path(part.name)
        let file = try openPart(path, part.name)
        let size = (try? file.size()) ?? 0
        if size > 0 {
            let offset = try loadSnapshotPart(file.descriptor, size, part.name)
            var reader = AppendOnlyReader(file.descriptor, from: offset)
            if let end = try repeatRequests(from: &reader, part.name, isLast: isLast) {
                try cut(path, part.name, to: end)
            }
        }
        if isBase { appendOnly.rewrittenBytes = size }
        let kind = isBase ? "base" : "incr"
        log.notice(
            "DB loaded from \(kind) file \(part.name): \(Self.seconds(since: start)) seconds")
    }

    private func openPart(_ path: String, _ name: String) throws(AppendOnlyError) -> File {
        do throws(SystemError) {
            return try File(path, .read)
        } catch {
            throw AppendOnlyError(
                text: "Fatal error: can't open the append log file \(name) for reading: "
                    + FileTrouble(path, error).text)
        }
    }

    /// Finds out whether all parts that the manifest names can be read.
    private func checkAppendOnlyParts() throws(AppendOnlyError) {
        // One that waits to be adopted lies elsewhere still.
        guard !appendOnly.log.mustAdopt else { return }
        for part in appendOnly.log.manifest.parts {
            _ = try openPart(appendOnly.log.path(part.name), part.name)
        }
    }

    /// Loads the snapshot that a file may begin with.
    ///
    /// - Returns: where the requests begin.
    private func loadSnapshotPart(
        _ descriptor: Int32, _ size: Int, _ name: String
    ) throws(AppendOnlyError) -> Int {
        let magic = (try? File.beginning(of: descriptor, 6)) ?? []
        let isSnapshot = magic.starts(with: Array("REDIS".utf8)) || magic == Array("VALKEY".utf8)
        guard isSnapshot else { return 0 }
        log.notice("Reading RDB base file on AOF loading...")
        var reader = DumpReader(
            file: descriptor, size: size, checks: checksSnapshots, withHelp: hasProcessorForHelp)
        var options = SnapshotReader.Options()
        options.dropsExpired = false
        do throws(DumpError) {
            _ = try load(
                from: &reader, options, servesMeanwhile: appendOnly.nextLoadStop != .max)
        } catch {
            if case .interrupted = error { return size }
            throw AppendOnlyError(
                text:
                    "Error reading the RDB preamble of the AOF file \(name), AOF loading aborted: "
                    + "\(error.text). Make a copy of the folder, and see what "
                    + "'apus-check-aof \(manifestName)' has to say")
        }
        return reader.position
    }

    /// Repeats the requests of a file.
    ///
    /// - Returns: where to cut the file because it ends in the middle of something; nil if it does not.
    private func repeatRequests(
        from reader: inout AppendOnlyReader, _ name: String, isLast: Bool
    ) throws(AppendOnlyError) -> Int? {
        let connection = makeHiddenConnection()
        defer { dismiss(connection) }
        var call = Call(server: self, connection: connection)
        var transactionStart: Int?
        let select = commands.findRecorded(ByteView("SELECT"))
        while !lifecycle.shouldStop {
            let start = reader.position
            if start >= appendOnly.nextLoadStop {
                appendOnly.nextLoadStop = start + settings.loadingEventIntervalBytes
                _ = continueLoading(start)
            }
            switch reader.next() {
            case .request(let arguments):
                call.arguments = arguments
                call.command = recordedCommandNumber(of: arguments)
                if call.command == select { try checkDatabase(of: arguments, name) }
                try repeatRequest(&call, name)
                let isQueueing = connection.gate.contains(.queueing)
                transactionStart = isQueueing ? transactionStart ?? start : nil
            case .time: continue
            case .end where transactionStart == nil: return nil
            case .end, .truncated:
                guard isLast, settings.aofLoadsTruncated else {
                    throw AppendOnlyError(
                        text:
                            "Unexpected end of file reading the append only file \(name) at offset "
                            + "\(start). \(mendingAdvice). Or set 'aof-load-truncated' to yes and "
                            + "start again")
                }
                return transactionStart ?? start
            case .malformed:
                throw AppendOnlyError(
                    text:
                        "Bad file format reading the append only file \(name) at offset \(start). "
                        + mendingAdvice)
            case .failed(let error):
                throw AppendOnlyError(
                    text:
                        "Unrecoverable error reading the append only file \(name) behind offset "
                        + "\(start): "
                        + FileTrouble(appendOnly.log.path(name), error).text
                )
            }
        }
        return nil
    }

    /// The whole name of the manifest.
    private var manifestName: String { FileTrouble.absolute(appendOnly.log.manifestPath) }

    /// What to do about a file with something wrong in it.
    private var mendingAdvice: String {
        "Make a copy of the folder, then cut what is broken off with 'apus-check-aof --fix "
            + "\(manifestName)'"
    }

    private func checkDatabase(
        of arguments: Arguments, _ name: String
    ) throws(AppendOnlyError) {
        guard lacksDatabase(of: arguments) else { return }
        throw AppendOnlyError(
            text:
                "The append only file \(name) selects database "
                + "'\(arguments[1].prefix(128).string)', and there are only "
                + "\(keyspace.databaseCount): check the 'databases' setting")
    }

    /// A request that fails is told of, and the next is repeated; but not where a whole transaction was
    /// left out.
    private func repeatRequest(_ call: inout Call, _ name: String) throws(AppendOnlyError) {
        switch repeatRecorded(&call, for: .file) {
        case .done: return
        case .failed(let error):
            guard error.hasPrefix("EXECABORT") else { return }
            throw AppendOnlyError(
                text: "A transaction of the append only file \(name) cannot be repeated: \(error)")
        case .foreign:
            log.warning(
                "The append only file \(name) holds '\(commands[call.command].fullName)', which "
                    + "changes no data: left out")
        case .unknown:
            throw AppendOnlyError(
                text:
                    "Unknown command '\(call.arguments[0].prefix(128).string)' reading the append "
                    + "only file \(name)")
        }
    }

    private func cut(_ path: String, _ name: String, to size: Int) throws(AppendOnlyError) {
        log.warning("!!! Warning: short read while loading the AOF file \(name)!!!")
        log.warning("!!! Truncating the AOF \(name) at offset \(size) !!!")
        do throws(SystemError) {
            let file = try File(path, .readWrite)
            try file.truncate(to: size)
        } catch {
            throw AppendOnlyError(
                text: "Error truncating the AOF file \(name): \(FileTrouble(path, error).text)")
        }
        log.warning("AOF \(name) loaded anyway because aof-load-truncated is enabled")
    }
}
