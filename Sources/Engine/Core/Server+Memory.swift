import CLinux
import Glibc
import Reactor

/// Where the memory is: what INFO, MEMORY STATS and MEMORY DOCTOR tell.
///
/// `used` counts what the data and the clients take, exactly. What the process takes beyond that
/// (`resident`) is divided into the parts a remedy exists for.
struct MemoryReport {
    /// The tables of one database, apart from its entries.
    struct Tables {
        let database: Int
        let keys: Int
        let mainBytes: Int
        let deadlineBytes: Int
    }

    var used = 0
    var peak = 0
    var startup = 0
    /// What the process held beyond that when it had started: program, libraries, stacks.
    var processBase = 0
    /// Connections with their buffers.
    var clients = 0
    /// Buffers lying ready for the next replies.
    var pool = 0
    var tables: [Tables] = []
    /// Live blocks of both allocators, Swift's own objects included.
    var allocated = 0
    /// The same with the room lost between the blocks.
    var active = 0
    /// The same with what the allocators keep for the next blocks.
    var reserved = 0
    /// What the kernel holds for the process.
    var resident = 0

    var tableBytes: Int { tables.reduce(0) { $0 + $1.mainBytes + $1.deadlineBytes } }
    var keys: Int { tables.reduce(0) { $0 + $1.keys } }
    var overhead: Int { startup + clients + pool + tableBytes }
    var dataset: Int { max(0, used - overhead) }
    /// The share of the data in what came since the start, in percent.
    var datasetPercent: Double {
        used > startup ? min(100, Double(dataset) * 100 / Double(used - startup)) : 0
    }
    var bytesPerKey: Int { keys > 0 ? max(0, used - startup) / keys : 0 }
    var peakPercent: Double { Double(used) * 100 / Double(max(peak, 1)) }

    var fragmentation: Ratio { Ratio(active, allocated) }
    var reserve: Ratio { Ratio(reserved, active) }
    var processOverhead: Ratio { Ratio(resident, reserved) }
    /// What the kernel holds against what is to be held: the data and the process around it.
    ///
    /// Redis divides by `used` alone, and calls 20 what is the program itself, until there is data.
    var total: Ratio { Ratio(resident, used + processBase) }

    /// How much larger one figure is than the next.
    struct Ratio {
        let factor: Double
        let bytes: Int

        init(_ larger: Int, _ smaller: Int) {
            factor = Double(larger) / Double(max(smaller, 1))
            bytes = larger - smaller
        }
    }
}

extension Server {
    /// Whether more memory is used than `maxmemory` allows.
    var isOverMemoryLimit: Bool {
        guard settings.maxMemoryBytes > 0 else { return false }
        let used = usedMemory
        return UInt64(used) > settings.maxMemoryBytes
            && UInt64(max(0, used - uncountedMemory)) > settings.maxMemoryBytes
    }

    /// Bytes on their way to the append-only file and to replicas: evicting keys would make them more.
    var uncountedMemory: Int {
        keyspace.feed.memoryBytes + appendOnly.log.pendingBytes + replicaMemory
    }

    /// O(connections + databases), and a look into /proc.
    func memoryReport() -> MemoryReport {
        var report = MemoryReport()
        report.used = usedMemory
        if report.used > statistics.peakMemory { statistics.peakMemory = report.used }
        report.peak = statistics.peakMemory
        report.startup = lifecycle.startupMemory
        report.processBase = lifecycle.processBaseMemory
        // The reply that is being written has a buffer too.
        report.pool = replyPool.idleBytes + ReplyBlock.standardCapacity
        for place in 0..<connections.placeCount {
            report.clients += connections.at(place)?.memoryBytes ?? 0
        }
        for index in 0..<keyspace.databaseCount where keyspace[index].count > 0 {
            let database = keyspace[index]
            report.tables.append(
                MemoryReport.Tables(
                    database: index, keys: database.count, mainBytes: database.table.memoryBytes,
                    deadlineBytes: database.deadlineIndexBytes))
        }
        let heap = mallinfo2()
        let arena = keyspace.arena
        report.allocated = arena.allocatedBytes + Int(heap.uordblks) + Int(heap.hblkhd)
        report.active =
            arena.committedBytes - arena.reserveBytes + Int(heap.uordblks) + Int(heap.hblkhd)
        report.reserved = arena.committedBytes + Int(heap.arena) + Int(heap.hblkhd)
        report.resident = Process.residentBytes()
        return report
    }

    /// Gives memory that nothing lives in back to the system.
    func purgeMemory() {
        replyPool.purge()
        keyspace.arena.trim()
        malloc_trim(0)
    }

    /// What both allocators have to say, for a person to read.
    func allocatorReport() -> String {
        let arena = keyspace.arena
        let heap = mallinfo2()
        return """
            Arena (blocks up to \(Arena.largestBlock) bytes)
              allocated: \(arena.allocatedBytes)
              committed: \(arena.committedBytes)
              in reserve: \(arena.reserveBytes)
              capacity: \(arena.capacityBytes)
            Heap (larger blocks, buffers, objects)
              counted blocks: \(apus_heap_bytes())
              in use: \(heap.uordblks + heap.hblkhd)
              free: \(heap.fordblks)
              mapped apart: \(heap.hblkhd) in \(heap.hblks) blocks

            """
    }
}
